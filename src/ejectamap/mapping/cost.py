"""What mapping a project will take on this machine, measured by one batch through each network, trained or not."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from ejectamap.mapping.methods import BATCH
from ejectamap.networks.ensemble import one_thread
from ejectamap.project import Project
from ejectamap.views.chip import Chip
from ejectamap.views.inputs import (
    BandScaling,
    crater_metadata,
    polar_input,
    polar_scaling,
)
from ejectamap.views.polar import PolarView, polar_size
from ejectamap.views.sight import chip_sight, corridor_sight
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater

_ENOUGH_S = 0.5
_ORIGIN_BYTES = 3  # of the origin map, a pixel of the whole grid
_STRIP_BYTES = 300e6  # strips at work, and the compressed rasters


@dataclass(frozen=True)
class Speed:
    """What one picture costs one kind of network.

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
    """What mapping all craters will take.

    Attributes
    ----------
    pictures : mapping of str to int
        How many pictures each kind of network will look at.
    seconds : float
    memory_bytes : float
        The most at any time, this process and the mosaic included.
    """

    pictures: Mapping[str, int]
    seconds: float
    memory_bytes: float


def measure_speed(project: Project, kind: str, network: nn.Module, tile_m: float) -> Speed:
    """Sample a few pictures of a typical crater and send them through a network.

    Parameters
    ----------
    project : Project
    kind : str
        "connection", "segmentation", "context", "guided", "distance-only" or "agnostic".
    network : nn.Module
        Trained or not.
    tile_m : float
        Side of a chip on the ground, in metres.
    """
    inputs = sample_inputs(project, kind, tile_m)
    count = len(inputs[0])
    sampling_s = _quickest(lambda: sample_inputs(project, kind, tile_m))
    with torch.inference_mode(), one_thread():
        network.eval()
        with _watch_memory(network) as most:
            network(*inputs)
        forward_s = _quickest(lambda: network(*inputs))
    return Speed(sampling_s / count, forward_s / count, most[0] / count)


def sample_inputs(project: Project, kind: str, tile_m: float, count: int = 4) -> tuple[Tensor, ...]:
    """A few of the pictures that networks of a kind will see of a typical crater, and what they are told about it.

    Parameters
    ----------
    project : Project
    kind : str
        "connection", "segmentation", "context", "guided", "distance-only" or "agnostic".
    tile_m : float
        Side of a chip on the ground, in metres.
    count : int
        How many pictures; of a polar view there are always two.
    """
    crater = sorted(project.craters, key=lambda c: c.reach)[len(project.craters) // 2]
    return _LOOKS[kind](project, crater, tile_m, count)


def _quickest(work: Callable[[], object]) -> float:
    """Shortest of a few runs, in seconds: the others waited for another program."""
    runs: list[float] = []
    while len(runs) < 2 or sum(runs) < _ENOUGH_S:
        started = time.perf_counter()
        work()
        runs.append(time.perf_counter() - started)
    return min(runs)


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
        Share of the chips that will be found connected.
    """
    chips = [len(_chip_grid(project, crater, tile_m)) for crater in project.craters]
    polar_px = project.settings.views.polar_px
    rounds = [np.prod(polar_size(c.reach, *polar_px)) for c in project.craters]
    per_crater = {
        "connection": np.array(chips, float),
        # On its own it outlines every chip.
        "segmentation": np.array(chips) * (connected if len(networks) > 1 else 1.0),
        "guided": np.array(chips) * connected,
        "distance-only": np.array(chips, float),
        "agnostic": np.array(chips, float),
        # The view and its mirror image; a far reach makes a larger picture.
        "context": 2.0 * np.array(rounds) / np.prod(polar_size(0.25, *polar_px)),
    }
    members = {kind: project.settings.fittings[kind].members for kind in networks}
    seconds = sum(
        per_crater[kind].sum() * (speed.sampling_s + members[kind] * speed.forward_s)
        for kind, speed in speeds.items()
    )
    batches = (min(BATCH, per_crater[k].max()) * s.forward_bytes for k, s in speeds.items())
    weights = sum(members[kind] * _bytes(network) for kind, network in networks.items())
    answers = [per_crater[k] for k in networks if k not in ("connection", "context")]
    largest = sum(answers, np.zeros(len(chips))).max()
    held = 4.0 * largest * project.settings.views.chip_px**2 + _STRIP_BYTES
    held += _ORIGIN_BYTES * float(np.prod(project.mosaic.grid.shape))
    memory = psutil.Process().memory_info().rss + weights + max(batches) + held
    pictures = {kind: round(per_crater[kind].sum()) for kind in networks}
    return Cost(pictures, float(seconds), float(memory))


def _bytes(network: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in network.parameters())


@contextmanager
def _watch_memory(network: nn.Module) -> Iterator[list[float]]:
    """Yield a list whose one number becomes the most memory that the process took on, looked at after every layer."""
    process = psutil.Process()
    before = process.memory_info().rss
    most = [0.0]

    def look(*_: object) -> None:
        most[0] = max(most[0], process.memory_info().rss - before)

    handles = [layer.register_forward_hook(look) for layer in network.modules()]
    try:
        yield most
    finally:
        for handle in handles:
            handle.remove()


def _corridors(project: Project, crater: Crater, tile_m: float, count: int) -> tuple[Tensor, ...]:
    mosaic, size_px = project.mosaic, project.settings.views.corridor_px
    chips = _some_chips(project, crater, tile_m, count)
    scaling = BandScaling.for_mosaic(mosaic, project.settings.connection.scaling)
    sight = corridor_sight(mosaic, scaling, crater, size_px)
    pictures = [sight.look(chip) for chip in chips]
    return (torch.from_numpy(np.stack(pictures)),)


def _chips(project: Project, crater: Crater, tile_m: float, count: int) -> tuple[Tensor, ...]:
    mosaic, views = project.mosaic, project.settings.chip_views
    chips = _some_chips(project, crater, tile_m, count)
    scaling = BandScaling.for_mosaic(mosaic, project.settings.segmentation.scaling)
    rivals = project.craters if views.rivals else None
    how = (views.chip_px, views.distance, views.log_distance, rivals)
    sight = chip_sight(mosaic, scaling, crater, *how)
    pictures = [sight.look(chip) for chip in chips]
    about = torch.from_numpy(crater_metadata(mosaic, scaling, crater, views.annulus_radii))
    return torch.from_numpy(np.stack(pictures)), about.expand(count, -1)


def _guided_chips(
    project: Project, crater: Crater, tile_m: float, count: int
) -> tuple[Tensor, ...]:
    """Chips with an empty guide: to look one up takes no time beside sampling."""
    pictures, about = _chips(project, crater, tile_m, count)
    return torch.cat([pictures, torch.zeros_like(pictures[:, :1])], 1), about


def _bare_chips(project: Project, crater: Crater, tile_m: float, count: int) -> tuple[Tensor, ...]:
    """Chips with their distance, and nothing about the crater."""
    return _chips(project, crater, tile_m, count)[:1]


def _bands_of_chips(
    project: Project, crater: Crater, tile_m: float, count: int
) -> tuple[Tensor, ...]:
    return (_chips(project, crater, tile_m, count)[0][:, :-1],)


def _polar_views(project: Project, crater: Crater, tile_m: float, count: int) -> tuple[Tensor, ...]:
    mosaic, views = project.mosaic, project.settings.views
    radius_m = mosaic.grid.radius_m
    size = polar_size(0.25, *views.polar_px)
    view = PolarView(crater, radius_m, crater.reach_m(radius_m), *size, power=views.polar_power)
    scaling = polar_scaling(mosaic, project.craters, project.settings.context.scaling)
    picture = torch.from_numpy(polar_input(mosaic, scaling, view, project.craters))
    return (torch.stack([picture, picture.flip(-1)]),)


def _some_chips(project: Project, crater: Crater, tile_m: float, count: int) -> list[Chip]:
    """Chips from all over a crater's reach."""
    chips = _chip_grid(project, crater, tile_m)
    return [chips.chip(int(k)) for k in np.linspace(0, len(chips) - 1, count)]


def _chip_grid(project: Project, crater: Crater, tile_m: float) -> ChipGrid:
    views, reach_m = project.settings.chip_views, crater.reach_m(project.mosaic.grid.radius_m)
    return ChipGrid.around(reach_m, tile_m, views.overlap, views.radial_up)


_LOOKS: Mapping[str, Callable[[Project, Crater, float, int], tuple[Tensor, ...]]] = {
    "connection": _corridors,
    "segmentation": _chips,
    "context": _polar_views,
    "guided": _guided_chips,
    "distance-only": _bare_chips,
    "agnostic": _bands_of_chips,
}
