"""What the guided network learns from."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ejectamap.networks.polar_answer import FAINT, PolarAnswer
from ejectamap.project import Project
from ejectamap.project.fitting import Segmentation
from ejectamap.project.settings import Views
from ejectamap.training import guided
from ejectamap.training.guided import GuidedDataset, GuidedSource, guide_sources
from ejectamap.training.pairs import make_pairs
from ejectamap.training.sources import Source
from ejectamap.views.chip import largest_chip
from ejectamap.views.inputs import BandScaling
from ejectamap.views.polar import PolarView
from ejectamap.views.sight import chip_sight
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.world import World

VIEWS = Views(chip_px=48)


class EastIsBright:
    """Stands in for `PolarSurvey`: everything east of a crater is ejecta, surely, and nothing else is."""

    def __init__(self, _: object, mosaic: Mosaic, catalogue: object) -> None:
        self.radius_m = mosaic.grid.radius_m

    def ask(self, crater: Crater) -> PolarAnswer:
        radius_m = self.radius_m
        view = PolarView(crater, radius_m, crater.reach_m(radius_m), 64, 128)
        east = np.sin(np.radians(view.column_bearings_deg())) > 0
        return PolarAnswer(view, np.broadcast_to(0.9 * east, view.shape).astype(np.float32))


@pytest.fixture
def source(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> GuidedSource:
    world = make_world()
    whole = Source(world, make_pairs(world, 8))
    monkeypatch.setattr(guided, "PolarSurvey", EastIsBright)
    result = guided._guided(None, whole, radial_up=False)  # type: ignore[arg-type]
    dropped = [pair for pair in whole.pairs if pair not in result.pairs]
    assert 0 < len(dropped) < len(whole.pairs)
    for pair in dropped:  # neither labelled nor guessed
        chip = largest_chip(pair.crater, pair.window, world.mosaic.grid)
        assert not pair.connected
        assert chip.x_m < 0
        assert result.answers[pair.crater].largest_in(chip) <= FAINT
    return result


def test_tiles_with_labelled_or_guessed_ejecta_teach(source: GuidedSource) -> None:
    grid = source.world.mosaic.grid
    chips = [largest_chip(pair.crater, pair.window, grid) for pair in source.pairs]
    connected = np.array([pair.connected for pair in source.pairs])
    west = np.array([chip.x_m + chip.side_m / 2 < -50e3 for chip in chips])
    assert connected[west].all()
    assert west.sum() > 2
    assert (~connected).sum() > 2


def test_the_guide_is_the_last_channel(source: GuidedSource) -> None:
    data = GuidedDataset([source], VIEWS, Segmentation(), augmented=False, seed=0)
    scaling = BandScaling.for_mosaic(source.world.mosaic, "255")
    for index in (0, len(data) // 2, len(data) - 1):
        pair, inputs = source.pairs[index], data[0, index]["inputs"].numpy()
        chip = largest_chip(pair.crater, pair.window, source.world.mosaic.grid)
        seen = chip_sight(source.world.mosaic, scaling, pair.crater, 48).look(chip)
        assert inputs.shape == (4, 48, 48)
        assert np.array_equal(inputs[:-1], seen)
        x_m, _ = chip.pixel_xy(48)
        sure = np.abs(np.broadcast_to(x_m, (48, 48))) > 200e3
        east = np.broadcast_to(x_m > 0, (48, 48))
        reach_m = pair.crater.reach_m(source.world.mosaic.grid.radius_m)
        sure &= np.hypot(*np.broadcast_arrays(*chip.pixel_xy(48))) < reach_m
        assert np.allclose(inputs[-1][sure], 0.9 * east[sure])


def test_the_guide_of_a_turned_chip_is_turned_and_comes_after_the_rivals(
    source: GuidedSource,
) -> None:
    views = VIEWS.model_copy(update={"rivals": True, "radial_up": True})
    data = GuidedDataset([source], views, Segmentation(), augmented=False, seed=0)
    grid, clear = source.world.mosaic.grid, 0
    for index, pair in enumerate(source.pairs):
        inputs = data[0, index]["inputs"].numpy()
        assert inputs.shape == (5, 48, 48)
        chip = largest_chip(pair.crater, pair.window, grid, radial_up=True)
        x_m, y_m = chip.pixel_east_north(48)
        sure = (np.abs(x_m) > 200e3) & (np.hypot(x_m, y_m) < pair.crater.reach_m(grid.radius_m))
        assert np.allclose(inputs[-1][sure], 0.9 * (x_m[sure] > 0))
        clear += int(sure.any())
    assert clear > 10


def test_only_the_level_of_the_guide_is_shifted(source: GuidedSource) -> None:
    """The order of its probabilities stays, 0 stays 0; and the same draw is the same picture."""
    lit = Segmentation(augment={"contrast": 0.2, "brightness": 0.2})
    plain = GuidedDataset([source], VIEWS, lit, augmented=False, seed=0)
    data = GuidedDataset([source], VIEWS, lit, augmented=True, seed=0)
    index = int(np.argmax([picture[3].max() for picture in data.pictures]))
    kept = data.pictures[index].copy()
    tops = []
    for epoch in range(20):
        was, now = plain[epoch, index]["inputs"], data[epoch, index]["inputs"]
        assert torch.equal(now, data[epoch, index]["inputs"])
        assert torch.equal(now[2], was[2])
        assert not torch.equal(now[0], was[0])
        assert ((now[3] >= 0) & (now[3] < 1)).all()
        assert torch.equal(now[3] == 0, was[3] == 0)
        tops.append(float(now[3].max()))
    assert np.array_equal(data.pictures[index], kept)
    logits = np.log(np.array(tops) / (1 - np.array(tops)))
    assert logits.mean() == pytest.approx(np.log(9), abs=0.8)
    assert 0.5 < logits.std() < 1.5


def test_the_guide_comes_from_networks_that_have_not_seen_the_labels(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Asked:
        @staticmethod
        def load(folder: object, bands: int) -> None:
            asked.append((folder, bands))

    monkeypatch.setattr(guided, "Ensemble", Asked)
    fresh = make_project("method=guided")
    started = make_project("method=guided", "training.start_from=builtin", name="started")
    for project in (fresh, started):
        (project.models / "context" / "member-00").mkdir(parents=True)
        assert guide_sources(project, []) == []
    assert asked == [(fresh.models / "context", 3), (started.start_networks("context"), 3)]
    assert started.start_networks("context") != started.models / "context"
