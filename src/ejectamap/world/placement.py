"""Where rasters lie on the sphere: the grid that fits a mosaic's pixels, and a raster's place on a grid.

A raster whose rows are latitudes and whose columns are longitudes, evenly spaced, is placed without resampling, be it a
part of the globe, south up, from 0 to 360 degrees, or with pixels centred on the poles. Any other is warped.
"""

from dataclasses import dataclass

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS

from ejectamap.errors import MosaicError
from ejectamap.world.body import body_near, cylindrical_crs
from ejectamap.world.georeference import (
    Cylinder,
    Projection,
    cylinder,
    projection_name,
    raster_crs,
    read_projection,
    with_authority,
)
from ejectamap.world.grid import Grid, Window
from ejectamap.world.warp import ground_covered

_TOLERANCE_PX = 0.25  # by which edges may miss the poles, because pixel sizes are often rounded
_ON_GRID_PX = 0.05  # by which the pixels of one file may miss those of another
_EARTH_M = 6_378_137.0
_LEAST_ROWS = 8  # of a whole globe


@dataclass(frozen=True)
class Placement:
    """Where the pixels of a raster are.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    shape : tuple of int
        Height and width of the raster, in pixels.
    crs : CRS
    projection : Projection
    transform : Affine
        From the raster's (col, row) to CRS coordinates.
    """

    name: str
    shape: tuple[int, int]
    crs: CRS
    projection: Projection
    transform: Affine

    @property
    def lines(self) -> Cylinder | None:
        """Relation to degrees if rows are planetocentric latitudes and columns longitudes, else None."""
        is_rotated = self.transform.b != 0 or self.transform.d != 0
        return None if is_rotated or self.projection.is_planetographic else self.projection.cylinder

    @property
    def steps_deg(self) -> tuple[float, float]:
        """Degrees east per column and degrees south per row, of a raster with `lines`; negative if mirrored."""
        assert self.lines is not None
        return self.transform.a * self.lines.lon_per_x, -self.transform.e * self.lines.lat_per_y

    @property
    def is_mirrored(self) -> tuple[bool, bool]:
        """Whether rows run from south to north, and columns from east to west; of a raster with `lines`."""
        east, south = self.steps_deg
        return south < 0, east < 0

    @property
    def is_north_up(self) -> bool:
        """Whether the raster has `lines`, is not mirrored, and its CRS has axes to the east and north."""
        return self.lines is not None and not any(self.is_mirrored) and self.lines.lon_per_x > 0

    @property
    def corner(self) -> tuple[float, float]:
        """Longitude of the western and latitude of the northern edge, of a raster with `lines`."""
        assert self.lines is not None
        south_up, west_up = self.is_mirrored
        x, y = self.transform @ (self.shape[1] if west_up else 0, self.shape[0] if south_up else 0)
        lon, lat = self.lines.to_degrees(x, y)
        return float(lon), float(lat)

    def window_on(self, grid: Grid) -> Window | None:
        """Window of a grid whose pixels this raster's pixels are; None if they lie otherwise.

        Its first row may be negative, and it may reach beyond the grid's last row: these rows are beyond a pole.
        """
        if self.lines is None:
            return None
        (height, width), (east, south) = self.shape, np.abs(self.steps_deg)
        misfit_px = (
            abs(east * grid.width / 360.0 - 1) * width / 2,
            (abs(south * grid.height / grid.span_deg - 1) * height),
        )
        west, north = self.corner
        row = (grid.lat_north - north) * grid.height / grid.span_deg
        middle = (west + east * width / 2 - grid.lon_west) * grid.width / 360.0 - width / 2
        off_px = abs(row - round(row)), abs(middle - round(middle))
        # A raster's own grid fits it with a larger tolerance; see `grid_of`.
        if max(*misfit_px, *off_px) > _ON_GRID_PX and not self._is_own(grid):
            return None
        return Window(round(row), round(middle) % grid.width, height, width)

    def _is_own(self, grid: Grid) -> bool:
        return self.lines is not None and grid == grid_of(self)


def read_placement(source: rasterio.DatasetReader) -> Placement:
    """Read where the pixels of an open raster are.

    Raises
    ------
    MosaicError
        If it does not say, or what it says is impossible.
    """
    name, transform = source.name, source.transform
    crs = raster_crs(source, MosaicError)
    projection = read_projection(name, crs, MosaicError)
    if not np.isfinite(transform).all() or transform.determinant == 0:
        raise MosaicError(
            f"{name}: its geotransform ({', '.join(f'{v:g}' for v in transform[:6])}) has no inverse: assign the"
            " mosaic's edges with gdal_translate -a_ullr LEFT TOP RIGHT BOTTOM"
        )
    if transform.is_identity:
        raise MosaicError(
            f"{name}: has a CRS but no geotransform: assign its edges in the CRS's unit with"
            " gdal_translate -a_ullr LEFT TOP RIGHT BOTTOM"
        )
    if projection.is_planetographic and abs(projection.radius_m / _EARTH_M - 1) < 0.003:
        raise MosaicError(
            f"{name}: its CRS ({crs.name}) is Earth's: assign the body's own, as in rio edit-info --crs"
            f" IAU_2015:19900 {name} for degrees on Mercury, or gdal_edit.py -a_srs"
        )
    return Placement(name, source.shape, crs, projection, transform)


def grid_of(placement: Placement) -> Grid:
    """The grid of the whole globe whose pixels are a raster's own, or as large, if the raster has to be warped.

    Raises
    ------
    MosaicError
        If the raster shows no ground, or cannot be as large as it says.
    """
    if placement.lines is None:
        return _warped_grid(placement)
    lon_step, lat_step = (float(step) for step in np.abs(placement.steps_deg))
    (height, width), (west, north) = placement.shape, placement.corner
    _check_extent(placement, lon_step, lat_step)
    columns = round(360.0 / lon_step)
    # No-data rows and columns are added around a part of the globe; rows and columns beyond it are cut.
    above = int(np.ceil((90.0 - north) / lat_step - _TOLERANCE_PX))
    below = int(np.ceil((north - height * lat_step + 90.0) / lat_step - _TOLERANCE_PX))
    left = max(0, columns - width) // 2
    rows = height + above + below
    if rows < _LEAST_ROWS:
        raise MosaicError(
            f"{placement.name}: its pixels of {lat_step:.4g} degrees are too large for a map: give a finer mosaic"
        )
    lat_north = north + above * lat_step
    lat_south = lat_north - rows * lat_step
    if max(abs(lat_north - 90.0), abs(lat_south + 90.0)) <= _TOLERANCE_PX * lat_step:
        lat_north, lat_south = 90.0, -90.0
    # The middle of a part of the globe is exactly in its place, and the grid's edge is on the far side.
    part_west = west + lon_step * width / 2 - (left + width / 2) * 360.0 / columns
    lon_west = west if width >= columns else part_west
    crs, transform = _north_up(placement, lon_step, lat_step)
    transform = transform @ Affine.translation(-left, -above)
    radius_m = placement.projection.radius_m
    return Grid(rows, columns, radius_m, lon_west, crs.to_wkt(), transform, lat_north, lat_south)


def _north_up(placement: Placement, lon_step: float, lat_step: float) -> tuple[CRS, Affine]:
    """CRS with axes to the east and north, and transform of a raster as it is with its first row in the north."""
    lines = placement.lines
    assert lines is not None
    if lines.lon_per_x > 0 and lines.lat_per_y > 0:
        rows, cols = placement.shape
        south_up, west_up = placement.is_mirrored
        mirrored = Affine.translation(cols * west_up, rows * south_up) @ Affine.scale(
            -1 if west_up else 1, -1 if south_up else 1
        )
        transform = placement.transform @ mirrored if south_up or west_up else placement.transform
        return with_authority(placement.crs, lines), transform
    crs, east_up = _official_crs(placement.name, placement.projection.radius_m)
    x, y = east_up.from_degrees(*placement.corner)
    scale = lon_step / east_up.lon_per_x, lat_step / east_up.lat_per_y
    return crs, Affine(scale[0], 0.0, float(x), 0.0, -scale[1], float(y))


def _official_crs(name: str, radius_m: float) -> tuple[CRS, Cylinder]:
    """Equidistant cylindrical CRS of a sphere, of the authority IAU_2015 if that has it."""
    body = body_near(radius_m)
    crs = cylindrical_crs(radius_m, "sphere" if body is None else body.name)
    lines = cylinder(name, crs, MosaicError)
    return with_authority(crs, lines), lines


def _warped_grid(placement: Placement) -> Grid:
    """Grid of square pixels about as large as those of a raster that has to be warped."""
    projection, radius_m = placement.projection, placement.projection.radius_m
    pixel = float(np.sqrt(abs(placement.transform.determinant)))
    lon_west = -180.0
    if projection.cylinder is not None:
        lines = projection.cylinder
        pixel_deg = pixel * float(np.sqrt(abs(lines.lon_per_x * lines.lat_per_y)))
        west, _ = lines.to_degrees(*(placement.transform @ (0, 0)))
        lon_west = float(west) if pixel_deg * placement.shape[1] > 359.0 else lon_west
    else:
        unit_m = placement.crs.axis_info[0].unit_conversion_factor
        pixel_deg = float(np.degrees(pixel * unit_m / radius_m))
    rows = int(np.ceil(180.0 / pixel_deg - 1e-6))
    if rows < _LEAST_ROWS:
        raise MosaicError(
            f"{placement.name}: its pixels of {pixel_deg:.4g} degrees are too large for a map: give a finer mosaic"
        )
    crs, lines = _official_crs(placement.name, radius_m)
    x, y = lines.from_degrees(lon_west, 90.0)
    step = 180.0 / rows
    transform = Affine(step / lines.lon_per_x, 0, float(x), 0, -step / lines.lat_per_y, float(y))
    grid = Grid(rows, 2 * rows, radius_m, lon_west, crs.to_wkt(), transform)
    window = ground_covered(projection, placement.transform, placement.shape, grid)
    if window.height == 0 or window.width == 0:
        raise MosaicError(
            f"{placement.name}: shows no ground in its projection ({projection_name(placement.crs)}): check its"
            " geotransform and the unit of its CRS, and assign the edges with gdal_translate -a_ullr"
        )
    return grid


def _check_extent(placement: Placement, lon_step: float, lat_step: float) -> None:
    """Check that a raster is on the globe and no larger, and that it is no whole globe of another radius."""
    (height, width), (_, north) = placement.shape, placement.corner
    width_deg, height_deg = width * lon_step, height * lat_step
    text = f"{placement.name}: spans {width_deg:.2f} x {height_deg:.2f} degrees from latitude {north:.2f} down"
    middle = north - height_deg / 2
    misfit_px = max(abs(width_deg - 360.0) / lon_step, abs(height_deg - 180.0) / lat_step)
    is_globe_shaped = abs(width_deg / 360.0 / (height_deg / 180.0) - 1.0) * height <= 1.5
    if (
        is_globe_shaped
        and misfit_px > 1.5
        and 0.9 < width_deg / 360.0 < 1.1
        and abs(middle) <= 1.5 * lat_step
    ):
        radius_m = placement.projection.radius_m * width_deg / 360.0
        raise MosaicError(
            f"{text}: a whole globe (360 x 180 from 90) of another radius, {radius_m:,.0f} m: assign the CRS that the"
            " pixels were made for with rio edit-info --crs or gdal_edit.py -a_srs, or the edges with"
            " gdal_translate -a_ullr"
        )
    beyond = max(north - 90.0, height_deg - north - 90.0) / lat_step
    if width_deg > 360.0 + 2 * lon_step or beyond > max(2, 0.02 * height) or abs(middle) > 90.0:
        raise MosaicError(
            f"{text}, more than the globe has: check the unit of its CRS, and assign its edges with gdal_translate"
            " -a_ullr LEFT TOP RIGHT BOTTOM"
        )
