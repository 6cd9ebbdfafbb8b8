"""Presets `poster` and `release`: inputs of the published shapes, the published networks, one epoch of training."""

from pathlib import Path

import numpy as np
import pytest

from ejectamap.networks.bundle import load_bundle
from ejectamap.project.folder import Project
from ejectamap.training.run import train
from ejectamap.training.setups import training_setup
from ejectamap.training.sources import gather_sources

# Large tiles, because the planet has only 256 pixels around the equator.
LARGE_TILES = ("views.tile_km=900", "training.test_fraction=0", "training.validation_fraction=0.4")


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Two windows on the planet."""
    path = tmp_path / "tiles.csv"
    path.write_text("tile_id,row,col,height,width\n0,50,60,16,16\n1,60,130,16,16\n")
    return path


def make(folder: Path, files: Path, tiles: Path, preset: str, *changes: str) -> Project:
    return Project.create(
        folder / preset,
        files / "mosaic.tif",
        files / "craters.csv",
        files / "labels",
        tiles=tiles,
        preset=preset,
        changes=[*LARGE_TILES, *changes],
    )


@pytest.mark.parametrize("preset", ["poster", "release"])
def test_inputs_have_the_published_shapes_and_channels(
    tmp_path: Path, planet_files: Path, tiles: Path, preset: str
) -> None:
    """Corridors: three bands and the marker, 448 long and 112 wide. Chips: three bands and log10 metres, 224 square."""
    project = make(tmp_path, planet_files, tiles, preset)
    sources = gather_sources(project)
    corridor = training_setup("connection", project, sources).data(0).train[0, 0]
    assert corridor["inputs"].shape == (4, 112, 448)
    assert corridor["target"].shape == ()
    data = training_setup("segmentation", project, sources).data(0)
    chip = data.train[0, 0]
    assert chip["inputs"].shape == (4, 224, 224)
    assert chip["target"].shape == (224, 224)
    assert chip["metadata"].shape == (4,)
    bands, metres = chip["inputs"][:3].numpy(), chip["inputs"][3].numpy()
    assert 0 <= bands.min() <= bands.max() <= 1
    assert 3 < metres.min() < metres.max() < np.log10(np.pi * project.mosaic.grid.radius_m)
    assert np.allclose(data.normalisation.divisor, 1) == (preset == "poster")


def test_one_epoch_of_the_poster(tmp_path: Path, planet_files: Path, tiles: Path) -> None:
    """The published networks, but without ImageNet weights and with one connection network instead of ten."""
    few = [
        f"{kind}.{c}"
        for kind in ("connection", "segmentation")
        for c in ("max_epochs=1", "pretrained=false")
    ]
    project = make(tmp_path, planet_files, tiles, "poster", "connection.members=1", *few)
    train(project)
    connection = load_bundle(project.models / "connection" / "member-00").description
    segmentation = load_bundle(project.models / "segmentation" / "member-00").description
    assert connection.network["architecture"] == "res2net50_26w_4s"
    assert (segmentation.network["decoder"], segmentation.network["encoder"]) == (
        "UnetPlusPlus",
        "resnet34",
    )
    assert connection.training["epochs"] == segmentation.training["epochs"] == 1
