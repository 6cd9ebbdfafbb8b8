"""Where the arrays of a mosaic are made: in memory, or as files that are mapped into memory.

Both start as zeros. Rows that nobody writes take neither memory nor disk: ground that a mosaic does not show.
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


class Arrays(Protocol):
    """Makes arrays by name."""

    def create(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> AnyArray:
        """Make an array of zeros."""

    def reserve(self, name: str, rows: slice) -> None:
        """Take the space of rows before they are written.

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

    def reserve(self, name: str, rows: slice) -> None:
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

    def reserve(self, name: str, rows: slice) -> None:
        """Take the space of rows before they are written; raises `OSError`."""
        if not hasattr(os, "posix_fallocate"):  # macOS, Windows
            return
        mapped = self._maps[name]
        row_bytes = mapped.nbytes // len(mapped)
        offset, size = mapped.offset + rows.start * row_bytes, (rows.stop - rows.start) * row_bytes
        with (self.folder / f"{name}.npy").open("r+b") as file:
            os.posix_fallocate(file.fileno(), offset, size)

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
