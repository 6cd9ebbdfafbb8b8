"""Small simulated planets whose files have the form of the published ones."""

import shutil
from pathlib import Path

import rasterio

from ejectamap.simulation.files import write_planet
from ejectamap.simulation.planet import simulate_planet
from ejectamap.world.body import Body

_WIDTH_PX = 512
_CRATERS = 4
_SCRIPTS = Path(__file__).parent / "page_scripts"


def write_planet_as_published(folder: Path) -> None:
    """Write mosaic.tif, craters.csv: a mosaic of three bands in metres on a sphere, and its catalogue."""
    body = Body("Mercury", 2_439_400.0, "radius of the published mosaic")
    write_planet(simulate_planet(3, _WIDTH_PX, _CRATERS, body), folder)
    shutil.rmtree(folder / "labels")
    add_scripts(folder)


def write_moon_as_published(folder: Path) -> None:
    """Write lroc_color_poles_4k.tif, an image without a place on the body, and craters.csv."""
    body = Body("Moon", 1_737_400.0, "IAU")
    write_planet(simulate_planet(8, _WIDTH_PX, _CRATERS, body), folder)
    shutil.rmtree(folder / "labels")
    with rasterio.open(folder / "mosaic.tif") as source:
        pixels, profile = source.read(), source.profile
    for key in ("crs", "transform"):
        profile.pop(key)
    with rasterio.open(folder / "lroc_color_poles_4k.tif", "w", **profile) as target:
        target.write(pixels)
    (folder / "mosaic.tif").unlink()


def add_scripts(folder: Path) -> None:
    """Put beside a planet's files the scripts that do what people would do by hand."""
    for script in _SCRIPTS.glob("*.py"):
        shutil.copy(script, folder)
    shutil.copy(
        Path(__file__).parents[2] / "examples" / "figure_of_polygons.py", folder / "figure.py"
    )
