"""Tables of rays of known azimuth, length, width and brightness, anywhere on the globe."""

from collections.abc import Callable

import numpy as np
import pytest
from shapely import MultiLineString

from ejectamap.analysis.pattern import EjectaCount, EjectaPixels
from ejectamap.analysis.ray_table import line_on_grid, measure_rays
from ejectamap.analysis.rays import trace_rays
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.analysis.truncation import truncation
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import azimuthal_forward, bearing, distance

# Inland, at the dateline, at both poles' edges, and where rays run over a pole.
PLACES = [(20.0, 10.0), (179.9, -35.0), (-60.0, 88.0), (-170.0, -75.0)]
AZIMUTHS_DEG = (3.0, 130.0, 250.0)
START_M, END_M, WIDTH_M = 300e3, 1500e3, 80e3
RADIUS_M = 60e3


@pytest.fixture(scope="module")
def fine(make_grid: Callable[..., Grid]) -> Grid:
    """Pixels of 10.6 km."""
    return make_grid(720)


def polar_coordinates(crater: Crater, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Distance (m) and bearing (degrees) of every pixel."""
    x_m, y_m = azimuthal_forward(*grid.centres(grid.whole), crater.lon, crater.lat, grid.radius_m)
    return np.hypot(x_m, y_m), np.degrees(np.arctan2(x_m, y_m)) % 360


def straight_ray(
    crater: Crater, grid: Grid, azimuth_deg: float, start_m: float = 0.0, end_m: float = END_M
) -> np.ndarray:
    """Mask of a ray of constant width along a great circle through the crater."""
    distance_m, bearing_deg = polar_coordinates(crater, grid)
    off = np.radians(bearing_deg - azimuth_deg)
    across_m = grid.radius_m * np.arcsin(np.sin(distance_m / grid.radius_m) * np.sin(off))
    beside = (np.abs(across_m) < WIDTH_M / 2) & (np.cos(off) > 0)
    return beside & (distance_m < end_m) & (distance_m >= start_m)


def trace(
    crater: Crater, grid: Grid, mask: np.ndarray, valid: np.ndarray | None = None
) -> tuple[list[dict], Mosaic]:
    """Rows of the rays of a mask; the band is 30 on ejecta, 10 and 14 beside; probability 0.8 on ejecta."""
    count = EjectaCount(grid)
    count.add(grid.whole, mask)
    checks = np.indices(grid.shape).sum(axis=0) % 2 * 4 + 10
    band = np.where(mask, 30, checks).astype(np.float32)
    known = np.ones(grid.shape, bool) if valid is None else valid
    mosaic = Mosaic.from_array(band[None], known, grid, ("a",))
    surroundings = Surroundings.sample(crater, mosaic, grid.whole, mask, count)
    probability = np.where(surroundings.ejecta, np.float32(0.8), np.float32(0.02))
    rays = trace_rays(surroundings, START_M)
    return measure_rays(rays, surroundings, probability, grid, threshold=0.3), mosaic


@pytest.mark.parametrize("place", PLACES)
def test_straight_rays_have_their_azimuth_length_width_and_line(
    fine: Grid, place: tuple[float, float]
) -> None:
    crater = Crater(7, "Home", *place, RADIUS_M)
    mask = np.logical_or.reduce([straight_ray(crater, fine, a) for a in AZIMUTHS_DEG])
    rows, _ = trace(crater, fine, mask)
    assert [row["ray"] for row in rows] == [1, 2, 3]
    for row, azimuth_deg in zip(rows, AZIMUTHS_DEG, strict=True):
        assert row["azimuth_deg"] == pytest.approx(azimuth_deg, abs=0.5)
        assert row["azimuth_sd_deg"] < 1
        assert row["start_km"] == pytest.approx(300, abs=6)
        assert row["end_km"] == pytest.approx(1500, abs=12)
        assert row["length_km"] == row["end_km"] - row["start_km"]
        assert row["width_km"] == pytest.approx(80, abs=6)
        assert row["width_sd_km"] < fine.pixel_m / 1e3
        assert row["mean_probability"] == pytest.approx(0.8, abs=0.03)
        assert row["end_sd_km"] == pytest.approx(fine.pixel_m / 2e3, rel=0.3)
        assert row["truncated"] == ""
        # The ground beside is 12 on average; pixels at the edge of the ray are mixed.
        assert row["difference_band1"] == pytest.approx(18, abs=2.5)
        assert 0 < row["difference_sd_band1"] < 1
        assert row["contrast_band1"] > 5
    _check_lines(rows, crater, fine)


def _check_lines(rows: list[dict], crater: Crater, fine: Grid) -> None:
    """Lines lie on their rays, from start to end, and inside the raster."""
    west, north = fine.transform @ (0, 0)
    east, south = fine.transform @ (fine.width, fine.height)
    for row, azimuth_deg in zip(rows, AZIMUTHS_DEG, strict=True):
        line = row["geometry"]
        assert isinstance(line, MultiLineString)
        left, bottom, right, top = line.bounds
        assert west - 1 <= left <= right <= east + 1
        assert south - 1 <= bottom <= top <= north + 1
        points = np.concatenate([np.array(part.coords) for part in line.geoms])
        cols, rows_ = ~fine.transform @ points.T
        lon, lat = fine.to_lonlat(cols, rows_)
        away_m = distance(crater.lon, crater.lat, lon, lat, fine.radius_m)
        off = np.radians(bearing(crater.lon, crater.lat, lon, lat) - azimuth_deg)
        across_m = fine.radius_m * np.arcsin(np.sin(away_m / fine.radius_m) * np.sin(off))
        assert np.abs(across_m).max() < WIDTH_M / 2
        assert away_m.min() == pytest.approx(START_M, abs=12e3)
        assert away_m.max() == pytest.approx(END_M, abs=12e3)


def test_a_line_across_the_dateline_is_cut_there(fine: Grid) -> None:
    line = line_on_grid(fine, np.array([178.0, 179.0, -179.0, -177.0]), np.zeros(4))
    half_m = np.pi * fine.radius_m
    assert len(line.geoms) == 2
    ends = sorted(x for part in line.geoms for x, _ in part.coords)
    assert ends[0] == pytest.approx(-half_m)
    assert ends[-1] == pytest.approx(half_m)
    assert line.length == pytest.approx(np.radians(5) * fine.radius_m)


def test_the_longer_of_two_rays_that_meet_goes_on(fine: Grid) -> None:
    """A V of two rays that touch up to about 650 km from the crater."""
    crater = Crater(7, "Home", 20.0, 10.0, RADIUS_M)
    mask = straight_ray(crater, fine, 60.0) | straight_ray(crater, fine, 66.0, end_m=1200e3)
    rows, _ = trace(crater, fine, mask)
    assert len(rows) == 2
    assert rows[0]["end_km"] == pytest.approx(1500, abs=12)
    assert rows[0]["start_km"] == pytest.approx(300, abs=12)
    assert rows[1]["end_km"] == pytest.approx(1200, abs=12)
    assert 550 < rows[1]["start_km"] < 900


def test_short_and_wide_pieces_are_no_rays(fine: Grid) -> None:
    crater = Crater(7, "Home", 20.0, 10.0, RADIUS_M)
    distance_m, bearing_deg = polar_coordinates(crater, fine)
    wide = (bearing_deg < 90) & (distance_m < 900e3)
    assert trace(crater, fine, wide)[0] == []
    assert trace(crater, fine, straight_ray(crater, fine, 60.0, end_m=350e3))[0] == []
    everything = np.ones(fine.shape, bool)
    assert trace(crater, fine, everything)[0] == []
    assert trace(crater, fine, ~everything)[0] == []


def test_ejecta_that_end_with_the_ground_are_truncated(fine: Grid) -> None:
    crater = Crater(7, "Home", 20.0, 10.0, RADIUS_M)
    reach_m = crater.reach_m(fine.radius_m)
    # The first ray ends at ground without data, the second at the limit of the reach, the third by itself.
    rays = [straight_ray(crater, fine, 60.0), straight_ray(crater, fine, 150.0, end_m=reach_m)]
    mask = np.logical_or.reduce([*rays, straight_ray(crater, fine, 240.0)])
    valid = ~straight_ray(crater, fine, 60.0, 1500e3, 2200e3)
    rows, mosaic = trace(crater, fine, mask, valid)
    assert [row["truncated"] for row in rows] == ["no data", "reach", ""]

    def of_mask(mask: np.ndarray) -> str:
        pattern = EjectaPixels.of_mask(crater, fine, fine.whole, mask, np.zeros_like(mask))
        return truncation(pattern, mosaic, fine.whole, mask)

    assert of_mask(mask) == "no data, reach"
    assert of_mask(rays[0]) == "no data"
    assert of_mask(rays[1]) == "reach"
    assert of_mask(straight_ray(crater, fine, 240.0)) == ""
