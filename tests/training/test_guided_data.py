"""Data set of the guided network: which pairs, the guide channel, and its augmentation."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ejectamap.networks.polar_prediction import GUIDE_THRESHOLD, PolarPrediction
from ejectamap.project.folder import Project
from ejectamap.project.pairs import make_pairs
from ejectamap.project.settings import ChipAugmentation, Segmentation, Views
from ejectamap.training import guided_data
from ejectamap.training.guided_data import GuidedDataset, GuidedSource, guide_sources
from ejectamap.training.sources import Source
from ejectamap.views.chip import largest_chip
from ejectamap.views.chip_sampler import chip_sampler
from ejectamap.views.polar import PolarView
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.world import World

VIEWS = Views(chip_px=48)
SETTINGS = Segmentation(scaling="255")


class EastPredictor:
    """A substitute for `PolarPredictor` that predicts 0.9 everywhere east of a crater and 0 elsewhere."""

    def __init__(self, _: object, mosaic: Mosaic, catalogue: object) -> None:
        self.radius_m = mosaic.grid.radius_m

    def predict(self, crater: Crater) -> PolarPrediction:
        radius_m = self.radius_m
        view = PolarView(crater, radius_m, crater.reach_m(radius_m), 64, 128)
        east = np.sin(np.radians(view.column_bearings_deg())) > 0
        return PolarPrediction(view, np.broadcast_to(0.9 * east, view.shape).astype(np.float32))


@pytest.fixture
def source(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> GuidedSource:
    world = make_world()
    whole = Source(world, make_pairs(world, 8))
    monkeypatch.setattr(guided_data, "PolarPredictor", EastPredictor)
    result = guided_data._add_guides(None, whole)  # type: ignore[arg-type]
    dropped = [pair for pair in whole.pairs if pair not in result.pairs]
    assert 0 < len(dropped) < len(whole.pairs)
    for pair in dropped:  # neither labelled nor predicted ejecta
        chip = largest_chip(pair.crater, pair.window, world.mosaic.grid)
        assert not pair.connected
        assert chip.x_m < 0
        assert result.guides[pair.crater].largest_in(chip) <= GUIDE_THRESHOLD
    return result


def test_pairs_with_labelled_or_predicted_ejecta_are_kept(source: GuidedSource) -> None:
    grid = source.world.mosaic.grid
    chips = [largest_chip(pair.crater, pair.window, grid) for pair in source.pairs]
    connected = np.array([pair.connected for pair in source.pairs])
    west = np.array([chip.x_m + chip.side_m / 2 < -50e3 for chip in chips])
    assert connected[west].all()
    assert west.sum() > 2
    assert (~connected).sum() > 2


def test_the_guide_is_the_last_channel(source: GuidedSource) -> None:
    data = GuidedDataset([source], VIEWS, SETTINGS, augmented=False, seed=0)
    scaling = ChannelScaling.of_bands(source.world.mosaic, "255")
    for index in (0, len(data) // 2, len(data) - 1):
        pair, inputs = source.pairs[index], data[0, index]["inputs"].numpy()
        chip = largest_chip(pair.crater, pair.window, source.world.mosaic.grid)
        expected = chip_sampler(source.world.mosaic, scaling, pair.crater, 48).read(chip)
        assert inputs.shape == (4, 48, 48)
        assert np.array_equal(inputs[:-1], expected)
        x_m, _ = chip.pixel_xy(48)
        compared = np.abs(np.broadcast_to(x_m, (48, 48))) > 200e3
        east = np.broadcast_to(x_m > 0, (48, 48))
        reach_m = pair.crater.reach_m(source.world.mosaic.grid.radius_m)
        compared &= np.hypot(*np.broadcast_arrays(*chip.pixel_xy(48))) < reach_m
        assert np.allclose(inputs[-1][compared], 0.9 * east[compared])


def test_augmentation_shifts_only_the_level_of_the_guide(source: GuidedSource) -> None:
    """The order of its probabilities is kept, and 0 stays 0. The same key gives the same picture."""
    augmentation = ChipAugmentation(flips=False, quarter_turns=False, contrast=0.2, brightness=0.2)
    settings = Segmentation(scaling="255", augment=augmentation)
    plain = GuidedDataset([source], VIEWS, settings, augmented=False, seed=0)
    data = GuidedDataset([source], VIEWS, settings, augmented=True, seed=0)
    index = int(np.argmax([array[3].max() for array in data.arrays]))
    before = data.arrays[index].copy()
    largest = []
    for epoch in range(20):
        original, augmented = plain[epoch, index]["inputs"], data[epoch, index]["inputs"]
        assert torch.equal(augmented, data[epoch, index]["inputs"])
        assert torch.equal(augmented[2], original[2])
        assert not torch.equal(augmented[0], original[0])
        assert ((augmented[3] >= 0) & (augmented[3] < 1)).all()
        assert torch.equal(augmented[3] == 0, original[3] == 0)
        largest.append(float(augmented[3].max()))
    assert np.array_equal(data.arrays[index], before)
    log_odds = np.log(np.array(largest) / (1 - np.array(largest)))
    assert log_odds.mean() == pytest.approx(np.log(9), abs=0.8)
    assert 0.5 < log_odds.std() < 1.5


def test_the_guide_is_predicted_by_the_networks_that_training_starts_from(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    class FakeEnsemble:
        @staticmethod
        def load(folder: object, bands: int) -> None:
            loaded.append((folder, bands))

    monkeypatch.setattr(guided_data, "Ensemble", FakeEnsemble)
    fresh = make_project("method=guided")
    started = make_project("method=guided", "training.start_from=builtin", name="started")
    for project in (fresh, started):
        (project.models / "context" / "member-00").mkdir(parents=True)
        assert guide_sources(project, []) == []
    assert loaded == [(fresh.models / "context", 3), (started.start_networks("context"), 3)]
    assert started.start_networks("context") != started.models / "context"
