"""Mosaics as people have them: what reading each must give; `odd_mosaics` writes them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from odd_mosaics import (
    CAP_M,
    COLS,
    DEGREES,
    EQC,
    GLOBE,
    LONGLAT,
    MARS,
    MARS_DEGREE_M,
    MARS_EQC,
    MARS_LONGLAT,
    POLAR,
    PX,
    ROWS,
    SOUTH,
    STEP,
    WEST,
    R,
    bound,
    constant_band,
    fifo,
    file_of,
    filled,
    globe,
    ground,
    huge,
    isis,
    isis_bytes,
    loop,
    mirrored,
    mollweide,
    ocentric,
    one_pixel,
    palette,
    part,
    pds3,
    pds4,
    projected,
    rgba,
    rotated,
    scaled,
    sparse,
    special,
    square,
    tiles,
    truncated,
    write,
)
from pyproj import CRS


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


def _check_palette(mosaic: Any) -> None:
    values, valid = mosaic.read(mosaic.grid.whole)
    index = np.arange(ROWS * COLS).reshape(ROWS, COLS) % 256
    assert valid.all()
    assert np.array_equal(values, np.stack([index, 255 - index, 7 * index % 256]))


def _is_mars(mosaic: Any) -> None:
    assert mosaic.grid.radius_m == MARS[0]
    assert any("planetocentric" in note for note in mosaic.notes)
    is_ground(tolerance=1.0)(mosaic)
    # 45 degrees planetographic are 44.66 planetocentric: the difference shows.
    lat = np.linspace(-80, 80, 500)
    assert abs(np.nanmean(seen_at(mosaic, 100 + 0 * lat, lat) * np.sign(lat))) < 0.03


def _says_constant(mosaic: Any) -> None:
    assert mosaic.bands == 2
    assert any("band 2 is 7 everywhere" in note and "-b 1" in note for note in mosaic.notes)


def _says_zero(mosaic: Any) -> None:
    assert any("0 in every band" in note and "--nodata=0" in note for note in mosaic.notes)


HALF = is_ground(east=20, bands=2)


HALF_1 = is_ground(east=20)


CASES: dict[str, Case] = {
    # alpha, fill values, palettes, scales
    "rgba": Case(lambda f: rgba(f, "GTiff"), is_ground(east=20, bands=3)),
    "rgba_geopackage": Case(lambda f: rgba(f, "GPKG"), is_ground(east=20, bands=3)),
    "grey_alpha": Case(lambda f: rgba(f, "GTiff", 1), HALF_1),
    "float_lowest": Case(lambda f: filled(f, -3.4028235e38), HALF),
    "float_1e32": Case(lambda f: filled(f, -1e32), HALF),
    "float_infinite": Case(lambda f: filled(f, -np.inf), HALF),
    "double_1e300": Case(lambda f: filled(f, 1e300, np.float64), HALF),
    "float_9999": Case(
        lambda f: filled(f, -9999),
        "band 1 has the value -9999 in 44.4%...rio edit-info --nodata=-9999",
    ),
    "uint16_65535": Case(lambda f: filled(f, 65535, np.uint16), "the value 65535...--nodata=65535"),
    "int16_null": Case(lambda f: filled(f, -32768, np.int16), HALF),
    "int16_specials": Case(
        lambda f: special(f, [-32767, -32766, -32765, -32764], np.int16, -32768), HALF_1
    ),
    "float_specials": Case(
        lambda f: special(
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
    "declared_9999": Case(lambda f: filled(f, -9999, np.float32, -9999), HALF),
    "zeros_undeclared": Case(lambda f: filled(f, 0, np.uint8), _says_zero),
    "palette": Case(lambda f: palette(f, False), _check_palette),
    "grey_palette": Case(lambda f: palette(f, True), is_ground()),
    "scale_offset": Case(scaled, is_ground(bands=2, tolerance=0.3)),
    "constant_band": Case(constant_band, _says_constant),
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
    "south_up": Case(lambda f: mirrored(f, True, False), is_ground()),
    "west_up": Case(lambda f: mirrored(f, False, True), is_ground()),
    "south_and_west_up": Case(lambda f: mirrored(f, True, True), is_ground()),
    "positive_west": Case(
        projected(WEST, DEGREES, (ROWS, COLS), to_lonlat=lambda x, y: (-np.asarray(x), y)),
        is_ground(),
    ),
    "positive_west_ellipsoid": Case(
        projected(
            CRS.from_authority("IAU_2015", 49901),
            DEGREES,
            (ROWS, COLS),
            to_lonlat=lambda x, y: ocentric(-np.asarray(x), y),
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
    "towgs84": Case(bound("+towgs84=0,0,0,0,0,0,0"), is_ground()),
    "nadgrids": Case(bound("+nadgrids=@null"), is_ground()),
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
    "mollweide": Case(mollweide, lambda m: _sees_disc(m, 0, 0, 85, 181)),
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
    "rotated": Case(rotated, lambda m: _sees_disc(m, 60, 20, 38, 90)),
    "ellipsoid_degrees": Case(
        projected(MARS_LONGLAT, DEGREES, (ROWS, COLS), to_lonlat=ocentric, dtype=np.float32),
        _is_mars,
    ),
    "ellipsoid_0_to_360": Case(
        projected(
            MARS_EQC,
            Affine(STEP * MARS_DEGREE_M, 0, 0, 0, -STEP * MARS_DEGREE_M, 90 * MARS_DEGREE_M),
            (ROWS, COLS),
            to_lonlat=lambda x, y: ocentric(
                np.asarray(x) / MARS_DEGREE_M, np.asarray(y) / MARS_DEGREE_M
            ),
            dtype=np.float32,
        ),
        _is_mars,
    ),
    "tiles": Case(tiles, is_ground()),
    "tiles_mixed": Case(lambda f: tiles(f, mixed=True), is_ground(tolerance=1.5)),
    "tiles_vrt": Case(lambda f: tiles(f, vrt=True), is_ground()),
    "isis_cube": Case(isis, HALF_1),
    "isis_cube_of_bytes": Case(isis_bytes, HALF_1),
    "pds4": Case(pds4, is_ground()),
    "pds3": Case(pds3, is_ground()),
    # files that cannot be used
    "img_beside_lbl": Case(lambda f: pds3(f, "m.img"), "m.lbl"),
    "all_zero": Case(
        lambda f: write(f / "m.tif", np.zeros((1, ROWS, COLS), np.uint8)),
        "every pixel...has the value 0",
    ),
    "sparse": Case(sparse, "every pixel...has the value 0"),
    "all_no_data": Case(
        lambda f: write(f / "m.tif", np.zeros((1, ROWS, COLS), np.uint8), nodata=0),
        "every pixel is no-data",
    ),
    "one_valid_pixel": Case(one_pixel, "only 1 pixel"),
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
    "400000_x_200000": Case(huge, "GB of memory...gdal_translate"),
    "fifo": Case(fifo, "pipe"),
    "symlink_loop": Case(loop, "m.tif: cannot be opened...replace the link"),
    "empty_png": Case(file_of("m.png", b""), "m.png: is empty"),
    "broken_png": Case(file_of("m.png", b"\x89PNG\r\n\x1a\n"), "m.png: cannot be read"),
    "text": Case(file_of("passwd", b"root:x:0:0:root:/root:/bin/bash\n"), "passwd: is no raster"),
    "truncated": Case(truncated, "cannot be read"),
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
