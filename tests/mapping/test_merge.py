"""Merging of chips on the mosaic's grid: right places, right averages, no seams."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from ejectamap.mapping.merge import merge_chips
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.labels import Labels
from ejectamap.world.sphere import azimuthal_forward

SIDE_M = 400e3
PLACES = [(20.0, 10.0), (-179.9, -35.0), (77.0, 89.9)]
MakeGrid = Callable[..., Grid]


class Case:
    """A crater with a reach of 0.12 on a grid of 128 x 256 pixels, and its chips."""

    def __init__(
        self,
        make_grid: MakeGrid,
        place: tuple[float, float],
        overlap: float,
    ) -> None:
        self.grid = make_grid(128)
        self.crater = Crater(1, "A", *place, 50e3, reach=0.12)
        reach_m = self.crater.reach_m(self.grid.radius_m)
        self.chips = ChipGrid.around(reach_m, SIDE_M, overlap)
        self.window = self.grid.cap_window(*place, reach_m)
        centres = self.grid.centres(self.window)
        self.x, self.y = azimuthal_forward(*centres, *place, self.grid.radius_m)
        self.within = np.hypot(self.x, self.y) <= reach_m

    def merge(self, pictures: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
        chosen = np.arange(len(self.chips)) if chosen is None else chosen
        merged = merge_chips(
            pictures.astype(np.float32), chosen, self.chips, self.crater, self.grid, self.window
        )
        assert merged.shape == self.window.shape
        assert merged.dtype == np.float32
        assert np.array_equal(np.isnan(merged), ~self.within)
        return merged


@pytest.fixture(params=PLACES, ids=["plain", "dateline", "pole"])
def place(request: pytest.FixtureRequest) -> tuple[float, float]:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75])
def test_equal_chips_give_that_everywhere(
    make_grid: MakeGrid, place: tuple[float, float], overlap: float
) -> None:
    case = Case(make_grid, place, overlap)
    merged = case.merge(np.full((len(case.chips), 16, 16), 0.7))
    assert np.allclose(merged[case.within], 0.7, atol=1e-6)


def test_no_connected_chip_is_no_ejecta(make_grid: MakeGrid, place: tuple[float, float]) -> None:
    case = Case(make_grid, place, 0.5)
    merged = case.merge(np.zeros((0, 16, 16)), np.zeros(0, np.int64))
    assert (merged[case.within] == 0).all()


@pytest.mark.parametrize(
    ("overlap", "error"),
    [(0.0, 0.006), (0.5, 0.003)],
)
def test_a_smooth_field_comes_back(
    make_grid: MakeGrid, place: tuple[float, float], overlap: float, error: float
) -> None:
    case = Case(make_grid, place, overlap)

    def field(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.5 + 0.3 * np.sin(x / 250e3) + 0.2 * np.cos(y / 200e3 + 1)

    pictures = np.stack([field(*chip.pixel_xy(64)) for chip in case.chips.chips()])
    # Beyond its outermost pixel centres a chip repeats them: half a pixel, where no other chip helps.
    assert np.abs(case.merge(pictures) - field(case.x, case.y))[case.within].max() < error


def test_truth_through_chips_and_back_loses_less_than_a_percent(
    make_grid: MakeGrid, place: tuple[float, float]
) -> None:
    """F1 of a mask of a blanket and nine rays, through chips whose pixels are as large as the mosaic's."""
    grid, crater = make_grid(1024), Crater(1, "A", *place, 50e3, reach=0.12)
    reach_m = crater.reach_m(grid.radius_m)
    x, y = azimuthal_forward(*grid.centres(grid.whole), *place, grid.radius_m)
    ejecta = (np.hypot(x, y) < 200e3) | (np.cos(9 * np.arctan2(x, y)) > 0.6)
    labels = Labels(grid, {1: (grid.whole, ejecta)}, None)
    chips, size_px = ChipGrid.around(reach_m, SIDE_M, 0.5), round(SIDE_M / grid.pixel_m)
    places = (chip.places(crater, grid.radius_m, size_px) for chip in chips.chips())
    pictures = np.stack([labels.sample(1, *found) for found in places]).astype(np.float32)
    window = grid.cap_window(*place, reach_m)
    merged = merge_chips(pictures, np.arange(len(chips)), chips, crater, grid, window)
    within = np.isfinite(merged)
    found, true = merged[within] > 0.5, labels.read(1, window)[within]
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.99


def test_one_chip_is_read_bilinearly(make_grid: MakeGrid, place: tuple[float, float]) -> None:
    case = Case(make_grid, place, 0.0)
    pictures = np.random.default_rng(0).random((len(case.chips), 16, 16))
    merged = case.merge(pictures)
    checked = 0
    for k, chip in enumerate(case.chips.chips()):
        col = ((case.x - chip.x_m) / SIDE_M + 0.5) * 16 - 0.5
        row = (0.5 - (case.y - chip.y_m) / SIDE_M) * 16 - 0.5
        mine = case.within & (col > -0.49) & (col < 15.49) & (row > -0.49) & (row < 15.49)
        expected = map_coordinates(pictures[k], [row[mine], col[mine]], order=1, mode="nearest")
        assert np.allclose(merged[mine], expected, atol=1e-5)
        checked += mine.sum()
    assert checked > 0.9 * case.within.sum()


def test_only_chosen_chips_are_averaged(make_grid: MakeGrid) -> None:
    """Against the definition: weights fall off linearly, as a pyramid, to each chip's edge."""
    case = Case(make_grid, PLACES[0], 0.5)
    rng = np.random.default_rng(1)
    chosen = np.sort(rng.choice(len(case.chips), len(case.chips) // 2, replace=False))
    levels = rng.random(len(chosen))
    merged = case.merge(np.broadcast_to(levels[:, None, None], (len(chosen), 16, 16)), chosen)
    level = np.full(len(case.chips), np.nan)
    level[chosen] = levels
    total, weights = np.zeros(case.window.shape), np.zeros(case.window.shape)
    for chip, value in zip(case.chips.chips(), level, strict=True):
        u, v = np.abs([case.x - chip.x_m, case.y - chip.y_m]) / SIDE_M
        weight = np.maximum(0.5 - u, 0) * np.maximum(0.5 - v, 0)
        if np.isfinite(value):
            total += weight * value
            weights += weight
    bare = case.within & (weights == 0)
    assert bare.any()
    assert (merged[bare] == 0).all()
    covered = case.within & (weights > 1e-3)  # off the very edge, where rounding decides
    assert np.allclose(merged[covered], (total / np.maximum(weights, 1e-9))[covered], atol=1e-3)


def test_no_seam_shows_between_chips_that_disagree(
    make_grid: MakeGrid, place: tuple[float, float]
) -> None:
    """Chips of 0 and 1 at random: with half overlap no step exceeds a pixel's share of a chip's side."""
    case = Case(make_grid, place, 0.5)
    levels = np.random.default_rng(2).integers(0, 2, len(case.chips))
    merged = case.merge(np.broadcast_to(levels[:, None, None], (len(levels), 16, 16)))
    assert np.nanmax(merged) > 0.9
    assert np.nanmin(merged) < 0.1
    for axis in (0, 1):
        step = np.abs(np.diff(merged, axis=axis))
        dx, dy = np.diff(case.x, axis=axis), np.diff(case.y, axis=axis)
        moved_m = np.abs(dx) + np.abs(dy)
        near = np.isfinite(step)
        assert (step[near] <= 2.5 * moved_m[near] / (SIDE_M / 2)).all()


def test_blocks_make_no_difference(make_grid: MakeGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(make_grid, PLACES[1], 0.5)
    pictures = np.random.default_rng(3).random((len(case.chips), 16, 16))
    whole = case.merge(pictures)
    monkeypatch.setattr("ejectamap.views.azimuthal_grid._BLOCK_PX", 7)
    assert np.array_equal(case.merge(pictures), whole, equal_nan=True)
