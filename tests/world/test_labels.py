"""Masks of craters on the mosaic's grid: read over windows and at places, packed or not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_inputs import CRATERS, block

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import load_labels
from ejectamap.world.labels import Labels, PackedMasks, as_raster, extract_window, joint_window

Write = Callable[..., Path]


def test_masks_are_cropped_to_their_ones(folder: Path, grid: Grid) -> None:
    labels = load_labels(folder, grid, CRATERS)
    assert labels.tiles is None
    assert labels.masks[1][0] == Window(30, 60, 4, 10)
    assert labels.masks[2][0] == Window(31, 125, 2, 5)
    assert all(mask.all() and mask.shape == window.shape for window, mask in labels.masks.values())


def test_read_over_any_window(folder: Path, grid: Grid) -> None:
    labels = load_labels(str(folder), grid, CRATERS)
    whole = {
        1: block(grid, slice(30, 34), slice(60, 70)).astype(bool),
        2: block(grid, slice(31, 33), [125, 126, 127, 0, 1]).astype(bool),
        3: np.zeros(grid.shape, bool),
    }
    windows = [grid.whole, Window(0, 0, 5, 5), Window(32, 120, 10, 20), Window(28, 65, 4, 128)]
    for window in windows:
        rows = slice(window.row, window.row + window.height)
        for crater_id, mask in whole.items():
            read = labels.read(crater_id, window)
            assert read.dtype == bool
            assert np.array_equal(read, mask[rows][:, grid.columns(window)])
        union = (whole[1] | whole[2])[rows][:, grid.columns(window)]
        assert np.array_equal(labels.any_ejecta(window), union)


def test_sample_reads_the_pixel_that_contains_a_place(folder: Path, grid: Grid) -> None:
    labels = load_labels(folder, grid, CRATERS)
    for crater_id in (1, 2, 3):
        sampled = labels.sample(crater_id, *grid.centres(grid.whole))
        assert np.array_equal(sampled, labels.read(crater_id, grid.whole))
    assert labels.sample(2, 180.0, 0.1)
    assert labels.sample(2, -180.0, 0.1).shape == ()
    assert not labels.sample(1, [[0.0, 10.0]], [[90.0], [-90.0]]).any()


def test_mask_of_a_window_that_wraps_around(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    window = Window(28, 120, 8, 20)
    mask = np.random.default_rng(1).integers(0, 2, window.shape).astype(np.uint8)
    write_raster(
        tmp_path / "mask_crater_2.tif", mask, grid, transform=grid.window_transform(window)
    )
    labels = load_labels(tmp_path, grid, CRATERS)
    assert np.array_equal(labels.read(2, window), mask.astype(bool))
    assert labels.read(2, grid.whole).sum() == mask.sum()


def test_ones_at_both_ends_of_a_window(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    """The cropped window may wrap around although that of the file does not, if it is smaller then."""
    window = Window(28, 10, 4, 100)
    mask = np.zeros(window.shape, np.uint8)
    mask[:, [0, -1]] = 1
    write_raster(
        tmp_path / "mask_crater_1.tif", mask, grid, transform=grid.window_transform(window)
    )
    labels = load_labels(tmp_path, grid, (Crater(1, "", 0.0, 0.0, 5e4, reach=1.0),))
    assert labels.masks[1][0] == Window(28, 109, 4, 30)
    assert np.array_equal(labels.read(1, window), mask.astype(bool))


def test_mask_with_longitudes_0_to_360_is_shifted(
    tmp_path: Path, grid: Grid, write_raster: Write, make_grid: Callable[..., Grid]
) -> None:
    east = make_grid(lon_west=0.0)
    mask = block(east, slice(30, 34), slice(60, 70))
    write_raster(tmp_path / "mask_crater_2.tif", mask, east)
    labels = load_labels(tmp_path, grid, CRATERS)
    assert labels.masks[2][0] == Window(30, 124, 4, 10)


def test_one_value_but_0_and_no_data_is_ejecta(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    mask = 7 * block(grid, slice(30, 34), slice(60, 70))
    mask[30, 60:63] = 7, 255, 0
    write_raster(tmp_path / "mask_crater_1.tif", mask, grid, nodata=255)
    labels = load_labels(tmp_path, grid, CRATERS)
    assert labels.read(1, Window(30, 60, 1, 4)).tolist() == [[True, False, False, True]]


def test_nan_is_not_ejecta(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    mask = block(grid, slice(30, 34), slice(60, 70)).astype(np.float32)
    mask[30, 60] = np.nan
    write_raster(tmp_path / "mask_crater_1.tif", mask, grid)
    labels = load_labels(tmp_path, grid, CRATERS)
    assert labels.read(1, grid.whole).sum() == 39


def test_masks_are_read_in_strips(
    folder: Path, grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_labels(folder, grid, CRATERS)
    for module in ("grid", "label_masks"):
        monkeypatch.setattr(f"ejectamap.world.{module}.STRIP_PIXELS", 3 * grid.width)
    labels = load_labels(folder, grid, CRATERS)
    assert np.array_equal(labels.any_ejecta(grid.whole), expected.any_ejecta(grid.whole))


@settings(max_examples=60)
@given(st.data())
def test_packed_masks_equal_plain_masks(grid, data):
    def window():
        height, width = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 128))
        return Window(
            data.draw(st.integers(0, 64 - height)), data.draw(st.integers(0, 127)), height, width
        )

    own, target = window(), window()
    mask = np.random.default_rng(data.draw(st.integers(0, 99))).random(own.shape) < 0.5
    plain = Labels(grid, {4: (own, mask)}, None)
    packed = Labels(grid, PackedMasks([(4, own, mask)]), None)
    assert packed.masks[4][0] == own
    assert (packed.masks[4][1] == mask).all()
    assert list(packed.masks) == [4]
    ejecta = packed.read(4, target)
    assert (ejecta == plain.read(4, target)).all()
    rows, cols = np.indices(target.shape)
    row, col = rows + target.row, (cols + target.col) % 128
    inside = (row >= own.row) & (row < own.row + own.height)
    across = (col - own.col) % 128
    inside &= across < own.width
    assert (ejecta[inside] == mask[row[inside] - own.row, across[inside]]).all()
    assert not ejecta[~inside].any()
    lon, lat = grid.to_lonlat(col + 0.5, row + 0.5)
    assert (packed.sample(4, lon, lat) == ejecta).all()
    assert (plain.sample(4, lon, lat) == ejecta).all()


windows = st.builds(
    Window, st.integers(0, 5), st.integers(0, 19), st.integers(0, 3), st.integers(0, 20)
)


@given(st.lists(windows, max_size=4))
def test_the_joint_window_is_the_smallest_that_holds_all(parts: list[Window]) -> None:
    joint, width = joint_window(parts, 20), 20
    filled = [part for part in parts if part.height and part.width]
    columns = {(part.col + k) % width for part in filled for k in range(part.width)}
    inside = {(joint.col + k) % width for k in range(joint.width)}
    assert columns <= inside
    assert 0 <= joint.col < width
    assert joint.width <= width
    if not filled:
        assert joint.shape == (0, 0)
        return
    assert joint.row == min(part.row for part in filled)
    assert joint.row + joint.height == max(part.row + part.height for part in filled)
    smaller = [
        first
        for first in range(width)
        if columns <= {(first + k) % width for k in range(joint.width - 1)}
    ]
    assert not smaller


@given(st.integers(0, 127), st.integers(0, 2**32 - 1))
def test_values_for_a_file_do_not_wrap_around(grid: Grid, col: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2, (3, 9)).astype(np.uint8)
    window = Window(4, col, 3, 9)
    small, cropped = as_raster(window, values, grid)
    assert small.col + small.width <= grid.width
    np.testing.assert_array_equal(
        extract_window(small, cropped, grid.whole, grid.width),
        extract_window(window, values, grid.whole, grid.width),
    )
    empty, zero = as_raster(window, np.zeros_like(values), grid)
    assert empty == Window(0, 0, 1, 1)
    assert not zero.any()
