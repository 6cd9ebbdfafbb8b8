"""A stored mosaic is the mosaic in memory; its store is complete or absent, and never one of an earlier file."""

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import odd_mosaics
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from mosaic_cases import CASES

from ejectamap.errors import EjectamapError, OutputError
from ejectamap.project.input_files import cache_folder
from ejectamap.world.arrays import ArrayFiles
from ejectamap.world.grid import Window
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.raster_digest import mosaic_digests

pytestmark = pytest.mark.usefixtures("stored")


@pytest.fixture(scope="module")
def stored() -> Iterator[None]:
    """Mosaics of any size are stored."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EJECTAMAP_STORE_FROM_MB", "0")
        yield


@pytest.fixture
def raster(tmp_path: Path) -> Path:
    values = odd_mosaics.globe(2).astype(np.float32)
    values[:, 20:30, 40:90] = np.nan
    return odd_mosaics.write(tmp_path / "mosaic.tif", values)


def stores(cache: Path) -> list[Path]:
    """All that may count as a store, or as a part of one."""
    return [path for path in cache.glob("*mosaic-*") if path.is_dir()]


def assert_same(first: Mosaic, second: Mosaic) -> None:
    pairs = zip((*first.levels, *first.masks), (*second.levels, *second.masks), strict=True)
    for one, two in pairs:
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)
    assert first.mean_and_std[0].tobytes() == second.mean_and_std[0].tobytes()
    assert first.mean_and_std[1].tobytes() == second.mean_and_std[1].tobytes()
    assert first.covariance.tobytes() == second.covariance.tobytes()
    assert (first.grid, first.band_names) == (second.grid, second.band_names)
    assert first.notes == second.notes


@pytest.mark.parametrize("name", [k for k in CASES if k not in ("fifo", "symlink_loop")])
def test_whatever_can_be_read_is_stored_as_it_is_read(name: str, tmp_path: Path) -> None:
    path, cache = CASES[name].make(tmp_path), tmp_path / "cache"
    try:
        in_memory = Mosaic.open(path)
    except EjectamapError as refusal:
        if "GB of memory" not in str(refusal):
            with pytest.raises(EjectamapError, match=re.escape(str(refusal))):
                Mosaic.open(path, cache)
            assert stores(cache) == []
        return
    assert_same(in_memory, Mosaic.open(path, cache))
    assert_same(in_memory, Mosaic.open(path, cache))
    assert len(stores(cache)) == 1


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, stored: None) -> tuple[Mosaic, Mosaic]:
    """A mosaic with a hole, in memory and stored."""
    folder = tmp_path_factory.mktemp("both")
    rng = np.random.default_rng(5)
    values = rng.integers(1, 255, (3, 90, 180)).astype(np.uint8)
    values[:, rng.random((90, 180)) < 0.05] = 0
    values[:, 30:50, 150:] = 0
    path = odd_mosaics.write(folder / "m.tif", values, nodata=0)
    return Mosaic.open(path), Mosaic.open(path, folder / "cache")


@settings(max_examples=60)
@given(
    lon=st.floats(-180, 180),
    lat=st.floats(-90, 90),
    side_deg=st.floats(0, 30),
    spacing_px=st.floats(0, 20),
)
def test_samples_are_the_same_anywhere_at_any_level(
    both: tuple[Mosaic, Mosaic], lon: float, lat: float, side_deg: float, spacing_px: float
) -> None:
    memory, store = both
    lons = lon + np.linspace(0, side_deg, 7)[None]
    lats = np.clip(lat + np.linspace(0, side_deg, 5)[:, None], -90, 90)
    spacing_m = spacing_px * memory.grid.pixel_m
    for one, two in zip(
        memory.sample(lons, lats, spacing_m), store.sample(lons, lats, spacing_m), strict=True
    ):
        assert one.tobytes() == two.tobytes()


@settings(max_examples=60)
@given(st.data())
def test_windows_are_the_same(both: tuple[Mosaic, Mosaic], data: st.DataObject) -> None:
    memory, store = both
    height, width = memory.grid.shape
    row, col = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    window = Window(
        row, col, data.draw(st.integers(1, height - row)), data.draw(st.integers(1, width))
    )
    for one, two in zip(memory.read(window), store.read(window), strict=True):
        np.testing.assert_array_equal(one, two)


def test_nobody_can_write_to_a_mosaic(both: tuple[Mosaic, Mosaic]) -> None:
    for mosaic in both:
        with pytest.raises(ValueError, match="read-only"):
            mosaic.levels[0][0, 0, 0] = 1


def test_a_small_mosaic_leaves_nothing_behind(
    raster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EJECTAMAP_STORE_FROM_MB")
    Mosaic.open(raster, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_limit_that_is_no_number_is_named(
    raster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EJECTAMAP_STORE_FROM_MB", "much")
    with pytest.raises(EjectamapError, match="EJECTAMAP_STORE_FROM_MB: 'much' is no number"):
        Mosaic.open(raster, tmp_path / "cache")


# Never stale


def test_a_changed_file_is_converted_again_though_size_and_time_are_the_same(
    raster: Path, tmp_path: Path
) -> None:
    cache, before = tmp_path / "cache", raster.stat()
    Mosaic.open(raster, cache)
    content = bytearray(raster.read_bytes())
    content[-64:-4] = np.full(15, 77, np.float32).tobytes()
    raster.write_bytes(content)
    os.utime(raster, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert raster.stat().st_size == before.st_size
    assert_same(Mosaic.open(raster), Mosaic.open(raster, cache))
    assert len(stores(cache)) == 1  # the earlier one is gone


def test_tiles_that_change_places_are_noticed(tmp_path: Path) -> None:
    path, cache = CASES["tiles_vrt"].make(tmp_path), tmp_path / "cache"
    Mosaic.open(path, cache)
    first, second = sorted(path.parent.rglob("*.tif"))[:2]
    for old, new in ((first, tmp_path / "other"), (second, first), (tmp_path / "other", second)):
        old.rename(new)
    assert_same(Mosaic.open(path), Mosaic.open(path, cache))


def test_a_file_beside_the_raster_is_noticed(raster: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Mosaic.open(raster, cache)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(raster, "r+") as target:
        target.write_mask(np.arange(target.height * target.width).reshape(target.shape) % 3 > 0)
    assert_same(Mosaic.open(raster), Mosaic.open(raster, cache))


def test_a_project_that_is_moved_keeps_its_store(raster: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    shutil.move(raster, old / "mosaic.tif")
    Mosaic.open(old / "mosaic.tif", old / "cache")
    old.rename(new)
    made = (stores(new / "cache")[0] / "store.json").stat()
    assert_same(Mosaic.open(new / "mosaic.tif"), Mosaic.open(new / "mosaic.tif", new / "cache"))
    assert (stores(new / "cache")[0] / "store.json").stat().st_ino == made.st_ino


def test_a_file_that_changes_during_the_conversion_leaves_no_store(
    raster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = ArrayFiles.flush

    def change_and_flush(files: ArrayFiles) -> None:
        raster.write_bytes(raster.read_bytes()[:-4] + b"\0\0\0\0")
        flush(files)

    monkeypatch.setattr(ArrayFiles, "flush", change_and_flush)
    with pytest.raises(EjectamapError, match="changed while it was read: run again"):
        Mosaic.open(raster, tmp_path / "cache")
    assert stores(tmp_path / "cache") == []


def test_the_digest_of_a_large_file_is_remembered_until_it_changes(
    raster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, read = tmp_path / "cache", []
    with raster.open("r+b") as file:
        file.truncate(257 * 2**20)  # GDAL ignores what follows a TIFF's pixels
    digest, changed = mosaic_digests(raster), raster.stat().st_mtime

    def count(path: Path) -> str:
        read.append(path)
        return digest[0]

    monkeypatch.setattr("ejectamap.world.raster_digest.hash_file", count)
    monkeypatch.setattr("ejectamap.world.raster_digest.time.time", lambda: changed + 1.0)
    mosaic_digests(raster, cache)
    mosaic_digests(raster, cache)
    assert len(read) == 2  # its last change is too recent
    monkeypatch.setattr("ejectamap.world.raster_digest.time.time", lambda: changed + 3.0)
    for _ in range(3):
        assert mosaic_digests(raster, cache) == digest
    assert len(read) == 3
    before = raster.stat()
    with raster.open("r+b") as file:
        file.write(b"II*\0")  # as it was, which is not known before it is read
    os.utime(raster, ns=(before.st_atime_ns, before.st_mtime_ns))
    mosaic_digests(raster, cache)
    assert len(read) == 4


# Complete or absent


@pytest.mark.parametrize("name", ["level_0.npy", "mask_1.npy", "store.json"])
def test_a_damaged_store_is_made_again(raster: Path, tmp_path: Path, name: str) -> None:
    cache = tmp_path / "cache"
    Mosaic.open(raster, cache)
    file = stores(cache)[0] / name
    file.write_bytes(file.read_bytes()[:100])
    assert_same(Mosaic.open(raster), Mosaic.open(raster, cache))


_KILLED = """
import os, signal, sys
from pathlib import Path
from ejectamap.world.arrays import ArrayFiles
from ejectamap.world.mosaic import Mosaic

reserve, left = ArrayFiles.reserve, int(sys.argv[3])

def die(files, *where):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    reserve(files, *where)

ArrayFiles.reserve = die
Mosaic.open(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_killed_conversion_leaves_nothing_that_counts(raster: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    ended = subprocess.run([sys.executable, "-c", _KILLED, raster, cache, "3"], check=False)
    assert ended.returncode == -signal.SIGKILL
    (left,) = stores(cache)
    assert left.name.endswith(".partial")
    assert_same(Mosaic.open(raster), Mosaic.open(raster, cache))
    (only,) = stores(cache)
    assert not only.name.endswith(".partial")


def test_of_two_that_convert_at_once_one_waits(
    raster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache, opened = tmp_path / "cache", []
    flush, is_converting, may_end = ArrayFiles.flush, threading.Event(), threading.Event()
    conversions = []

    def slow(files: ArrayFiles) -> None:
        conversions.append(files)
        is_converting.set()
        assert may_end.wait(60)
        flush(files)

    monkeypatch.setattr(ArrayFiles, "flush", slow)
    workers = [
        threading.Thread(target=lambda: opened.append(Mosaic.open(raster, cache))) for _ in range(2)
    ]
    workers[0].start()
    assert is_converting.wait(60)
    workers[1].start()
    while "another process converts it: waiting" not in caplog.text:
        workers[1].join(0.01)
    may_end.set()
    for worker in workers:
        worker.join(60)
    assert_same(*opened)
    assert len(conversions) == len(stores(cache)) == 1


# Space, folders


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def no_space_left(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def full_disk() -> Iterator[None]:
    """Others fill the disk during the conversion."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.posix_fallocate", no_space_left)
        yield


@contextmanager
def small_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        free = type("Usage", (), {"free": 1000})
        patch.setattr("shutil.disk_usage", lambda _: free)
        yield


@pytest.mark.parametrize(
    "limit",
    [lambda: files_of_at_most(20_000), full_disk, small_disk],
    ids=["quota", "full", "small"],
)
def test_a_disk_without_space_is_named_with_the_remedy(
    raster: Path, tmp_path: Path, limit: Callable[[], "contextmanager[None]"]
) -> None:
    cache = tmp_path / "cache"
    with limit(), pytest.raises(OutputError) as problem:
        Mosaic.open(raster, cache)
    text = str(problem.value)
    assert str(cache) in text
    assert re.search(r"needs 0\.00 GB \(\d+\.\d\d GB are free", text)
    assert "EJECTAMAP_CACHE" in text
    assert stores(cache) == []
    assert_same(Mosaic.open(raster), Mosaic.open(raster, tmp_path / "elsewhere"))


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(
    raster: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(OutputError, match=r"cache: .*set EJECTAMAP_CACHE"):
        Mosaic.open(raster, tmp_path / "cache")


def test_rows_without_data_take_no_space(tmp_path: Path) -> None:
    values = odd_mosaics.globe(3).astype(np.float64)
    path = odd_mosaics.write(
        tmp_path / "m.tif",
        values[:, 30:40],
        transform=odd_mosaics.GLOBE @ rasterio.Affine.translation(0, 30),
    )
    Mosaic.open(path, tmp_path / "cache")
    (store,) = stores(tmp_path / "cache")
    assert (store / "level_0.npy").stat().st_blocks * 512 < 0.3 * values.nbytes


def test_the_cache_is_the_projects_or_the_named_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EJECTAMAP_CACHE", raising=False)
    fold = tmp_path / "mercury" / "cross-validation" / "fold-1"
    fold.mkdir(parents=True)
    for folder in (tmp_path / "mercury", fold):
        (folder / "project.yaml").write_text("")
    assert cache_folder(tmp_path / "mercury") == tmp_path / "mercury" / "cache"
    assert cache_folder(fold) == tmp_path / "mercury" / "cache"
    monkeypatch.setenv("EJECTAMAP_CACHE", str(tmp_path / "disk"))
    assert cache_folder(fold) == tmp_path / "disk"
