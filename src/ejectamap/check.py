"""`ejectamap check`: whether all inputs and settings can be used, what will run, and what it will cost."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import nn

from ejectamap.errors import SettingsError
from ejectamap.mapping.cost import Cost, Speed, mapping_cost, measure_speed, shortest_run_s
from ejectamap.maps.mapped import find_maps
from ejectamap.networks.bundle import load_bundle
from ejectamap.progress import status
from ejectamap.project.bundles import bundle_folders
from ejectamap.project.folder import Project
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.project.network_state import outdated_networks
from ejectamap.project.pairs import Pair
from ejectamap.project.products import body_name
from ejectamap.project.seen import seen_before_training
from ejectamap.project.splits import leakage_of
from ejectamap.show.card import plot_crater_card
from ejectamap.training.setups import validate_training
from ejectamap.training.sources import Sources, gather_sources
from ejectamap.training.trainer import validate_device_names, validate_devices
from ejectamap.world.coverage import NEARLY_ALL, ground_share, is_outside
from ejectamap.world.mosaic import Floats
from ejectamap.world.mosaic_files import read_mosaic_header
from ejectamap.world.radius_checks import doubtful_radii
from ejectamap.world.store import is_stored, was_stored

Row = tuple[str, str]
_SMALLEST_PX = 1.5
_START_S = 15.0  # to load the program and the networks
_WRITING_S = 1e-7  # to write all files, a pixel of the craters' windows and of the globe
_GLOBE_CARDS = 7  # the picture of the planet takes as long as so many cards
_WHOLE_GLOBE = 0.8  # share with data: poles and gaps are often without
_CONVERSION_S = 14e-9  # to convert a mosaic, a byte of its store: measured, see docs/benchmarks.md
_TRAINING_OVER_FORWARD = 3  # a training step takes about three times as long as a forward pass


def check_project(project: Project, console: Console) -> None:
    """Load every input, build every network, and print what will run, what it will cost and what comes next.

    Raises
    ------
    EjectamapError
        If an input or a setting cannot be used.
    """
    validate_device_names(project.settings.training)
    _show(console, _store(project))
    _show(console, _inputs(project))
    with status("finding pairs of craters and tiles"):
        sources = gather_sources(project) if _can_train(project) else None
    tile_m = project.tile_side_m
    with status("building networks and measuring their speed"):
        networks = validate_training(project, sources or Sources((), {}, tile_m))
        _check_bundles(project)
        speeds = {kind: measure_speed(project, kind, networks[kind], tile_m) for kind in networks}
        other_s = _other_seconds(project)
    if sources is not None:
        _show(console, _pairs(project, sources))
        console.print(_training(project, sources, networks, speeds))
    # Without labels any chip may turn out to be connected.
    connected = 1.0 if sources is None else np.mean([p.connected for p in _all_pairs(sources)])
    cost = mapping_cost(project, networks, speeds, tile_m, float(connected))
    maps = find_maps(project)
    _show(console, _mapping(project, cost, other_s, maps.counted(project)))
    for note in project.input_files.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    outdated = [] if sources is None else outdated_networks(project)
    for warning in [*_warnings(project, sources, outdated), *maps.notes(project)]:
        console.print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    console.print(
        f"next: {_next(project, len(maps.current), outdated)}", markup=False, soft_wrap=True
    )


def _check_bundles(project: Project) -> None:
    """Load every network that a map would be made with; raises `BundleError`."""
    for kind in project.settings.network_configs:
        for folder in bundle_folders(project.networks_folder(kind)):
            load_bundle(folder)


def _show(console: Console, rows: Iterable[Row]) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=8)
    for name, text in rows:
        grid.add_row(name, Text(text))
    if grid.row_count:
        console.print(grid)


def _store(project: Project) -> Iterator[Row]:
    """What it takes to convert a large mosaic, from its header alone; see `world.store`."""
    header, cache = read_mosaic_header(project.mosaic_path), project.input_files.cache
    if not is_stored(header):
        return
    size = f"{header.disk_bytes / 1e9:,.1f} GB in {cache}"
    if was_stored(project.mosaic_path, cache):
        yield "store", f"the mosaic is converted: {size}, shared by all processes of a machine"
        return
    free = next(shutil.disk_usage(path).free for path in (cache, *cache.parents) if path.exists())
    seconds = header.disk_bytes * _CONVERSION_S
    yield (
        "store",
        f"the mosaic is converted first, once: about {_duration(seconds)}, {size} ({free / 1e9:,.1f} GB are free"
        " there), shared by all processes of a machine",
    )
    available = psutil.virtual_memory().available
    if available < header.disk_bytes:
        yield (
            "",
            f"larger than the {available / 1e9:,.1f} GB of memory that are free here: parts are read from the disk as"
            " they are needed, so a local disk is best",
        )


def _inputs(project: Project) -> Iterator[Row]:
    """Mosaic, craters and labels, each read here."""
    grid, mosaic = project.mosaic.grid, project.mosaic
    yield "body", f"sphere of radius {grid.radius_m:,.0f} m ({body_name(project)})"
    yield (
        "mosaic",
        f"{grid.width} x {grid.height} pixels of {grid.pixel_m:,.0f} m, {mosaic.bands} bands"
        f" ({', '.join(mosaic.band_names)}) of {mosaic.dtype},"
        f" {1 - mosaic.data_share:.1%} no-data",
    )
    radii_km = [crater.radius_m / 1000 for crater in project.craters]
    reaches = Counter(f"{crater.reach:g}" for crater in project.craters)
    yield (
        "craters",
        f"{len(radii_km)}, radius {min(radii_km):.3g} to {max(radii_km):.3g} km, reach (of pi R) "
        + ", ".join(f"{reach} ({count})" for reach, count in sorted(reaches.items())),
    )
    labels = project.labels
    if labels is None:
        yield "labels", "none"
    else:
        whole = "complete within each crater's reach"
        where = whole if labels.tiles is None else f"{len(labels.tiles)} tiles"
        yield "labels", f"{len(_labelled_ids(project))} craters with ejecta, {where}"


def _labelled_ids(project: Project) -> list[int]:
    """Ids of the craters with labelled ejecta."""
    masks = {} if project.labels is None else project.labels.masks
    return [crater_id for crater_id, (_, mask) in masks.items() if mask.any()]


def _can_train(project: Project) -> bool:
    return project.labels is not None or bool(project.settings.training.also_train_on)


def _all_pairs(sources: Sources) -> list[Pair]:
    return [pair for source in sources.sources for pair in source.pairs]


def _pairs(project: Project, sources: Sources) -> Iterator[Row]:
    pairs = _all_pairs(sources)
    connected = sum(pair.connected for pair in pairs)
    others = len(project.settings.training.also_train_on)
    yield (
        "pairs",
        f"{len(pairs)} of crater and tile to train on, {connected} of them with ejecta"
        f"{f', {others} other projects included' if others else ''}; {_held_out(sources)}",
    )
    if "test" in sources.split.values():
        yield "", str(leakage_of(project, sources.split))


def _held_out(sources: Sources) -> str:
    held = sum(part == "test" for part in sources.split.values())
    if not sources.split:
        return "no labels of its own"
    return f"{held} held out for the test" if held else "none held out: all labels are trained on"


def _training(
    project: Project,
    sources: Sources,
    networks: Mapping[str, nn.Module],
    speeds: Mapping[str, Speed],
) -> Table:
    training = project.settings.training
    limit = f"within {training.max_minutes:g} minutes" if training.max_minutes else "no time limit"
    table = Table(title=f"Training: {limit}", title_justify="left")
    for column in (
        "network",
        "architecture",
        "weights",
        "members",
        "samples",
        "epochs on one core",
    ):
        table.add_column(column, overflow="fold")
    pairs = _all_pairs(sources)
    samples = {
        "pairs": len(pairs),
        "connected pairs": sum(pair.connected for pair in pairs),
        "craters": sum(len({pair.crater for pair in s.pairs}) for s in sources.sources),
        "tiles": sum(len({pair.tile_id for pair in s.pairs}) for s in sources.sources),
    }
    for kind, network in networks.items():
        settings: Any = project.settings.network_configs[kind]
        parameters = sum(p.numel() for p in network.parameters())
        count = samples[NETWORK_KINDS[kind].training_samples]
        trained = count * (1 - training.validation_fraction)
        epoch = _duration(_TRAINING_OVER_FORWARD * trained * speeds[kind].forward_s)
        table.add_row(
            kind,
            getattr(settings, "architecture", None) or f"{settings.decoder}, {settings.encoder}",
            f"{parameters / 1e6:.1f} M",
            str(settings.members),
            str(count),
            f"up to {settings.max_epochs} of {epoch}",
        )
    return table


def _mapping(project: Project, cost: Cost, other_s: float, mapped: str) -> Iterator[Row]:
    inputs = ", ".join(f"{n} {NETWORK_KINDS[kind].pictures}" for kind, n in cost.inputs.items())
    yield "map", f"method {project.settings.method}: about {inputs}"
    memory = f"{cost.memory_bytes / 1e9:.1f} GB"
    yield (
        "",
        f"about {_duration(cost.seconds + other_s)} on this machine while nothing else runs, and {memory}",
    )
    trained = _trained(project).items()
    counts = (f"{present} of {n} {kind} networks" for kind, (present, n) in trained)
    yield "done", f"{', '.join(counts)} trained, {mapped}"


def _other_seconds(project: Project) -> float:
    """Time that a map takes beside sampling and networks: to start, to write the files, to draw the figures."""
    crater, radius_m = project.craters[len(project.craters) // 2], project.grid.radius_m

    def sample_nothing(lon: npt.ArrayLike, lat: npt.ArrayLike, spacing_m: float) -> Floats:
        return np.zeros(np.broadcast_shapes(np.shape(lon), np.shape(lat)), np.float32)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "card.png"
        card_s = shortest_run_s(
            lambda: plot_crater_card(path, project.mosaic, crater, sample_nothing, 0.5)
        )
    windows = (project.grid.cap_window(c.lon, c.lat, c.reach_m(radius_m)) for c in project.craters)
    pixels = sum(window.height * window.width for window in windows) + int(
        np.prod(project.grid.shape)
    )
    cards = len(project.craters) + _GLOBE_CARDS
    return _START_S + _WRITING_S * pixels + card_s * cards


def _trained(project: Project) -> dict[str, tuple[int, int]]:
    """How many networks of each kind there are, and how many there should be."""
    return {
        kind: (len(bundle_folders(project.models / kind)), config.members)
        for kind, config in project.settings.network_configs.items()
    }


def _warnings(project: Project, sources: Sources | None, outdated: Sequence[str]) -> Iterator[str]:
    pixel_m = project.mosaic.grid.pixel_m
    doubtful = list(doubtful_radii(project.craters, pixel_m))
    yield from (f"{project.settings.inputs.craters}: {line}" for line in doubtful)
    small = [c.name for c in project.craters if c.radius_m < _SMALLEST_PX * pixel_m]
    if small:
        yield f"radius below {_SMALLEST_PX} pixels, which can hardly be resolved: {', '.join(small)}"
    yield from _craters_near_edges(project)
    shown = project.mosaic.data_share
    if shown < _WHOLE_GLOBE and project.settings.inputs.part_of is None:
        yield (
            f"the mosaic shows {shown:.0%} of the globe, by whose values its bands are scaled: if it was cut from a"
            f" larger one, name that in inputs.part_of of {project.folder / 'project.yaml'}, so that their maps agree"
        )
    if sources is None:
        yield "no labels: the map is made with networks that were trained elsewhere"
        return
    yield from outdated
    try:
        validate_devices(project.settings.training)
    except SettingsError as error:  # the project may be trained on another machine
        yield f"ejectamap train would end with: {error}"
    yield from _seen_before(project)
    own = [source for source in sources.sources if source.world.mosaic is project.mosaic]
    used = {p.crater.crater_id for source in own for p in source.pairs if p.connected}
    unused_ids = set(_labelled_ids(project)) - used
    unused = [c.name for c in project.craters if c.crater_id in unused_ids]
    if unused:
        yield f"labelled, but without ejecta in any tile to train on: {', '.join(unused)}"


def _seen_before(project: Project) -> Iterator[str]:
    """How many labelled craters are no independent test, as the networks to start from saw them."""
    ids = set(_labelled_ids(project))
    labelled = [crater for crater in project.craters if crater.crater_id in ids]
    seen = seen_before_training(project, labelled)
    if seen:
        start = project.settings.training.start_from
        networks = "the built-in networks" if start == "builtin" else f"the networks of {start}"
        yield (
            f"{len(seen)} of the {len(labelled)} labelled craters are no independent test, because {networks}, which"
            " training starts from, were trained on them: set training.start_from to none, or use ejectamap"
            f" cross-validate {project.folder} --set training.start_from=none"
        )


def _craters_near_edges(project: Project) -> Iterator[str]:
    """Craters of which the mosaic does not show the ground within their reach, or only a part of it."""
    shares = {crater.name: ground_share(project.mosaic, crater) for crater in project.craters}
    unseen = [name for name, share in shares.items() if is_outside(share)]
    part = [
        f"{name} ({share:.0%})"
        for name, share in shares.items()
        if share < NEARLY_ALL and not is_outside(share)
    ]
    if part:
        yield f"mapped as far as the mosaic shows the ground within their reach: {', '.join(part)}"
    if unseen:
        yield f"outside the mosaic, so that nothing can be mapped: {', '.join(unseen)}"


def _next(project: Project, mapped: int, outdated: Sequence[str]) -> str:
    trained = _trained(project)
    ready = all(bundle_folders(project.networks_folder(kind)) for kind in trained)
    missing = any(present < wanted for present, wanted in trained.values())
    if _can_train(project) and (missing or outdated):
        map_directly = f", or directly ejectamap map {project.folder}" if ready else ""
        return f"ejectamap train {project.folder}{map_directly}"
    if not ready:
        return f"put trained networks into {project.models}, then ejectamap map {project.folder}"
    verb = "map" if mapped < len(project.craters) else "evaluate"
    return f"ejectamap {verb} {project.folder}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
