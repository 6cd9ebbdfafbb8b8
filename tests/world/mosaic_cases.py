"""Mosaics as people have them: each written to a file, with what reading it must give.

The ground is a smooth function of the place, so that any raster of it can be checked at any place.
"""

import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
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


def seen_at(mosaic: Any, lon: Any, lat: Any, band: int = 0) -> np.ndarray:
    """Values of a mosaic at places less the ground's; nan where it has no data."""
    values, valid = mosaic.sample(lon, lat)
    return np.where(valid, values[band] - ground(lon, lat, band), np.nan)


@dataclass(frozen=True)
class Case:
    """A mosaic and what must become of it.

    Attributes
    ----------
    make : callable
        Writes it into a folder; returns its path.
    check : callable or str
        Gets the mosaic and raises AssertionError if it was read wrong; or the beginnings of what the message of
        refusal says, divided by "...".
    """

    make: Callable[[Path], Path]
    check: Callable[[Any], None] | str


def is_ground(
    west: float = -180, east: float = 180, south: float = -90, north: float = 90, **more: Any
) -> Callable[[Any], None]:
    """Whether a mosaic shows the ground within these limits, and nothing outside, in `bands` bands."""
    bands, tolerance, margin = (
        more.get("bands", 1),
        more.get("tolerance", 1.2),
        more.get("margin", 4.0),
    )

    def check(mosaic: Any) -> None:
        rng = np.random.default_rng(1)
        lon, lat = rng.uniform(-180, 180, 4000), np.degrees(np.arcsin(rng.uniform(-1, 1, 4000)))
        off = (lon - west) % 360
        width = east - west
        pole = max(abs(south), abs(north)) == 90
        inside = (lat > south + margin * (south > -90)) & (lat < north - margin * (north < 90))
        beyond = (lat < south - margin) | (lat > north + margin)
        if width < 360:
            near = margin / np.maximum(np.cos(np.radians(lat)), 0.05)
            inside &= (off > near) & (off < width - near)
            beyond |= (off > width + near) & (off < 360 - near)
        assert pole or inside.any()
        assert mosaic.bands == bands
        for band in range(bands):
            error = seen_at(mosaic, lon, lat, band)
            assert np.abs(error[inside]).max() < tolerance, np.abs(error[inside]).max()
            assert np.isnan(error[beyond]).all()

    return check


def _rgba(folder: Path, driver: str, bands: int = 3) -> Path:
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


def _filled(
    folder: Path, fill: float, dtype: Any = np.float32, nodata: float | None = None
) -> Path:
    values = globe(2).astype(dtype)
    values[:, :, 100:] = np.array(fill, dtype)
    return write(folder / "m.tif", values, nodata=nodata)


def _special(folder: Path, levels: list[float], dtype: Any, nodata: float) -> Path:
    values = globe(1).astype(dtype)
    for k, level in enumerate([nodata, *levels]):
        values[:, :, 100 + 16 * k : 116 + 16 * k] = np.array(level, dtype)
    return write(folder / "m.tif", values, nodata=nodata)


def _palette(folder: Path, is_grey: bool) -> Path:
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


def _check_palette(mosaic: Any) -> None:
    values, valid = mosaic.read(mosaic.grid.whole)
    index = np.arange(ROWS * COLS).reshape(ROWS, COLS) % 256
    assert valid.all()
    assert np.array_equal(values, np.stack([index, 255 - index, 7 * index % 256]))


def _scaled(folder: Path) -> Path:
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


def _mirrored(folder: Path, south_up: bool, west_up: bool) -> Path:
    values = globe()[:, :: -1 if south_up else 1, :: -1 if west_up else 1]
    flip = Affine.translation(COLS * west_up, ROWS * south_up) @ Affine.scale(
        -1 if west_up else 1, -1 if south_up else 1
    )
    return write(folder / "m.tif", np.ascontiguousarray(values), transform=GLOBE @ flip)


def square(crs: Any, half_m: float, pixel_m: float, **more: Any) -> Callable[[Path], Path]:
    """The ground within `half_m` of a projection's origin."""
    size = round(2 * half_m / pixel_m)
    return projected(crs, Affine(pixel_m, 0, -half_m, 0, -pixel_m, half_m), (size, size), **more)


def _mollweide(folder: Path) -> Path:
    crs = CRS.from_dict({"proj": "moll", "R": R})
    width = 2 * np.sqrt(2) * R * 2
    transform = Affine(PX, 0, -width / 2, 0, -PX, width / 4)
    return projected(crs, transform, (round(width / 2 / PX), round(width / PX)))(folder)


def _rotated(folder: Path) -> Path:
    turn = Affine.translation(30 * PX, 10 * PX) @ Affine.rotation(30) @ Affine.scale(PX, -PX)
    return projected(EQC, turn @ Affine.translation(-30, -30), (60, 60))(folder)


def _ocentric(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Place of planetographic degrees on Mars's ellipsoid."""
    lat = np.degrees(np.arctan((MARS[1] / MARS[0]) ** 2 * np.tan(np.radians(y))))
    return np.asarray(x), lat


def _is_mars(mosaic: Any) -> None:
    assert mosaic.grid.radius_m == MARS[0]
    assert any("planetocentric" in note for note in mosaic.notes)
    is_ground(tolerance=1.0)(mosaic)
    # 45 degrees planetographic are 44.66 planetocentric: the difference shows.
    lat = np.linspace(-80, 80, 500)
    assert abs(np.nanmean(seen_at(mosaic, 100 + 0 * lat, lat) * np.sign(lat))) < 0.03


def _tiles(folder: Path, mixed: bool = False, vrt: bool = False) -> Path:
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


def _isis(folder: Path) -> Path:
    values = globe().astype(np.int16)
    values[:, :, 100:120], values[:, :, 120:140], values[:, :, 140:] = -32768, -32765, -32766
    return write(folder / "m.cub", values, driver="ISIS3")


def _isis_bytes(folder: Path) -> Path:
    values = globe()
    values[:, :, 100:140], values[:, :, 140:] = 0, 255
    return write(folder / "m.cub", values, driver="ISIS3")


def _pds4(folder: Path) -> Path:
    return write(folder / "m.xml", globe(), driver="PDS4")


def _pds3(folder: Path, given: str = "m.lbl") -> Path:
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


def _bound(extra: str) -> Callable[[Path], Path]:
    wkt = CRS.from_proj4(f"+proj=eqc +R={R} {extra} +no_defs").to_wkt()
    return lambda folder: write(folder / "m.tif", globe(), wkt)


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "m.tif")
    return folder / "m.tif"


def _loop(folder: Path) -> Path:
    (folder / "m.tif").symlink_to(folder / "m.tif")
    return folder / "m.tif"


def _bytes(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _one_pixel(folder: Path) -> Path:
    values = np.zeros((1, ROWS, COLS), np.uint8)
    values[0, 40, 50] = 9
    return write(folder / "m.tif", values, nodata=0)


def _huge(folder: Path) -> Path:
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


def _sparse(folder: Path) -> Path:
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


def _truncated(folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (1, ROWS, COLS)).astype(np.uint8)
    path = write(folder / "m.tif", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def _constant_band(folder: Path) -> Path:
    values = globe(2)
    values[1] = 7
    return write(folder / "m.tif", values)


def _says_constant(mosaic: Any) -> None:
    assert mosaic.bands == 2
    assert any("band 2 is 7 everywhere" in note and "-b 1" in note for note in mosaic.notes)


def _says_zero(mosaic: Any) -> None:
    assert any("0 in every band" in note and "--nodata=0" in note for note in mosaic.notes)


POLAR = CRS.from_dict({"proj": "stere", "lat_0": 90, "R": R})
SOUTH = CRS.from_dict({"proj": "stere", "lat_0": -90, "lon_0": 40, "R": R})
HALF = is_ground(east=20, bands=2)
HALF_1 = is_ground(east=20)
CAP_M = 2 * R * np.tan(np.radians(15.0))  # of stereographic latitude 60
DEGREES = Affine(STEP, 0, -180, 0, -STEP, 90)
WEST = CRS.from_authority("IAU_2015", 50301)
MARS_LONGLAT = CRS.from_dict({"proj": "longlat", "a": MARS[0], "b": MARS[1]})
MARS_EQC = CRS.from_dict({"proj": "eqc", "a": MARS[0], "b": MARS[1]})
_m = float(np.radians(1.0)) * MARS[0]

CASES: dict[str, Case] = {
    # alpha, fill values, palettes, scales
    "rgba": Case(lambda f: _rgba(f, "GTiff"), is_ground(east=20, bands=3)),
    "rgba_geopackage": Case(lambda f: _rgba(f, "GPKG"), is_ground(east=20, bands=3)),
    "grey_alpha": Case(lambda f: _rgba(f, "GTiff", 1), HALF_1),
    "float_lowest": Case(lambda f: _filled(f, -3.4028235e38), HALF),
    "float_1e32": Case(lambda f: _filled(f, -1e32), HALF),
    "float_infinite": Case(lambda f: _filled(f, -np.inf), HALF),
    "double_1e300": Case(lambda f: _filled(f, 1e300, np.float64), HALF),
    "float_9999": Case(
        lambda f: _filled(f, -9999),
        "band 1 has the value -9999 in 44.4%...rio edit-info --nodata=-9999",
    ),
    "uint16_65535": Case(
        lambda f: _filled(f, 65535, np.uint16), "the value 65535...--nodata=65535"
    ),
    "int16_null": Case(lambda f: _filled(f, -32768, np.int16), HALF),
    "int16_specials": Case(
        lambda f: _special(f, [-32767, -32766, -32765, -32764], np.int16, -32768), HALF_1
    ),
    "float_specials": Case(
        lambda f: _special(
            f,
            [
                -3.4028228579130005e38,
                -3.4028230607370965e38,
                3.4028232635611926e38,
                3.4028234663852886e38,
            ],
            np.float32,
            -3.4028226550889045e38,
        ),
        HALF_1,
    ),
    "declared_9999": Case(lambda f: _filled(f, -9999, np.float32, -9999), HALF),
    "zeros_undeclared": Case(lambda f: _filled(f, 0, np.uint8), _says_zero),
    "palette": Case(lambda f: _palette(f, False), _check_palette),
    "grey_palette": Case(lambda f: _palette(f, True), is_ground()),
    "scale_offset": Case(_scaled, is_ground(bands=2, tolerance=0.3)),
    "constant_band": Case(_constant_band, _says_constant),
    # georeference
    "half_pixel_shift": Case(
        projected(
            EQC,
            GLOBE @ Affine.translation(-0.5, -0.5),
            (ROWS, COLS),
            to_lonlat=lambda x, y: (np.degrees(x / R), np.clip(np.degrees(y / R), -90, 90)),
        ),
        is_ground(south=-89),
    ),
    "one_row_short": Case(part(-180, -88, 180, 90), is_ground(south=-88)),
    "node_registered": Case(
        projected(
            LONGLAT,
            Affine(STEP, 0, -180 - STEP / 2, 0, -STEP, 90 + STEP / 2),
            (ROWS + 1, COLS + 1),
            to_lonlat=lambda x, y: (x, np.clip(y, -90, 90)),
        ),
        is_ground(),
    ),
    "0_to_360": Case(part(0, -90, 360, 90), is_ground()),
    "degrees": Case(projected(LONGLAT, DEGREES, (ROWS, COLS)), is_ground()),
    "south_up": Case(lambda f: _mirrored(f, True, False), is_ground()),
    "west_up": Case(lambda f: _mirrored(f, False, True), is_ground()),
    "south_and_west_up": Case(lambda f: _mirrored(f, True, True), is_ground()),
    "positive_west": Case(
        projected(WEST, DEGREES, (ROWS, COLS), to_lonlat=lambda x, y: (-np.asarray(x), y)),
        is_ground(),
    ),
    "positive_west_ellipsoid": Case(
        projected(
            CRS.from_authority("IAU_2015", 49901),
            DEGREES,
            (ROWS, COLS),
            to_lonlat=lambda x, y: _ocentric(-np.asarray(x), y),
            dtype=np.float32,
        ),
        _is_mars,
    ),
    "standard_parallel": Case(
        projected(
            CRS.from_dict({"proj": "eqc", "lat_ts": 60, "R": R}),
            GLOBE @ Affine.translation(90, 0) @ Affine.scale(0.5, 1) @ Affine.translation(-90, 0),
            (ROWS, COLS),
        ),
        is_ground(),
    ),
    "kilometres": Case(
        projected(
            CRS.from_dict({"proj": "eqc", "R": R, "units": "km"}),
            Affine.scale(0.001) @ GLOBE,
            (ROWS, COLS),
        ),
        is_ground(),
    ),
    "towgs84": Case(_bound("+towgs84=0,0,0,0,0,0,0"), is_ground()),
    "nadgrids": Case(_bound("+nadgrids=@null"), is_ground()),
    "no_crs": Case(lambda f: write(f / "m.tif", globe(), None), "has no CRS...rio edit-info --crs"),
    "earth": Case(
        projected(CRS.from_epsg(4326), DEGREES, (ROWS, COLS)), "is Earth's...rio edit-info --crs"
    ),
    "other_radius": Case(
        lambda f: write(f / "m.tif", globe(), CRS.from_dict({"proj": "eqc", "R": 1.01 * R})),
        "a whole globe...of another radius...rio edit-info --crs",
    ),
    "no_transform": Case(
        lambda f: write(f / "m.tif", globe(), transform=Affine.identity()),
        "no geotransform...-a_ullr",
    ),
    "nan_transform": Case(
        lambda f: write(f / "m.vrt.tif", globe(), transform=Affine(np.nan, 0, 0, 0, -PX, 0)),
        "geotransform...-a_ullr",
    ),
    "infinite_transform": Case(
        lambda f: write(f / "m.tif", globe(), transform=Affine(PX, 0, np.inf, 0, -PX, 0)),
        "geotransform...-a_ullr",
    ),
    "metres_called_degrees": Case(
        lambda f: write(f / "m.tif", globe(), LONGLAT), "more than the globe has...unit of its CRS"
    ),
    # parts and projections
    "north": Case(part(-180, 0, 180, 90), is_ground(south=0)),
    "band_60": Case(part(-180, -60, 180, 60), is_ground(south=-60, north=60)),
    "quadrangle": Case(part(30, -30, 90, 20), is_ground(30, 90, -30, 20)),
    "quadrangle_odd_step": Case(part(30, -30, 90, 20, 1.7), is_ground(30, 89.5, -29.3, 20)),
    "over_dateline": Case(part(150, -30, 220, 20), is_ground(150, 220, -30, 20)),
    "polar_north": Case(square(POLAR, CAP_M, PX), is_ground(south=60, margin=12)),
    "polar_south": Case(square(SOUTH, CAP_M, PX), is_ground(north=-60, margin=12)),
    "mollweide": Case(_mollweide, lambda m: _sees_disc(m, 0, 0, 85, 181)),
    "sinusoidal": Case(
        projected(CRS.from_dict({"proj": "sinu", "lon_0": 180, "R": R}), GLOBE, (ROWS, COLS)),
        is_ground(),
    ),
    "orthographic": Case(
        square(CRS.from_dict({"proj": "ortho", "lat_0": 20, "lon_0": 30, "R": R}), R, PX / 2),
        lambda m: _sees_disc(m, 30, 20, 75, 92),
    ),
    "azimuthal": Case(
        square(CRS.from_dict({"proj": "aeqd", "lat_0": -10, "lon_0": 170, "R": R}), 20 * PX, PX),
        lambda m: _sees_disc(m, 170, -10, 38, 60),
    ),
    "lambert": Case(
        square(
            CRS.from_dict(
                {"proj": "lcc", "lat_0": 45, "lat_1": 30, "lat_2": 60, "lon_0": -90, "R": R}
            ),
            12 * PX,
            PX,
        ),
        lambda m: _sees_disc(m, -90, 45, 20, 40),
    ),
    "mercator": Case(
        square(CRS.from_dict({"proj": "merc", "R": R}), 45 * PX, PX),
        lambda m: _sees_disc(m, 0, 0, 60, 130),
    ),
    "rotated": Case(_rotated, lambda m: _sees_disc(m, 60, 20, 38, 90)),
    "ellipsoid_degrees": Case(
        projected(MARS_LONGLAT, DEGREES, (ROWS, COLS), to_lonlat=_ocentric, dtype=np.float32),
        _is_mars,
    ),
    "ellipsoid_0_to_360": Case(
        projected(
            MARS_EQC,
            Affine(STEP * _m, 0, 0, 0, -STEP * _m, 90 * _m),
            (ROWS, COLS),
            to_lonlat=lambda x, y: _ocentric(np.asarray(x) / _m, np.asarray(y) / _m),
            dtype=np.float32,
        ),
        _is_mars,
    ),
    "tiles": Case(_tiles, is_ground()),
    "tiles_mixed": Case(lambda f: _tiles(f, mixed=True), is_ground(tolerance=1.5)),
    "tiles_vrt": Case(lambda f: _tiles(f, vrt=True), is_ground()),
    "isis_cube": Case(_isis, HALF_1),
    "isis_cube_of_bytes": Case(_isis_bytes, HALF_1),
    "pds4": Case(_pds4, is_ground()),
    "pds3": Case(_pds3, is_ground()),
    # files that cannot be used
    "img_beside_lbl": Case(lambda f: _pds3(f, "m.img"), "m.lbl"),
    "all_zero": Case(
        lambda f: write(f / "m.tif", np.zeros((1, ROWS, COLS), np.uint8)),
        "every pixel...has the value 0",
    ),
    "sparse": Case(_sparse, "every pixel...has the value 0"),
    "all_no_data": Case(
        lambda f: write(f / "m.tif", np.zeros((1, ROWS, COLS), np.uint8), nodata=0),
        "every pixel is no-data",
    ),
    "one_valid_pixel": Case(_one_pixel, "only 1 pixel"),
    "1_x_1": Case(lambda f: write(f / "m.tif", globe()[:, :1, :1]), "only 1 pixel"),
    "1_x_1_globe": Case(
        lambda f: write(
            f / "m.tif", globe()[:, :1, :1], transform=GLOBE @ Affine.scale(COLS, ROWS)
        ),
        "too large",
    ),
    "complex": Case(
        lambda f: write(f / "m.tif", globe().astype(np.complex64)), "complex...gdal_calc.py"
    ),
    "400000_x_200000": Case(_huge, "GB of memory...gdal_translate"),
    "fifo": Case(_fifo, "pipe"),
    "symlink_loop": Case(_loop, "m.tif: cannot be opened...replace the link"),
    "empty_png": Case(_bytes("m.png", b""), "m.png: is empty"),
    "broken_png": Case(_bytes("m.png", b"\x89PNG\r\n\x1a\n"), "m.png: cannot be read"),
    "text": Case(_bytes("passwd", b"root:x:0:0:root:/root:/bin/bash\n"), "passwd: is no raster"),
    "truncated": Case(_truncated, "cannot be read"),
    "folder_without_rasters": Case(lambda f: f, "has no rasters"),
    "missing": Case(lambda f: f / "none.tif", "none.tif: does not exist"),
}


def _sees_disc(mosaic: Any, lon: float, lat: float, seen_deg: float, unseen_deg: float) -> None:
    """Whether a mosaic shows the ground near a place, and none far away."""
    rng = np.random.default_rng(2)
    lons, lats = rng.uniform(-180, 180, 4000), np.degrees(np.arcsin(rng.uniform(-1, 1, 4000)))
    cosine = np.sin(np.radians(lat)) * np.sin(np.radians(lats)) + np.cos(np.radians(lat)) * np.cos(
        np.radians(lats)
    ) * np.cos(np.radians(lons - lon))
    away = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    error = seen_at(mosaic, lons, lats)
    near = away < seen_deg
    assert np.abs(error[near]).max() < 1.6, np.abs(error[near]).max()
    assert np.isnan(error[away > unseen_deg]).all()
