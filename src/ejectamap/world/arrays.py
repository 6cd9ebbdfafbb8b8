"""Where the arrays of a mosaic are made: in memory, or as files that are mapped into memory.

Both start as zeros, of which parts that nobody writes take neither memory nor disk: ground that a mosaic does not show.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ejectamap.progress import track

T = TypeVar("T")
AnyArray = npt.NDArray[Any]

_PAGE = 4096  # bytes


class Arrays(Protocol):
    """Makes arrays by name."""

    def create(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> AnyArray:
        """Make an array of zeros."""

    def reserve(self, name: str, rows: slice, used: npt.NDArray[np.bool_]) -> None:
        """Take the space of rows, in the entries of their second axis that will be `used`, before they are written.

        Raises
        ------
        OSError
            If there is none.
        """

    def discard(self, name: str) -> None:
        """Give the space of an array back that is not needed any more."""

    def follow(self, items: Iterable[T], description: str, total: float) -> Iterator[T]:
        """Yield the items of work on these arrays, whose progress may be shown."""


class MemoryArrays:
    """Arrays in memory."""

    def create(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> AnyArray:
        """Make an array of zeros."""
        return np.zeros(shape, dtype)

    def reserve(self, name: str, rows: slice, used: npt.NDArray[np.bool_]) -> None:
        """Do nothing: the system gives memory when it is written."""

    def discard(self, name: str) -> None:
        """Do nothing: memory is given back with the last reference."""

    def follow(self, items: Iterable[T], description: str, total: float) -> Iterator[T]:
        """Yield the items."""
        yield from items


class ArrayFiles:
    """Arrays that are `.npy` files of a folder, mapped into memory.

    A write to a mapped file for which the disk has no space ends the process without a word. So space is reserved
    first, which fails as any other call does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._maps: dict[str, np.memmap[Any, Any]] = {}

    def create(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> AnyArray:
        """Make a file of zeros; raises `OSError`."""
        path = self.folder / f"{name}.npy"
        mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
        self._maps[name] = mapped
        return np.asarray(mapped)

    def reserve(self, name: str, rows: slice, used: npt.NDArray[np.bool_]) -> None:
        """Take the space of rows, in the entries of their second axis that will be `used`; raises `OSError`."""
        if not hasattr(os, "posix_fallocate"):
            return
        mapped = self._maps[name]
        row_bytes = mapped.nbytes // len(mapped)
        ranges = _page_ranges(used, row_bytes)
        first, count = rows.start, rows.stop - rows.start
        with (self.folder / f"{name}.npy").open("r+b") as file:
            if ranges == [(0, row_bytes)]:
                ranges, count = [(0, row_bytes * count)], 1
            for row in range(first, first + count):
                for start, stop in ranges:
                    offset = mapped.offset + row * row_bytes + start
                    os.posix_fallocate(file.fileno(), offset, stop - start)

    def discard(self, name: str) -> None:
        """Delete an array's file."""
        del self._maps[name]
        (self.folder / f"{name}.npy").unlink()

    def follow(self, items: Iterable[T], description: str, total: float) -> Iterator[T]:
        """Yield the items; a bar shows how many are done."""
        yield from track(items, description, total)

    def flush(self) -> None:
        """Write to the files what only memory has so far; raises `OSError`."""
        for mapped in self._maps.values():
            mapped.flush()


def _page_ranges(used: npt.NDArray[np.bool_], row_bytes: int) -> list[tuple[int, int]]:
    """First and last byte (+ 1) of the parts of a row that are used, and a page beside each."""
    edges = np.flatnonzero(np.diff(used.astype(np.int8), prepend=0, append=0))
    joined: list[tuple[int, int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        start = max(0, first * row_bytes // len(used) - _PAGE)
        stop = min(row_bytes, last * row_bytes // len(used) + _PAGE)
        if joined and start <= joined[-1][1]:
            start = joined.pop()[0]
        joined.append((start, stop))
    return joined
