"""Measurements of hand-made patterns with known answers, and of a simulated planet whose map is the truth."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pyogrio import read_dataframe
from scipy.ndimage import binary_dilation

from ejectamap.analysis.area_error import PRIOR_ERROR, measure_area_error
from ejectamap.analysis.colour import blanket_colour, ray_colour
from ejectamap.analysis.columns import describe
from ejectamap.analysis.direction import find_forbidden_zone
from ejectamap.analysis.extent import (
    barycentre,
    by_sector,
    distance_quantiles_km,
    expected_area_km2,
    max_distance_km,
)
from ejectamap.analysis.measure import analyze_project
from ejectamap.analysis.pattern import EjectaCount, EjectaPixels, without_small_clusters
from ejectamap.analysis.rays import (
    Rays,
    blanket_radius_m,
    half_cover_radius_m,
    trace_rays,
)
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.errors import ProjectError
from ejectamap.maps.crater_map import CraterMap
from ejectamap.maps.reader import MapReader
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project
from ejectamap.show.analysis import plot_analysis
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import azimuthal_forward

RADIUS_M = 2_439_400.0
PLACES = [(20.0, 10.0), (179.5, -35.0), (-60.0, 70.0)]


@pytest.fixture(scope="module")
def fine(make_grid: Callable[..., Grid]) -> Grid:
    """Pixels of 10.6 km."""
    return make_grid(720)


def crater_at(lon: float, lat: float) -> Crater:
    return Crater(1, "Home", lon, lat, 60e3)


def polar_coordinates(crater: Crater, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Distance (m) and bearing (degrees) of every pixel."""
    x_m, y_m = azimuthal_forward(*grid.centres(grid.whole), crater.lon, crater.lat, grid.radius_m)
    return np.hypot(x_m, y_m), np.degrees(np.arctan2(x_m, y_m)) % 360


def make_inputs(crater: Crater, grid: Grid, mask: np.ndarray) -> tuple[EjectaPixels, Surroundings]:
    """Inputs of the measurements; the one band is 30 on ejecta, and 10 or 14 on other ground."""
    count = EjectaCount(grid)
    count.add(grid.whole, mask)
    checks = np.indices(grid.shape).sum(axis=0) % 2 * 4 + 10
    band = np.where(mask, 30, checks).astype(np.float32)
    mosaic = Mosaic.from_array(band[None], np.ones(grid.shape, bool), grid, ("a",))
    pattern = EjectaPixels.of_mask(crater, grid, grid.whole, mask, np.zeros(grid.shape, bool))
    return pattern, Surroundings.sample(crater, mosaic, grid.whole, mask, count)


def cap_km2(inner_m: float, outer_m: float) -> float:
    ring = np.cos(inner_m / RADIUS_M) - np.cos(outer_m / RADIUS_M)
    return float(2 * np.pi * RADIUS_M**2 * ring / 1e6)


@pytest.mark.parametrize("place", PLACES)
def test_a_disc(fine: Grid, place: tuple[float, float]) -> None:
    crater = crater_at(*place)
    distance_m, _ = polar_coordinates(crater, fine)
    pattern, surroundings = make_inputs(crater, fine, distance_m < 400e3)
    total = cap_km2(60e3, 400e3)
    assert pattern.area_km2.sum() == pytest.approx(total, rel=0.01)
    assert max_distance_km(pattern) == pytest.approx(400, abs=8)
    median_km = distance_quantiles_km(pattern)[1]
    assert cap_km2(60e3, median_km * 1e3) == pytest.approx(total / 2, rel=0.02)
    assert barycentre(pattern).distance_km < 3
    areas_km2, distances_km = by_sector(pattern)
    assert areas_km2 == pytest.approx(np.full(8, total / 8), rel=0.04)
    assert distances_km == pytest.approx(np.full(8, 400), abs=10)
    direction = find_forbidden_zone(surroundings, half_cover_radius_m(surroundings, fine.pixel_m))
    assert direction.symmetry == "symmetric"
    blanket_m = blanket_radius_m(surroundings, fine.pixel_m, direction)
    assert blanket_m == pytest.approx(400e3, abs=1.5 * fine.pixel_m)
    assert trace_rays(surroundings, 400e3 + 2 * fine.pixel_m) == []
    colour = blanket_colour(surroundings, blanket_m)
    assert colour.mean[0] == pytest.approx(30, abs=1)
    assert colour.ratio[0] == pytest.approx(30 / 12, rel=0.05)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("missing_deg", [5.0, 230.0])
def test_a_missing_sector(fine: Grid, place: tuple[float, float], missing_deg: float) -> None:
    crater = crater_at(*place)
    distance_m, bearing_deg = polar_coordinates(crater, fine)
    off_deg = np.abs((bearing_deg - missing_deg + 180) % 360 - 180)
    pattern, surroundings = make_inputs(crater, fine, (distance_m < 400e3) & (off_deg > 45))
    direction = find_forbidden_zone(surroundings, half_cover_radius_m(surroundings, fine.pixel_m))
    assert direction.symmetry == "oblique"
    assert (direction.missing_bearing_deg - missing_deg + 180) % 360 - 180 == pytest.approx(
        0, abs=3
    )
    assert direction.forbidden_width_deg == pytest.approx(90, abs=6)
    assert (direction.downrange_bearing_deg - missing_deg) % 360 == pytest.approx(180, abs=3)
    assert direction.confidence > 0.9
    assert blanket_radius_m(surroundings, fine.pixel_m, direction) == pytest.approx(400e3, rel=0.05)
    assert (barycentre(pattern).bearing_deg - missing_deg) % 360 == pytest.approx(180, abs=5)


def test_scattered_ejecta_have_no_missing_side(fine: Grid) -> None:
    """A single broad ray without a blanket has no side on which ejecta are missing."""
    crater = crater_at(*PLACES[0])
    distance_m, bearing_deg = polar_coordinates(crater, fine)
    off_deg = np.abs((bearing_deg - 120 + 180) % 360 - 180)
    _, surroundings = make_inputs(crater, fine, (distance_m < 400e3) & (off_deg < 60))
    direction = find_forbidden_zone(surroundings, half_cover_radius_m(surroundings, fine.pixel_m))
    assert direction.symmetry == ""
    assert np.isnan(direction.missing_bearing_deg)


@pytest.mark.parametrize("place", PLACES)
def test_one_ray(fine: Grid, place: tuple[float, float]) -> None:
    crater = crater_at(*place)
    distance_m, bearing_deg = polar_coordinates(crater, fine)
    off = np.radians(bearing_deg - 60)
    across_m = np.abs(RADIUS_M * np.arcsin(np.sin(distance_m / RADIUS_M) * np.sin(off)))
    ray = (across_m < 40e3) & (np.cos(off) > 0) & (distance_m < 1500e3)
    ray &= np.abs(distance_m - 900e3) > 3e3  # a gap too small to matter
    mask = (distance_m < 300e3) | ray
    pattern, surroundings = make_inputs(crater, fine, mask)
    direction = find_forbidden_zone(surroundings, half_cover_radius_m(surroundings, fine.pixel_m))
    blanket_m = blanket_radius_m(surroundings, fine.pixel_m, direction)
    assert blanket_m == pytest.approx(300e3, abs=1.5 * fine.pixel_m)
    traced = trace_rays(surroundings, 300e3 + 2 * fine.pixel_m)
    rays = Rays.summarise(traced, surroundings)
    assert rays.count == 1
    assert rays.length_max_km == pytest.approx(1200, rel=0.04)
    assert rays.width_median_km == pytest.approx(80, rel=0.06)
    far = pattern.select(pattern.distance_m > 320e3)
    assert barycentre(far).bearing_deg == pytest.approx(60, abs=2)
    areas_km2, distances_km = by_sector(far)
    assert areas_km2[1] / areas_km2.sum() > 0.99
    assert distances_km[1] == pytest.approx(1500, abs=10)
    colour = ray_colour(surroundings, blanket_m)
    # Chequered ground of 10 and 14 has mean 12 and, sampled between its pixels, a spread below 2.
    assert colour.ratio[0] == pytest.approx(27 / 12, rel=0.15)
    assert colour.contrast[0] > 6


@pytest.mark.parametrize("place", PLACES)
def test_half_of_the_ring(fine: Grid, place: tuple[float, float]) -> None:
    """The radius is the median of a lobate edge; rays that cover part of every ring make it larger."""
    crater = crater_at(*place)
    distance_m, bearing_deg = polar_coordinates(crater, fine)
    edge_m = 400e3 * (1 + 0.2 * np.sin(np.radians(5 * bearing_deg)))
    _, surroundings = make_inputs(crater, fine, distance_m < edge_m)
    assert half_cover_radius_m(surroundings, fine.pixel_m) == pytest.approx(400e3, rel=0.02)
    rays = (bearing_deg % 15 < 4.5) & (distance_m < 900e3)  # three tenths of every ring
    _, surroundings = make_inputs(crater, fine, (distance_m < edge_m) | rays)
    half = 400e3 * (1 + 0.2 * np.cos(np.pi * (0.5 - 0.3) / 0.7))
    assert half_cover_radius_m(surroundings, fine.pixel_m) == pytest.approx(half, rel=0.02)
    roots = (bearing_deg % 15 < 10) & (distance_m < 900e3)
    _, surroundings = make_inputs(crater, fine, (distance_m < edge_m) | roots)
    assert half_cover_radius_m(surroundings, fine.pixel_m) == pytest.approx(900e3, rel=0.02)


def test_small_clusters_are_removed_and_clusters_continue_across_the_edge(
    make_grid: Callable[..., Grid],
) -> None:
    grid = make_grid(1800)  # 4.3 km: 44.3 km2 are 2.4 pixels at the equator
    mask = np.zeros(grid.shape, bool)
    mask[900, [0, 1, -1]] = True  # three pixels over the edge
    mask[700, 5:7] = True  # two pixels
    mask[100, 10:14] = True  # four pixels near the pole are less ground than three at the equator
    left = without_small_clusters(mask, grid, grid.whole)
    assert left[900, [0, 1, -1]].all()
    assert left.sum() == 3
    apart = Window(0, 0, grid.height, grid.width - 1)
    assert not without_small_clusters(mask[:, :-1], grid, apart).any()


def test_ejecta_count(grid: Grid) -> None:
    count = EjectaCount(grid)
    one, two = np.zeros(grid.shape, bool), np.zeros(grid.shape, bool)
    one[10:20, 10:20], two[15:25, 10:20] = True, True
    count.add(grid.whole, one)
    count.add(grid.whole, two)
    assert count.other_craters(grid.whole, one).sum() == 100
    assert (one & count.other_craters(grid.whole, one)).sum() == 50
    lon, lat = grid.to_lonlat(12.5, 17.5)
    assert count.sample(lon, lat) == 2


def test_expected_area(fine: Grid) -> None:
    crater = crater_at(20.0, 10.0)
    distance_m, _ = polar_coordinates(crater, fine)
    stored = np.where(distance_m < 400e3, 125, 0).astype(np.uint8)
    everywhere = np.ones(fine.shape, bool)
    area, spread = expected_area_km2(crater, fine, fine.whole, stored, everywhere)
    total = cap_km2(60e3, 400e3)
    assert area == pytest.approx(total / 2, rel=0.01)
    # Errors are fully correlated within patches of 149 km and independent between them.
    assert total / 2 / np.sqrt(total / 149**2) == pytest.approx(spread, rel=0.1)
    certain = np.where(stored > 0, 250, 255).astype(np.uint8)
    area, spread = expected_area_km2(crater, fine, fine.whole, certain, everywhere)
    assert (area, spread) == (pytest.approx(total, rel=0.01), 0)


@pytest.fixture
def mapped(make_project: Callable[..., Project]) -> Project:
    """A simulated planet whose map is the truth."""
    project = make_project()
    labels, grid = project.labels, project.mosaic.grid
    assert labels is not None
    truth = [
        CraterMap(c, grid.whole, lambda strip, c=c: labels.read(c.crater_id, strip).astype("f4"))
        for c in project.craters
    ]
    import_maps(project, truth)
    return project


def test_a_simulated_planet(mapped: Project) -> None:
    table = analyze_project(mapped)
    grid, labels = mapped.mosaic.grid, mapped.labels
    assert labels is not None
    for crater, row in zip(mapped.craters, table.to_dict("records"), strict=True):
        distance_m, _ = polar_coordinates(crater, grid)
        ejecta = labels.read(crater.crater_id, grid.whole) & (distance_m > crater.radius_m)
        others = np.zeros(grid.shape, bool)
        for other in set(labels.masks) - {crater.crater_id}:
            others |= labels.read(other, grid.whole)
        blanket = ejecta & (distance_m <= row["blanket_radius_km"] * 1e3)
        truth_km2, unshared_km2, blanket_km2, shared_km2 = (
            part.sum(axis=1) @ grid.row_area_m2 / 1e6
            for part in (ejecta, ejecta & ~others, blanket, blanket & others)
        )
        assert row["total_area_km2"] == pytest.approx(truth_km2, rel=0.02)
        assert row["expected_area_km2"] == pytest.approx(truth_km2, rel=0.02)
        assert row["unshared_total_area_km2"] == pytest.approx(unshared_km2, rel=0.02)
        assert row["blanket_area_km2"] == pytest.approx(blanket_km2, rel=0.02)
        assert row["ray_area_km2"] == pytest.approx(truth_km2 - blanket_km2, rel=0.02)
        assert row["blanket_shared_share"] == pytest.approx(shared_km2 / blanket_km2, abs=0.02)
        assert row["set_aside"] == (shared_km2 > 0.2 * blanket_km2)
    ranked = table["freshness_rank"].dropna()
    assert sorted(ranked) == list(range(1, len(ranked) + 1))
    assert not table.loc[table["set_aside"], "freshness_rank"].notna().any()
    again = pd.read_csv(mapped.folder / "analysis.csv")
    meanings = pd.read_csv(mapped.folder / "analysis-columns.csv", keep_default_na=False)
    assert meanings["column"].tolist() == list(again.columns) == list(table.columns)
    written = ("analysis.csv", "rays.csv", "rays.gpkg")
    before = [(mapped.folder / name).read_bytes() for name in written]
    plot_analysis(mapped.folder / "analysis.png", analyze_project(mapped))
    assert [(mapped.folder / name).read_bytes() for name in written] == before
    # Every ray of the table of craters has its row and its line.
    rays, lines = (
        pd.read_csv(mapped.folder / "rays.csv"),
        read_dataframe(mapped.folder / "rays.gpkg"),
    )
    assert rays.groupby("crater_id").size().sum() == table["ray_count"].sum() == len(lines) > 0
    meanings = pd.read_csv(mapped.folder / "rays-columns.csv", keep_default_na=False)
    assert meanings["column"].tolist() == list(rays.columns)
    # The labels are the map, and no network has seen them: expected areas are right.
    assert (table["area_error_craters"] > 0).all()
    assert table["area_error"].max() < PRIOR_ERROR
    assert (mapped.folder / "analysis.png").read_bytes().startswith(b"\x89PNG")


def test_labels_say_how_far_areas_are_off(make_project: Callable[..., Project]) -> None:
    """A map of ejecta that are everywhere a few pixels too wide, against the labels."""
    project = make_project()
    labels, grid = project.labels, project.mosaic.grid
    assert labels is not None
    wide = {k: binary_dilation(labels.read(k, grid.whole), iterations=3) for k in labels.masks}
    maps = [
        CraterMap(
            c,
            grid.whole,
            lambda s, c=c: wide[c.crater_id][s.row : s.row + s.height].astype(np.float32),
        )
        for c in project.craters
    ]
    import_maps(project, maps)
    error = measure_area_error(project, MapReader(project.maps, grid), project.craters)
    assert error.craters == len(labels.masks)
    assert error.relative > PRIOR_ERROR
    assert error.total_km2(1000.0, 300.0) == pytest.approx(np.hypot(300, 1000 * error.relative))
    few = measure_area_error(project, MapReader(project.maps, grid), project.craters[:2])
    assert (few.relative, few.craters) == (PRIOR_ERROR, 2)


def test_without_labels_areas_are_as_far_off_as_elsewhere(
    make_project: Callable[..., Project],
) -> None:
    project = make_project(labels=False)
    ejecta_map = MapReader(project.maps, project.mosaic.grid)
    error = measure_area_error(project, ejecta_map, project.craters)
    assert (error.relative, error.craters) == (PRIOR_ERROR, 0)


def test_every_column_has_a_meaning() -> None:
    (band,) = describe(["unshared_ray_contrast_band2"], ["a", "violet"])
    assert "violet" in band["meaning"]
    assert "left out" in band["meaning"]
    with pytest.raises(KeyError):
        describe(["unknown_column"], [])


def test_no_map_no_analysis(make_project: Callable[..., Project]) -> None:
    with pytest.raises(ProjectError, match="run ejectamap map"):
        analyze_project(make_project())
