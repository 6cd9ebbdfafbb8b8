"""The store: a large mosaic converted once, to files that every process maps into memory instead of reading them.

A mosaic whose values take 256 MB or more (`EJECTAMAP_STORE_FROM_MB`) when decoded is not read into each process. The
first one that needs it converts it, in strips, into a folder of a project's `cache`, or of the folder that
`EJECTAMAP_CACHE` names:

    cache/mosaic-{key}/level_0.npy, mask_0.npy, level_1.npy, ...    the pyramid, as `Mosaic` holds it
    cache/mosaic-{key}/store.json                                   what else an open mosaic needs: statistics, notes
    cache/digests/*.json                                            digests of large files, see `raster_digest`

Who opens it afterwards maps the files: that takes no time and no memory of its own, and all processes of a machine
share the pages that the system keeps in memory. The arrays are those that a smaller mosaic has in memory, byte for
byte, made by the same code (`arrays` tells the two apart), so that a map does not depend on which it was made from.

**It is never stale.** The key is a digest of the contents of all files that GDAL reads for the mosaic, of the version
of the format, and of the libraries that decode and warp. What tells whether a file's content is still the one that was
digested is described in `raster_digest`. The files are looked at again after the conversion: if one changed meanwhile,
there is no store. Stores of earlier contents of the same path are deleted once the new one is complete.

**It is complete or absent.** It is written under the name of its process, flushed and renamed (`files`); what a killed
process left behind is removed by the next conversion. One process converts at a time (a lock beside the store, which
the system frees when its holder ends), and others wait for it. On a disk without locks two may convert; the first one
that is done wins. Nothing is ever written to a store that is complete, so that readers need no lock.

**Space is asked for before it is taken.** The conversion is refused if the disk has less space than it needs, which is
known from headers alone; and as others may fill the disk meanwhile, the space of each strip is reserved before it is
written. Rows without data take no space.

The folder may be deleted at any time: the next command makes it again. Processes that have it open keep their pages,
but for those on a networked disk, which fail.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from filelock import FileLock, Timeout

from ejectamap.errors import MosaicError, OutputError
from ejectamap.files import move_into_place, partial_path, read_text, remove_partial_files
from ejectamap.progress import status
from ejectamap.world.arrays import AnyArray, ArrayFiles
from ejectamap.world.mosaic_files import MosaicHeader, mosaic_rasters
from ejectamap.world.pyramid import Bits
from ejectamap.world.raster_digest import raster_contents

logger = logging.getLogger(__name__)

_FORMAT = (
    1  # of the files, and of the code that decides their content; raise it when either changes
)
_RECORD = "store.json"
_FROM_MB = 256.0
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
"""What disks answer that have no locks, as some networked ones."""
_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# Files that ejectamap makes again when they are missing. Programs that make backups leave this folder out.\n"
)

Convert = Callable[[ArrayFiles], dict[str, Any]]
"""Makes the arrays of a store in its folder; returns what else belongs to it, as JSON has it."""


def is_stored(header: MosaicHeader) -> bool:
    """Whether a mosaic is large enough to be stored.

    Raises
    ------
    MosaicError
        If the variable `EJECTAMAP_STORE_FROM_MB` is no number.
    """
    text = os.environ.get("EJECTAMAP_STORE_FROM_MB", "")
    try:
        return header.memory_bytes >= (float(text) if text else _FROM_MB) * 1e6
    except ValueError:
        raise MosaicError(
            f"EJECTAMAP_STORE_FROM_MB: {text!r} is no number: set it to megabytes, as 256, or unset it"
        ) from None


@dataclass(frozen=True)
class MosaicStore:
    """The place of one mosaic's store.

    Attributes
    ----------
    mosaic : Path
        A raster, or a folder of rasters.
    cache : Path
        Folder of all stores.
    contents : tuple of (str, str)
        Names and digests of all files that GDAL reads for the mosaic.
    """

    mosaic: Path
    cache: Path
    contents: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, mosaic: Path, cache: Path) -> "MosaicStore":
        """Find out where the store of a mosaic's present content is, be it there or not.

        Raises
        ------
        MosaicError
            If a raster cannot be read, or changes meanwhile.
        """
        return cls(mosaic.resolve(), cache, _contents(mosaic, cache))

    @property
    def folder(self) -> Path:
        """Folder of the store."""
        made_by = [_FORMAT, rasterio.__gdal_version__, rasterio.__proj_version__]
        text = json.dumps([made_by, self.contents])
        return self.cache / f"mosaic-{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}"

    def open(self, convert: Convert, needed_bytes: float) -> dict[str, Any]:
        """What belongs to the store beside its arrays; it is made if it is not there, or damaged.

        Parameters
        ----------
        convert : callable
            Makes the arrays.
        needed_bytes : float
            Space that this takes at most, for the message where the disk has less.

        Raises
        ------
        MosaicError
            If a raster cannot be read, or changes meanwhile.
        OutputError
            If the store cannot be written.
        """
        record = self._read()
        if record is not None:
            return record
        with self._writing(needed_bytes), self._locked():
            record = self._read()  # another process may have made it meanwhile
            return self._make(convert, needed_bytes) if record is None else record

    def arrays(self, levels: int) -> tuple[tuple[AnyArray, ...], tuple[Bits, ...]]:
        """Levels and masks of a complete store, mapped into memory; raises `OSError` or `ValueError`."""
        images = tuple(self._map(f"level_{k}") for k in range(levels))
        return images, tuple(self._map(f"mask_{k}") for k in range(levels))

    def _map(self, name: str) -> Any:
        return np.asarray(np.load(self.folder / f"{name}.npy", mmap_mode="r"))

    def _read(self) -> dict[str, Any] | None:
        """The record of a store whose files are all as long as they should be; else None."""
        try:
            record: dict[str, Any] = json.loads(read_text(self.folder / _RECORD))
            self.arrays(record["levels"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record

    def _make(self, convert: Convert, needed_bytes: float) -> dict[str, Any]:
        remove_partial_files(self.cache)
        shutil.rmtree(self.folder, ignore_errors=True)  # a damaged one
        free = shutil.disk_usage(self.cache).free
        if free < needed_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        (self.cache / "CACHEDIR.TAG").write_text(_TAG)
        temporary = partial_path(self.folder)
        temporary.mkdir()
        try:
            files = ArrayFiles(temporary)
            record = convert(files) | {"mosaic": str(self.mosaic), "contents": self.contents}
            files.flush()
            (temporary / _RECORD).write_text(json.dumps(record, indent=2), "utf-8")
            if _contents(self.mosaic, self.cache) != self.contents:
                raise MosaicError(
                    f"{self.mosaic}: changed while it was read: run again once it is complete"
                )
            with status("writing the mosaic's store to the disk"):
                self._put_in_place(temporary)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._remove_earlier()
        return record

    def _put_in_place(self, temporary: Path) -> None:
        try:
            move_into_place(temporary, self.folder)
        except OSError:
            if self._read() is None:  # else another process was first, on a disk without locks
                raise

    def _remove_earlier(self) -> None:
        """Remove stores of other contents of the same mosaic."""
        for folder, contents in _stores_of(self.mosaic, self.cache):
            if contents != self.contents:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _writing(self, needed_bytes: float) -> Iterator[None]:
        """Say in one line which folder cannot be written, and what to do."""
        advice = "or set EJECTAMAP_CACHE to a folder on another disk"
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                free = shutil.disk_usage(self.cache).free
                raise OutputError(
                    f"{self.cache}: has no space for the converted mosaic, which needs {needed_bytes / 1e9:,.2f} GB"
                    f" ({free / 1e9:,.2f} GB are free, {error.strerror}): free some, {advice}"
                ) from error
            raise OutputError(
                f"{self.cache}: the converted mosaic cannot be written there ({error.strerror}): check the folder and"
                f" its permissions, {advice}"
            ) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only process that converts this mosaic, after others that do."""
        lock = FileLock(self.cache / f".{self.folder.name}.lock", fallback_to_soft=False)
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                logger.warning("%s: another process converts it: waiting for that", self.mosaic)
                with status("waiting for another process that converts the mosaic"):
                    lock.acquire()
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        try:
            yield
        finally:
            lock.release()


def was_stored(mosaic: Path, cache: Path) -> bool:
    """Whether a mosaic was converted, in its present state or an earlier one: a look at the folder alone."""
    return any(True for _ in _stores_of(mosaic.resolve(), cache))


def _stores_of(mosaic: Path, cache: Path) -> Iterator[tuple[Path, tuple[tuple[str, str], ...]]]:
    """Stores of a mosaic's path, and the contents of its files that each was made of."""
    for folder in cache.glob("mosaic-*"):
        try:
            record = json.loads(read_text(folder / _RECORD))
            if record["mosaic"] == str(mosaic):
                yield folder, tuple((name, digest) for name, digest in record["contents"])
        except (OSError, ValueError, KeyError, TypeError):  # no store, or a damaged one
            continue


def _contents(mosaic: Path, cache: Path) -> tuple[tuple[str, str], ...]:
    rasters = mosaic_rasters(mosaic.resolve())
    return tuple(pair for raster in rasters for pair in raster_contents(raster, cache))
