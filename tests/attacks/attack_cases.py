"""Hostile and odd inputs to every verb, made from a few lists: files, damages, arguments, settings, names."""

import gzip
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from ejectamap.cli.app import app

Prepare = Callable[[Path], None]


def nothing(_: Path) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class Case:
    """One command in a copy of the template.

    Attributes
    ----------
    name : str
    arguments : tuple of str
        Of `ejectamap`, which runs in the copy.
    prepare : callable
        Given the copy's folder, it makes the attack.
    names : str or None
        What a refusal must name.
    code : int or None
        The only right exit code; None: 0 or 2.
    same : bool
        Whether all that the command writes must be as it is without the attack, if it ends with 0.
    writes : tuple of str
        Files and folders that may change.
    """

    name: str
    arguments: tuple[str, ...]
    prepare: Prepare = nothing
    names: str | None = None
    code: int | None = None
    same: bool = False
    writes: tuple[str, ...] = ("project",)


FRESH = ("--mosaic", "inputs/mosaic.tif", "--craters", "inputs/craters.csv")
SHORT = ("--max-minutes", "0.01")
# How each verb is called in the template. Those of the first group end within a second where nothing is wrong.
QUICK: dict[str, tuple[str, ...]] = {
    "map": ("map", "project"),
    "evaluate": ("evaluate", "project"),
    "report": ("report", "project"),
    "analyze": ("analyze", "project"),
    "families": ("families", "project"),
    "suggest": ("suggest", "project", "--tiles", "3"),
    "runs": ("runs", "project"),
    "difference": ("difference", "project", "first"),
    "export stac": ("export", "stac", "project"),
    "export pds4": ("export", "pds4", "project"),
    "export qgis": ("export", "qgis", "project"),
    "import labels": ("import", "labels", "project", "inputs/corrected"),
    "view": ("view", "project", "--no-browser"),
    "rank": (
        "rank",
        "project",
        "--maps",
        "a=project",
        "--maps",
        "b=project/runs/first/map",
        "--no-browser",
    ),
}
SLOW: dict[str, tuple[str, ...]] = {
    "check": ("check", "project"),
    "train": ("train", "project", *SHORT),
    "compare": ("compare", "project", "--methods", "polar", *SHORT),
    "cross-validate": ("cross-validate", "project", "--folds", "2", *SHORT),
    "tune": (
        "tune",
        "project",
        "inputs/search.yaml",
        "--trials",
        "1",
        "--minutes-per-trial",
        "0.01",
    ),
    "new": ("new", "fresh", *FRESH),
    "demo": ("demo", "project"),
    "simulate": ("simulate", "project"),
    "import ejmap": ("import", "ejmap", "inputs", "fresh"),
}
WRITES = ("project", "fresh")


def verbs() -> set[str]:
    """All verbs of the program, from the command line's own list."""
    command = typer.main.get_command(app)
    found = set()
    for name, verb in command.commands.items():  # type: ignore[attr-defined]
        inner = getattr(verb, "commands", None)
        found |= {name} if inner is None else {f"{name} {part}" for part in inner}
    return found


# --- files that are not what they were


def put(content: bytes) -> Callable[[Path], None]:
    """Replace a file by other content."""

    def damage(path: Path) -> None:
        path.unlink()
        path.write_bytes(content)

    return damage


def half(path: Path) -> None:
    """Keep the first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    """Change forty bytes in the middle."""
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : third + 40] = bytes(byte ^ 0x5A for byte in content[third : third + 40])
    path.write_bytes(content)


def folder(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


def loop(path: Path) -> None:
    """Put a link to itself in its place."""
    path.unlink()
    path.symlink_to(path.name)


def pipe(path: Path) -> None:
    """Put a pipe in its place, which would block its reader."""
    path.unlink()
    os.mkfifo(path)


def missing(path: Path) -> None:
    """Remove it."""
    path.unlink()


def zipped(path: Path) -> None:
    """Compress it."""
    path.write_bytes(gzip.compress(path.read_bytes()))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": put(b""),
    "half": half,
    "flipped": flipped,
    "zeros": put(bytes(5000)),
    "nonsense": put(b"nonsense\x00\xff\x1b[31m\n" * 40),
    "deep": put(b"[" * 20000),
    "list": put(b"[]"),
    "mapping": put(b"{}"),
    "numbers": put(b'{"craters": 1, "folds": NaN, "version": 1e999}'),
    "utf-16": put("crater_id,lon\n1,2\n".encode("utf-16")),
    "picture": put(b"\x89PNG\r\n\x1a\n" + bytes(200)),
    "one long line": put(b"a" * 300_000),
    "zipped": zipped,
    "folder": folder,
    "loop": loop,
    "pipe": pipe,
    "missing": missing,
}
FILES = (
    "inputs/mosaic.tif",
    "inputs/craters.csv",
    "inputs/labels/mask_crater_0.tif",
    "project/project.yaml",
    "project/provenance.json",
    "project/evaluation.json",
    "project/analysis.csv",
    "project/rays.csv",
    "project/rays.gpkg",
    "project/families.csv",
    "project/suggestions.csv",
    "project/models/context/member-00/bundle.json",
    "project/models/context/member-00/weights.safetensors",
    "project/logs/context/member-00/metrics.csv",
    "project/map/origin.tif",
    "project/map/origin.qml",
    "project/map/ejecta.gpkg",
    "project/map/global.png",
    "project/map/crater_0.png",
    "project/map/crater_0_mask.tif",
    "project/map/crater_0_probability.tif",
    "project/map/.done/crater_0.json",
    "project/map/.done/outline_0.parquet",
    "project/map/.done/trained_on.json",
    "project/runs/first/provenance.json",
    "project/runs/first/settings.yaml",
    "project/runs/first/evaluation.json",
    "project/runs/first/map/crater_0_mask.tif",
)


def damaged_files() -> Iterator[Case]:
    """Each file damaged in each way, and then one of the verbs, in turn."""
    names = list(QUICK)
    for j, file in enumerate(FILES):
        for i, (what, damage) in enumerate(DAMAGES.items()):
            if what == "pipe" and not file.startswith("inputs/"):
                continue  # no program puts a pipe where it wrote a file
            verb = names[(5 * j + i) % len(names)]
            parts = Path(file).parts
            named = "|".join(re.escape(part) for part in (parts[-1], parts[-2], "project"))
            yield Case(
                f"{file} {what}: {verb}",
                QUICK[verb],
                lambda folder, file=file, damage=damage: damage(folder / file),  # type: ignore[misc]
                named,
                same=not file.startswith("inputs/") and not file.endswith("project.yaml"),
            )
    for verb, arguments in SLOW.items():
        for file in ("inputs/mosaic.tif", "inputs/craters.csv", "project/project.yaml"):
            for what in ("half", "pipe") if file.endswith("tif") else ("nonsense", "deep"):
                yield Case(
                    f"{file} {what}: {verb}",
                    arguments,
                    lambda folder, file=file, what=what: DAMAGES[what](folder / file),  # type: ignore[misc]
                    code=None if verb in ("new", "import ejmap") else 2,
                    writes=WRITES,
                )


# --- arguments

_FOLDERS = (
    "",
    "nowhere",
    "inputs",
    "inputs/mosaic.tif",
    "project/project.yaml",
    "a\x1b[31m\nb",
    "x" * 300,
    "/dev/null",
)
_NAMES = (
    "../evil",
    "/tmp/evil",
    "..",
    ".",
    "",
    "a/b",
    "a\x1b[2J",
    "~",
    "-",
    "x" * 300,
    "\ud800",
    "present",
)
_IDS = ("", ",", "1,,2", "-1", "99", "1e3", "1.5", "9" * 40, "\u0661", "0,0", "x", "nan")
_NUMBERS = ("nan", "inf", "-inf", "-1", "0", "1e400", "", "x", "1_0", "\u0663")


def arguments() -> Iterator[Case]:
    """Odd values of every argument and option."""
    for verb, call in {**QUICK, **SLOW}.items():
        if verb in ("new", "demo", "simulate", "import ejmap"):
            continue
        at = call.index("project")
        for k, text in enumerate(_FOLDERS):
            if k % 2 == len(verb) % 2 or verb in ("check", "map"):
                arguments = (*call[:at], text, *call[at + 1 :])
                yield Case(f"{verb} {text[:20]!r}", arguments, code=2)
    for text in _FOLDERS:
        yield Case(f"new {text[:20]!r}", ("new", text, *FRESH), writes=("",))
        for option in ("--mosaic", "--craters", "--labels", "--tiles"):
            more = (
                "--mosaic",
                "inputs/mosaic.tif",
                "--craters",
                "inputs/craters.csv",
                option,
                text,
            )
            yield Case(f"new {option} {text[:20]!r}", ("new", "fresh", *more), writes=WRITES)
    for text in _NAMES:
        for call in (
            ("--keep", text),
            ("--delete", text),
            ("--name", "first", text),
            ("--name", text, "b"),
        ):
            code = None if text in ("-", "x" * 300, "~") else 2
            yield Case(f"runs {call[0]} {text[:20]!r}", ("runs", "project", *call), code=code)
        yield Case(f"difference {text[:20]!r}", ("difference", "project", text), code=None)
        yield Case(f"rank {text[:20]!r}", (*QUICK["rank"], "--maps", f"{text}=project"))
    for text in _IDS:
        yield Case(f"map --craters {text[:9]!r}", ("map", "project", "--craters", text))
    for text in _NUMBERS:
        yield Case(
            f"train --max-minutes {text!r}", ("train", "nowhere", "--max-minutes", text), code=2
        )
        yield Case(f"suggest --tiles {text!r}", ("suggest", "project", "--tiles", text))
        yield Case(
            f"simulate --width {text!r}",
            ("simulate", "fresh", "--width", text),
            code=2,
            writes=WRITES,
        )
        yield Case(f"new --seed {text!r}", ("new", "fresh", *FRESH, "--seed", text), writes=WRITES)
    yield from other_arguments()


def other_arguments() -> Iterator[Case]:
    """Arguments of single verbs."""
    for text in (
        "lon",
        "=",
        "lon=",
        "lon=x",
        "a=b,c",
        "lon=lon,lon=lat",
        "\x00=1",
        "name=crater_id",
    ):
        yield Case(
            f"--columns {text!r}", ("new", "fresh", *FRESH, "--columns", text), writes=WRITES
        )
    for text in (
        "x",
        "urn:nasa:pds",
        "urn:x:y z",
        "urn:nasa:pds:a:b<c>",
        "\x1b",
        "urn:nasa:pds:ok:data",
    ):
        call = ("export", "pds4", "project", "--collection", text)
        yield Case(f"--collection {text!r}", call, code=0 if text.endswith("ok:data") else 2)
    for text in ("<&>", "\x1b[31m", "@TITLE@", "x" * 1000, ""):
        yield Case(f"--mission {text[:9]!r}", ("export", "pds4", "project", "--mission", text))
    for text in ("nowhere/map.gpkg", "inputs", "map.txt", "/dev/full", "x" * 300 + ".gpkg", ""):
        yield Case(
            f"export qgis {text[:9]!r}",
            ("export", "qgis", "project", text),
            writes=("project", text or "x", "map.gpkg", "nowhere", "map.qgs"),
        )
    for text in (
        "nowhere",
        "inputs/mosaic.tif",
        "inputs/craters.csv",
        "project",
        "project/map/ejecta.gpkg",
        "home",
        "/dev/null",
        "project/map/global.png",
    ):
        yield Case(f"import labels {text!r}", ("import", "labels", "project", text))
        yield Case(f"second labels {text!r}", ("evaluate", "project", "--second-labels", text))
        yield Case(
            f"import ejmap {text!r}", ("import", "ejmap", text, "fresh"), code=2, writes=WRITES
        )
        yield Case(f"tune {text!r}", ("tune", "project", text), code=2)
    for text in ("", "x", "banana://x:1", "tls://127.0.0.1:9", "tcp://", "[::1"):
        yield Case(
            f"--scheduler {text!r}",
            ("map", "project", "--scheduler", text),
            lambda f: shutil.rmtree(f / "project" / "map"),
            code=2,
        )
    for text in ("none", "polar,polar", "", ",", "two-stage,x"):
        yield Case(
            f"compare {text!r}",
            ("compare", "project", "--methods", text, *SHORT),
            code=2 if text != "polar,polar" else None,
        )
    for text in ("1", "7", "1000000", "-1", "x"):
        yield Case(
            f"folds {text!r}", ("cross-validate", "project", "--folds", text, *SHORT), code=2
        )
    for text in ("70000", "-1", "x", "1"):
        yield Case(f"--port {text!r}", ("view", "nowhere", "--port", text), code=2)
    for text in ("huge", "", "../x", "laptop.yaml"):
        yield Case(
            f"--preset {text!r}", ("new", "fresh", *FRESH, "--preset", text), code=2, writes=WRITES
        )


# --- settings

_IMPOSSIBLE = (
    "seed=-1",
    "seed=1e99",
    "seed=x",
    "version=3",
    "method=none",
    "method=[polar]",
    "inputs.mosaic=null",
    "inputs.reach={1: 2}",
    "inputs.reach={x: 0.5}",
    "inputs.columns=[lon]",
    "views.chip_px=0",
    "views.chip_px=100000",
    "views.polar_px=[32]",
    "views.polar_px=[32, 64, 96]",
    "views.polar_px=[.nan, 64]",
    "views.overlap=1",
    "views.overlap=.nan",
    "views.tile_km=0",
    "views.tile_km=-.inf",
    "views.polar_power=0",
    "views.annulus_radii=[3, 2]",
    "context.batch_size=0",
    "context.batch_size=1000000",
    "context.members=100000",
    "context.max_epochs=0",
    "context.augment.blur_px=1e9",
    "context.augment.stretch=1e9",
    "context.augment.brightness=1e300",
    "context.decoder_channels=[12000, 12000, 12000, 12000, 12000]",
    "context.decoder_channels=[-1]",
    "context.blend=2",
    "context.warm_up_steps=1e30",
    "training.split=none",
    "training.test_fraction=2",
    "training.max_minutes=0",
    "training.devices=0",
    "training.loader_workers=1000000",
    "training.also_train_on=x",
    "map.threshold=1",
    "map.threshold=.nan",
    "map.keep_runs=-1",
    "map.backend=gpu",
    "products.doi=x",
    "products.authors=A",
    "context.loss=dice",
    "context.loss={name: dice, arguments: {smooth: .inf}}",
    "nothing=1",
    "views.nothing=1",
    "views=1",
    "=1",
    "views.",
    "a.b.c.d=1",
    "views.chip_px={",
    "products.credit=[" + "[" * 60,
    "map={}x",
    "context.batch_size=60000",
)
# Accepted as settings; the network or the map cannot be made.
_UNUSABLE = (
    "context.decoder_channels=[2000, 2000, 2000, 2000, 2000]",
    "context.decoder_channels=[16]",
    "context.encoder=x",
    "context.decoder=x",
    "context.loss={name: x}",
    "context.optimiser={name: x}",
    "context.scheduler={name: x}",
    "inputs.craters=nowhere.csv",
    "inputs.labels=nowhere",
    "inputs.tiles=nowhere.csv",
    "inputs.split=nowhere.csv",
    "inputs.part_of=nowhere.tif",
    "inputs.mosaic=''",
    "inputs.mosaic=.",
    "inputs.craters=/dev/zero",
    "inputs.columns={lon: nothing}",
    "training.start_from=nowhere",
    "training.also_train_on=[nowhere]",
    "training.also_train_on=[.]",
    "training.families=[none]",
    "training.accelerator=x",
    "training.strategy=x",
    "inputs.reach={0: 1e-9}",
)


def settings() -> Iterator[Case]:
    """Impossible values of settings, given to `new` and in project.yaml."""
    for text in _IMPOSSIBLE:
        call = ("new", "fresh", *FRESH, "--set", text)
        yield Case(
            f"--set {text[:40]}",
            call,
            code=2,
            names="|".join(re.escape(part[:5]) for part in text.partition("=")[0].split(".")),
            writes=WRITES,
        )
    for text in _UNUSABLE:
        section, _, rest = text.partition(".")
        key, _, value = rest.partition("=")

        def change(
            folder: Path, section: str = section, key: str = key, value: str = value
        ) -> None:
            path = folder / "project" / "project.yaml"
            content, count = re.subn(
                rf"(?ms)^({section}:\n.*?^  {key}: ).*?$",
                lambda m: m[1] + value,
                path.read_text(),
                count=1,
            )
            assert count == 1, (section, key)
            path.write_text(content)

        yield Case(f"settings {text[:50]}", SLOW["check"], change, code=2)


# --- names of craters

NAMES = (
    '=HYPERLINK("http://x")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "-2+3",
    "De\x07gas\x1b[31m",
    "<script>alert(1)</script>",
    "$x_{$^$",
    "a\tb\x0bc",
    "\u202eevil",
    "\ufffe\uffff]]>",
    "x" * 5000,
    "../../evil",
    'a,"b";c',
    "'quoted",
    "%s{0}\\n",
    "&amp;",
)


def names() -> Iterator[Case]:
    """Names of craters that are code elsewhere, in every verb that writes them."""
    for k in range(0, len(NAMES), 6):
        some = [*NAMES[k : k + 6], *NAMES[:6]][:6]

        def rename(folder: Path, some: list[str] = some) -> None:
            path = folder / "inputs" / "craters.csv"
            header, *rows = path.read_text().splitlines()
            column = header.split(",").index("name")
            lines = [header]
            for row, name in zip(rows, some, strict=False):
                cells = row.split(",")
                cells[column] = '"' + name.replace('"', '""') + '"'
                lines.append(",".join(cells))
            path.write_text("\n".join(lines) + "\n")

        for verb in (
            "map",
            "evaluate",
            "report",
            "analyze",
            "families",
            "suggest",
            "export stac",
            "export pds4",
            "export qgis",
            "view",
            "rank",
        ):
            code = None if verb == "rank" else 0  # it refuses maps that look alike
            yield Case(f"names {k}: {verb}", QUICK[verb], rename, code=code)


# --- the environment

_ENVIRONMENT = {
    "OMP_NUM_THREADS": ("x", "0", "-1", "1e3", "", "99999999999"),
    "COLUMNS": ("0", "1", "-5", "x", "100000"),
    "TERM": ("", "dumb", "\x1b"),
    "TMPDIR": ("/nonexistent", "/dev/null"),
    "HOME": ("/nonexistent", ""),
    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": ("/nonexistent",),
    "PROJ_DATA": ("/nonexistent",),
    "GDAL_DATA": ("/nonexistent",),
    "GDAL_NUM_THREADS": ("x",),
    "GDAL_CACHEMAX": ("-1",),
    "NO_COLOR": ("1",),
    "FORCE_COLOR": ("x",),
}


def environment() -> Iterator[Case]:
    """Environment variables that some library reads."""
    turn = ("evaluate", "map", "suggest", "export qgis", "runs")
    k = 0
    for key, values in _ENVIRONMENT.items():
        for value in values:
            k += 1

            def prepare(_: Path, key: str = key, value: str = value) -> None:
                os.environ[key] = value

            verb = turn[k % len(turn)]
            if key in ("FORCE_COLOR",):
                continue
            yield Case(f"{key}={value!r}: {verb}", QUICK[verb], prepare, code=0, same=True)


def cases() -> list[Case]:
    """All attacks."""
    assert verbs() == {*QUICK, *SLOW}, "a verb has no line above"
    parts = (damaged_files, arguments, settings, names, environment)
    return [case for part in parts for case in part()]
