"""Methods with networks that simply report what they see, so that the map has to be the planet itself."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ejectamap.errors import BundleError
from ejectamap.mapping import earlier, pictures, polar, polar_connect, two_stage
from ejectamap.mapping.earlier import nearest_in_radii
from ejectamap.mapping.methods import CONNECTION_COLUMNS, CraterMap, Method
from ejectamap.mapping.registry import METHODS, load_method
from ejectamap.networks.bundle import Bundle, Normalisation
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.vote import Vote, vote
from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import azimuthal_inverse, distance

R = 2_439_400.0
MakeProject = Callable[..., Project]


@dataclasses.dataclass
class Report:
    """An ensemble that answers with a function of what it is shown."""

    answer: Callable[[Tensor], Tensor]
    views: dict[str, Any]
    size: int = 1

    @property
    def calibrations(self) -> tuple[None, ...]:
        return (None,) * self.size

    device = "cpu"

    def __len__(self) -> int:
        return self.size

    def probabilities(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        return torch.stack([self.answer(inputs)] * self.size, 1)

    def mean(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        return self.answer(inputs)

    def vote(self, inputs: Tensor, threshold: float, batch: int) -> Vote:
        return vote([self.answer] * self.size, inputs, threshold, batch)


CHIPS = {
    "bands": 2,
    "scaling": "255",
    "chip_px": 64,
    "tile_m": 400e3,
    "distance": "metres",
    "log_distance": True,
}
VIEWS = {
    "connection": {"bands": 2, "scaling": "255", "corridor_px": [128, 32]},
    "segmentation": {
        **CHIPS,
        "annulus_radii": [2.0, 3.0],
    },
    "context": {"bands": 2, "scaling": "255", "polar_px": [160, 320], "polar_power": 0.5},
    "guided": {**CHIPS, "annulus_radii": [2.0, 3.0]},
    "distance-only": CHIPS,
    "agnostic": CHIPS,
}


@pytest.fixture
def load(make_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Method]:
    """A method on a planet in memory, with given answers instead of networks."""

    def make(
        method: str,
        mosaic: Mosaic,
        crater: Crater | tuple[Crater, ...],
        *changes: str,
        **answers: Any,
    ) -> Method:
        half = "views.overlap=0.5"
        project = make_project(f"method={method}", half, *changes, name=f"p{len(loaded)}")
        loaded.append(project)
        craters = crater if isinstance(crater, tuple) else (crater,)
        vars(project).update(mosaic=mosaic, craters=craters)

        def load_report(_: Project, kind: str) -> Report:
            given = answers[kind]
            sized = given if isinstance(given, tuple) else (given, 1)
            return Report(sized[0], VIEWS[kind], sized[1])

        for module in (two_stage, polar, polar_connect, earlier):
            monkeypatch.setattr(module, "load_ensemble", load_report)
        return load_method(project)

    loaded: list[Project] = []
    return make


def first_band(inputs: Tensor) -> Tensor:
    """Ejecta are where the first band is bright."""
    return inputs[:, 0].clamp(0, 1)


def any_bright(inputs: Tensor) -> Tensor:
    """Connected is what shows anything bright at all."""
    return (inputs[:, 0].amax(dim=(1, 2)) > 0.05).float()


REPORTS: dict[str, dict[str, Any]] = {
    "two-stage": {"connection": any_bright, "segmentation": first_band},
    "polar": {"context": first_band},
    "polar-connect": {"context": first_band, "segmentation": first_band},
    "guided": {"context": first_band, "guided": first_band},
    "distance-only": {"distance-only": first_band},
    "agnostic": {"agnostic": first_band},
}


def painted(
    grid: Grid, crater: Crater, valid: np.ndarray | None = None
) -> tuple[Mosaic, np.ndarray]:
    """A planet whose first band shows a blanket and an offset blob, with soft edges; and that band, 0 to 1."""
    lon, lat = np.broadcast_arrays(*grid.centres(grid.whole))
    blob = azimuthal_inverse(600e3, 700e3, crater.lon, crater.lat, R)
    near = distance(crater.lon, crater.lat, lon, lat, R)
    far = distance(*blob, lon, lat, R)
    truth = np.clip(np.maximum((400e3 - near) / 200e3, (300e3 - far) / 200e3), 0, 1)
    values = np.stack([255 * truth, np.zeros(grid.shape)]).astype(np.float32)
    everywhere = np.ones(grid.shape, bool) if valid is None else valid
    return Mosaic.from_array(values, everywhere, grid, ("a", "b")), truth


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-179.9, -35), (77, 89.9)])
def test_the_map_is_what_the_networks_see(
    make_grid: Callable[..., Grid], load: Callable[..., Method], method: str, lon: float, lat: float
) -> None:
    grid, crater = make_grid(256), Crater(5, "A", lon, lat, 60e3)
    mosaic, truth = painted(grid, crater)
    result = load(method, mosaic, crater, **REPORTS[method]).predict(crater)
    window = result.window
    rows, cols = (
        slice(window.row, window.row + window.height),
        slice(window.col, window.col + window.width),
    )
    places = grid.centres(window)
    within = distance(lon, lat, places.lon, places.lat, R) <= crater.reach_m(R)
    assert result.probability(result.window).dtype == np.float32
    assert np.array_equal(np.isnan(result.probability(result.window)), ~within)
    expected = truth[rows, cols]
    error = np.abs(result.probability(result.window) - expected)[within]
    assert error.max() < 0.12
    assert error.mean() < 0.005
    assert (truth.sum() - expected[within].sum()) < 1e-6 * truth.sum()


@pytest.fixture
def both_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks whose chips are turned and show rivals, as their bundles remember."""
    for kind in ("segmentation", "guided", "distance-only"):
        monkeypatch.setitem(VIEWS, kind, VIEWS[kind] | {"rivals": True, "radial_up": True})


CHIP_METHODS = ("two-stage", "polar-connect", "guided", "distance-only")


@pytest.mark.usefixtures("both_options")
@pytest.mark.parametrize("method", CHIP_METHODS)
@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-179.9, -35), (77, 89.9)])
def test_the_map_is_what_the_networks_see_in_turned_chips(
    make_grid: Callable[..., Grid], load: Callable[..., Method], method: str, lon: float, lat: float
) -> None:
    test_the_map_is_what_the_networks_see(make_grid, load, method, lon, lat)


@pytest.mark.parametrize("device", ["cpu:0", "cuda"])
@pytest.mark.parametrize("method", METHODS)
def test_pictures_sampled_on_a_device_make_the_same_map(
    make_grid: Callable[..., Grid],
    load: Callable[..., Method],
    method: str,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By any name but plain "cpu" they are sampled as on a GPU, many at once."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    crater = Crater(5, "A", -179.9, -35, 60e3)
    mosaic, _ = painted(make_grid(256), crater)
    expected = load(method, mosaic, crater, **REPORTS[method]).predict(crater)
    probability = expected.probability(expected.window)

    def on_processor(answer: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda inputs: answer(inputs).cpu()

    monkeypatch.setattr(Report, "device", device)
    reports = {kind: on_processor(given) for kind, given in REPORTS[method].items()}
    found = load(method, mosaic, crater, **reports).predict(crater)
    assert found.connections.drop(columns="score").equals(
        expected.connections.drop(columns="score")
    )
    difference = found.probability(found.window) - probability
    assert np.nanmax(np.abs(difference)) < 1e-3


@pytest.mark.usefixtures("both_options")
@pytest.mark.parametrize("method", CHIP_METHODS)
def test_networks_of_turned_chips_see_rivals_and_the_crater_below(
    make_grid: Callable[..., Grid], load: Callable[..., Method], method: str
) -> None:
    crater, rival = Crater(5, "A", 20, 10, 60e3, reach=0.2), Crater(6, "B", 40, 10, 60e3)
    mosaic, _ = painted(make_grid(128), crater)
    seen: list[Tensor] = []

    def spy(inputs: Tensor) -> Tensor:
        seen.append(inputs.clone())
        return inputs[:, 0].clamp(0, 1)

    outliner = {"polar-connect": "segmentation", "two-stage": "segmentation"}.get(method, method)
    reports = REPORTS[method] | {outliner: spy}
    found = load(method, mosaic, (crater, rival), **reports).predict(crater)
    found.probability(found.window)
    chips = torch.cat(seen)
    assert chips.shape[1] == (5 if method == "guided" else 4)
    range_m, rivalry = 10 ** chips[:, 2], chips[:, 3]
    far = range_m.amin((1, 2)) > 400e3
    assert far.any()
    assert (range_m[far, -1].mean(1) < range_m[far, 0].mean(1)).all()
    assert rivalry.min() < 0 < rivalry.max()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", [(180.0, 5.0), (40.0, 89.9)])
def test_a_turned_planet_has_the_turned_map(
    turned_planet: Callable[..., Any],
    load: Callable[..., Method],
    method: str,
    place: tuple[float, float],
) -> None:
    """The same places, in the crater's own frame, have the same probability on the dateline and at the pole."""
    rng = np.random.default_rng(0)
    bearing, range_m = rng.uniform(0, 2 * np.pi, 3000), 0.24 * np.pi * R * np.sqrt(rng.random(3000))
    x, y = range_m * np.sin(bearing), range_m * np.cos(bearing)

    def half_bright(inputs: Tensor) -> Tensor:
        return (inputs[:, 0].mean(dim=(1, 2)) > 0).float()

    def soft(inputs: Tensor) -> Tensor:
        return (2 * inputs[:, 0] * 255).sigmoid()

    reports = {"connection": half_bright, **dict.fromkeys(list(VIEWS)[1:], soft)}
    found, tables = [], []
    for lon, lat in ((20.0, 10.0), place):
        world = turned_planet(lon, lat)
        result = load(method, world.mosaic, world.crater, **reports).predict(world.crater)
        window = result.window
        values = np.full((1, *world.mosaic.grid.shape), np.nan, np.float32)
        here = np.s_[
            0, window.row : window.row + window.height, window.col : window.col + window.width
        ]
        values[here] = result.probability(result.window)
        whole = Mosaic.from_array(
            np.nan_to_num(values), np.isfinite(values[0]), world.mosaic.grid, ("p",)
        )
        found.append(whole.sample(*azimuthal_inverse(x, y, lon, lat, R))[0][0])
        tables.append(result.connections)
    assert np.ptp(found[0]) > 0.5
    # Where a connected chip ends, so does the map: a place in its last pixel may fall on the other side.
    ends = 0.03 if method in ("two-stage", "polar-connect") else 0.0
    assert (np.abs(found[0] - found[1]) > 0.02).mean() <= ends
    if method == "two-stage":
        # A chip on the verge may fall on the other side.
        agree = tables[0]["connected"].to_numpy() == tables[1]["connected"].to_numpy()
        assert agree.all()
        assert 0.2 < tables[0]["connected"].mean() < 0.8


@pytest.mark.parametrize("method", METHODS)
def test_no_data_stays_unknown(
    make_grid: Callable[..., Grid], load: Callable[..., Method], method: str
) -> None:
    grid, crater = make_grid(128), Crater(5, "A", 20, 10, 60e3)
    valid = np.ones(grid.shape, bool)
    valid[50:60, 130:150] = False
    mosaic, _ = painted(grid, crater, valid)
    result = load(method, mosaic, crater, **REPORTS[method]).predict(crater)
    window = result.window
    known = np.isfinite(result.probability(result.window))
    hole = valid[window.row : window.row + window.height, window.col : window.col + window.width]
    assert not known[~hole].any()
    assert (~hole).sum() == 200
    assert known[hole].mean() > 0.7


@pytest.mark.parametrize(
    ("positive", "threshold", "connected", "asked"),
    [
        (5, 0.5, True, 5),
        (4, 0.5, False, 10),
        (4, 0.4, True, 4),
        (9, 1.0, False, 10),
        (0, 0.5, False, 6),
    ],
)
def test_a_chip_is_connected_by_its_share_of_the_votes(
    make_grid: Callable[..., Grid],
    load: Callable[..., Method],
    positive: int,
    threshold: float,
    connected: bool,
    asked: int,
) -> None:
    class Voters(Report):
        def vote(self, inputs: Tensor, threshold: float, batch: int) -> Vote:
            answers = [0.9] * positive + [0.2] * (10 - positive)
            voters = [lambda x, p=p: torch.full((len(x),), p) for p in answers]
            return vote(voters, inputs, threshold, batch)

    grid, crater = make_grid(64), Crater(5, "A", 20, 10, 60e3, reach=0.1)
    mosaic, _ = painted(grid, crater)
    method = load(
        "two-stage",
        mosaic,
        crater,
        f"connection.vote_threshold={threshold}",
        connection=(any_bright, 10),
        segmentation=lambda inputs: torch.ones_like(inputs[:, 0]),
    )
    method.connection = Voters(any_bright, VIEWS["connection"], 10)  # type: ignore[attr-defined]
    result = method.predict(crater)
    table = result.connections
    assert tuple(table) == CONNECTION_COLUMNS
    assert (table["crater_id"] == 5).all()
    assert table["tile"].tolist() == list(range(len(table)))
    said_yes = min(positive, asked)
    assert (table["votes"] == said_yes).all()
    assert np.allclose(table["score"], 0.2 + 0.7 * said_yes / asked)
    assert (table["connected"] == connected).all()
    assert table["distance_m"].min() == 0
    assert np.nanmax(result.probability(result.window)) == pytest.approx(float(connected))


def test_ignoring_connections_maps_every_chip(
    make_grid: Callable[..., Grid], load: Callable[..., Method]
) -> None:
    grid, crater = make_grid(128), Crater(5, "A", 20, 10, 60e3)
    mosaic, _ = painted(grid, crater)
    two = {"connection": lambda x: torch.zeros(len(x)), "segmentation": first_band}
    voted = load("two-stage", mosaic, crater, **two).predict(crater)
    assert np.nanmax(voted.probability(voted.window)) == 0
    assert len(voted.connections) > 0
    only = {"segmentation": first_band}
    whole = load("two-stage", mosaic, crater, "map.ignore_connections=true", **only).predict(crater)
    assert np.nanmax(whole.probability(whole.window)) > 0.9
    assert len(whole.connections) == 0
    plain = load("distance-only", mosaic, crater, **REPORTS["distance-only"]).predict(crater)
    assert np.array_equal(
        whole.probability(whole.window), plain.probability(plain.window), equal_nan=True
    )


def test_the_earlier_networks_see_no_more_than_they_should(
    make_grid: Callable[..., Grid], load: Callable[..., Method]
) -> None:
    grid, crater = make_grid(64), Crater(5, "A", 20, 10, 60e3, reach=0.1)
    mosaic, _ = painted(grid, crater)
    for method, channels in (("distance-only", 3), ("agnostic", 2)):
        shapes = set()

        def spy(inputs: Tensor, shapes: set[int] = shapes) -> Tensor:
            shapes.add(inputs.shape[1])
            return inputs[:, 0]

        found = load(method, mosaic, crater, **{method: spy}).predict(crater)
        found.probability(found.window)
        assert shapes == {channels}


def test_anybody_s_ejecta_go_to_the_nearest_in_radii(
    make_grid: Callable[..., Grid], load: Callable[..., Method]
) -> None:
    """Three craters: a large one, a small one inside its reach, and one whose reach ends before it matters."""
    grid = make_grid(128)
    large, small = Crater(1, "A", 0, 0, 200e3), Crater(2, "B", 20, 0, 40e3)
    short = Crater(3, "C", -20, 5, 300e3, reach=0.05)
    craters = (large, small, short)
    values = np.full((2, *grid.shape), 200, np.float32)
    mosaic = Mosaic.from_array(values, np.ones(grid.shape, bool), grid, ("a", "b"))
    everything = {"agnostic": lambda x: torch.full_like(x[:, 0], 0.8)}
    method = load("agnostic", mosaic, craters, **everything)
    whole = np.zeros((3, *grid.shape), np.float32)
    for k, crater in enumerate(craters):
        found = method.predict(crater)
        w = found.window
        whole[k, w.row : w.row + w.height, w.col : w.col + w.width] = found.probability(
            found.window
        )
        own = nearest_in_radii(crater, [c for c in craters if c != crater], grid, w)
        assert np.array_equal(
            np.nan_to_num(found.probability(found.window)) > 0.5,
            own & ~np.isnan(found.probability(found.window)),
        )
    lon, lat = grid.centres(grid.whole)
    radii = np.stack([distance(c.lon, c.lat, lon, lat, R) / c.radius_m for c in craters])
    within = np.stack([d * c.radius_m <= c.reach_m(R) for d, c in zip(radii, craters, strict=True)])
    expected = np.where(within, radii, np.inf).argmin(axis=0)
    owned = np.nan_to_num(whole) > 0.5
    assert np.array_equal(owned.any(axis=0), within.any(axis=0))
    assert np.array_equal(owned.argmax(axis=0)[within.any(axis=0)], expected[within.any(axis=0)])
    assert [int((owned[k]).sum() > 20) for k in range(3)] == [1, 1, 1]


def test_more_chips_than_a_batch(
    make_grid: Callable[..., Grid], load: Callable[..., Method], monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, crater = make_grid(128), Crater(5, "A", 20, 10, 60e3)
    mosaic, _ = painted(grid, crater)
    whole = load("two-stage", mosaic, crater, **REPORTS["two-stage"]).predict(crater)
    monkeypatch.setattr(pictures, "BATCH", 7)
    monkeypatch.setattr(two_stage, "_BATCHES", 3)
    parts = load("two-stage", mosaic, crater, **REPORTS["two-stage"]).predict(crater)
    assert np.array_equal(
        whole.probability(whole.window), parts.probability(parts.window), equal_nan=True
    )
    assert whole.connections.equals(parts.connections)


def test_the_mirrored_look_is_mirrored_back(
    make_grid: Callable[..., Grid], load: Callable[..., Method]
) -> None:
    """A network that always looks a column too far to the right is put right by its mirror image."""
    grid, crater = make_grid(256), Crater(5, "A", 20, 10, 60e3)
    mosaic, _ = painted(grid, crater)
    off = load("polar", mosaic, crater, context=lambda x: first_band(x).roll(1, -1)).predict(crater)
    straight = load("polar", mosaic, crater, context=first_band).predict(crater)
    assert (
        np.nanmax(np.abs(off.probability(off.window) - straight.probability(straight.window))) < 0.1
    )
    assert np.nansum(off.probability(off.window)) == pytest.approx(
        np.nansum(straight.probability(straight.window)), rel=0.01
    )


def test_networks_answer_on_one_thread() -> None:
    """On two the last bits differ, and with them the map."""
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(torch.get_num_threads())
            return x[:, 0]

    scaling = Normalisation((1.0,), (2.0,))
    bundle = Bundle("context", {}, {"bands": 1}, scaling, None, {}, {}, Spy())
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        answer = Ensemble((bundle, bundle)).probabilities(torch.full((3, 1, 2, 2), 1.0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1]
    assert answer.shape == (3, 2, 2, 2)
    assert (answer == 0.5).all()


@pytest.mark.parametrize("method", METHODS)
def test_without_networks_nothing_is_mapped(make_project: MakeProject, method: str) -> None:
    with pytest.raises(BundleError, match="ejectamap train"):
        load_method(make_project(f"method={method}"))


def test_a_map_is_empty_of_connections_by_default() -> None:
    window = Grid(4, 8, R, -180.0, "", None).whole  # type: ignore[arg-type]
    bare = CraterMap(Crater(1, "A", 0, 0, 1e4), window, np.zeros)
    assert tuple(bare.connections) == CONNECTION_COLUMNS
    assert len(bare.connections) == 0
