"""The lineage of networks: craters and tiles are recognised on any rendition of a planet, and nothing gets lost."""

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ejectamap.files import hash_file
from ejectamap.project.bundles import hash_bundle_file, read_description
from ejectamap.project.lineage import (
    Lineage,
    SeenCrater,
    SeenPlanet,
    inherit,
    seen_ground,
    seen_tiles,
    tile_box,
)
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window, windows_overlap
from ejectamap.world.sphere import distance

BUILTIN = Path(str(resources.files("ejectamap") / "weights" / "context" / "member-00"))
MERCURY_M = 2_439_400.0
KUIPER = Crater(17, "Kuiper", -31.32, -11.34, 31_000.0)


def seen_planet(
    crater: Crater = KUIPER, tiles: dict[int, tuple[float, float, float, float]] | None = None
) -> SeenPlanet:
    known = SeenCrater(
        crater_id=crater.crater_id,
        name=crater.name,
        lon=crater.lon,
        lat=crater.lat,
        radius_m=crater.radius_m,
        reach=crater.reach,
        tiles=None if tiles is None else tuple(tiles),
        label="0123",
    )
    return SeenPlanet(body_radius_m=MERCURY_M, mosaic="ab", tiles=tiles or {}, craters=(known,))


@given(st.none() | st.sets(st.integers(0, 60), min_size=1))
def test_a_lineage_is_read_as_it_was_written(ids: set[int] | None) -> None:
    tiles = None if ids is None else {k: (-12.5 + k, 3.0625, 1.5, 0.75) for k in sorted(ids)}
    lineage = Lineage(settings={"seed": 3}, trained_on=(seen_planet(tiles=tiles),))
    assert Lineage.model_validate(json.loads(lineage.model_dump_json())) == lineage


@pytest.mark.parametrize(
    ("change", "body_radius_m", "is_same"),
    [
        ({}, MERCURY_M, True),
        ({"crater_id": 3, "name": "C3", "radius_m": 28_000.0}, 2_440_530.0, True),
        ({"lat": -11.34 + 0.3}, MERCURY_M, True),  # 13 km: another rendition is that far off
        ({"lat": -11.34 + 0.5}, MERCURY_M, False),  # 21 km: another crater
        ({"radius_m": 9_000.0}, MERCURY_M, False),  # a crater within it
        ({}, 1_737_400.0, False),
    ],
)
def test_a_crater_is_recognised_by_its_place(
    make_grid: Callable[..., Grid],
    change: dict[str, float],
    body_radius_m: float,
    is_same: bool,
) -> None:
    grid = make_grid(radius_m=body_radius_m)
    crater = replace(KUIPER, **change)  # type: ignore[arg-type]
    seen = seen_tiles([seen_planet()], crater, [Window(30, 50, 4, 4), Window(0, 0, 4, 4)], grid)
    assert seen.tolist() == [is_same] * 2


windows = st.tuples(
    st.integers(0, 7), st.integers(0, 15), st.integers(1, 4), st.integers(1, 9)
).map(lambda w: Window(w[0], w[1], min(w[2], 8 - w[0]), w[3]))


@given(st.lists(windows, max_size=4), st.lists(windows, min_size=1, max_size=4), st.booleans())
def test_a_tile_was_seen_where_it_has_ground_in_common(
    make_grid: Callable[..., Grid], trained: list[Window], tested: list[Window], rotated: bool
) -> None:
    """Tiles of a grid of 16 columns, tested on one of 48, which may begin at another longitude."""
    coarse, fine = make_grid(height=8), make_grid(height=24, lon_west=0.0 if rotated else -180.0)
    shift = 24 if rotated else 0
    planet = seen_planet(tiles={k: tile_box(w, coarse) for k, w in enumerate(trained)})
    on_fine = [
        Window(3 * w.row, (3 * w.col - shift) % 48, 3 * w.height, 3 * w.width) for w in tested
    ]
    seen = seen_tiles([planet], KUIPER, on_fine, fine)
    assert seen.tolist() == [any(windows_overlap(t, w, 16) for w in trained) for t in tested]


@given(st.lists(windows, min_size=1, max_size=4))
def test_ground_that_was_trained_on_is_found_on_another_grid(
    make_grid: Callable[..., Grid], trained: list[Window]
) -> None:
    coarse, fine = make_grid(height=8), make_grid(height=24, lon_west=0.0)
    planet = seen_planet(tiles={k: tile_box(w, coarse) for k, w in enumerate(trained)})
    found = seen_ground([planet], [KUIPER], [], fine)
    expected = {
        Window(3 * w.row, (3 * w.col - 24) % 48, 3 * w.height, 3 * w.width) for w in trained
    }
    assert set(found) == expected
    assert seen_ground([planet], [replace(KUIPER, lat=40.0)], [], fine) == []


def test_ground_within_the_reach_of_a_whole_crater_was_trained_on(grid: Grid) -> None:
    tiles = list(grid.blocks(grid.whole, 8))
    found = seen_ground([seen_planet()], [KUIPER], tiles, grid)
    lon, lat = grid.window_centres(tiles)
    near = distance(KUIPER.lon, KUIPER.lat, lon, lat, MERCURY_M) <= 0.25 * np.pi * MERCURY_M
    assert found == [tile for tile, is_near in zip(tiles, near, strict=True) if is_near]


def test_a_network_inherits_the_union_of_all_trainings_before_it() -> None:
    first = seen_planet(tiles={0: (0.0, 0.0, 1.0, 1.0), 1: (1.0, 0.0, 1.0, 1.0)})
    second = seen_planet(tiles={1: (1.0, 0.0, 1.0, 1.0), 5: (5.0, 0.0, 1.0, 1.0)})
    elsewhere = first.model_copy(update={"mosaic": "cd"})
    lineage = Lineage(trained_on=(first, elsewhere), inherited=(second,))
    planet, other = inherit(lineage)
    assert planet.craters[0].tiles == (0, 1, 5)
    assert planet.tiles.keys() == {0, 1, 5}
    assert planet.craters[0].label is None
    assert other.mosaic == "cd"
    assert inherit(Lineage(trained_on=(), inherited=(planet, other))) == (planet, other)
    assert inherit(None) == ()


def test_the_builtin_networks_know_the_craters_of_mercury_and_the_moon(grid: Grid) -> None:
    lineage = read_description(BUILTIN).lineage
    assert lineage is not None
    assert lineage.is_complete
    mercury, moon = lineage.planets
    assert (len(mercury.craters), len(moon.craters)) == (14, 10)
    window = [Window(30, 50, 4, 4)]
    assert seen_tiles(lineage.planets, KUIPER, window, grid).all()
    hokusai = Crater(0, "Hokusai", 16.65, 57.84, 57_000.0)
    assert not seen_tiles(lineage.planets, hokusai, window, grid).any()


def test_a_lineage_changes_no_network_s_digest(tmp_path: Path) -> None:
    """So that no map became stale when networks got their lineages."""
    path = BUILTIN / "bundle.json"
    content = json.loads(path.read_text())
    del content["lineage"]
    before = tmp_path / "bundle.json"
    before.write_text(json.dumps(content, indent=2) + "\n")  # as version 0.2 shipped it
    assert hash_bundle_file(path) == hash_bundle_file(before) == hash_file(before)
    content["calibration"]["level"] += 1
    before.write_text(json.dumps(content))
    assert hash_bundle_file(path) != hash_bundle_file(before)
    before.write_text("not JSON")
    assert hash_bundle_file(before) == hash_file(before)


def test_nothing_was_seen_by_networks_without_craters(grid: Grid) -> None:
    assert not seen_tiles([], KUIPER, [Window(0, 0, 4, 4)], grid).any()
    assert np.array_equal(seen_tiles([seen_planet()], KUIPER, [], grid), [])
