"""Data dictionary of analysis.csv: unit and meaning of each column."""

import re
from collections.abc import Sequence

_UNSHARED = "unshared_"
# Regular expressions of names with unit and meaning. {0} is the text that the expression's group matched, {1} the
# name of the band.
_MEANINGS = {
    "crater_id|name": ("", "as in the catalogue"),
    "lon_deg|lat_deg": ("degrees", "crater's centre; longitude east-positive, -180 to 180"),
    "radius_km": ("km", "radius of the crater's rim"),
    "blanket_shared_share": (
        "1",
        "share of the blanket's area where other craters have ejecta too",
    ),
    "set_aside": ("", "True where that is more than 0.2: no crater to compare with others"),
    "half_cover_radius_km": (
        "km",
        "ejecta cover more than half of every ring from the rim to here (the release starts at 4 radii)",
    ),
    "symmetry": (
        "",
        "oblique: a forbidden zone was found; symmetric: none; empty: nothing to tell from",
    ),
    "missing_bearing_deg": (
        "degrees",
        "middle of the forbidden zone, clockwise from north: up range",
    ),
    "downrange_bearing_deg": ("degrees", "the opposite direction"),
    "forbidden_width_deg": (
        "degrees",
        "angle over which near ejecta are less than half of full sides",
    ),
    "confidence": ("1", "1 - ejecta in that gap over ejecta on full sides; not a probability"),
    "total_area_km2": ("km2", "ground area of the ejecta"),
    "blanket_area_km2": ("km2", "ground area of the ejecta within the blanket radius"),
    "ray_area_km2": ("km2", "ground area of the ejecta beyond the blanket radius"),
    "expected_area_km2": (
        "km2",
        "sum of probability times ground area, clusters of any size included",
    ),
    "expected_area_sd_km2": (
        "km2",
        "standard deviation of that if ground errs together within 149 x 149 km and independently beyond",
    ),
    "blanket_radius_km": (
        "km",
        "the same with the forbidden zone left out of the rings; roots of rays that hang together count",
    ),
    "max_distance_km": ("km", "from the crater's centre to the farthest ejecta"),
    r"distance_q(\d+)_km": ("km", "{0} % of the ejecta's area lie nearer to the crater's centre"),
    "(ray_)?barycentre_l.._deg": (
        "degrees",
        "place of the barycentre of the ejecta (ray_: of the rays)",
    ),
    "(ray_)?barycentre_distance_km": ("km", "from the crater's centre to the barycentre"),
    "(ray_)?barycentre_bearing_deg": (
        "degrees",
        "direction of the barycentre, clockwise from north",
    ),
    r"area_(\d+_\d+)deg_km2": ("km2", "ground area at azimuths {0} degrees clockwise from north"),
    r"max_distance_(\d+_\d+)deg_km": (
        "km",
        "farthest ejecta at azimuths {0}; empty without ejecta",
    ),
    "ray_count": (
        "1",
        "patches beyond the blanket at least twice as long as wide; touching rays are one",
    ),
    "ray_length_median_km": ("km", "median length of rays along the range"),
    "ray_length_max_km": ("km", "length of the longest ray along the range"),
    "ray_width_median_km": ("km", "median of the rays' area over length"),
    r"(?:blanket|ray)_mean_band(\d+)": ("mosaic's", "mean of band {0} ({1}) over blanket or rays"),
    r"(?:blanket|ray)_ratio_band(\d+)": (
        "1",
        "band {0} ({1}): mean over mean of the ground beside",
    ),
    r"(?:blanket|ray)_contrast_band(\d+)": (
        "1",
        "band {0} ({1}): mean minus that of the ground beside, in its standard deviations",
    ),
    "(?:blanket|ray)_contrast": ("1", "root mean square of that over the bands"),
    "freshness_rank": (
        "1",
        "1 = largest unshared ray contrast; empty where set aside or without rays",
    ),
}


def describe(names: Sequence[str], band_names: Sequence[str]) -> list[dict[str, str]]:
    """Column, unit and meaning of each column of analysis.csv; no measurement includes the crater's interior.

    Raises
    ------
    KeyError
        If a column is not described here.
    """
    return [_describe(name, band_names) for name in names]


def _describe(name: str, band_names: Sequence[str]) -> dict[str, str]:
    plain = name.removeprefix(_UNSHARED)
    for pattern, (unit, meaning) in _MEANINGS.items():
        match = re.fullmatch(pattern, plain)
        if match is None:
            continue
        group = match.group(1) if match.groups() else ""
        band = band_names[int(group) - 1] if "_band" in plain else ""
        text = meaning.format((group or "").replace("_", " to "), band)
        if name != plain:
            text += "; ground that other craters' ejecta cover too left out"
        return {"column": name, "unit": unit, "meaning": text}
    raise KeyError(name)
