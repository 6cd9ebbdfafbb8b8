"""Polygons as people have them: crossing themselves or the dateline, around a pole, in any CRS of the body."""

from pathlib import Path

import numpy as np
import pytest
from label_inputs import CRATERS, R, error_message, layer
from pyproj import CRS
from shapely import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from ejectamap.world.body import azimuthal_crs, geographic_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.label_files import load_labels

POLAR = Crater(3, "polar", 0.0, 85.0, 5e4)


def load(path: Path, grid: Grid, crater_id: int = 1) -> tuple[np.ndarray, list[str]]:
    """Mask of a crater's label over the whole grid, and the notes."""
    notes: list[str] = []
    labels = load_labels(path, grid, (*CRATERS, POLAR), notes=notes)
    assert all(note.startswith(f"{path}: ") for note in notes)
    return labels.read(crater_id, grid.whole), notes


def places(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes of all pixels."""
    lon, lat = np.broadcast_arrays(*grid.centres(grid.whole))
    return lon, lat


# --- shapes that cross themselves


def test_a_polygon_that_crosses_itself_is_repaired(tmp_path: Path, grid: Grid) -> None:
    """An hourglass; its area is 0 by the formula, and it was left out."""
    hourglass = Polygon([(-20, -15), (20, 15), (20, -15), (-20, 15)])
    path = layer(tmp_path / "e.gpkg", [hourglass, box(30, 0, 40, 9)], crater_id=[1, 1])
    mask, notes = load(path, grid)
    lon, lat = places(grid)
    expected = (np.abs(lat) < 15 / 20 * np.abs(lon)) & (np.abs(lon) < 20)
    beside = (lon > 30) & (lon < 40) & (lat > 0) & (lat < 9)
    assert np.array_equal(mask, expected | beside)
    assert "crater 1: 1 polygons cross themselves and were repaired" in notes[0]


def test_a_loop_drawn_over_itself_is_filled(tmp_path: Path, grid: Grid) -> None:
    """A stroke whose end lies over its beginning."""
    loop = Polygon(
        [(-20, -10), (20, -10), (20, 10), (-25, 10), (-25, 0), (25, 0), (25, -5), (-20, -5)]
    )
    path = layer(tmp_path / "e.gpkg", [loop], crater_id=[1])
    mask, _ = load(path, grid)
    lon, lat = places(grid)
    assert mask[(np.abs(lon) < 19) & (lat > 1) & (lat < 9)].all()
    assert mask[(np.abs(lon) < 19) & (lat > -9) & (lat < -6)].all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_coordinate_that_is_no_number_is_refused(
    tmp_path: Path, grid: Grid, value: float
) -> None:
    with np.errstate(invalid="ignore"):
        broken = Polygon([(-5, -5), (5, -5), (value, 5), (-5, 5)])
    path = layer(tmp_path / "e.gpkg", [box(-10, -5, 10, 5), broken], crater_id=[2, 1])
    message = error_message(path, grid)
    assert "crater 1: a polygon has a coordinate that is no number (vertex 3 of 5)" in message


def test_what_has_no_area_is_said(tmp_path: Path, grid: Grid) -> None:
    shapes = [box(-10, -5, 10, 5), Point(0, 0), LineString([(0, 0), (9, 9)]), None]
    path = layer(tmp_path / "e.gpkg", shapes, crater_id=[1, 1, 1, 1])
    mask, notes = load(path, grid)
    assert mask.sum() == load(layer(tmp_path / "f.gpkg", shapes[:1], crater_id=[1]), grid)[0].sum()
    assert len(notes) == 2
    assert "1 rows without geometry" in notes[0]
    assert "2 shapes without area" in notes[1]


# --- the dateline

LONG_WAY = {
    "a box": Polygon([(170, -5), (-170, -5), (-170, 5), (170, 5)]),
    "a box from 0 to 360": box(170, -5, 190, 5),
    "two parts": MultiPolygon([box(170, -5, 180, 5), box(-180, -5, -170, 5)]),
    "vertices between": Polygon(
        [(170, -5), (180, -5), (-175, -5), (-170, -5), (-170, 5), (-178, 5), (178, 5), (170, 5)]
    ),
    "both ways round": Polygon([(170, 5), (-170, 5), (-170, -5), (170, -5)]),
    "one part the long way, one not": MultiPolygon(
        [Polygon([(170, -5), (-170, -5), (-170, 0), (170, 0)]), box(170, 0, 190, 5)]
    ),
    "beyond -180": box(-190, -5, -170, 5),
}


@pytest.mark.parametrize("name", LONG_WAY)
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_over_the_dateline(tmp_path: Path, grid: Grid, name: str, suffix: str) -> None:
    crs = "EPSG:4326" if suffix == ".geojson" else "sphere"
    path = layer(tmp_path / f"e{suffix}", [LONG_WAY[name]], crs, crater_id=[2])
    mask, _ = load(path, grid, 2)
    lon, lat = places(grid)
    assert np.array_equal(mask, (np.abs(lon) > 170) & (np.abs(lat) < 5))


def test_a_hole_over_the_dateline(tmp_path: Path, grid: Grid) -> None:
    ring = Polygon(
        [(150, -20), (-150, -20), (-150, 20), (150, 20)],
        [[(170, -9), (-170, -9), (-170, 9), (170, 9)]],
    )
    path = layer(tmp_path / "e.gpkg", [ring], crater_id=[2])
    mask, notes = load(path, grid, 2)
    lon, lat = places(grid)
    hole = (np.abs(lon) > 170) & (np.abs(lat) < 9)
    assert np.array_equal(mask, (np.abs(lon) > 150) & (np.abs(lat) < 20) & ~hole)
    assert "read the short way" in notes[0]


def test_in_metres_over_the_dateline(tmp_path: Path, grid: Grid) -> None:
    deg = np.radians(1) * R
    corners = [(170, -5), (-170, -5), (-170, 5), (170, 5)]
    shape = Polygon([(x * deg, y * deg) for x, y in corners])
    mask, _ = load(layer(tmp_path / "e.gpkg", [shape], grid.crs, crater_id=[2]), grid, 2)
    lon, lat = places(grid)
    assert np.array_equal(mask, (np.abs(lon) > 170) & (np.abs(lat) < 5))


def test_an_edge_that_may_be_meant_either_way_is_refused(tmp_path: Path, grid: Grid) -> None:
    path = layer(tmp_path / "e.gpkg", [box(-110, -5, 110, 5)], crater_id=[1])
    message = error_message(path, grid)
    assert "crater 1: an edge of a polygon is over more than 180 degrees" in message
    assert "add vertices" in message
    wide = Polygon([(-110, -5), (0, -5), (110, -5), (110, 5), (0, 5), (-110, 5)])
    mask, _ = load(layer(tmp_path / "f.gpkg", [wide], crater_id=[1]), grid)
    lon, lat = places(grid)
    assert np.array_equal(mask, (np.abs(lon) < 110) & (np.abs(lat) < 5))


def test_outlines_of_pixels_stay_as_they_are(tmp_path: Path, grid: Grid) -> None:
    """Around a pole, an outline that was traced from a map has edges of any length, all the way round."""
    outline = box(-180, 80, 120, 90).union(box(-180, 70, 100, 80))
    path = layer(
        tmp_path / "e.gpkg",
        [outline, box(-160, 60, 140, 65).union(box(0, 60, 9, 70))],
        crater_id=[3, 3],
    )
    mask, notes = load(path, grid, 3)
    lon, lat = places(grid)
    expected = (lat > 80) & (lon < 120) | (lat > 70) & (lat < 80) & (lon < 100)
    expected |= (lat > 60) & (lat < 65) & (lon > -160) & (lon < 140)
    expected |= (lat > 60) & (lat < 70) & (lon > 0) & (lon < 9)
    assert np.array_equal(mask, expected)
    assert not notes


def test_longitude_900_is_refused(tmp_path: Path, grid: Grid) -> None:
    path = layer(tmp_path / "e.gpkg", [box(890, -5, 910, 5)], crater_id=[1])
    assert "crater 1: its polygons reach from longitude 890 to 910" in error_message(path, grid)


# --- poles, and other CRS


def test_a_ring_around_a_pole(tmp_path: Path, grid: Grid) -> None:
    lon = np.arange(-180, 180, 10)
    path = layer(tmp_path / "e.gpkg", [Polygon([(x, 72.0) for x in lon])], crater_id=[3])
    mask, notes = load(path, grid, 3)
    assert np.array_equal(mask, places(grid)[1] > 72)
    assert "short way" in notes[0]


@pytest.mark.parametrize("centre", [(0.0, 90.0), (-170.0, 0.0), (60.0, 50.0)])
def test_a_disc_in_an_azimuthal_frame(
    tmp_path: Path, grid: Grid, centre: tuple[float, float]
) -> None:
    """Polygons in any projection: a pixel is ejecta if its centre is within 1500 km of the frame's centre."""
    disc = Point(0, 0).buffer(1.5e6, quad_segs=400) - Point(0, 0).buffer(6e5, quad_segs=400)
    path = layer(tmp_path / "e.gpkg", [disc], azimuthal_crs(*centre, R), crater_id=[1])
    crater = Crater(1, "", *centre, 5e4)
    read = load_labels(path, grid, (crater,)).read(1, grid.whole)
    lon, lat = (np.radians(angle) for angle in places(grid))
    lon0, lat0 = np.radians(centre)
    cos = np.sin(lat) * np.sin(lat0) + np.cos(lat) * np.cos(lat0) * np.cos(lon - lon0)
    away_m = R * np.arccos(np.clip(cos, -1, 1))
    clear = (np.abs(away_m - 1.5e6) > 100) & (np.abs(away_m - 6e5) > 100)
    assert np.array_equal(read[clear], ((away_m < 1.5e6) & (away_m > 6e5))[clear])


@pytest.mark.parametrize("crs", ["EPSG:4326", geographic_crs(2_440_530), geographic_crs(2_439_700)])
def test_degrees_of_another_radius_are_places_with_a_note(
    tmp_path: Path, grid: Grid, crs: object
) -> None:
    path = layer(tmp_path / "e.gpkg", [box(-10, -5, 10, 5)], crs, crater_id=[1])
    mask, notes = load(path, grid)
    lon, lat = places(grid)
    assert np.array_equal(mask, (np.abs(lon) < 10) & (np.abs(lat) < 5))
    assert "places on the mosaic's sphere" in notes[0]
    assert len(notes) == 1


def test_degrees_west(tmp_path: Path, grid: Grid) -> None:
    crs = CRS.from_user_input("IAU_2015:19901")
    path = layer(tmp_path / "e.gpkg", [box(20, -5, 40, 5)], crs, crater_id=[1])
    mask, _ = load(path, grid)
    lon, lat = places(grid)
    assert np.array_equal(mask, (lon > -40) & (lon < -20) & (np.abs(lat) < 5))


@pytest.mark.parametrize("extra", ["+towgs84=0,0,0", "+nadgrids=@null"])
def test_zero_shifts_of_datum(tmp_path: Path, grid: Grid, extra: str) -> None:
    crs = CRS.from_string(f"+proj=eqc +R={R} {extra} +type=crs")
    deg = np.radians(1) * R
    shape = box(-10 * deg, -5 * deg, 10 * deg, 5 * deg)
    mask, notes = load(layer(tmp_path / "e.gpkg", [shape], crs, crater_id=[1]), grid)
    lon, lat = places(grid)
    assert np.array_equal(mask, (np.abs(lon) < 10) & (np.abs(lat) < 5))
    assert not notes


@pytest.mark.parametrize("id_texts", [["M-1", "M-2"], ["1", "2"], ["1.0", "2.0"]])
def test_ids_as_text(tmp_path: Path, grid: Grid, id_texts: list[str]) -> None:
    shapes: list[BaseGeometry] = [box(-10, -5, 10, 5), box(170, -5, 190, 5)]
    path = layer(tmp_path / "e.gpkg", shapes, crater_id=id_texts)
    assert set(load_labels(path, grid, CRATERS).masks) == {1, 2}
