"""Attacks by odd values of arguments and options."""

import shutil
from collections.abc import Iterator

from case import FRESH, QUICK, SHORT, SLOW, WRITES, Case

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
