"""Mosaics as people have them: how each is written.

The ground is a smooth function of the place, so that any raster of it can be checked at any place.
"""

import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS, Transformer
from rasterio.errors import NotGeoreferencedWarning

R = 1_737_400.0


MARS = 3_396_190.0, 3_376_200.0


ROWS, COLS = 90, 180


STEP = 2.0


PX = float(np.radians(STEP)) * R


EQC = CRS.from_dict({"proj": "eqc", "R": R})


LONGLAT = CRS.from_dict({"proj": "longlat", "R": R})


GLOBE = Affine(PX, 0, -np.pi * R, 0, -PX, np.pi * R / 2)


"""Of ROWS x COLS pixels in EQC."""


def ground(lon: Any, lat: Any, band: int = 0) -> np.ndarray:
    """Value of a band at places, 20 to 220, without a symmetry that would hide a swap or a turn."""
    lam, phi = np.radians(lon), np.radians(lat)
    x, y, z = np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)
    return np.asarray(120 + 40 * x + 25 * y + 35 * z * (1 if band % 2 == 0 else -1) - 5 * band)


def picture(
    crs: CRS,
    transform: Affine,
    shape: tuple[int, int],
    bands: int = 1,
    to_lonlat: Callable[..., Any] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Values (band, row, col) of the ground in a raster, and where there is ground."""
    cols, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    x, y = transform @ np.stack([cols.ravel(), rows.ravel()])
    if to_lonlat is None:
        to_lonlat = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform
    lon, lat = (np.asarray(v, np.float64).reshape(shape) for v in to_lonlat(x, y))
    seen = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90)
    lon, lat = np.where(seen, lon, 0), np.where(seen, lat, 0)
    return np.stack([ground(lon, lat, band) for band in range(bands)]) * seen, seen


def write(
    path: Path, values: np.ndarray, crs: Any = EQC, transform: Affine = GLOBE, **more: Any
) -> Path:
    """Write values (band, row, col) to a file."""
    tags = {
        key: more.pop(key)
        for key in ("scales", "offsets", "colorinterp", "colormap")
        if key in more
    }
    profile = {
        "driver": "GTiff",
        "count": len(values),
        "height": values.shape[1],
        "width": values.shape[2],
        "dtype": values.dtype,
        "crs": crs if crs is None or isinstance(crs, str) else crs.to_wkt(),
        "transform": transform,
    }
    with warnings.catch_warnings(), ExitStack() as stack:
        # Of a file without georeference, which some cases need.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        target = stack.enter_context(rasterio.open(path, "w", **(profile | more)))
        if "colormap" in tags:
            target.write_colormap(1, tags.pop("colormap"))
        target.write(values)
        for key, value in tags.items():
            setattr(target, key, value)
    return path


def globe(bands: int = 1, dtype: Any = np.uint8) -> np.ndarray:
    """The whole globe in EQC, with GLOBE."""
    return np.rint(picture(EQC, GLOBE, (ROWS, COLS), bands)[0]).astype(dtype)


def rgba(folder: Path, driver: str, bands: int = 3) -> Path:
    values = globe(bands)
    alpha = np.full((1, ROWS, COLS), 255, np.uint8)
    alpha[:, :, 100:] = 0
    colours = [
        rasterio.enums.ColorInterp.red,
        rasterio.enums.ColorInterp.green,
        rasterio.enums.ColorInterp.blue,
    ]
    meaning = [
        *(colours if bands == 3 else [rasterio.enums.ColorInterp.gray]),
        rasterio.enums.ColorInterp.alpha,
    ]
    path = folder / ("m.gpkg" if driver == "GPKG" else "m.tif")
    more = {} if driver == "GPKG" else {"colorinterp": meaning, "alpha": "yes"}
    return write(path, np.concatenate([values, alpha]), driver=driver, **more)


def filled(folder: Path, fill: float, dtype: Any = np.float32, nodata: float | None = None) -> Path:
    values = globe(2).astype(dtype)
    values[:, :, 100:] = np.array(fill, dtype)
    return write(folder / "m.tif", values, nodata=nodata)


def special(folder: Path, levels: list[float], dtype: Any, nodata: float) -> Path:
    values = globe(1).astype(dtype)
    for k, level in enumerate([nodata, *levels]):
        values[:, :, 100 + 16 * k : 116 + 16 * k] = np.array(level, dtype)
    return write(folder / "m.tif", values, nodata=nodata)


def palette(folder: Path, is_grey: bool) -> Path:
    values = globe(3)
    index = np.arange(ROWS * COLS).reshape(ROWS, COLS) % 256
    if is_grey:
        return write(
            folder / "m.tif",
            255 - values[:1],
            colormap={k: (255 - k, 255 - k, 255 - k, 255) for k in range(256)},
        )
    colours = {k: (k, 255 - k, (7 * k) % 256, 255) for k in range(256)}
    return write(folder / "m.tif", index[None].astype(np.uint8), colormap=colours)


def scaled(folder: Path) -> Path:
    stored = np.rint((picture(EQC, GLOBE, (ROWS, COLS), 2)[0] - 50) / 0.01).astype(np.int16)
    return write(folder / "m.tif", stored, scales=(0.01, 0.01), offsets=(50.0, 50.0))


def projected(
    crs: Any, transform: Affine, shape: tuple[int, int], **more: Any
) -> Callable[[Path], Path]:
    """Write the ground as a raster of any projection, with 0 for no ground."""
    to_lonlat = more.pop("to_lonlat", None)
    name = more.pop("name", "m.tif")
    dtype = more.pop("dtype", np.uint8)

    def make(folder: Path) -> Path:
        values, seen = picture(crs, transform, shape, 1, to_lonlat)
        values = np.rint(values).astype(np.uint8) if dtype == np.uint8 else values.astype(dtype)
        return write(
            folder / name, values, crs, transform, **({} if seen.all() else {"nodata": 0}) | more
        )

    return make


def part(
    west: float, south: float, east: float, north: float, step: float = STEP, **more: Any
) -> Callable[[Path], Path]:
    """A part of the globe in EQC."""
    m = float(np.radians(1.0)) * R
    shape = round((north - south) / step), round((east - west) / step)
    transform = Affine(step * m, 0, west * m, 0, -step * m, north * m)
    unwrapped = lambda x, y: (np.asarray(x) / m, np.asarray(y) / m)  # noqa: E731
    return projected(EQC, transform, shape, to_lonlat=unwrapped, **more)


def mirrored(folder: Path, south_up: bool, west_up: bool) -> Path:
    values = globe()[:, :: -1 if south_up else 1, :: -1 if west_up else 1]
    flip = Affine.translation(COLS * west_up, ROWS * south_up) @ Affine.scale(
        -1 if west_up else 1, -1 if south_up else 1
    )
    return write(folder / "m.tif", np.ascontiguousarray(values), transform=GLOBE @ flip)


def square(crs: Any, half_m: float, pixel_m: float, **more: Any) -> Callable[[Path], Path]:
    """The ground within `half_m` of a projection's origin."""
    size = round(2 * half_m / pixel_m)
    return projected(crs, Affine(pixel_m, 0, -half_m, 0, -pixel_m, half_m), (size, size), **more)


def mollweide(folder: Path) -> Path:
    crs = CRS.from_dict({"proj": "moll", "R": R})
    width = 2 * np.sqrt(2) * R * 2
    transform = Affine(PX, 0, -width / 2, 0, -PX, width / 4)
    return projected(crs, transform, (round(width / 2 / PX), round(width / PX)))(folder)


def rotated(folder: Path) -> Path:
    turn = Affine.translation(30 * PX, 10 * PX) @ Affine.rotation(30) @ Affine.scale(PX, -PX)
    return projected(EQC, turn @ Affine.translation(-30, -30), (60, 60))(folder)


def ocentric(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Place of planetographic degrees on Mars's ellipsoid."""
    lat = np.degrees(np.arctan((MARS[1] / MARS[0]) ** 2 * np.tan(np.radians(y))))
    return np.asarray(x), lat


def tiles(folder: Path, mixed: bool = False, vrt: bool = False) -> Path:
    tiles = folder / "tiles"
    tiles.mkdir()
    for k, (west, south) in enumerate([(-180, -90), (0, -90), (-180, 0), (0, 0)]):
        part(west, south, west + 180, south + 90, name=f"tile{k}.tif")(tiles)
    if mixed:
        (tiles / "tile2.tif").unlink()
        (tiles / "tile3.tif").unlink()
        polar = CRS.from_dict({"proj": "stere", "lat_0": 90, "R": R})
        square(polar, 2.1 * R, PX, name="north.tif")(tiles)
    (tiles / "readme.txt").write_text("four tiles")
    return _vrt(folder, tiles) if vrt else tiles


def _vrt(folder: Path, tiles: Path) -> Path:
    sources = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="0">{tiles}/tile{k}.tif</SourceFilename>'
        "<SourceBand>1</SourceBand>"
        f'<SrcRect xOff="0" yOff="0" xSize="90" ySize="45"/>'
        f'<DstRect xOff="{90 * (k % 2)}" yOff="{45 * (1 - k // 2)}" xSize="90" ySize="45"/></SimpleSource>'
        for k in range(4)
    )
    transform = ", ".join(map(repr, GLOBE.to_gdal()))
    path = folder / "m.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{COLS}" rasterYSize="{ROWS}"><SRS>{EQC.to_wkt("WKT1_GDAL")}</SRS>'
        f"<GeoTransform>{transform}</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1">{sources}</VRTRasterBand></VRTDataset>'
    )
    return path


def isis(folder: Path) -> Path:
    values = globe().astype(np.int16)
    values[:, :, 100:120], values[:, :, 120:140], values[:, :, 140:] = -32768, -32765, -32766
    return write(folder / "m.cub", values, driver="ISIS3")


def isis_bytes(folder: Path) -> Path:
    values = globe()
    values[:, :, 100:140], values[:, :, 140:] = 0, 255
    return write(folder / "m.cub", values, driver="ISIS3")


def pds4(folder: Path) -> Path:
    return write(folder / "m.xml", globe(), driver="PDS4")


def pds3(folder: Path, given: str = "m.lbl") -> Path:
    (folder / "m.img").write_bytes(globe().tobytes())
    km = PX / 1000
    (folder / "m.lbl").write_text(
        f"""PDS_VERSION_ID = PDS3
RECORD_TYPE = FIXED_LENGTH
RECORD_BYTES = {COLS}
FILE_RECORDS = {ROWS}
^IMAGE = "m.img"
TARGET_NAME = MOON
OBJECT = IMAGE
  LINES = {ROWS}
  LINE_SAMPLES = {COLS}
  SAMPLE_TYPE = MSB_UNSIGNED_INTEGER
  SAMPLE_BITS = 8
END_OBJECT = IMAGE
OBJECT = IMAGE_MAP_PROJECTION
  MAP_PROJECTION_TYPE = "SIMPLE CYLINDRICAL"
  A_AXIS_RADIUS = {R / 1000} <KM>
  B_AXIS_RADIUS = {R / 1000} <KM>
  C_AXIS_RADIUS = {R / 1000} <KM>
  POSITIVE_LONGITUDE_DIRECTION = EAST
  COORDINATE_SYSTEM_NAME = PLANETOCENTRIC
  CENTER_LATITUDE = 0.0 <DEG>
  CENTER_LONGITUDE = 0.0 <DEG>
  MAP_SCALE = {km!r} <KM/PIXEL>
  MAP_RESOLUTION = {1 / STEP!r} <PIXEL/DEG>
  LINE_PROJECTION_OFFSET = {ROWS / 2 - 0.5}
  SAMPLE_PROJECTION_OFFSET = {COLS / 2 - 0.5}
END_OBJECT = IMAGE_MAP_PROJECTION
END
"""
    )
    return folder / given


def bound(extra: str) -> Callable[[Path], Path]:
    wkt = CRS.from_proj4(f"+proj=eqc +R={R} {extra} +no_defs").to_wkt()
    return lambda folder: write(folder / "m.tif", globe(), wkt)


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "m.tif")
    return folder / "m.tif"


def loop(folder: Path) -> Path:
    (folder / "m.tif").symlink_to(folder / "m.tif")
    return folder / "m.tif"


def file_of(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def one_pixel(folder: Path) -> Path:
    values = np.zeros((1, ROWS, COLS), np.uint8)
    values[0, 40, 50] = 9
    return write(folder / "m.tif", values, nodata=0)


def huge(folder: Path) -> Path:
    scale = Affine.scale(COLS / 400_000, ROWS / 200_000)
    with rasterio.open(
        folder / "m.tif",
        "w",
        driver="GTiff",
        width=400_000,
        height=200_000,
        count=1,
        dtype="uint8",
        crs=EQC.to_wkt(),
        transform=GLOBE @ scale,
        tiled=True,
        sparse_ok=True,
        bigtiff=True,
        blockxsize=4096,
        blockysize=4096,
    ):
        pass
    return folder / "m.tif"


def sparse(folder: Path) -> Path:
    with rasterio.open(
        folder / "m.tif",
        "w",
        driver="GTiff",
        width=COLS,
        height=ROWS,
        count=1,
        dtype="uint8",
        crs=EQC.to_wkt(),
        transform=GLOBE,
        sparse_ok=True,
    ):
        pass
    return folder / "m.tif"


def truncated(folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (1, ROWS, COLS)).astype(np.uint8)
    path = write(folder / "m.tif", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def constant_band(folder: Path) -> Path:
    values = globe(2)
    values[1] = 7
    return write(folder / "m.tif", values)


POLAR = CRS.from_dict({"proj": "stere", "lat_0": 90, "R": R})


SOUTH = CRS.from_dict({"proj": "stere", "lat_0": -90, "lon_0": 40, "R": R})


CAP_M = 2 * R * np.tan(np.radians(15.0))  # of stereographic latitude 60


DEGREES = Affine(STEP, 0, -180, 0, -STEP, 90)


WEST = CRS.from_authority("IAU_2015", 50301)


MARS_LONGLAT = CRS.from_dict({"proj": "longlat", "a": MARS[0], "b": MARS[1]})


MARS_EQC = CRS.from_dict({"proj": "eqc", "a": MARS[0], "b": MARS[1]})


MARS_DEGREE_M = float(np.radians(1.0)) * MARS[0]
