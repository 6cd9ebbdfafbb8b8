"""What the presets `poster` and `release` train: inputs of the published shapes, the published networks, one epoch."""

from pathlib import Path

import numpy as np
import pytest

from ejectamap.networks.bundle import load_bundle
from ejectamap.project import Project
from ejectamap.training import train
from ejectamap.training.recipes import RECIPES
from ejectamap.training.sources import gather_sources

# Of the 256 pixels around the planet, so that a few tiles are a project.
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
def test_the_networks_see_what_was_published(
    tmp_path: Path, planet_files: Path, tiles: Path, preset: str
) -> None:
    """Corridors: three bands and the marker, 448 long and 112 wide. Chips: three bands and log10 metres, 224 square."""
    project = make(tmp_path, planet_files, tiles, preset)
    sources = gather_sources(project)
    corridor = RECIPES["connection"](project, sources).data(0).train[0, 0]
    assert corridor["inputs"].shape == (4, 112, 448)
    assert corridor["target"].shape == ()
    recipe = RECIPES["segmentation"](project, sources)
    data = recipe.data(0)
    chip = data.train[0, 0]
    assert chip["inputs"].shape == (4, 224, 224)
    assert chip["target"].shape == (224, 224)
    assert chip["metadata"].shape == (4,)
    bands, metres = chip["inputs"][:3].numpy(), chip["inputs"][3].numpy()
    assert 0 <= bands.min() <= bands.max() <= 1
    assert 3 < metres.min() < metres.max() < np.log10(np.pi * project.mosaic.grid.radius_m)
    assert np.allclose(data.normalisation.divisor, 1) == (preset == "poster")


def test_one_epoch_of_the_poster(tmp_path: Path, planet_files: Path, tiles: Path) -> None:
    """The published networks themselves, but for ImageNet weights and nine more members of the vote."""
    few = [
        f"{kind}.{c}"
        for kind in ("connection", "segmentation")
        for c in ("max_epochs=1", "pretrained=false")
    ]
    project = make(tmp_path, planet_files, tiles, "poster", "connection.members=1", *few)
    train(project)
    connection = load_bundle(project.models / "connection" / "member-00")
    segmentation = load_bundle(project.models / "segmentation" / "member-00")
    assert connection.network["architecture"] == "res2net50_26w_4s"
    assert (segmentation.network["decoder"], segmentation.network["encoder"]) == (
        "UnetPlusPlus",
        "resnet34",
    )
    assert connection.training["epochs"] == segmentation.training["epochs"] == 1
