"""Tiles that overlap: the parts of each that no earlier one covers, so that a pixel is counted once."""

from collections.abc import Sequence
from dataclasses import replace

from ejectamap.world.grid import Window, overlap_matrix


def disjoint_parts(windows: Sequence[Window], grid_width: int) -> list[list[Window]]:
    """Cut from each window what earlier ones cover.

    Parameters
    ----------
    windows : sequence of Window
        Any of them may wrap around the grid's right edge.
    grid_width : int
        Columns of the grid, in pixels.

    Returns
    -------
    list of list of Window
        For each window, rectangles that together cover the rest of it: the window itself where it overlaps no earlier
        one, nothing where earlier ones cover all of it.
    """
    if not windows:
        return []
    overlaps = overlap_matrix(windows, windows, grid_width)
    parts = []
    for index, window in enumerate(windows):
        rest = [window]
        for earlier in (k for k in range(index) if overlaps[index, k]):
            rest = [p for part in rest for p in _without(part, windows[earlier], grid_width)]
        parts.append(rest)
    return parts


def _without(part: Window, other: Window, grid_width: int) -> list[Window]:
    """Rectangles that cover a window but for another one, which may reach it around the globe from either side."""
    rest = [part]
    for shift in (-grid_width, 0, grid_width):
        moved = replace(other, col=other.col + shift)
        rest = [piece for window in rest for piece in _cut(window, moved)]
    return [replace(piece, col=piece.col % grid_width) for piece in rest]


def _cut(window: Window, other: Window) -> list[Window]:
    """Rectangles that cover a window but for another one; columns are not wrapped."""
    top, left = max(window.row, other.row), max(window.col, other.col)
    bottom = min(window.row + window.height, other.row + other.height)
    right = min(window.col + window.width, other.col + other.width)
    if top >= bottom or left >= right:
        return [window]
    pieces = [
        Window(window.row, window.col, top - window.row, window.width),
        Window(bottom, window.col, window.row + window.height - bottom, window.width),
        Window(top, window.col, bottom - top, left - window.col),
        Window(top, right, bottom - top, window.col + window.width - right),
    ]
    return [piece for piece in pieces if piece.height > 0 and piece.width > 0]
