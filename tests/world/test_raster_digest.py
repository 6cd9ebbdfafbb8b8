"""Whatever GDAL reads for a raster is in its digest, and nothing else is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.enums import Resampling

from ejectamap.files import hash_file
from ejectamap.world.grid import Grid
from ejectamap.world.raster_digest import mosaic_digests

WriteRaster = Callable[..., Path]
VRT = """<VRTDataset rasterXSize="128" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="1">{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>
</VRTRasterBand></VRTDataset>"""


@pytest.fixture
def raster(tmp_path: Path, write_raster: WriteRaster, grid: Grid) -> Path:
    values = np.random.default_rng(0).integers(1, 255, grid.shape).astype(np.uint8)
    return write_raster(tmp_path / "mosaic.tif", values, grid)


def change(path: Path) -> None:
    """Change a pixel of a raster."""
    with rasterio.open(path, "r+") as target:
        values = target.read()
        values[0, 3, 3] ^= 1
        target.write(values)


def test_a_single_file_is_its_own_digest_wherever_it_lies(raster: Path, tmp_path: Path) -> None:
    assert mosaic_digests(raster) == (hash_file(raster),)
    (tmp_path / "elsewhere").mkdir()
    copy = shutil.copy(raster, tmp_path / "elsewhere" / "other.tif")
    assert mosaic_digests(Path(copy)) == mosaic_digests(raster)


def test_a_virtual_rasters_sources_count_and_theirs(raster: Path, tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner.vrt", tmp_path / "outer.vrt"
    inner.write_text(VRT.format("mosaic.tif"))
    outer.write_text(VRT.format("inner.vrt"))
    before = mosaic_digests(outer)
    change(raster)
    assert mosaic_digests(outer) != before
    before = mosaic_digests(outer)
    inner.write_text(inner.read_text().replace("<SourceBand>1", "<SourceBand>mask,1"))
    assert mosaic_digests(outer) != before


def test_a_mask_beside_a_source_counts(raster: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer.vrt"
    outer.write_text(VRT.format("mosaic.tif"))
    before = [mosaic_digests(path) for path in (raster, outer)]
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(raster, "r+") as target:
        target.write_mask(np.arange(64 * 128).reshape(64, 128) > 999)
    assert raster.with_name("mosaic.tif.msk").exists()
    assert all(mosaic_digests(p) != b for p, b in zip((raster, outer), before, strict=True))


def test_overviews_and_statistics_do_not_count(raster: Path) -> None:
    before = mosaic_digests(raster)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(raster, "r+") as target:
        target.build_overviews([2], Resampling.average)
    beside = raster.with_name("mosaic.tif.aux.xml")
    beside.write_text(
        "<PAMDataset><PAMRasterBand band='1'><Histograms/><Metadata>"
        "<MDI key='STATISTICS_MEAN'>3</MDI></Metadata></PAMRasterBand></PAMDataset>"
    )
    assert mosaic_digests(raster) == before
    beside.write_text(
        "<PAMDataset><PAMRasterBand band='1'><NoDataValue>3</NoDataValue></PAMRasterBand></PAMDataset>"
    )
    with_no_data = mosaic_digests(raster)
    assert with_no_data != before
    beside.write_text(beside.read_text().replace(">3<", ">4<"))
    assert mosaic_digests(raster) not in (before, with_no_data)


def test_each_tile_of_a_folder_counts(raster: Path, tmp_path: Path) -> None:
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    for name in ("a.tif", "b.tif"):
        shutil.copy(raster, tiles / name)
    before = mosaic_digests(tiles)
    change(tiles / "b.tif")
    assert mosaic_digests(tiles) != before
