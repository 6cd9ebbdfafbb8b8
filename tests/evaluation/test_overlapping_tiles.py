"""Tiles that overlap: each pixel counts once for a crater."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ejectamap.evaluation.disjoint import disjoint_parts
from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.scores import Evaluation
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels, Tile

HEIGHT, WIDTH = 12, 24
WINDOWS = st.builds(
    Window,
    st.integers(0, HEIGHT - 4),
    st.integers(0, WIDTH - 1),
    st.integers(1, 4),
    st.integers(1, WIDTH),
)


def cover(window: Window) -> np.ndarray:
    """Pixels of a window on the grid."""
    mask = np.zeros((HEIGHT, WIDTH), int)
    cols = np.arange(window.col, window.col + window.width) % WIDTH
    mask[window.row : window.row + window.height, cols] = 1
    return mask


@given(st.lists(WINDOWS, max_size=6))
def test_parts_cover_all_once(windows: list[Window]) -> None:
    parts = disjoint_parts(windows, WIDTH)
    together = sum((cover(w) for w in windows), np.zeros((HEIGHT, WIDTH), int)) > 0
    counted = sum((cover(w) for part in parts for w in part), np.zeros((HEIGHT, WIDTH), int))
    assert np.array_equal(counted, together.astype(int))
    for index, (window, part) in enumerate(zip(windows, parts, strict=True)):
        assert all(0 <= w.col < WIDTH and w.height > 0 and w.width > 0 for w in part)
        earlier = sum((cover(w) for w in windows[:index]), np.zeros((HEIGHT, WIDTH), int))
        own = sum((cover(w) for w in part), np.zeros((HEIGHT, WIDTH), int))
        assert np.array_equal(own, cover(window) * (earlier == 0))


CRATER = Crater(1, "", 0.0, 0.0, 2e5, reach=1.0)
APART = (Tile(0, Window(20, 50, 10, 10)), Tile(1, Window(20, 60, 10, 10)))


@pytest.fixture(scope="module")
def masks(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth, prediction = rng.random((2, *grid.shape)) < 0.3
    return truth, prediction


def evaluated(
    grid: Grid,
    masks: tuple[np.ndarray, np.ndarray],
    tiles: tuple[Tile, ...],
    split: dict[int, str] | None = None,
) -> Evaluation:
    """Evaluation of a crater in some tiles; the split is by the tiles' ids."""
    truth, prediction = masks
    labels = Labels(grid, {1: (grid.whole, truth)}, tiles)

    def predicted(_: int, window: Window) -> np.ndarray:
        return prediction[window.row : window.row + window.height][:, grid.columns(window)]

    parts = {(1, tile_id): part for tile_id, part in (split or {}).items()}
    return evaluate(labels, [CRATER], predicted, parts, tile_px=10)


@pytest.mark.parametrize("copies", [1, 3])
def test_identical_tiles_change_no_figure(
    grid: Grid, masks: tuple[np.ndarray, np.ndarray], copies: int
) -> None:
    again = tuple(
        replace(t, tile_id=t.tile_id + 2 * k) for k in range(1, copies + 1) for t in APART
    )
    once, often = evaluated(grid, masks, APART), evaluated(grid, masks, APART + again)
    assert often.to_dict() == once.to_dict()


def test_overlapping_tiles_count_their_pixels_once(
    grid: Grid, masks: tuple[np.ndarray, np.ndarray]
) -> None:
    overlapping = (Tile(0, Window(20, 50, 10, 14)), Tile(1, Window(20, 56, 10, 14)))
    (row,) = evaluated(grid, masks, overlapping).craters
    (whole,) = evaluated(grid, masks, (Tile(0, Window(20, 50, 10, 20)),)).craters
    assert row.scores.pixel == whole.scores.pixel
    assert row.scores.tile.tp == 2


def test_a_pixel_of_a_test_tile_is_a_test_pixel(
    grid: Grid, masks: tuple[np.ndarray, np.ndarray]
) -> None:
    """Whichever tile stands first in the table."""
    first, second = Tile(0, Window(20, 50, 10, 14)), Tile(1, Window(20, 56, 10, 14))
    use = {0: "train", 1: "test"}
    (row,) = evaluated(grid, masks, (first, second), use).craters
    (alone,) = evaluated(grid, masks, (second,)).craters
    assert row.test.pixel == alone.scores.pixel
    (whole,) = evaluated(grid, masks, (Tile(0, Window(20, 50, 10, 20)),)).craters
    assert row.scores.pixel == whole.scores.pixel
