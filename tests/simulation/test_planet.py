from dataclasses import replace

import numpy as np
import pytest

from ejectamap.simulation.deposit import Scene, deposit_ejecta
from ejectamap.simulation.impacts import draw_impacts, draw_pattern
from ejectamap.simulation.planet import make_grid, simulate_planet
from ejectamap.simulation.planet_style import draw_planet_style
from ejectamap.world.body import BODIES
from ejectamap.world.sphere import azimuthal_inverse, distance

MERCURY = BODIES["mercury"]


@pytest.fixture(scope="module")
def planet():
    return simulate_planet(3, 256, 8)


def blank_scene(width_px=512):
    """Ground without texture, so that only ejecta change the latent properties."""
    grid = make_grid(width_px, MERCURY)
    style = replace(draw_planet_style(np.random.default_rng(5)), dark_fraction=0.0)
    return Scene(
        grid,
        style,
        np.zeros((3, *grid.shape), np.float32),
        np.zeros(grid.shape, np.float32),
        np.full((3, 4, 8), 8.0, np.float32),
        np.ones(grid.shape, bool),
    )


def impact_at(lon, lat, scene):
    """The same impact at any place."""
    rng = np.random.default_rng(11)
    impact = draw_impacts(rng, scene.grid, scene.style, 1)[0]
    impact = replace(impact, crater=replace(impact.crater, lon=lon, lat=lat, radius_m=60e3))
    impact = replace(impact, blanket_m=180e3, longest_ray_m=1.5e6, age=0.1)
    return impact, draw_pattern(np.random.default_rng(12), impact, scene.style, scene.grid)


def visible_and_change(lon, lat):
    """Truth and brightness change of that impact in its azimuthal frame, and the number of its pixels."""
    scene = blank_scene()
    impact, pattern = impact_at(lon, lat, scene)
    window, mask = deposit_ejecta(scene, impact, pattern)
    whole = np.zeros(scene.grid.shape, bool)
    rows = np.arange(window.row, window.row + window.height)
    whole[np.ix_(rows, scene.grid.columns(window))] = mask
    x_m, y_m = np.meshgrid(np.linspace(-6e5, 6e5, 61), np.linspace(6e5, -6e5, 61))
    col, row = scene.grid.to_pixel(*azimuthal_inverse(x_m, y_m, lon, lat, MERCURY.radius_m))
    at = np.minimum(row.astype(int), scene.grid.height - 1), col.astype(int)
    return whole[at], scene.latent[0][at], whole.sum()


def test_same_seed_gives_the_same_planet(planet):
    again = simulate_planet(3, 256, 8)
    assert np.array_equal(planet.mosaic.levels[0], again.mosaic.levels[0])
    assert planet.craters == again.craters
    for crater_id, (window, mask) in planet.truth.masks.items():
        assert again.truth.masks[crater_id][0] == window
        assert np.array_equal(again.truth.masks[crater_id][1], mask)


def test_another_seed_gives_another_planet(planet):
    other = simulate_planet(4, 256, 8)
    assert not np.array_equal(planet.mosaic.levels[0], other.mosaic.levels[0])


def test_mosaic_is_eight_bit_with_nodata_only_where_invalid(planet):
    mosaic = planet.mosaic
    assert mosaic.dtype == np.uint8
    assert mosaic.bands == 3
    assert mosaic.grid.shape == (128, 256)
    assert (mosaic.levels[0].min(axis=2) > 0).tolist() == mosaic.read_valid(
        mosaic.grid.whole
    ).tolist()


def test_catalogued_craters_are_larger_than_pixels(planet):
    ids = [crater.crater_id for crater in planet.craters]
    assert ids == list(range(8)) == list(planet.truth.masks)
    for crater, impact in zip(planet.craters, planet.impacts, strict=True):
        assert impact.crater is crater
        assert crater.radius_m >= 1.5 * planet.mosaic.grid.pixel_m
        assert crater.radius_m < impact.blanket_m
        assert impact.longest_ray_m <= crater.reach_m(MERCURY.radius_m)


def test_truth_holds_the_interior_and_ends_within_reach(planet):
    grid = planet.mosaic.grid
    for crater in planet.craters:
        assert planet.truth.sample(crater.crater_id, crater.lon, crater.lat)
        window, mask = planet.truth.masks[crater.crater_id]
        lon, lat = grid.centres(window)
        away_m = distance(crater.lon, crater.lat, lon, lat, grid.radius_m)
        assert away_m[mask].max() <= crater.reach_m(grid.radius_m)
        assert mask[away_m < crater.radius_m].all()


def test_truth_is_brighter_than_its_surroundings():
    """In the band that changes most with fresh ejecta; median over the craters."""
    planet = simulate_planet(2, 512, 12)
    grid = planet.mosaic.grid
    image = planet.mosaic.levels[0].astype(float)
    all_ejecta = planet.truth.any_ejecta(grid.whole)
    contrast = []
    for crater in planet.craters:
        lon, lat = grid.centres(grid.whole)
        near = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) < 6 * crater.radius_m
        inside = near & planet.truth.read(crater.crater_id, grid.whole)
        outside = near & ~all_ejecta & planet.mosaic.read_valid(planet.mosaic.grid.whole)
        contrast.append(image[inside].mean(axis=0) - image[outside].mean(axis=0))
    assert np.abs(np.median(contrast, axis=0)).max() > 5.0


@pytest.mark.parametrize(
    ("lon", "lat"), [(180.0, 0.0), (-179.9, -10.0), (30.0, 88.0), (0.0, -90.0)]
)
def test_the_same_impact_has_the_same_pattern_everywhere(lon, lat):
    visible, change, _ = visible_and_change(40.0, 0.0)
    visible_there, change_there, _ = visible_and_change(lon, lat)
    # A pixel is 15 km at most: edges differ, the pattern does not.
    assert (visible == visible_there).mean() > 0.9
    assert np.corrcoef(change.ravel(), change_there.ravel())[0, 1] > 0.85


def test_number_of_true_pixels_is_kept_across_the_dateline():
    """An impact moved by whole pixels across the dateline has the same number of true pixels within 0.2 %."""
    step = 360.0 / 512
    _, _, count = visible_and_change(100 * step, 20.0)
    _, _, over_the_edge = visible_and_change(-180.0 + 2 * step, 20.0)
    assert abs(count - over_the_edge) <= 0.002 * count


def test_forbidden_zone_of_an_oblique_impact():
    scene = blank_scene()
    impact, _ = impact_at(0.0, 0.0, scene)
    impact = replace(impact, incoming_deg=90.0, grazing=False)
    pattern = draw_pattern(np.random.default_rng(12), impact, scene.style, scene.grid)
    window, mask = deposit_ejecta(scene, impact, pattern)
    lon, _ = np.broadcast_arrays(*scene.grid.centres(window))
    assert (mask & (lon < -3.0)).sum() > 3 * (mask & (lon > 3.0)).sum()


def test_any_body_and_width():
    moon = simulate_planet(1, 200, 3, BODIES["moon"])
    assert moon.mosaic.grid.shape == (100, 200)
    assert moon.mosaic.grid.radius_m == BODIES["moon"].radius_m


def test_chains_of_patches_lie_far_out_and_change_nothing_else():
    """Chains add bright, detached ejecta beyond 10 radii; the other rays do not change."""
    scene = blank_scene()
    impact, _ = impact_at(20.0, 10.0, scene)
    far = {}
    for fraction in (0.0, 1.0):
        # Rays that fade and bend like Mercury's, whatever was drawn for this planet.
        style = replace(scene.style, chain_fraction=fraction, fading=0.6, bend=0.12, patch=1.0)
        copy = replace(scene, style=style, latent=np.zeros_like(scene.latent))
        pattern = draw_pattern(np.random.default_rng(12), impact, style, scene.grid)
        deposit_ejecta(copy, impact, pattern)
        lon, lat = scene.grid.centres(scene.grid.whole)
        away = distance(impact.crater.lon, impact.crater.lat, lon, lat, MERCURY.radius_m)
        far[fraction] = pattern, (copy.latent[0] > 0.1)[away > 10 * impact.crater.radius_m].sum()
    without, with_chains = far[0.0][0], far[1.0][0]
    old = len(without.rays)
    assert np.array_equal(with_chains.rays[:old], without.rays)
    assert (with_chains.rays[old:, 3] > 0.1 * with_chains.rays[old:, 4]).all()
    assert with_chains.rays[:, 4].max() == without.rays[:, 4].max()
    assert far[1.0][1] > 1.5 * far[0.0][1] > 0


def test_dark_material_lies_near_the_crater_only():
    """Excavated dark material darkens the ground near the rim; rays beyond 10 radii do not change."""
    scene = blank_scene()
    impact, _ = impact_at(20.0, 10.0, scene)
    brightness = {}
    for fraction in (0.0, 1.0):
        style = replace(scene.style, dark_fraction=fraction)
        copy = replace(blank_scene(), style=style)
        pattern = draw_pattern(np.random.default_rng(12), impact, style, scene.grid)
        deposit_ejecta(copy, impact, pattern)
        brightness[fraction] = copy.latent[0]
    lon, lat = scene.grid.centres(scene.grid.whole)
    away = distance(impact.crater.lon, impact.crater.lat, lon, lat, MERCURY.radius_m)
    radii = away / impact.crater.radius_m
    near = (radii > 1.2) & (radii < 2.0)
    assert brightness[1.0][near].mean() < 0.3 * brightness[0.0][near].mean()
    assert np.array_equal(brightness[1.0][radii > 10], brightness[0.0][radii > 10])
