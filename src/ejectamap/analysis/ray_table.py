"""The table of rays: where each runs, how wide, how likely and how bright it is; as rows and as lines on the map."""

import io
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from affine import Affine
from scipy.ndimage import median_filter
from shapely import LineString, MultiLineString, clip_by_rect
from shapely.affinity import affine_transform, translate

from ejectamap.analysis.rays import Ints, Ray
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.analysis.truncation import NO_DATA, REACH
from ejectamap.errors import OutputError
from ejectamap.files import replace_file
from ejectamap.maps.outlines import fixed_date
from ejectamap.maps.state import is_newer_than_masks
from ejectamap.outputs import reading
from ejectamap.project.folder import Project
from ejectamap.texts import write_csv
from ejectamap.world.grid import Bools, Grid
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import Array, LonLat, destination

Row = dict[str, object]

_LEAST_BESIDE = 3  # columns of ground on each side of a ray that it is compared with
_SIMPLIFIED_PX = 0.5  # by how much a line may be off when points of it are left out
_AHEAD_ROWS = 4  # beyond a tip, two pixels, in which ground without data cuts a ray off


def measure_rays(
    rays: Sequence[Ray],
    surroundings: Surroundings,
    probability: Floats,
    grid: Grid,
    threshold: float,
) -> list[Row]:
    """Measure rays, one row each, with the centre line as `geometry` (in the CRS of the grid).

    Parameters
    ----------
    rays : sequence of Ray
    surroundings : Surroundings
        Of the crater, in which the rays were traced.
    probability : float32 array (rows, cols)
        Of the crater's ejecta at the cells of the polar view, nan where unknown.
    grid : Grid
    threshold : float
        Probability above which cells are ejecta.
    """
    crater = surroundings.view.crater
    return [
        {"crater_id": crater.crater_id, "name": crater.name, "ray": number}
        | _geometry_columns(ray, surroundings, probability, threshold)
        | {"truncated": _truncation(ray, surroundings, grid)}
        | _brightness_columns(ray, surroundings)
        | {"geometry": line_on_grid(grid, *_centre_line(ray, surroundings))}
        for number, ray in enumerate(rays, start=1)
    ]


def write_rays(folder: Path, rows: Sequence[Row], names: Sequence[str], grid: Grid) -> None:
    """Write rays.csv, and rays.gpkg with the lines in its layer "rays".

    Parameters
    ----------
    folder : Path
    rows : sequence of dict
        Of `measure_rays`, of all craters.
    names : sequence of str
        Names of the columns without the geometry, for a table without rays.
    grid : Grid
    """
    table = pd.DataFrame(list(rows), columns=[*names, "geometry"])
    replace_file(folder / "rays.csv", write_csv(table[list(names)], float_format="%.6g"))
    numbers = {name: "float64" for name in names if name not in ("name", "truncated")}
    kinds = numbers | {"crater_id": "int64", "ray": "int64", "name": "str", "truncated": "str"}
    frame = gpd.GeoDataFrame(table.astype(kinds), geometry="geometry", crs=grid.crs)
    buffer = io.BytesIO()
    with fixed_date():
        frame.to_file(buffer, driver="GPKG", layer="rays", geometry_type="MultiLineString")
    replace_file(folder / "rays.gpkg", buffer.getbuffer())


def read_rays(project: Project) -> gpd.GeoDataFrame:
    """Read rays.gpkg: what `write_rays` wrote of the present map.

    Raises
    ------
    OutputError
        If it is missing, damaged, or older than the map.
    """
    path, remedy = project.outputs / "rays.gpkg", f"run ejectamap analyze {project.folder}"
    with reading(path, remedy):
        if not is_newer_than_masks(project, path):
            raise OutputError(f"{path}: is older than the map: {remedy} again")
        frame = gpd.read_file(path, layer="rays")
        numbers = {"crater_id": "int64", "ray": "int64"}
        return frame.astype(numbers).fillna({"name": "", "truncated": ""})


def ray_columns(bands: int) -> list[str]:
    """Names of the columns of rays.csv, for a mosaic of some bands."""
    names = ["crater_id", "name", "ray", "azimuth_deg", "azimuth_sd_deg", "start_km", "end_km"]
    names += ["end_sd_km", "length_km", "width_km", "width_sd_km", "mean_probability", "truncated"]
    for band in range(1, bands + 1):
        names += [f"{figure}_band{band}" for figure in ("difference", "difference_sd", "contrast")]
    return names


def line_on_grid(grid: Grid, lon: Array, lat: Array) -> MultiLineString:
    """Line through places (degrees) in the grid's CRS, cut where it crosses the raster's left and right edge.

    Two neighbouring places are joined the shorter way around the globe.
    """
    col, row = grid.to_pixel(lon, lat)
    places = np.stack([np.unwrap(col, period=grid.width), row], axis=1)
    line = LineString(places).simplify(_SIMPLIFIED_PX)
    west, _, east, _ = line.bounds
    turns = range(int(west // grid.width), int(east // grid.width) + 1)
    pieces = []
    for turn in turns:
        edges = turn * grid.width, -1, (turn + 1) * grid.width, grid.height + 1
        part = translate(clip_by_rect(line, *edges), xoff=-turn * grid.width)
        pieces += [piece for piece in getattr(part, "geoms", [part]) if piece.length > 0]
    moved: MultiLineString = affine_transform(MultiLineString(pieces), _to_shapely(grid.transform))
    return moved


def _to_shapely(transform: Affine) -> list[float]:
    """Coefficients of an affine transform in the order that shapely takes them."""
    return [transform.a, transform.b, transform.d, transform.e, transform.c, transform.f]


def _geometry_columns(
    ray: Ray, surroundings: Surroundings, probability: Floats, threshold: float
) -> Row:
    """Columns of direction, range, width and probability."""
    edges_m = surroundings.view.row_edges_m()
    start_km, end_km = edges_m[ray.rows[0]] / 1e3, edges_m[ray.rows[-1] + 1] / 1e3
    widths_km = ray.widths_m(surroundings) / 1e3
    # A centre line is as uncertain on the ground everywhere, and so less so in azimuth farther out.
    weight = np.sin(surroundings.view.row_ranges_m()[ray.rows] / surroundings.view.radius_m) ** 2
    middle_deg = _centre_columns(ray, surroundings) * 360.0 / surroundings.view.cols
    azimuth_deg = float(np.average(middle_deg, weights=weight))
    spread_deg = float(np.sqrt(np.average((middle_deg - azimuth_deg) ** 2, weights=weight)))
    row, col = _cells(ray.rows, ray.first, ray.count, surroundings.view.cols)
    values, area = probability[row, col], surroundings.area_km2[row, col]
    known = ~np.isnan(values)
    mean = float(np.average(values[known], weights=area[known])) if known.any() else float("nan")
    return {
        "azimuth_deg": (azimuth_deg + surroundings.view.turn_deg) % 360.0,
        "azimuth_sd_deg": spread_deg,
        "start_km": start_km,
        "end_km": end_km,
        "end_sd_km": _end_error_m(ray, surroundings, probability, threshold) / 1e3,
        "length_km": end_km - start_km,
        "width_km": float(np.median(widths_km)),
        "width_sd_km": float(np.std(widths_km)),
        "mean_probability": mean,
    }


def _end_error_m(
    ray: Ray, surroundings: Surroundings, probability: Floats, threshold: float
) -> float:
    """Half the range over which the probability at the tip falls from half above the threshold to half below it.

    At least half a pixel. "Half above" is halfway to 1 where that is less than 1.5 thresholds.
    """
    tip = np.arange(ray.first[-1], ray.first[-1] + ray.count[-1]) % surroundings.view.cols
    along = np.nan_to_num(probability[:, tip]).mean(axis=1)
    high, low = min(1.5 * threshold, (1 + threshold) / 2), 0.5 * threshold
    sure = ray.rows[along[ray.rows] >= high]
    inner = int(sure[-1]) if sure.size else int(ray.rows[0])
    fallen = np.flatnonzero(along[ray.rows[-1] + 1 :] <= low)
    outer = int(ray.rows[-1] + 1 + fallen[0]) if fallen.size else along.size
    return 0.5 * max(outer - inner - 1, 2) * surroundings.depth_m


def _truncation(ray: Ray, surroundings: Surroundings, grid: Grid) -> str:
    """What cuts a ray off at its tip: ground without data, the limit of the reach, or nothing ("")."""
    view, last = surroundings.view, int(ray.rows[-1])
    if view.row_edges_m()[last + 1] > view.crater.reach_m(view.radius_m) - 1.5 * grid.pixel_m:
        return REACH
    tip = np.arange(ray.first[-1], ray.first[-1] + ray.count[-1]) % view.cols
    ahead = surroundings.known[last + 1 : last + 1 + _AHEAD_ROWS][:, tip]
    return NO_DATA if ahead.size and not ahead.all(axis=0).mean() > 0.5 else ""


def _brightness_columns(ray: Ray, surroundings: Surroundings) -> Row:
    """Columns of the difference to the ground beside the ray, at the same range, in each band.

    The ray is cut into pieces as long as it is wide. The difference is the mean over the pieces of ray minus ground
    beside, its standard deviation that of this mean, if pieces differ independently.
    """
    cols = surroundings.view.cols
    beside = np.maximum(ray.count, _LEAST_BESIDE)
    usable = surroundings.known & ~surroundings.others
    ground = usable & ~surroundings.ejecta
    on_ray = _chosen(_cells(ray.rows, ray.first, ray.count, cols), usable & surroundings.ejecta)
    left = _chosen(_cells(ray.rows, ray.first - 1 - beside, beside, cols), ground)
    right = _chosen(_cells(ray.rows, ray.first + ray.count + 1, beside, cols), ground)
    off_ray = np.concatenate([left, right], axis=1)
    piece_rows = max(1, round(ray.width_m(surroundings) / surroundings.depth_m))
    columns: Row = {}
    for k, band in enumerate(surroundings.bands, start=1):
        inside, outside = (
            _means_of_pieces(cells, band, int(ray.rows[0]), piece_rows, ray.rows.size)
            for cells in (on_ray, off_ray)
        )
        differences = (inside - outside)[~np.isnan(inside - outside)]
        nan = float("nan")
        difference = float(differences.mean()) if differences.size else nan
        spread = float(differences.std(ddof=1)) if differences.size > 1 else nan
        noise = float(band[tuple(off_ray)].std()) if off_ray.size else nan
        columns |= {
            f"difference_band{k}": difference,
            f"difference_sd_band{k}": spread / np.sqrt(max(differences.size, 1)),
            f"contrast_band{k}": difference / noise if noise > 0 else nan,
        }
    return columns


def _means_of_pieces(cells: Ints, band: Floats, first: int, piece: int, rows: int) -> Array:
    """Mean of a band over the cells (2, n) in each piece of `piece` rows; nan where there are none."""
    index, count = (cells[0] - first) // piece, -(-rows // piece)
    number = np.bincount(index, minlength=count)
    total = np.bincount(index, weights=band[tuple(cells)], minlength=count)
    mean: Array = np.divide(total, number, out=np.full(count, np.nan), where=number > 0)
    return mean


def _cells(rows: Ints, first: Ints, count: Ints, cols: int) -> Ints:
    """Rows and columns, (2, n), of the cells of runs of columns around a circle."""
    step = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([np.repeat(rows, count), (np.repeat(first, count) + step) % cols])


def _chosen(cells: Ints, where: Bools) -> Ints:
    """Those of some cells (2, n) where a mask holds."""
    return cells[:, where[tuple(cells)]]


def _centre_columns(ray: Ray, surroundings: Surroundings) -> Array:
    """Fractional column of the centre line in each row, smoothed over the ray's width; not wrapped.

    From the tip inwards. Where the ray is wider than usual, because others have joined it, the line keeps half the
    usual width from its sides, and goes on straight as far as it can: it does not jump to the middle of them all.
    """
    width_m = ray.width_m(surroundings)
    columns = ray.count * (width_m / ray.widths_m(surroundings))  # the usual width, in columns
    half = np.minimum(columns, ray.count) / 2
    middle = np.unwrap(ray.first + ray.count / 2, period=surroundings.view.cols)
    slack = ray.count / 2 - half
    centre = np.empty(middle.size)
    column = middle[-1]
    for k in range(middle.size - 1, -1, -1):
        column = min(max(column, middle[k] - slack[k]), middle[k] + slack[k])
        centre[k] = column
    size = max(1, round(width_m / surroundings.depth_m))
    return np.asarray(median_filter(centre, size, mode="nearest"), np.float64)


def _centre_line(ray: Ray, surroundings: Surroundings) -> LonLat:
    """Places along the middle of a ray, from its start to its end, a row apart."""
    view = surroundings.view
    edges_m, middle = view.row_edges_m(), _centre_columns(ray, surroundings)
    ranges_m = np.concatenate(
        [[edges_m[ray.rows[0]]], view.row_ranges_m()[ray.rows], [edges_m[ray.rows[-1] + 1]]]
    )
    middle = np.concatenate([middle[:1], middle, middle[-1:]])
    bearing_deg = view.turn_deg + middle * 360.0 / view.cols
    return destination(view.crater.lon, view.crater.lat, bearing_deg, ranges_m, view.radius_m)
