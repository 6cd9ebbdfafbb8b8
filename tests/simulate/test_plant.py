import numpy as np
import pytest

from ejectamap.simulate import Planet, plant_craters
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import distance


@pytest.fixture(scope="module")
def planted(planet: Planet) -> Planet:
    return plant_craters(planet.mosaic, planet.craters, seed=5, craters=6)


def test_the_same_arguments_plant_the_same(planet: Planet, planted: Planet) -> None:
    again = plant_craters(planet.mosaic, planet.craters, seed=5, craters=6)
    assert np.array_equal(again.mosaic.levels[0], planted.mosaic.levels[0])
    other = plant_craters(planet.mosaic, planet.craters, seed=6, craters=6)
    assert not np.array_equal(other.mosaic.levels[0], planted.mosaic.levels[0])


def test_the_catalogue_stays_and_the_new_follow_it(planet: Planet, planted: Planet) -> None:
    new, old = planted.craters[:6], planted.craters[6:]
    assert old == planet.craters
    assert [c.crater_id for c in new] == list(range(8, 14)) == sorted(planted.truth.masks)
    radius_m = planet.mosaic.grid.radius_m
    for crater in new:
        for rival in planet.craters:
            apart_m = distance(crater.lon, crater.lat, rival.lon, rival.lat, radius_m)
            assert apart_m > crater.radius_m + rival.radius_m


def test_ground_changes_where_ejecta_are_and_hardly_elsewhere(
    planet: Planet, planted: Planet
) -> None:
    before, after = (p.mosaic.levels[0].astype(float) for p in (planet, planted))
    grid = planet.mosaic.grid
    seen = np.zeros(grid.shape, bool)
    for crater_id in planted.truth.masks:
        seen |= planted.truth.read(crater_id, grid.whole)
    change = np.abs(after - before).mean(axis=2)
    valid = planet.mosaic.read_valid(planet.mosaic.grid.whole)
    assert change[seen & valid].mean() > 10 * change[~seen & valid].mean()
    assert np.array_equal(planted.mosaic.read_valid(grid.whole), valid)
    assert (after[valid].min(axis=1) >= 1).all()


@pytest.mark.parametrize(("bands", "dtype"), [(1, np.uint16), (5, np.float32)])
def test_any_number_of_bands_and_no_catalogue(planet: Planet, bands: int, dtype: type) -> None:
    grid, valid = planet.mosaic.grid, planet.mosaic.read_valid(planet.mosaic.grid.whole)
    rng = np.random.default_rng(0)
    values = rng.normal(500, 20, (bands, *grid.shape)).astype(dtype)
    bare = Mosaic.from_array(values, valid, grid, tuple("abcde"[:bands]))
    planted = plant_craters(bare, (), seed=1, craters=3)
    assert planted.mosaic.dtype == dtype
    assert planted.mosaic.bands == bands
    assert len(planted.truth.masks) == 3
    assert (planted.mosaic.levels[0] != bare.levels[0]).any()
