"""Reading a label that is a raster: on which pixels of the mosaic it lies, and which value marks ejecta."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.windows
from rasterio.enums import ColorInterp

from ejectamap.errors import LabelError, MosaicError
from ejectamap.world.georeference import projection_beside_mosaic, raster_crs
from ejectamap.world.grid import STRIP_PIXELS, Bools, Grid, Window
from ejectamap.world.labels import crop_to_ones, extract_window
from ejectamap.world.placement import Placement
from ejectamap.world.raster_files import open_raster
from ejectamap.world.warp import ground_covered, warp_to_grid

Codes = npt.NDArray[np.uint8]
_SHOWN_VALUES = 4  # of a mask with several, in the message


def read_mask(path: Path, grid: Grid, notes: list[str] | None = None) -> tuple[Window, Bools]:
    """Read one raster of labels: the smallest window of the mosaic that holds its ejecta, and the mask there.

    One value other than 0 and the declared no-data value marks ejecta. A raster on another grid of the same body is
    brought to the mosaic's, pixel by nearest pixel. The window may wrap around the grid's right edge.

    Parameters
    ----------
    path : Path
    grid : Grid
    notes : list of str, optional
        What the user should know about how the file was read is added, one line each.

    Raises
    ------
    LabelError
        If it cannot be read or placed on the mosaic, or several values may mark ejecta.
    """
    own: list[str] = []
    with open_raster(path, LabelError) as source:
        placement = _read_placement(source, grid, own)
        mask = _read_ejecta(source, own)
        window, values = _place(placement, mask.view(np.uint8), grid, own)
    if notes is not None:
        notes.extend(own)
    return crop_to_ones(window, values > 0, grid.width)


def read_codes(path: Path, grid: Grid) -> tuple[Window, Codes]:
    """Read a raster of codes, uint8, beside a label or a map: its window of the mosaic, and the codes there.

    As a mask it may be on another grid of the same body, and its window may wrap around.

    Raises
    ------
    LabelError
        If it cannot be read or placed on the mosaic, or is not of uint8.
    """
    with open_raster(path, LabelError) as source:
        if source.dtypes[0] != "uint8":
            raise LabelError(f"{path}: holds {source.dtypes[0]}, not uint8: remove it")
        placement = _read_placement(source, grid, [])
        return _place(placement, source.read(1), grid, [])


def read_nonzero(source: "rasterio.io.DatasetReader") -> Bools:
    """Read where a raster is neither 0 nor no-data, bool (row, col); in strips, to limit the memory."""
    mask = np.empty((source.height, source.width), bool)
    for rows, values in _strips(source, 1):
        mask[rows] = values.filled(0) != 0
    return mask


def _read_placement(source: "rasterio.io.DatasetReader", grid: Grid, notes: list[str]) -> Placement:
    name, transform = source.name, source.transform
    crs = raster_crs(source, LabelError)
    projection = projection_beside_mosaic(name, crs, grid.radius_m, LabelError)
    if not np.isfinite(transform).all() or transform.determinant == 0:
        raise LabelError(
            f"{name}: its geotransform ({', '.join(f'{v:g}' for v in transform[:6])}) has no inverse: assign the edges"
            " with gdal_translate -a_ullr LEFT TOP RIGHT BOTTOM"
        )
    if transform.is_identity:
        raise LabelError(
            f"{name}: has a CRS but no geotransform: assign its edges in the CRS's unit with gdal_translate -a_ullr"
            " LEFT TOP RIGHT BOTTOM"
        )
    notes.extend(projection.notes)
    return Placement(name, source.shape, crs, projection, transform)


def _place(
    placement: Placement, values: Codes, grid: Grid, notes: list[str]
) -> tuple[Window, Codes]:
    """Values on the mosaic's grid: their own pixels where they are those of the grid, else the nearest ones."""
    _check_extent(placement, grid)
    try:
        window = placement.window_on(grid)
    except MosaicError as problem:
        raise LabelError(str(problem)) from None
    if window is None:
        notes.append(
            f"{placement.name}: is on another grid: the mosaic's pixels take its nearest ones"
        )
        return _warp(placement, values, grid)
    south_up, west_up = placement.is_mirrored
    values = values[:: -1 if south_up else 1, :: -1 if west_up else 1]
    top, bottom = max(0, -window.row), min(window.height, grid.height - window.row)
    if values[:top].any() or values[bottom:].any():
        raise LabelError(
            f"{placement.name}: has ejecta in rows beyond a pole (it covers rows {window.row} to"
            f" {window.row + window.height} of the mosaic's {grid.height}): assign its edges with gdal_translate"
            " -a_ullr LEFT TOP RIGHT BOTTOM"
        )
    inside = Window(window.row + top, window.col, max(0, bottom - top), window.width)
    return inside, values[top:bottom]


def _check_extent(placement: Placement, grid: Grid) -> None:
    """Check that rows and columns are on the globe, where they are latitudes and longitudes."""
    if placement.lines is None:
        return
    (height, width), (east, south) = placement.shape, np.abs(placement.steps_deg)
    west, north = placement.corner
    beyond = max(north - 90.0, height * south - north - 90.0)
    if width * east > 360.0 + east / 2 or beyond > 180.0 or not -540.0 <= west <= 540.0:
        raise LabelError(
            f"{placement.name}: covers {width * east:.6g} x {height * south:.6g} degrees from longitude {west:.10g} and"
            f" latitude {north:.10g}: cut it to the globe, or assign its edges with gdal_translate -a_ullr LEFT TOP"
            " RIGHT BOTTOM"
        )


def _warp(placement: Placement, values: Codes, grid: Grid) -> tuple[Window, Codes]:
    where = placement.projection, placement.transform
    window = ground_covered(*where, placement.shape, grid)
    if window.height == 0 or window.width == 0:
        raise LabelError(
            f"{placement.name}: shows no ground of the mosaic: assign its edges with gdal_translate -a_ullr"
        )
    warped, weight = np.zeros(window.shape, np.uint8), np.ones(values.shape, np.float32)
    strips = warp_to_grid(values[None], weight, *where, grid, is_nearest=True)
    for strip, strip_values, known in strips:
        rows = slice(strip.row - window.row, strip.row - window.row + strip.height)
        part = np.where(known, strip_values[0], 0).astype(np.uint8)
        warped[rows] = extract_window(
            strip, part, Window(strip.row, window.col, strip.height, window.width), grid.width
        )
    return window, warped


def _read_ejecta(source: "rasterio.io.DatasetReader", notes: list[str]) -> Bools:
    """Read where a raster has the one value that marks ejecta, bool (row, col)."""
    band = _only_band(source)
    mask = np.empty(source.shape, bool)
    values: set[float] = set()
    zeros = hidden = 0
    for rows, strip in _strips(source, band):
        data = strip.filled(0)
        mask[rows] = data != 0
        zeros += int(np.count_nonzero((data == 0) & ~np.ma.getmaskarray(strip)))
        hidden += int(np.count_nonzero(np.ma.getmaskarray(strip)))
        values.update(_some_values(data[mask[rows]]))
    _check_values(source, band, values, zeros, hidden)
    if hidden and source.nodata:  # not 0, which says the same as "no ejecta"
        notes.append(
            f"{source.name}: {hidden / mask.size:.0%} is no-data, read as no ejecta: if that ground was not labelled,"
            " leave it out of the tiles (--tiles of ejectamap new, or inputs.tiles)"
        )
    return mask


def _strips(
    source: "rasterio.io.DatasetReader", band: int
) -> Iterator[tuple[slice, np.ma.MaskedArray]]:
    """Rows and values of a raster, strip by strip; masked where they are no-data or no numbers."""
    rows = max(1, STRIP_PIXELS // source.width)
    for top in range(0, source.height, rows):
        height = min(rows, source.height - top)
        window = rasterio.windows.Window(0, top, source.width, height)
        values = source.read(band, window=window, masked=True)
        yield slice(top, top + height), np.ma.masked_invalid(values, copy=False)


def _some_values(values: npt.NDArray[np.generic]) -> list[float]:
    """Distinct values, or some more than one of them; quick where all are the same."""
    if values.size == 0:
        return []
    first = values.flat[0]
    others = values[values != first]
    return [complex(first).real, *(complex(v).real for v in np.unique(others)[:100])]


def _only_band(source: "rasterio.io.DatasetReader") -> int:
    """The one band that is not alpha."""
    bands: list[int] = [i for i in source.indexes if source.colorinterp[i - 1] != ColorInterp.alpha]
    if len(bands) == 1:
        return bands[0]
    # Of a rendering, a band in which the ejecta are the only thing.
    marked = [band for band in bands if len(_values_of(source, band)) == 1]
    command = _command(source.name, "A>0" if marked else "A>127", (marked or bands)[0])
    raise LabelError(
        f"{source.name}: has {len(bands)} bands, a mask has one: write 1 where a band shows ejecta, as with {command}"
    )


def _values_of(source: "rasterio.io.DatasetReader", band: int) -> set[float]:
    """Distinct values of a band other than 0; some of them, if there are many."""
    found: set[float] = set()
    for _, strip in _strips(source, band):
        found.update(_some_values(strip.compressed()))
        if len(found) > _SHOWN_VALUES:
            break
    return found - {0.0}


def _check_values(
    source: "rasterio.io.DatasetReader", band: int, values: set[float], zeros: int, hidden: int
) -> None:
    """Check that exactly one value marks ejecta, or that there is none because all is 0."""
    name, nodata = source.name, source.nodata
    declared = nodata is not None and nodata != 0 and not np.isnan(nodata)
    if hidden and declared and (nodata == 1 or not values):
        what = "which usually marks ejecta" if nodata == 1 else "and has no other value above 0"
        raise LabelError(
            f"{name}: declares {nodata:g} as no-data, {what}: if it marks ejecta, remove the declaration with"
            f" gdal_edit.py -unsetnodata {name}; if nothing here is ejecta, write 0 with {_command(name, '0*A')}"
        )
    if len(values) > 1 or any(value < 0 for value in values):
        shown = [f"{value:g}" for value in sorted(values)[:_SHOWN_VALUES]]
        more = " and more" if len(values) > len(shown) else ""
        raise LabelError(
            f"{name}: has the values {', '.join(shown)}{more} beside 0: which of them is ejecta? Write 1 there and 0"
            f" elsewhere, as with {_command(name, _condition(values), band)}"
        )
    if values and not zeros and not hidden and values != {1.0}:
        value = next(iter(values))
        raise LabelError(
            f"{name}: every pixel is {value:g}, none is 0: if nothing is ejecta there, delete the file; if all is,"
            f" write 1 with {_command(name, 'A>0')}"
        )


def _command(name: str, expression: str, band: int = 1) -> str:
    """Shell command that replaces a mask by an expression of one of its bands, A."""
    new = Path(name).with_name(f"new_{Path(name).name}")
    return (
        f'gdal_calc.py -A {name} --A_band={band} --calc="{expression}" --type=Byte --hideNoData --outfile={new} &&'
        f" mv {new} {name}"
    )


def _condition(values: set[float]) -> str:
    """Condition for ejecta that gdal_calc.py understands, likely for these values."""
    if all(0 < value <= 1 for value in values):
        return "A>0.5"
    return "A==1" if 1 in values else f"A=={max(values):g}"
