"""Estimate time and memory of mapping a project on this machine from one batch through each network, trained or not."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from ejectamap.mapping.batches import BATCH
from ejectamap.maps.origin import LARGEST_IN_MEMORY
from ejectamap.networks.ensemble import one_thread
from ejectamap.project.bundle_views import ChipViews
from ejectamap.project.folder import Project
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.views.chip import Chip
from ejectamap.views.chip_sampler import chip_sampler, corridor_sampler
from ejectamap.views.inputs import crater_metadata, polar_input, polar_scaling
from ejectamap.views.polar import PolarView, polar_size
from ejectamap.views.scaling import ChannelScaling
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import azimuthal_inverse

_LEAST_S = 0.5
_ORIGIN_BYTES = 3  # of the origin map, per pixel of the whole grid
_STRIP_BYTES = 300e6  # strips being processed, and the compressed rasters


@dataclass(frozen=True)
class Speed:
    """Cost of one input of one kind of network.

    Attributes
    ----------
    sampling_s : float
        Seconds to sample it from the mosaic.
    forward_s : float
        Seconds in one network.
    forward_bytes : float
        Memory that one network takes for it.
    """

    sampling_s: float
    forward_s: float
    forward_bytes: float


@dataclass(frozen=True)
class Cost:
    """Estimated cost of mapping all craters.

    Attributes
    ----------
    inputs : mapping of str to int
        Number of inputs of each kind of network.
    seconds : float
    memory_bytes : float
        Peak of this process's own memory, a mosaic that is held in it included.
    """

    inputs: Mapping[str, int]
    seconds: float
    memory_bytes: float


def measure_speed(project: Project, kind: str, network: nn.Module, tile_m: float) -> Speed:
    """Sample a few inputs of a typical crater and run a network on them.

    Parameters
    ----------
    project : Project
    kind : str
        One of `NETWORK_KINDS`.
    network : nn.Module
        Trained or not.
    tile_m : float
        Side of a chip on the ground, in metres.
    """
    inputs = sample_inputs(project, kind, tile_m)
    count = len(inputs[0])
    sampling_s = shortest_run_s(lambda: sample_inputs(project, kind, tile_m))
    with torch.inference_mode(), one_thread():
        network.eval()
        with _track_memory(network) as peak:
            network(*inputs)
        forward_s = shortest_run_s(lambda: network(*inputs))
    return Speed(sampling_s / count, forward_s / count, peak[0] / count)


def sample_inputs(project: Project, kind: str, tile_m: float, count: int = 4) -> tuple[Tensor, ...]:
    """A few inputs of a kind of network for a typical crater: a batch of pictures and, for some kinds, of metadata.

    Parameters
    ----------
    project : Project
    kind : str
        One of `NETWORK_KINDS`.
    tile_m : float
        Side of a chip on the ground, in metres.
    count : int
        How many; of a polar view there are always two.
    """
    crater = sorted(project.craters, key=lambda c: c.reach)[len(project.craters) // 2]
    description = NETWORK_KINDS[kind]
    if description.mapping_inputs == "craters":
        return (_polar_inputs(project, crater),)
    chips = _chip_grid(project, crater, tile_m)
    some = [chips.chip(int(k)) for k in np.linspace(0, len(chips) - 1, count)]
    if description.views is ChipViews:
        return _chip_inputs(project, kind, crater, some)
    mosaic, size_px = project.mosaic, project.settings.views.corridor_px
    scaling = ChannelScaling.of_bands(mosaic, project.settings.connection.scaling)
    sampler = corridor_sampler(mosaic, scaling, crater, size_px)
    return (torch.from_numpy(np.stack([sampler.read(chip) for chip in some])),)


def mapping_cost(
    project: Project,
    networks: Mapping[str, nn.Module],
    speeds: Mapping[str, Speed],
    tile_m: float,
    connected: float,
) -> Cost:
    """Extrapolate to all craters of a project.

    Parameters
    ----------
    project : Project
    networks : mapping of str to nn.Module
        One network of each kind that the method needs.
    speeds : mapping of str to Speed
    tile_m : float
    connected : float
        Fraction of the chips that will be found connected.
    """
    chips = np.array([len(_chip_grid(project, crater, tile_m)) for crater in project.craters])
    polar_px = project.settings.views.polar_px
    polar_cells = np.array([np.prod(polar_size(c.reach, *polar_px)) for c in project.craters])
    inputs_of = {
        "chips": chips.astype(float),
        # Without another kind of network that connects chips every one is outlined.
        "connected chips": chips * (connected if len(networks) > 1 else 1.0),
        # The view and its mirror image; a larger reach makes a larger picture.
        "craters": 2.0 * polar_cells / np.prod(polar_size(0.25, *polar_px)),
    }
    per_crater = {kind: inputs_of[NETWORK_KINDS[kind].mapping_inputs] for kind in networks}
    members = {kind: project.settings.network_configs[kind].members for kind in networks}
    seconds = sum(
        per_crater[kind].sum() * (speed.sampling_s + members[kind] * speed.forward_s)
        for kind, speed in speeds.items()
    )
    batches = (min(BATCH, per_crater[k].max()) * s.forward_bytes for k, s in speeds.items())
    weights = sum(members[kind] * _bytes(network) for kind, network in networks.items())
    held = _STRIP_BYTES
    for kind in (k for k in networks if NETWORK_KINDS[k].views is ChipViews):
        outlined = per_crater[kind] / np.maximum(chips, 1)
        touching = [_chips_in_a_strip(project, crater, tile_m) for crater in project.craters]
        # Twice: while the array of chips grows, the old one and the new one are in memory.
        held += 8.0 * float((touching * outlined).max()) * project.settings.views.chip_px**2
    held += min(_ORIGIN_BYTES * float(np.prod(project.mosaic.grid.shape)), LARGEST_IN_MEMORY)
    memory = _own_memory() + weights + max(batches) + held
    inputs = {kind: round(per_crater[kind].sum()) for kind in networks}
    return Cost(inputs, float(seconds), float(memory))


def _chip_inputs(
    project: Project, kind: str, crater: Crater, chips: list[Chip]
) -> tuple[Tensor, ...]:
    """Chips with the channels of a kind, the guide empty (its interpolation takes little time), and metadata."""
    mosaic, views = project.mosaic, project.settings.views
    description = NETWORK_KINDS[kind]
    scaling = ChannelScaling.of_bands(mosaic, project.settings.segmentation.scaling)
    sampler = chip_sampler(mosaic, scaling, crater, views.chip_px, description.channels)
    if "guide" in description.channels:
        sampler = sampler.with_channel(lambda _, out: out.fill(0))
    pictures = torch.from_numpy(np.stack([sampler.read(chip) for chip in chips]))
    if not description.metadata:
        return (pictures,)
    metadata = torch.from_numpy(crater_metadata(mosaic, scaling, crater, views.annulus_radii))
    return pictures, metadata.expand(len(chips), -1)


def _polar_inputs(project: Project, crater: Crater) -> Tensor:
    """A polar view, of the size for a reach of 0.25, to which `mapping_cost` refers, and its mirror image."""
    mosaic, views = project.mosaic, project.settings.views
    radius_m = mosaic.grid.radius_m
    size = polar_size(0.25, *views.polar_px)
    view = PolarView(crater, radius_m, crater.reach_m(radius_m), *size, power=views.polar_power)
    scaling = polar_scaling(mosaic, project.craters, project.settings.context.scaling)
    picture = torch.from_numpy(polar_input(mosaic, scaling, view, project.craters))
    return torch.stack([picture, picture.flip(-1)])


def _chip_grid(project: Project, crater: Crater, tile_m: float) -> ChipGrid:
    radius_m = project.mosaic.grid.radius_m
    return ChipGrid.of_crater(crater, radius_m, tile_m, project.settings.views.overlap)


def _chips_in_a_strip(project: Project, crater: Crater, tile_m: float) -> int:
    """Most of a crater's chips that touch one strip of its map, and are in memory together."""
    grid = project.mosaic.grid
    chips = _chip_grid(project, crater, tile_m)
    x, y = chips.cells.T * chips.stride_m
    lat = np.sort(azimuthal_inverse(x, y, crater.lon, crater.lat, grid.radius_m).lat)
    window = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
    strip = next(iter(grid.strips(window)))
    height_m = strip.height * grid.pixel_m + np.sqrt(2) * chips.side_m
    ends = np.searchsorted(lat, lat + np.degrees(height_m / grid.radius_m), side="right")
    return int((ends - np.arange(len(lat))).max())


def shortest_run_s(work: Callable[[], object]) -> float:
    """Shortest of a few runs, in seconds, as if nothing else ran on the machine."""
    runs: list[float] = []
    while len(runs) < 2 or sum(runs) < _LEAST_S:
        clocks = (time.perf_counter, time.process_time)
        started = [clock() for clock in clocks]
        work()
        # Of two numbers: the first is too large while other programs run, the second where several cores work.
        runs.append(min(clock() - start for clock, start in zip(clocks, started, strict=True)))
    return max(min(runs), 1e-6)


def _own_memory() -> int:
    """Bytes of this process's memory that it shares with no file, as a stored mosaic is one."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def _bytes(network: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in network.parameters())


@contextmanager
def _track_memory(network: nn.Module) -> Iterator[list[float]]:
    """Yield a list whose one number becomes the largest growth of the process's memory, measured after every layer."""
    process = psutil.Process()
    before = process.memory_info().rss
    peak = [0.0]

    def measure(*_: object) -> None:
        peak[0] = max(peak[0], process.memory_info().rss - before)

    handles = [layer.register_forward_hook(measure) for layer in network.modules()]
    try:
        yield peak
    finally:
        for handle in handles:
            handle.remove()
