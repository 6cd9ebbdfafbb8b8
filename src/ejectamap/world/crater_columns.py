"""Which columns of a catalogue hold what: names of published catalogues, units, and columns that say a thing twice."""

import re
from collections.abc import Callable, Mapping

import numpy as np

from ejectamap.texts import clean
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import Array, wrap_longitude
from ejectamap.world.tables import Table, simple_name

COLUMNS = (
    "crater_id",
    "name",
    "lon",
    "lon_west",
    "lat",
    "radius_m",
    "radius_km",
    "diameter_m",
    "diameter_km",
    "reach",
    "family",
)
"""What a column of the catalogue can be chosen for, in `inputs.columns`."""
LARGEST_ID = 2**32 - 2
"""Largest crater id: an origin map holds id + 1 in 32 bits."""


def _names(stems: str, endings: str) -> tuple[str, ...]:
    """Simple names of the centre's coordinates; one of a long name in a shapefile is cut to ten letters."""
    return tuple(
        f"{centre}{stem}{ending}"
        for centre in ("", "center_", "centre_")
        for stem in stems.split()
        for ending in ("", *endings.split())
    )


# Names of this program first, then of others; those of Robbins' catalogues last, also as shapefiles cut them.
_ID = ("crater_id", "crat_fid", "craterid", "feature_id", "id")
_NAME = ("name", "crater_name", "crater_nam", "feature_name", "feature_na", "clean_feature_name")
_LONGEST_NAME = 200  # letters
_EAST = (
    *_names("lon longitude long", "_deg _degrees _e _east _deg_e _deg_east _degrees_east"),
    *("east_longitude", "east_lon", "lone", "lon_circ_img", "lon_circ_i", "longitude_circle_image"),
)
_WEST = (
    *(f"{stem}{end}" for stem in ("lon", "longitude") for end in ("_west", "_w", "_deg_w", "w")),
    *("west_longitude", "west_lon", "west_longi", "longitude_degrees_west", "lon_deg_west"),
)
_LAT = (
    *_names("lat latitude", "_deg _degrees _n _deg_n"),
    *("lat_circ_img", "lat_circ_i", "latitude_circle_image", "latitude_c"),
)
_SYSTEM = (
    "coordinate_system",
    "coord_system",
    "coordinate",
)  # of the Gazetteer: "Planetographic, +West, 0 - 360"
_METRES_PER_UNIT = {
    "radius_m": 1.0,
    "rad_m": 1.0,
    "radius": 1.0,
    "radius_km": 1000.0,
    "rad_km": 1000.0,
    "r_km": 1000.0,
    "diameter_km": 500.0,
    "diam_km": 500.0,
    "d_km": 500.0,
    "diameter_k": 500.0,
    "diam_circ_img": 500.0,
    "diam_circ": 500.0,
    "diam_circle_image": 500.0,
    "diam_circl": 500.0,
    "diameter_m": 0.5,
    "diam_m": 0.5,
}
_DIAMETER = ("diameter", "diam")  # in a unit that must be found
_PLACE_TOLERANCE_DEG = 0.0501  # two columns of a place may be rounded to tenths
_RADIUS_TOLERANCE = 0.02


def read_ids(table: Table) -> tuple[list[int], list[str]]:
    """Ids of a catalogue's craters, and their texts where they are more than numbers, else "".

    Without a column of ids the rows are numbered from 1; the id of a text is the number that its digits make.
    """
    column = table.find(*_ID)
    if column is None:
        table.note(
            "has no column crater_id: its craters are numbered from 1 in the order of its rows, which must stay"
        )
        return list(range(1, table.rows + 1)), [""] * table.rows
    ids = to_ids(table, column)
    texts = table.texts(column)
    if _are_numbers(table, texts):
        table.check_ids(column, ids)
        return ids, [""] * table.rows
    first_row: dict[int, int] = {}
    for row, crater_id in enumerate(ids):
        if (first := first_row.setdefault(crater_id, row)) != row:
            table.fail(
                f"column {column}: {texts[first]!r} in row {first + 1} and {texts[row]!r} in row {row + 1} have the"
                " same digits: give each crater a number, or rename the column to name, and the rows are numbered"
            )
    table.note(f"column {column} is text: ids are its digits, {texts[0]} is crater {ids[0]}")
    return ids, texts


def to_ids(table: Table, column: str) -> list[int]:
    """Convert a column to crater ids; the id of a text is the number that its digits make."""
    texts = table.texts(column)
    if _are_numbers(table, texts):
        ids = table.integers(column)
    else:
        ids = [_digits(table, column, row, text) for row, text in enumerate(texts, start=1)]
    for row, crater_id in enumerate(ids, start=1):
        if crater_id > LARGEST_ID:
            table.fail(
                f"column {column}, row {row}: {crater_id:.10g} is larger than {LARGEST_ID}: give a smaller id"
            )
    return ids


def _are_numbers(table: Table, texts: list[str]) -> bool:
    return not any(text and np.isnan(table.to_number(text)) for text in texts)


def _digits(table: Table, column: str, row: int, text: str) -> int:
    digits = "".join(re.findall("[0-9]+", text))
    if not digits:
        problem = "is empty" if text == "" else f"is {text!r}, not a number"
        table.fail(
            f"column {column}, row {row} {problem}: give a number, or rename the column to name, and the rows are"
            " numbered"
        )
    return int(digits[:20])


def read_names(table: Table) -> list[str]:
    """Names of the craters; "" where there is none."""
    return _clean_texts(table, table.find(*_NAME))


def read_families(table: Table) -> list[str]:
    """Families of the craters; "" where there is none."""
    return _clean_texts(table, table.find("family"))


def _clean_texts(table: Table, column: str | None) -> list[str]:
    """Texts of a column that can be written into any figure, table and document; a note says which were changed."""
    texts = table.texts(column)
    cleaned = [clean(text, _LONGEST_NAME) for text in texts]
    changed = [
        k for k, text in enumerate(texts, start=1) if " ".join(text.split()) != cleaned[k - 1]
    ]
    if changed:
        rows = f"row {changed[0]}" + (f" and {len(changed) - 1} more" if changed[1:] else "")
        table.note(
            f"column {column}, {rows}: control characters, invisible ones and what exceeds {_LONGEST_NAME} letters are"
            " left out"
        )
    return cleaned


def has_places(table: Table) -> bool:
    """Whether a table has any column of longitudes or latitudes."""
    return bool(_factors(table, _longitude_names()) or _factors(table, dict.fromkeys(_LAT, 1.0)))


def read_longitudes(table: Table, ids: list[int]) -> Array:
    """Longitudes, degrees east, -180 to 180, from columns of degrees east or west."""
    columns = _factors(table, _longitude_names())
    if not columns:
        table.require("lon", "longitude")
    east = {
        column: _east_from(table, ids, column, table.numbers(column), sign)
        for column, sign in columns.items()
    }
    _check_agreement(table, ids, east, _PLACE_TOLERANCE_DEG, wrap_longitude)
    column, lon = next(iter(east.items()))
    if columns[column] < 0:
        table.note(f"column {column} is read as degrees west")
    return lon


def _longitude_names() -> dict[str, float]:
    """Names of columns of longitudes, and the sign that makes them degrees east."""
    return {**dict.fromkeys(_EAST, 1.0), **dict.fromkeys(_WEST, -1.0)}


def _east_from(table: Table, ids: list[int], column: str, lon: Array, sign: float) -> Array:
    """Degrees east, -180 to 180, of a column; a Gazetteer's coordinate system may say that it has degrees west."""
    for crater_id, value in zip(ids, lon, strict=True):
        if not -180.0 <= value <= 360.0:
            side = "east" if sign > 0 else "west"
            table.fail(
                f"crater {crater_id}: {column} is {value:g}, not between -180 and 360: give degrees {side}"
            )
    systems = table.texts(table.find(*_SYSTEM))
    is_west = np.array(["west" in system.lower() for system in systems])
    if sign > 0 and is_west.any():
        table.note(f"column {column} is read as degrees west where {table.find(*_SYSTEM)} says so")
    return wrap_longitude(np.where(is_west | (sign < 0), -lon, lon))


def read_latitudes(table: Table, ids: list[int]) -> Array:
    """Latitudes, degrees north."""
    columns = _factors(table, dict.fromkeys(_LAT, 1.0))
    if not columns:
        table.require("lat", "latitude")
    values = {column: table.numbers(column) for column in columns}
    _check_agreement(table, ids, values, _PLACE_TOLERANCE_DEG, np.asarray)
    column, lat = next(iter(values.items()))
    for crater_id, value in zip(ids, lat, strict=True):
        if abs(value) > 90.0:
            table.fail(
                f"crater {crater_id}: {column} is {value:g}, beyond 90 degrees: lon and lat may be"
                " swapped, or not in degrees"
            )
    return lat


def read_radii(table: Table, ids: list[int], grid: Grid) -> Array:
    """Radii of the craters, in metres, checked against the sizes of the body and of a pixel."""
    columns = _factors(table, _METRES_PER_UNIT) or _diameter_factor(table, grid)
    if not columns:
        table.require(*_METRES_PER_UNIT)
    radii_m = {
        column: _checked_radii(table, ids, column, unit_m, grid)
        for column, unit_m in columns.items()
    }
    _check_agreement(table, ids, radii_m, _RADIUS_TOLERANCE, np.asarray, relative=True)
    return next(iter(radii_m.values()))


def _checked_radii(table: Table, ids: list[int], column: str, unit_m: float, grid: Grid) -> Array:
    radius_m = table.numbers(column) * unit_m
    if unit_m <= 1.0 and _may_be_km(radius_m, grid):
        name = "radius_km" if unit_m == 1.0 else "diameter_km"
        table.fail(
            f"column {column}: looks like kilometres (median {np.median(radius_m) / unit_m:g}, a mosaic"
            f" pixel is {grid.pixel_m:.0f} m): name it {name}, or multiply by 1000"
        )
    for crater_id, value in zip(ids, radius_m, strict=True):
        if value <= 0:
            table.fail(
                f"column {column}, crater {crater_id}: is not above 0: give the rim's radius"
            )
        if value > grid.radius_m / 2:
            hint = "it looks like metres: name it radius_m" if unit_m > 1 else "check its unit"
            table.fail(
                f"column {column}, crater {crater_id}: {value / unit_m:g} makes a radius of"
                f" {value:.10g} m, more than half of the body's: {hint}"
            )
    return radius_m


def _may_be_km(radius_m: Array, grid: Grid) -> bool:
    """Whether the median crater is smaller than a pixel, but has a possible radius if the unit is kilometres."""
    median_m = float(np.median(radius_m))
    return 0 < median_m < grid.pixel_m / 2 and 1000 * median_m <= grid.radius_m / 2


def _diameter_factor(table: Table, grid: Grid) -> dict[str, float]:
    """A column of diameters without a unit, and the unit in which all of them are possible and the median resolved."""
    column = table.find(*_DIAMETER)
    if column is None:
        return {}
    diameters = table.numbers(column)
    possible = {
        unit: factor
        for unit, factor in {"kilometres": 500.0, "metres": 0.5}.items()
        if diameters.max() * factor <= grid.radius_m / 2
        and np.median(diameters) * factor >= grid.pixel_m / 2
    }
    if len(possible) != 1:
        table.fail(
            f"column {column}: may be in metres or kilometres: name it diameter_m or diameter_km"
        )
    ((unit, factor),) = possible.items()
    table.note(f"column {column} is read as {unit}")
    return {column: factor}


def _factors(table: Table, factors: Mapping[str, float]) -> dict[str, float]:
    """Columns of a quantity, by which to multiply each; only that which the user chose, if he did."""
    chosen = {
        table.chosen[name]: factor for name, factor in factors.items() if name in table.chosen
    }
    found = table.find_all(*factors)
    return chosen or {column: factors[simple_name(column)] for column in found}


def _check_agreement(
    table: Table,
    ids: list[int],
    columns: Mapping[str, Array],
    tolerance: float,
    difference_of: Callable[[Array], Array],
    relative: bool = False,
) -> None:
    """Check that columns of one quantity, in one unit, agree with the first; note which one is used."""
    (first, values), *others = columns.items()
    limit = tolerance * values if relative else tolerance
    for other, other_values in others:
        differs = np.abs(difference_of(other_values - values)) > limit
        if differs.any():
            row = int(np.argmax(differs))
            table.fail(
                f"columns {first} and {other} differ for crater {ids[row]} ({table.texts(first)[row]} and"
                f" {table.texts(other)[row]}): remove one of them, or choose one in inputs.columns of project.yaml, as"
                f" in columns: {{{_key_of(first)}: {first}}}"
            )
        table.note(f"columns {first} and {other} agree: {first} is used")


def _key_of(column: str) -> str:
    """Key of `inputs.columns` for what a column holds."""
    name = simple_name(column)
    if name in _EAST or name in _WEST:
        return "lon" if name in _EAST else "lon_west"
    if name in _LAT:
        return "lat"
    keys = {1.0: "radius_m", 1000.0: "radius_km", 500.0: "diameter_km", 0.5: "diameter_m"}
    return keys[_METRES_PER_UNIT[name]]
