from dataclasses import replace

import numpy as np
import pytest

from ejectamap.simulate import simulate_planet
from ejectamap.simulate.deposit import Scene, lay_down
from ejectamap.simulate.impacts import draw_impacts, draw_pattern
from ejectamap.simulate.look import draw_look
from ejectamap.simulate.planet import make_grid
from ejectamap.world.body import BODIES
from ejectamap.world.sphere import azimuthal_inverse, distance

MERCURY = BODIES["mercury"]


@pytest.fixture(scope="module")
def planet():
    return simulate_planet(3, 256, 8)


def blank_scene(width_px=512):
    """Bare ground without texture, so that all that shows is ejecta."""
    grid = make_grid(width_px, MERCURY)
    look = replace(draw_look(np.random.default_rng(5)), dark=0.0)
    return Scene(
        grid,
        look,
        np.zeros((3, *grid.shape), np.float32),
        np.zeros(grid.shape, np.float32),
        np.full((3, 4, 8), 8.0, np.float32),
        np.ones(grid.shape, bool),
    )


def impact_at(lon, lat, scene):
    """One and the same impact, anywhere."""
    rng = np.random.default_rng(11)
    impact = draw_impacts(rng, scene.grid, scene.look, 1)[0]
    impact = replace(impact, crater=replace(impact.crater, lon=lon, lat=lat, radius_m=60e3))
    impact = replace(impact, blanket_m=180e3, longest_ray_m=1.5e6, age=0.1)
    return impact, draw_pattern(np.random.default_rng(12), impact, scene.look, scene.grid)


def seen_and_change(lon, lat):
    """Truth and brightness change of that impact in its own azimuthal frame."""
    scene = blank_scene()
    impact, pattern = impact_at(lon, lat, scene)
    window, mask = lay_down(scene, impact, pattern)
    whole = np.zeros(scene.grid.shape, bool)
    rows = np.arange(window.row, window.row + window.height)
    whole[np.ix_(rows, scene.grid.columns(window))] = mask
    x_m, y_m = np.meshgrid(np.linspace(-6e5, 6e5, 61), np.linspace(6e5, -6e5, 61))
    col, row = scene.grid.to_pixel(*azimuthal_inverse(x_m, y_m, lon, lat, MERCURY.radius_m))
    at = np.minimum(row.astype(int), scene.grid.height - 1), col.astype(int)
    return whole[at], scene.latent[0][at], whole.sum()


def test_same_seed_same_planet(planet):
    again = simulate_planet(3, 256, 8)
    assert np.array_equal(planet.mosaic.levels[0], again.mosaic.levels[0])
    assert planet.craters == again.craters
    for crater_id, (window, mask) in planet.truth.masks.items():
        assert again.truth.masks[crater_id][0] == window
        assert np.array_equal(again.truth.masks[crater_id][1], mask)


def test_other_seed_other_look(planet):
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


def test_catalogue_is_large_enough_to_see(planet):
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
    """In the band that answers most to fresh ejecta, averaged over craters."""
    planet = simulate_planet(2, 512, 12)
    grid = planet.mosaic.grid
    image = planet.mosaic.levels[0].astype(float)
    every = planet.truth.any_ejecta(grid.whole)
    contrast = []
    for crater in planet.craters:
        lon, lat = grid.centres(grid.whole)
        near = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) < 6 * crater.radius_m
        inside = near & planet.truth.read(crater.crater_id, grid.whole)
        outside = near & ~every & planet.mosaic.read_valid(planet.mosaic.grid.whole)
        contrast.append(image[inside].mean(axis=0) - image[outside].mean(axis=0))
    assert np.abs(np.median(contrast, axis=0)).max() > 5.0


@pytest.mark.parametrize(
    ("lon", "lat"), [(180.0, 0.0), (-179.9, -10.0), (30.0, 88.0), (0.0, -90.0)]
)
def test_the_same_impact_looks_the_same_everywhere(lon, lat):
    seen, change, _ = seen_and_change(40.0, 0.0)
    seen_there, change_there, _ = seen_and_change(lon, lat)
    # A pixel is 15 km at most: edges differ, the pattern does not.
    assert (seen == seen_there).mean() > 0.9
    assert np.corrcoef(change.ravel(), change_there.ravel())[0, 1] > 0.85


def test_a_whole_turn_of_pixels_changes_nothing():
    """Moving an impact by whole pixels across the dateline moves its truth exactly."""
    step = 360.0 / 512
    _, _, count = seen_and_change(100 * step, 20.0)
    _, _, over_the_edge = seen_and_change(-180.0 + 2 * step, 20.0)
    assert abs(count - over_the_edge) <= 0.002 * count


def test_forbidden_zone_of_an_oblique_impact():
    scene = blank_scene()
    impact, _ = impact_at(0.0, 0.0, scene)
    impact = replace(impact, incoming_deg=90.0, grazing=False)
    pattern = draw_pattern(np.random.default_rng(12), impact, scene.look, scene.grid)
    window, mask = lay_down(scene, impact, pattern)
    lon, _ = np.broadcast_arrays(*scene.grid.centres(window))
    assert (mask & (lon < -3.0)).sum() > 3 * (mask & (lon > 3.0)).sum()


def test_any_body_and_width():
    moon = simulate_planet(1, 200, 3, BODIES["moon"])
    assert moon.mosaic.grid.shape == (100, 200)
    assert moon.mosaic.grid.radius_m == BODIES["moon"].radius_m


def test_strings_of_patches_lie_far_out_and_change_nothing_else():
    """Bright ejecta beyond 10 radii, detached, on a planet that has them; the other rays stay what they were."""
    scene = blank_scene()
    impact, _ = impact_at(20.0, 10.0, scene)
    far = {}
    for share in (0.0, 1.0):
        # Rays that fade and bend as Mercury's do, whatever this planet's would be like.
        look = replace(scene.look, strings=share, fading=0.6, bend=0.12, patch=1.0)
        own = replace(scene, look=look, latent=np.zeros_like(scene.latent))
        pattern = draw_pattern(np.random.default_rng(12), impact, look, scene.grid)
        lay_down(own, impact, pattern)
        lon, lat = scene.grid.centres(scene.grid.whole)
        away = distance(impact.crater.lon, impact.crater.lat, lon, lat, MERCURY.radius_m)
        far[share] = pattern, (own.latent[0] > 0.1)[away > 10 * impact.crater.radius_m].sum()
    bare, strung = far[0.0][0], far[1.0][0]
    old = len(bare.rays)
    assert np.array_equal(strung.rays[:old], bare.rays)
    assert (strung.rays[old:, 3] > 0.1 * strung.rays[old:, 4]).all()
    assert strung.rays[:, 4].max() == bare.rays[:, 4].max()
    assert far[1.0][1] > 1.5 * far[0.0][1] > 0


def test_dark_material_lies_near_and_changes_nothing_far():
    """A crater that dug up dark material: darker ground near the rim, the same rays where they stir up the ground."""
    scene = blank_scene()
    impact, _ = impact_at(20.0, 10.0, scene)
    brightness = {}
    for share in (0.0, 1.0):
        look = replace(scene.look, dark=share)
        own = replace(blank_scene(), look=look)
        pattern = draw_pattern(np.random.default_rng(12), impact, look, scene.grid)
        lay_down(own, impact, pattern)
        brightness[share] = own.latent[0]
    lon, lat = scene.grid.centres(scene.grid.whole)
    away = distance(impact.crater.lon, impact.crater.lat, lon, lat, MERCURY.radius_m)
    radii = away / impact.crater.radius_m
    near = (radii > 1.2) & (radii < 2.0)
    assert brightness[1.0][near].mean() < 0.3 * brightness[0.0][near].mean()
    assert np.array_equal(brightness[1.0][radii > 10], brightness[0.0][radii > 10])
