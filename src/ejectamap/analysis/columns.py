"""Data dictionaries of analysis.csv and rays.csv: unit and meaning of each column.

Each meaning stands alone: a reader sees one column, not the ones beside it.
"""

import re
from collections.abc import Mapping, Sequence

_UNSHARED = "unshared_"
_OF_CRATER = {
    "crater_id": ("", "id of the crater, as in the catalogue"),
    "name": ("", "name of the crater, as in the catalogue"),
}
# Regular expressions of names with unit and meaning. {0} is the text that the expression's group matched, {1} the
# name of the band. All measurements leave out the crater's own interior.
_ANALYSIS = _OF_CRATER | {
    "lon_deg": ("degrees", "longitude of the crater's centre, positive to the east, -180 to 180"),
    "lat_deg": ("degrees", "latitude of the crater's centre, positive to the north"),
    "radius_km": ("km", "radius of the crater's rim, as in the catalogue"),
    "expected_area_km2": (
        "km2",
        "best estimate of the ejecta's ground area beyond the rim: sum of probability times pixel area over the"
        " reach; no threshold is applied",
    ),
    "expected_area_sd_km2": (
        "km2",
        "one standard deviation of the expected area: random errors (alike within 149 x 149 km, independent"
        " farther apart) and the error of the probabilities as a whole (area_error)",
    ),
    "area_error": (
        "1",
        "relative error, one standard deviation, that expected areas have because probabilities may be too high or"
        " too low over all of a crater's ejecta; the same for all craters of the map",
    ),
    "area_error_craters": (
        "1",
        "number of craters with labelled ejecta, whose labels no network was trained on, that area_error was measured"
        " on; with fewer than 3 it is the one measured on other planets",
    ),
    "truncated": (
        "",
        "what cuts the mapped ejecta off, so that areas and distances are lower limits: no data (ground that the"
        " mosaic lacks, its edge included), reach (the distance up to which ejecta were mapped); empty: nothing",
    ),
    "blanket_shared_share": (
        "1",
        "fraction of the area of the continuous ejecta (blanket) where ejecta of other craters are mapped too",
    ),
    "set_aside": (
        "",
        "True where more than 0.2 of the blanket's area is shared with other craters: better left out when craters"
        " are compared",
    ),
    "half_cover_radius_km": (
        "km",
        "distance from the crater's centre within which ejecta cover more than half of every ring from the rim"
        " outwards (the EJMAP release calls this the blanket radius, and starts at 4 crater radii)",
    ),
    "symmetry": (
        "",
        "oblique: near ejecta are missing on one side (a forbidden zone, as oblique impacts leave); symmetric: on"
        " none; empty: there are too few ejecta to tell",
    ),
    "missing_bearing_deg": (
        "degrees",
        "direction of the middle of the forbidden zone from the crater, clockwise from north: the side that the"
        " projectile came from",
    ),
    "downrange_bearing_deg": (
        "degrees",
        "direction in which the projectile moved, clockwise from north: opposite to the forbidden zone",
    ),
    "forbidden_width_deg": (
        "degrees",
        "angle, seen from the crater, over which near ejecta are less than half as frequent as on full sides",
    ),
    "confidence": (
        "1",
        "how empty the forbidden zone is: 1 minus the frequency of ejecta in it over that on full sides; not a"
        " probability",
    ),
    "total_area_km2": (
        "km2",
        "ground area of the mask (where the probability exceeds the setting map.threshold) beyond the rim, without"
        " clusters of less than 44 km2; area_km2 in ejecta.gpkg is that of the whole mask, crater interior and"
        " small clusters included",
    ),
    "blanket_area_km2": (
        "km2",
        "ground area of the mask from the rim to the blanket radius (column blanket_radius_km)",
    ),
    "ray_area_km2": (
        "km2",
        "ground area of the mask beyond the blanket radius (column blanket_radius_km)",
    ),
    "blanket_radius_km": (
        "km",
        "distance from the crater's centre within which ejecta cover more than half of every ring, azimuths of a"
        " forbidden zone left out: the end of the continuous ejecta",
    ),
    "max_distance_km": (
        "km",
        "distance from the crater's centre to the farthest ejecta in the mask",
    ),
    r"distance_q(\d+)_km": (
        "km",
        "distance from the crater's centre within which {0} % of the mask's ground area lie",
    ),
    "barycentre_(lon|lat)_deg": (
        "degrees",
        "{0} of the barycentre of all ejecta in the mask, by ground area (lon: positive to the east)",
    ),
    "ray_barycentre_(lon|lat)_deg": (
        "degrees",
        "{0} of the barycentre of the ejecta beyond the blanket radius, by ground area (lon: positive to the east)",
    ),
    "barycentre_distance_km": (
        "km",
        "distance from the crater's centre to the barycentre of all ejecta in the mask",
    ),
    "ray_barycentre_distance_km": (
        "km",
        "distance from the crater's centre to the barycentre of the ejecta beyond the blanket radius",
    ),
    "barycentre_bearing_deg": (
        "degrees",
        "direction of the barycentre of all ejecta from the crater, clockwise from north",
    ),
    "ray_barycentre_bearing_deg": (
        "degrees",
        "direction of the barycentre of the ejecta beyond the blanket radius from the crater, clockwise from north",
    ),
    r"area_(\d+_\d+)deg_km2": (
        "km2",
        "ground area of the mask in directions {0} degrees from the crater, clockwise from north",
    ),
    r"max_distance_(\d+_\d+)deg_km": (
        "km",
        "distance from the crater's centre to the farthest ejecta in directions {0} degrees, clockwise from north;"
        " empty without ejecta there",
    ),
    "ray_count": (
        "1",
        "number of rays (over all ground: the crater's rows in rays.csv): pieces of ejecta beyond the blanket radius"
        " longer than a crater radius and at least twice as long as wide",
    ),
    "ray_length_median_km": ("km", "median length of the rays, along the distance from the crater"),
    "ray_length_max_km": ("km", "length of the longest ray, along the distance from the crater"),
    "ray_width_median_km": (
        "km",
        "median over the rays of their width, itself the median along the ray",
    ),
    r"blanket_mean_band(\d+)": (
        "mosaic's",
        "mean of band {0} ({1}) over the ejecta within the blanket radius",
    ),
    r"ray_mean_band(\d+)": (
        "mosaic's",
        "mean of band {0} ({1}) over the ejecta beyond the blanket radius",
    ),
    r"blanket_ratio_band(\d+)": (
        "1",
        "band {0} ({1}): mean over the blanket divided by the mean over the ground beside it (one to two blanket"
        " radii, without any ejecta)",
    ),
    r"ray_ratio_band(\d+)": (
        "1",
        "band {0} ({1}): mean over ejecta beyond the blanket divided by the mean over ground without any ejecta"
        " within about 149 km",
    ),
    r"blanket_contrast_band(\d+)": (
        "1",
        "band {0} ({1}): mean over the blanket minus the mean over the ground beside it (one to two blanket radii,"
        " without any ejecta), divided by the standard deviation of that ground",
    ),
    r"ray_contrast_band(\d+)": (
        "1",
        "band {0} ({1}): mean over ejecta beyond the blanket minus the mean over ground without any ejecta within"
        " about 149 km, divided by the standard deviation of that ground",
    ),
    "blanket_contrast": (
        "1",
        "contrast of the blanket with the ground beside it: root mean square over the bands of difference over"
        " standard deviation of the ground",
    ),
    "ray_contrast": (
        "1",
        "contrast of the ejecta beyond the blanket with the ground beside them: root mean square over the bands of"
        " difference over standard deviation of the ground",
    ),
    "freshness_rank": (
        "1",
        "rank of the crater by the contrast of its rays on ground that no other ejecta cover; 1 = strongest, likely"
        " freshest; empty where set_aside is True or there are no rays",
    ),
}
_RAYS = _OF_CRATER | {
    "ray": (
        "",
        "number of the ray among those of its crater, clockwise from north at the tip, from 1",
    ),
    "azimuth_deg": (
        "degrees",
        "direction of the ray's centre line from the crater's centre, clockwise from north; mean over its length",
    ),
    "azimuth_sd_deg": (
        "degrees",
        "standard deviation of the centre line's direction along the ray: 0 for a straight radial ray",
    ),
    "start_km": (
        "km",
        "distance from the crater's centre to the ray's nearest end: where it leaves the blanket or a longer ray",
    ),
    "end_km": ("km", "distance from the crater's centre to the ray's tip"),
    "end_sd_km": (
        "km",
        "uncertainty of end_km: half the distance over which the probability at the tip falls from half above the"
        " threshold to half below it, at least half a pixel",
    ),
    "length_km": ("km", "end_km minus start_km"),
    "width_km": (
        "km",
        "width of the ray across its direction from the crater; median along the ray",
    ),
    "width_sd_km": ("km", "standard deviation of the width along the ray"),
    "mean_probability": ("1", "mean probability of the crater's ejecta over the ray's ground area"),
    "truncated": (
        "",
        "what cuts the ray off at its tip, so that its length is a lower limit: no data (ground that the mosaic"
        " lacks, its edge included), reach (the distance up to which ejecta were mapped); empty: nothing",
    ),
    r"difference_band(\d+)": (
        "mosaic's",
        "band {0} ({1}): mean over the ray minus the mean over ground without any ejecta beside it at the same"
        " distance from the crater, as wide as the ray on each side",
    ),
    r"difference_sd_band(\d+)": (
        "mosaic's",
        "one standard deviation of the difference in band {0} ({1}), from pieces of the ray as long as it is wide;"
        " empty where there is only one piece",
    ),
    r"contrast_band(\d+)": (
        "1",
        "difference to the ground beside the ray in band {0} ({1}), divided by the standard deviation of that ground",
    ),
}


def describe(names: Sequence[str], band_names: Sequence[str]) -> list[dict[str, str]]:
    """Column, unit and meaning of each column of analysis.csv; no measurement includes the crater's interior.

    Raises
    ------
    KeyError
        If a column is not described here.
    """
    return [_describe(name, band_names, _ANALYSIS) for name in names]


def describe_rays(names: Sequence[str], band_names: Sequence[str]) -> list[dict[str, str]]:
    """Column, unit and meaning of each column of rays.csv; errors as above."""
    return [_describe(name, band_names, _RAYS) for name in names]


def _describe(
    name: str, band_names: Sequence[str], meanings: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    plain = name.removeprefix(_UNSHARED)
    for pattern, (unit, meaning) in meanings.items():
        match = re.fullmatch(pattern, plain)
        if match is None:
            continue
        group = match.group(1) if match.groups() else ""
        band = band_names[int(group) - 1] if "_band" in plain else ""
        text = meaning.format((group or "").replace("_", " to "), band)
        if name != plain:
            text += "; ground where ejecta of other craters are mapped too is left out"
        return {"column": name, "unit": unit, "meaning": text}
    raise KeyError(name)
