"""Attacks by files that are not what they were: cut off, changed, missing, another thing."""

import gzip
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from case import QUICK, SLOW, WRITES, Case


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
