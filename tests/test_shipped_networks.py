"""The networks that come with the program map a simulated planet as well as they did when they were shipped.

The planet has five craters, one of them a giant with a reach of 0.5, and 5736 pixels of ejecta beyond ten crater radii;
no network was trained on its seed. The networks of November 2026 reach on it: pixel F1 0.823, recall beyond ten radii
0.708, attribution accuracy 0.996, calibration error above a probability of 0.1 0.037. The floors leave a margin of 0.07
in F1 and of 0.1 in far recall for networks of another training, and still notice each of the damages below: without
calibration the error is 0.073 (floor 0.06), with swapped axes 0.103, with noise in the weights far recall is 0.27.
Networks that fall below a floor are worse on this planet: look at their maps before a floor is lowered.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ejectamap.evaluation.pixels import evaluate
from ejectamap.maps.origin import OriginMap
from ejectamap.maps.rasters import exceeds, quantise
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_prediction import PolarPredictor
from ejectamap.simulation.planet import Planet, simulate_planet
from ejectamap.world.grid import Window

SEED, WIDTH_PX, CRATERS = 41005, 512, 5
THRESHOLD, TILE_PX = 0.3, 64
FLOORS = {"pixel F1": 0.75, "far recall": 0.6, "attribution": 0.98, "calibration": -0.06}
"""Least values; the last one is minus the calibration error."""


@pytest.fixture(scope="module")
def simulated() -> Planet:
    return simulate_planet(SEED, WIDTH_PX, CRATERS)


@pytest.fixture(scope="module")
def shipped(simulated: Planet) -> Ensemble:
    folder = Path(str(resources.files("ejectamap") / "weights" / "context"))
    return Ensemble.load(folder, simulated.mosaic.bands)


def figures(planet: Planet, networks: Ensemble) -> dict[str, float]:
    """Figures of the map that the networks make of the planet."""
    grid = planet.mosaic.grid
    predictor = PolarPredictor(networks, planet.mosaic, planet.craters)
    maps = {
        crater.crater_id: quantise(predictor.predict(crater).on_grid(grid, grid.whole))
        for crater in planet.craters
    }
    origin = OriginMap(grid, THRESHOLD)
    for crater_id, stored in maps.items():
        origin.add(crater_id, grid.whole, stored)

    def cut(values: np.ndarray, window: Window) -> np.ndarray:
        return values[window.row : window.row + window.height, grid.columns(window)]

    result = evaluate(
        planet.truth,
        planet.craters,
        lambda crater_id, window: exceeds(cut(maps[crater_id], window), THRESHOLD),
        None,
        tile_px=TILE_PX,
        stored=lambda crater_id, window: cut(maps[crater_id], window),
        origin=lambda window: cut(origin.origin, window),
    ).to_dict()["all"]
    return {
        "pixel F1": result["pixel"]["f1"],
        "far recall": result["distance"][">10"]["recall"],
        "attribution": result["owner"]["fraction"],
        "calibration": -result["calibration"]["above_a_tenth"]["ece"],
    }


def missed(reached: dict[str, float]) -> set[str]:
    """Figures below their floors."""
    return {name for name, floor in FLOORS.items() if not reached[name] >= floor}


def test_the_shipped_networks_reach_the_floors(simulated: Planet, shipped: Ensemble) -> None:
    reached = figures(simulated, shipped)
    assert not missed(reached), reached


class OtherOrder(nn.Module):
    """A network that gets its input channels in another order."""

    def __init__(self, model: nn.Module, order: Sequence[int]) -> None:
        super().__init__()
        self.model = model
        self.order = list(order)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(inputs[:, self.order])
        return logits


def without_calibration(networks: Ensemble) -> Ensemble:
    """The probabilities as the networks predict them."""
    return Ensemble(
        tuple(
            replace(b, description=b.description.model_copy(update={"calibration": None}))
            for b in networks.bundles
        )
    )


def with_swapped_axes(networks: Ensemble) -> Ensemble:
    """The first two ejecta axes swapped, as if they were sorted otherwise."""
    return Ensemble(
        tuple(
            replace(
                b,
                model=OtherOrder(b.model, [1, 0, *range(2, b.description.network["in_channels"])]),
            )
            for b in networks.bundles
        )
    )


def with_reversed_channels(networks: Ensemble) -> Ensemble:
    return Ensemble(
        tuple(
            replace(b, model=OtherOrder(b.model, range(b.description.network["in_channels"])[::-1]))
            for b in networks.bundles
        )
    )


def with_noise(networks: Ensemble) -> Ensemble:
    """Each filter with a random change of half its weights' deviation."""

    def changed(model: nn.Module) -> nn.Module:
        generator = torch.Generator().manual_seed(0)
        state = {
            name: value + 0.5 * value.std() * torch.randn(value.shape, generator=generator)
            if value.ndim == 4
            else value
            for name, value in model.state_dict().items()
        }
        copied = copy.deepcopy(model)
        copied.load_state_dict(state)
        return copied

    return Ensemble(tuple(replace(b, model=changed(b.model)) for b in networks.bundles))


DAMAGES: dict[Callable[[Ensemble], Ensemble], set[str]] = {
    without_calibration: {"calibration"},
    with_swapped_axes: {"calibration"},
    with_reversed_channels: set(FLOORS),
    with_noise: {"far recall", "calibration"},
}
"""Damages of the networks, and the floors that each of them misses at least."""


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_the_floors_notice_damaged_networks(
    simulated: Planet, shipped: Ensemble, damage: Callable[[Ensemble], Ensemble]
) -> None:
    reached = figures(simulated, damage(shipped))
    assert missed(reached) >= DAMAGES[damage], reached
