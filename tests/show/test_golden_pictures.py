"""Pictures are as they were when somebody last looked at them.

`pytest tests/show/test_golden_pictures.py --mpl-generate-path=tests/show/baseline` draws them anew. Look at each before
it is committed. They are a third or half as large as what the program draws, so that the shape of single letters, which
another version of FreeType changes, counts for little.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from affine import Affine
from PIL import Image

from ejectamap.evaluation.reliability import ReliabilityCounts
from ejectamap.maps.edits import ADDED, REMOVED
from ejectamap.show.analysis import plot_analysis
from ejectamap.show.card import plot_crater_card
from ejectamap.show.globe import plot_global_map
from ejectamap.show.reliability import plot_reliability
from ejectamap.world.body import cylindrical_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import bearing, distance, unit_vectors

RADIUS_M = 2_439_400.0
HEIGHT = 256
PIXEL_M = np.pi * RADIUS_M / HEIGHT
GRID = Grid(
    HEIGHT,
    2 * HEIGHT,
    RADIUS_M,
    -180.0,
    cylindrical_crs(RADIUS_M).to_wkt(),
    Affine(PIXEL_M, 0, -np.pi * RADIUS_M, 0, -PIXEL_M, np.pi * RADIUS_M / 2),
)
CRATERS = tuple(
    Crater(k, name, lon, lat, radius_m)
    for k, (name, lon, lat, radius_m) in enumerate(
        [
            ("Bashō", -170.5, -32.4, 37e3),
            ("Degas", -127.0, 37.0, 26e3),
            ("Fonteyn", 95.5, 32.8, 15e3),
            ("Han Kan", -145.0, -71.6, 25e3),
            ("Hokusai", 16.6, 57.8, 57e3),
            ("Kuiper", -31.2, -11.3, 31e3),
            ("Tyagaraja", 39.0, 3.8, 48e3),
            ("$x_2$ & <b>", 30.0, -4.0, 20e3),
            ("At the north pole", 0.0, 88.0, 30e3),
        ]
    )
)
golden = pytest.mark.mpl_image_compare(style="default", tolerance=2)


class Picture:
    """A PNG of the program, which pytest-mpl saves in a smaller size."""

    def __init__(self, path: Path, shrink: int) -> None:
        self.path = path
        self.shrink = shrink

    def savefig(self, path: str, **_: Any) -> None:
        with Image.open(self.path) as image:
            image.convert("RGB").reduce(self.shrink).save(path, optimize=True)


def smooth_mosaic() -> Mosaic:
    """Three bands of smooth waves, without data at the south pole."""
    x, y, z = np.moveaxis(unit_vectors(*GRID.centres(GRID.whole)), -1, 0)
    ground = np.sin(5 * x + 2 * z) * np.cos(3 * y)
    waves = np.stack([np.cos(4 * y - z), np.sin(6 * z + 2 * x * y), np.cos(7 * x - z)])
    valid = np.ones(GRID.shape, bool)
    valid[-6:] = False
    return Mosaic.from_array(
        (110 + 50 * ground + 12 * waves).astype(np.uint8), valid, GRID, ("a", "b", "c")
    )


def rays(crater: Crater, lon: Any, lat: Any, _: float = 0.0) -> np.ndarray:
    """Probabilities of a blanket of three radii and five rays that fade out at fifteen; nan beyond twenty."""
    radii = distance(crater.lon, crater.lat, lon, lat, RADIUS_M) / crater.radius_m
    azimuth = np.radians(bearing(crater.lon, crater.lat, lon, lat))
    ray = np.clip(1.2 - radii / 15, 0, 1) * np.clip(0.5 + 2 * np.cos(5 * azimuth), 0, 1)
    probability = np.maximum(np.clip(2.2 - radii / 2.5, 0, 1), ray)
    return np.where(radii < 20, probability, np.nan).astype(np.float32)


def edit(lon: Any, lat: Any) -> np.ndarray:
    """Ejecta added in a square, and removed in another one."""
    lon, lat = np.broadcast_arrays(lon, lat)
    band = (lat > 14) & (lat < 18)
    added, removed = band & (lon > 42) & (lon < 46), band & (lon > 36) & (lon < 39)
    return (ADDED * added + REMOVED * removed).astype(np.uint8)


@golden
def test_card(tmp_path: Path) -> Picture:
    """With a label, the measured blanket, edited ground and a credit."""
    crater = CRATERS[6]
    plot_crater_card(
        tmp_path / "card.png",
        smooth_mosaic(),
        crater,
        lambda *place: rays(crater, *place),
        0.3,
        lambda lon, lat: np.nan_to_num(rays(crater, lon, lat)) > 0.6,
        3.3 * crater.radius_m,
        sample_edit=edit,
        credit="NASA/Johns Hopkins University Applied Physics Laboratory",
    )
    return Picture(tmp_path / "card.png", 2)


@golden
def test_planet(tmp_path: Path) -> Picture:
    """Two craters whose ejecta overlap, one across the dateline, one at a pole, one without ejecta."""
    places = GRID.centres(GRID.whole)
    origin, second = np.zeros((2, *GRID.shape), np.uint8)
    areas_km2 = {}
    for crater in CRATERS[:2] + CRATERS[3:]:
        ejecta = np.nan_to_num(rays(crater, *places)) > 0.3
        second[ejecta & (origin > 0)] = crater.crater_id + 1
        origin[ejecta & (origin == 0)] = crater.crater_id + 1
        areas_km2[crater.crater_id] = float(ejecta.sum(axis=1) @ GRID.row_area_m2) / 1e6
    plot_global_map(
        tmp_path / "planet.png",
        smooth_mosaic(),
        CRATERS,
        origin,
        second,
        areas_km2=areas_km2,
        threshold=0.3,
        credit="NASA",
    )
    return Picture(tmp_path / "planet.png", 2)


@golden
def test_measurements(tmp_path: Path) -> Picture:
    """Areas over five powers of ten, whose labels leave room for one another."""
    rng = np.random.default_rng(1)
    radius_km = np.geomspace(6, 80, 24)
    table = pd.DataFrame(
        {
            "radius_km": radius_km,
            "blanket_radius_km": 3 * radius_km ** rng.normal(1, 0.05, 24),
            "max_distance_km": 20 * radius_km ** rng.normal(1, 0.1, 24),
            "blanket_area_km2": 30 * radius_km**2,
            "ray_area_km2": 2 * radius_km ** rng.normal(2.6, 0.3, 24),
            "set_aside": np.arange(24) % 6 == 5,
            "missing_bearing_deg": np.where(np.arange(24) % 3, np.nan, 15.0 * np.arange(24)),
        }
    )
    plot_analysis(tmp_path / "analysis.png", table)
    return Picture(tmp_path / "analysis.png", 2)


def calibration() -> Mapping[str, Any]:
    """Probabilities that are too low near the crater, right farther out and too high far out."""
    level = np.arange(256)
    pixels = np.where(level <= 250, 40_000 / (1 + level), 0)
    counts = {}
    for name, power in (("0-3", 0.6), ("3-10", 1.0), (">10", 1.8)):
        ejecta = pixels * np.minimum(level / 250, 1) ** power
        counts[name] = ReliabilityCounts(np.rint([pixels - ejecta, ejecta]).astype(np.int64))
    total = counts["0-3"] + counts["3-10"] + counts[">10"]
    distances = {name: {"reliability": part.reliability()} for name, part in counts.items()}
    return {"reliability": total.reliability(), "distance": distances}


@golden
def test_reliability(tmp_path: Path) -> Picture:
    plot_reliability(tmp_path / "reliability.png", calibration())
    return Picture(tmp_path / "reliability.png", 2)
