"""The files of a finished map: cloud-optimised GeoTIFFs, polygons and the table of connections.

A file is either whole or absent (see `mapping.files`), and nothing in it depends on the clock: the
same map gives the same bytes.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import rasterio
from rasterio.errors import RasterioError
from rasterio.features import shapes
from shapely.geometry import MultiPolygon, Polygon

from ejectamap.errors import OutputError
from ejectamap.mapping.files import replace_file, write_cog
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Bools, Floats

Bytes = npt.NDArray[np.uint8]

NO_DATA = 255
STEPS = 250  # a probability of 1 on disk
_STRIP_PIXELS = 2**23
_CONNECTION_TYPES = {
    "crater_id": "int64",
    "tile": "int64",
    "distance_m": "float64",
    "score": "float64",
    "votes": "int64",
    "connected": "bool",
}


def quantise(probability: Floats) -> Bytes:
    """Probabilities (nan where unknown) as they are stored: round(250 p), 255 where unknown."""
    stored = np.empty(probability.shape, np.uint8)
    rows = max(1, _STRIP_PIXELS // max(1, probability.shape[1]))
    for top in range(0, len(stored), rows):
        strip = probability[top : top + rows]
        unknown = np.isnan(strip)
        stored[top : top + rows] = np.where(unknown, NO_DATA, np.rint(STEPS * strip))
    return stored


def ejecta_mask(probability: Floats, threshold: float = 0.5) -> Bools:
    """Where a probability, rounded as it is stored, exceeds the threshold.

    All outputs go through the stored value, so that they agree with one another, and a map that was
    interrupted and continued from its files is the same map.
    """
    return exceeds(quantise(probability), threshold)


def write_probability(path: Path, grid: Grid, window: Window, probability: Floats) -> None:
    """Write one crater's probabilities as a COG: uint8, round(250 p), 255 where nothing is known.

    Parameters
    ----------
    path : Path
    grid : Grid
        The mosaic's.
    window : Window
        Where the probabilities lie; it must not wrap around.
    probability : float32 array (window height, window width)
        In [0, 1], nan where nothing is known.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_cog(
        path,
        quantise(probability),
        grid,
        window,
        description=f"probability of ejecta x {STEPS}, {NO_DATA} = unknown",
        nodata=NO_DATA,
        resampling="average",
    )


def read_probability(path: Path, grid: Grid) -> tuple[Window, Floats]:
    """Read what `write_probability` wrote: its window, and probabilities with nan where unknown.

    Raises
    ------
    OutputError
        If the file is missing or damaged.
    """
    window, stored = read_stored(path, grid)
    probability = stored.astype(np.float32) / np.float32(STEPS)
    probability[stored == NO_DATA] = np.nan
    return window, probability


def write_mask(
    path: Path,
    grid: Grid,
    window: Window,
    probability: Floats,
    threshold: float = 0.5,
    colour: tuple[int, int, int] | None = None,
) -> None:
    """Write one crater's mask as a COG: uint8, 1 where `ejecta_mask` says so, else 0; in a colour of its own, if any.

    Parameters and errors as in `write_probability`.
    """
    write_cog(
        path,
        ejecta_mask(probability, threshold).view(np.uint8),
        grid,
        window,
        description=f"1 = ejecta (probability > {threshold:g})",
        nodata=None,
        resampling="mode",
        colours=None if colour is None else {1: (*colour, 255)},
    )


def read_mask(path: Path, grid: Grid) -> tuple[Window, Bools]:
    """Read what `write_mask` wrote: its window, and where the ejecta are.

    Raises
    ------
    OutputError
        If the file is missing or damaged.
    """
    window, stored = read_stored(path, grid)
    return window, stored == 1


def write_polygons(
    path: Path,
    grid: Grid,
    entries: Iterable[tuple[Crater, Window, Floats]],
    threshold: float = 0.5,
) -> None:
    """Write the outlines of all craters' ejecta to a GeoPackage with one layer, "ejecta".

    A row is a crater: crater_id, name, area_km2 (true ground area on the sphere), mean_probability
    (over that area), and a multi-polygon in the mosaic's CRS. A crater without ejecta has no row.

    Parameters
    ----------
    path : Path
    grid : Grid
    entries : iterable of (Crater, Window, float32 array of probabilities over the window)
        Taken one at a time.
    threshold : float
        Probability above which a pixel is ejecta.
    """
    found = (_polygon_row(grid, *entry, threshold) for entry in entries)
    rows = [row for row in found if row is not None]
    columns = {
        "crater_id": "int64",
        "name": "str",
        "area_km2": "float64",
        "mean_probability": "float64",
    }
    table = pd.DataFrame(rows, columns=[*columns, "geometry"]).astype(columns)
    frame = gpd.GeoDataFrame(table, geometry="geometry", crs=grid.crs)
    buffer = io.BytesIO()
    with _fixed_date():
        frame.to_file(buffer, driver="GPKG", layer="ejecta", geometry_type="MultiPolygon")
    replace_file(path, buffer.getbuffer())


def write_connections(path: Path, table: pd.DataFrame) -> None:
    """Write the connection table: a row for each chip within a crater's reach. Other columns are dropped.

    A vote stops as soon as it is decided, so `score` and `votes` tell of the networks that were asked until then.

    Columns
    -------
    crater_id, tile
        Which crater, and which of its chips.
    distance_m
        From the crater's centre to the chip's.
    score
        Mean probability over the networks that were asked, in [0, 1]; the largest polar probability if those look.
    votes
        How many of those said yes (probability above 0.5); with a polar look 1 if connected.
    connected
        Whether the share of yes in the full vote reaches the threshold; this never depends on where the vote stopped.
    """
    buffer = io.BytesIO()
    columns = table[list(_CONNECTION_TYPES)].astype(_CONNECTION_TYPES)
    columns.to_parquet(buffer, index=False)
    replace_file(path, buffer.getbuffer())


def exceeds(stored: Bytes, threshold: float) -> Bools:
    """Where stored probabilities are known and above a threshold."""
    above: Bools = (stored > threshold * STEPS) & (stored != NO_DATA)
    return above


def read_stored(path: Path, grid: Grid) -> tuple[Window, Bytes]:
    """Read a raster of the map as it is stored, and which window of the grid it covers.

    Raises
    ------
    OutputError
        If the file is missing or damaged.
    """
    try:
        with rasterio.open(path) as source:
            stored = source.read(1)
            col, row = ~grid.transform @ (source.transform.c, source.transform.f)
    except RasterioError as error:
        raise OutputError(
            f"{path}: cannot be read ({error}): remove it and map the crater again"
        ) from error
    return Window(round(row), round(col), *stored.shape), stored


def read_overview(path: Path, grid: Grid, step: int) -> tuple[Window, Bytes]:
    """Read a raster of the map as it is stored, thinned out by `step`; the window counts in pixels of that size.

    Raises
    ------
    OutputError
        If the file is missing or damaged.
    """
    try:
        with rasterio.open(path) as source:
            thinned = source.read(
                1, out_shape=(-(-source.height // step), -(-source.width // step))
            )
            col, row = ~grid.transform @ (source.transform.c, source.transform.f)
    except RasterioError as error:
        raise OutputError(
            f"{path}: cannot be read ({error}): remove it and map the crater again"
        ) from error
    return Window(round(row / step), round(col / step), *thinned.shape), thinned


def _polygon_row(
    grid: Grid, crater: Crater, window: Window, probability: Floats, threshold: float
) -> tuple[int, str, float, float, MultiPolygon] | None:
    """One crater's row of the polygon layer, or None if it has no ejecta."""
    mask = ejecta_mask(probability, threshold)
    if not mask.any():
        return None
    found = shapes(mask.view(np.uint8), mask=mask, transform=grid.window_transform(window))
    outlines = (outline["coordinates"] for outline, _ in found)
    polygons = MultiPolygon([Polygon(shell, holes) for shell, *holes in outlines])
    row_area_m2 = grid.row_area_m2[window.row : window.row + window.height]
    area_m2 = float(mask.sum(axis=1) @ row_area_m2)
    summed = np.sum(probability, axis=1, where=mask, dtype=np.float64)
    mean_probability = float(summed @ row_area_m2) / area_m2
    return crater.crater_id, crater.name, area_m2 / 1e6, mean_probability, polygons


@contextmanager
def _fixed_date() -> Iterator[None]:
    """Have GDAL stamp a constant date, which GeoPackage demands: equal maps, equal files."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
