"""The lineage of a network: whose labels, and where, it and the networks it started from were trained on.

It is a part of the bundle, so that it goes wherever the network goes. Craters are recognised by their place on the body
and tiles by theirs in degrees, because another project may use another rendition of the planet and other ids.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.sphere import Array, distance

_SAME_BODY = 0.01  # difference of two radii of one body, relative
_SAME_CENTRE = 0.5  # distance of two centres of one crater, in its radii
_SAME_SIZE = (
    2.0  # ratio of two radii of one crater; a small crater within a large one is another crater
)
_DECIMALS = 4  # of degrees: 10 m on Mars
_COMMON_GROUND = 0.01  # part of a tile's side: tiles that only touch have no common ground, however they were rounded


def _read_ids(value: Any) -> Any:
    """Ids from text such as "0-3 7"."""
    if not isinstance(value, str):
        return value
    ranges = (part.partition("-") for part in value.split())
    return tuple(k for first, _, last in ranges for k in range(int(first), int(last or first) + 1))


def _write_ids(ids: tuple[int, ...] | None) -> str | None:
    """The reverse of `_read_ids`: a crater may have thousands of tiles, most of them in a row."""
    if ids is None:
        return None
    runs = [
        [k for _, k in run]
        for _, run in groupby(enumerate(sorted(ids)), key=lambda entry: entry[1] - entry[0])
    ]
    return " ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _read_box(value: Any) -> Any:
    return tuple(map(float, value.split())) if isinstance(value, str) else value


def _write_box(box: tuple[float, ...]) -> str:
    return " ".join(f"{number:.{_DECIMALS}f}" for number in box)


TileIds = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_read_ids), PlainSerializer(_write_ids)
]
Box = Annotated[
    tuple[float, float, float, float], BeforeValidator(_read_box), PlainSerializer(_write_box)
]
"""Western edge, northern edge, width and height in degrees."""


class SeenCrater(BaseModel):
    """A crater whose label a network was trained on.

    Attributes
    ----------
    crater_id : int
    name : str
    lon, lat : float
        Centre, in degrees.
    radius_m : float
    reach : float
        Fraction of half the body's circumference.
    tiles : tuple of int, or None
        Ids of the tiles in which its label was used; None: wherever it was labelled.
    label : str or None
        Digest of its label in these tiles; None where only the ground is known, not the label of that time.
    """

    model_config = ConfigDict(frozen=True)

    crater_id: int
    name: str
    lon: float
    lat: float
    radius_m: float
    reach: float
    tiles: TileIds | None = None
    label: str | None = None

    def is_same(self, crater: Crater, radius_m: float) -> bool:
        """Whether a crater of any catalogue of the same body, of radius `radius_m`, is this one."""
        apart_m = float(distance(self.lon, self.lat, crater.lon, crater.lat, radius_m))
        ratio = crater.radius_m / self.radius_m
        return apart_m < _SAME_CENTRE * self.radius_m and 1 / _SAME_SIZE <= ratio <= _SAME_SIZE


class SeenPlanet(BaseModel):
    """Labels of one planet that a network was trained on.

    Attributes
    ----------
    body_radius_m : float
    mosaic : str or None
        Digest of the mosaic's files; None if it is not known.
    tiles : mapping of int to Box
        The tiles that the craters name, by id.
    craters : tuple of SeenCrater
    """

    model_config = ConfigDict(frozen=True)

    body_radius_m: float
    mosaic: str | None = None
    tiles: Mapping[int, Box] = Field(default_factory=dict)
    craters: tuple[SeenCrater, ...]

    def find(self, crater: Crater, radius_m: float) -> list[SeenCrater]:
        """The crater of another catalogue, on a body of radius `radius_m`, as it is known here; none if it is not."""
        if abs(radius_m - self.body_radius_m) > _SAME_BODY * self.body_radius_m:
            return []
        return [known for known in self.craters if known.is_same(crater, radius_m)]

    def boxes(self, tile_ids: Iterable[int]) -> Array:
        """Boxes of some tiles, as an array of shape (n, 4)."""
        return np.array([self.tiles[k] for k in tile_ids], np.float64).reshape(-1, 4)


class Lineage(BaseModel):
    """What a network was trained on.

    Attributes
    ----------
    settings : mapping of str to Any, or None
        The settings that its weights depend on, by dotted name; None if they are not known.
    trained_on : tuple of SeenPlanet
        In its own training.
    inherited : tuple of SeenPlanet
        In the trainings of the networks that it started from.
    is_complete : bool
        False if one of those networks has no lineage, so that it may have been trained on more.
    """

    model_config = ConfigDict(frozen=True)

    settings: Mapping[str, Any] | None = None
    trained_on: tuple[SeenPlanet, ...]
    inherited: tuple[SeenPlanet, ...] = ()
    is_complete: bool = True

    @property
    def planets(self) -> tuple[SeenPlanet, ...]:
        """Everything that it or a network before it was trained on."""
        return (*self.trained_on, *self.inherited)


def inherit(start: Lineage | None) -> tuple[SeenPlanet, ...]:
    """What a network that starts from another one inherits: its planets, each once, without the labels of that time."""
    if start is None:
        return ()
    merged: list[SeenPlanet] = []
    for planet in start.planets:
        known = [k for k, other in enumerate(merged) if _same_tiles(other, planet)]
        if known:
            merged[known[0]] = _union(merged[known[0]], planet)
        else:
            merged.append(_union(planet, planet))
    return tuple(merged)


def seen_tiles(
    planets: Iterable[SeenPlanet], crater: Crater, windows: Sequence[Window], grid: Grid
) -> Bools:
    """In which tiles a crater's label was trained on, at least in part.

    Parameters
    ----------
    planets : iterable of SeenPlanet
    crater : Crater
    windows : sequence of Window
        The tiles.
    grid : Grid

    Returns
    -------
    bool array (len(windows),)
    """
    seen = np.zeros(len(windows), bool)
    boxes = np.array([tile_box(window, grid) for window in windows]).reshape(-1, 4)
    for planet in planets:
        for known in planet.find(crater, grid.radius_m):
            if known.tiles is None:
                seen[:] = True
            else:
                seen |= _have_common_ground(boxes, planet.boxes(known.tiles)).any(axis=1)
    return seen


def seen_ground(
    planets: Iterable[SeenPlanet],
    craters: Sequence[Crater],
    windows: Sequence[Window],
    grid: Grid,
) -> list[Window]:
    """Ground that was trained on, with any crater's label, as windows of a grid.

    A planet is taken to be the grid's if any of its craters is in the catalogue. Where a crater has no tiles, those of
    `windows` count whose centre is within its reach.

    Parameters
    ----------
    planets : iterable of SeenPlanet
    craters : sequence of Crater
        The catalogue.
    windows : sequence of Window
        The tiles that the question is about.
    grid : Grid
    """
    found: dict[Window, None] = {}
    lon, lat = grid.window_centres(windows)
    for planet in planets:
        if not any(planet.find(crater, grid.radius_m) for crater in craters):
            continue
        found |= dict.fromkeys(_box_window(box, grid) for box in planet.tiles.values())
        for known in planet.craters:
            if known.tiles is None:
                reach_m = known.reach * np.pi * grid.radius_m
                near = distance(known.lon, known.lat, lon, lat, grid.radius_m) <= reach_m
                found |= dict.fromkeys(windows[k] for k in np.flatnonzero(near).tolist())
    return list(found)


def tile_box(window: Window, grid: Grid) -> tuple[float, float, float, float]:
    """Western edge, northern edge, width and height of a window, in degrees, rounded as they are written."""
    lon, lat = grid.to_lonlat(window.col, window.row)
    pixel_deg = 360.0 / grid.width, grid.span_deg / grid.height
    numbers = lon, lat, window.width * pixel_deg[0], window.height * pixel_deg[1]
    west, north, width, height = (round(float(number), _DECIMALS) for number in numbers)
    return west, north, width, height


def _box_window(box: Box, grid: Grid) -> Window:
    """The pixels of a grid that a box covers, to the nearest edge."""
    west, north, width_deg, height_deg = box
    per_deg = grid.width / 360.0, grid.height / grid.span_deg
    left, top = ((west - grid.lon_west) % 360.0) * per_deg[0], (grid.lat_north - north) * per_deg[1]
    first_row, last_row = max(round(top), 0), min(round(top + height_deg * per_deg[1]), grid.height)
    width = min(round(left + width_deg * per_deg[0]) - round(left), grid.width)
    return Window(first_row, round(left) % grid.width, max(last_row - first_row, 0), width)


def _have_common_ground(first: Array, second: Array) -> Bools:
    """Which boxes (n, 4) have ground in common with which others (m, 4); shape (n, m)."""
    west1, north1, width1, height1 = first.T[:, :, None]
    west2, north2, width2, height2 = second.T
    margin = _COMMON_GROUND * np.minimum(height1, height2)
    rows = np.minimum(north1, north2) - np.maximum(north1 - height1, north2 - height2) > margin
    margin = _COMMON_GROUND * np.minimum(width1, width2)
    second_from_first, first_from_second = (west2 - west1) % 360.0, (west1 - west2) % 360.0
    columns = (width1 - second_from_first > margin) | (width2 - first_from_second > margin)
    return np.asarray(rows & columns)


def _same_tiles(one: SeenPlanet, two: SeenPlanet) -> bool:
    """Whether two planets are one mosaic, on which an id means the same tile."""
    if one.mosaic is None or one.mosaic != two.mosaic:
        return False
    return all(one.tiles[k] == two.tiles[k] for k in one.tiles.keys() & two.tiles.keys())


def _union(one: SeenPlanet, two: SeenPlanet) -> SeenPlanet:
    """The craters and tiles of both."""
    craters: dict[tuple[Any, ...], SeenCrater] = {}
    for crater in (*one.craters, *two.craters):
        place = crater.crater_id, crater.lon, crater.lat, crater.radius_m
        before = craters.get(place, crater)
        tiles = None
        if crater.tiles is not None and before.tiles is not None:
            tiles = tuple(sorted({*crater.tiles, *before.tiles}))
        craters[place] = crater.model_copy(update={"tiles": tiles, "label": None})
    update = {"tiles": {**one.tiles, **two.tiles}, "craters": tuple(craters.values())}
    return one.model_copy(update=update)
