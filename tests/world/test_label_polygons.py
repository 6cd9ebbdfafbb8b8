"""Polygons of ejecta in place of masks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_labels import CRATERS, R, layer, refusal, tiles_csv
from shapely import Point, Polygon, box

from ejectamap.world.body import azimuthal_crs, geographic_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import load_labels
from ejectamap.world.labels import Labels


def polygons(grid: Grid, labels: Labels) -> tuple[list, list]:
    """The masks of some labels as boxes in degrees, one a pixel; over the dateline past 180."""
    step = 180 / grid.height
    shapes, ids = [], []
    for crater_id, (window, mask) in labels.masks.items():
        for row, col in np.argwhere(mask):
            west = grid.lon_west + (window.col + col) * step
            north = 90 - (window.row + row) * step
            shapes.append(box(west, north - step, west + step, north))
            ids.append(crater_id)
    return shapes, ids


@pytest.mark.parametrize("lon_west", [-180.0, 0.0])
@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_polygons_equal_masks(
    folder: Path, make_grid: Callable[..., Grid], suffix: str, lon_west: float
) -> None:
    expected = load_labels(folder, make_grid(), CRATERS)
    grid = make_grid(lon_west=lon_west)
    shapes, ids = polygons(expected.grid, expected)
    path = layer(folder / f"ejecta{suffix}", shapes, Crater_ID=ids)
    labels = load_labels(path, grid, CRATERS)
    places = grid.centres(grid.whole)
    for crater_id in (1, 2):
        found = labels.sample(crater_id, *places)
        assert np.array_equal(found, expected.sample(crater_id, *places))
        assert found.sum() == expected.masks[crater_id][1].sum()


def test_polygons_in_the_mosaics_crs(tmp_path: Path, grid: Grid) -> None:
    deg = np.radians(1) * R
    path = layer(
        tmp_path / "e.gpkg", [box(-10 * deg, -5 * deg, 10 * deg, 5 * deg)], grid.crs, crater_id=[1]
    )
    lon, lat = grid.centres(grid.whole)
    expected = (np.abs(lon) < 10) & (np.abs(lat) < 5)
    assert np.array_equal(load_labels(path, grid, CRATERS).read(1, grid.whole), expected)


def test_overlapping_craters_stay_apart(tmp_path: Path, grid: Grid) -> None:
    craters = (CRATERS[0], Crater(2, "beside", 5.0, 0.0, 5e4))
    path = layer(tmp_path / "e.gpkg", [box(-10, -5, 10, 5), box(0, -5, 20, 5)], crater_id=[1, 2])
    labels = load_labels(path, grid, craters)
    both = labels.read(1, grid.whole) & labels.read(2, grid.whole)
    assert both.any()
    assert np.array_equal(
        labels.any_ejecta(grid.whole), labels.read(1, grid.whole) | labels.read(2, grid.whole)
    )


def test_holes_are_not_ejecta(tmp_path: Path, grid: Grid) -> None:
    ring = box(-20, -20, 20, 20) - box(-10, -10, 10, 10)
    path = layer(tmp_path / "e.gpkg", [ring], crater_id=[1])
    labels = load_labels(path, grid, CRATERS)
    assert not labels.sample(1, 0.0, 0.0)
    assert labels.sample(1, 15.0, 0.0)


def test_polygons_that_meet_themselves_around_the_globe(tmp_path: Path, grid: Grid) -> None:
    path = layer(tmp_path / "e.gpkg", [box(-180, 60, 300, 70)], crater_id=[1])
    (far,) = (Crater(1, "", 0.0, 65.0, 5e4),)
    lat = grid.centres(grid.whole).lat[:, 0]
    band = load_labels(path, grid, (far,)).read(1, grid.whole)
    assert np.array_equal(band, np.broadcast_to(((lat > 60) & (lat < 70))[:, None], grid.shape))


def test_a_crater_without_area_has_none_in_the_tiles(tmp_path: Path, grid: Grid) -> None:
    path = layer(
        tmp_path / "e.gpkg", [box(-10, -5, 10, 5), None, Point(179, 0)], crater_id=[1, 2, 2]
    )
    labels = load_labels(path, grid, CRATERS, tiles_csv(tmp_path, "0,0,0,5,5\n"))
    assert labels.masks[2][0] == Window(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("shape", "crs", "columns", "complaint"),
    [
        (box(-10, -5, 10, 5), "sphere", {"id": [1]}, "no column crater_id"),
        (box(-10, -5, 10, 5), "sphere", {"crater_id": [9]}, "crater 9 is not in the catalogue"),
        (box(-10, -5, 10, 5), None, {"crater_id": [1]}, "has no CRS"),
        (box(-10, -5, 10, 5), "EPSG:4326", {"crater_id": [1]}, "not on a sphere"),
        (box(-10, -5, 10, 5), geographic_crs(1.7374e6), {"crater_id": [1]}, "radius of 1737400 m"),
        (box(-9e4, -5e4, 9e4, 5e4), "sphere", {"crater_id": [1]}, "beyond a pole"),
        (box(-9, -5, 9, 5), azimuthal_crs(0, 0, R), {"crater_id": [1]}, "azimuthal equidistant"),
        (Polygon(), "sphere", {"crater_id": [1]}, "every mask is empty"),
        (box(100, 40, 110, 50), "sphere", {"crater_id": [1]}, "no ejecta within the reach"),
    ],
)
def test_bad_polygons(
    tmp_path: Path, grid: Grid, shape: object, crs: object, columns: dict, complaint: str
) -> None:
    path = layer(tmp_path / "e.gpkg", [shape], crs, **columns)
    assert complaint in refusal(path, grid)


def test_a_table_is_no_layer(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "e.csv"
    path.write_text("crater_id\n1\n")
    assert "has no polygons" in refusal(path, grid)
