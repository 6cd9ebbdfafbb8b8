"""Tries an installed ejectamap from end to end: `python installed.py`, with the Python of its environment.

It needs nothing but the program. `make test-wheel` runs it in an environment that holds the built wheel alone, and
`make test-lowest` in one with the lowest versions of all dependencies. It maps a simulated planet with the networks
that come with the program, trains small ones, and runs every stage and export.
"""

import importlib
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

import ejectamap

PROGRAM = Path(sys.executable).with_name("ejectamap")
SMALL = (
    "views.polar_px=[64, 128]",
    "context.encoder=tu-test_resnet",
    "context.decoder_channels=[32, 16, 16, 8, 8]",
    "context.pretrained=false",
    "context.max_epochs=1",
    "training.start_from=none",
)
OUTPUTS = (
    "map/origin.tif",
    "map/ejecta.gpkg",
    "map/global.png",
    "evaluation.json",
    "analysis.csv",
    "rays.gpkg",
    "report.html",
    "qgis/map.qgs",
    "stac/collection.json",
    "pds4/CITATION.cff",
)


def import_all_modules() -> int:
    """Import every module, whichever command needs it; return how many there are."""
    found = list(pkgutil.walk_packages(ejectamap.__path__, "ejectamap."))
    for module in found:
        importlib.import_module(module.name)
    return len(found)


def run(*arguments: object) -> None:
    print("ejectamap", *arguments, flush=True)
    subprocess.run([PROGRAM, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def run_all_stages(folder: Path) -> None:
    planet, trained, project = folder / "planet", folder / "trained", folder / "project"
    run("simulate", planet, "--seed", 3, "--width", 256, "--craters", 4)
    inputs = ("--mosaic", planet / "mosaic.tif", "--craters", planet / "craters.csv")
    labels = ("--labels", planet / "labels")
    run("new", trained, *inputs, *labels, *(part for text in SMALL for part in ("--set", text)))
    run("check", trained)
    run("train", trained, "--max-minutes", 0.5)
    run("map", trained)
    run("new", project, *inputs, *labels)
    run("map", project)
    for stage in ("evaluate", "analyze", "report", "export qgis", "export stac", "export pds4"):
        run(*stage.split(), project)
    missing = [name for name in OUTPUTS if not (project / name).exists()]
    assert not missing, missing


if __name__ == "__main__":
    print(f"{ejectamap.__file__}: {import_all_modules()} modules", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run_all_stages(Path(folder))
    print(f"ejectamap {ejectamap.__version__}: works")
