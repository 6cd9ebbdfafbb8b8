import numpy as np
import pandas as pd
import pytest
import rasterio

from ejectamap.errors import OutputError
from ejectamap.simulation.files import write_planet
from ejectamap.simulation.planet import simulate_planet
from ejectamap.simulation.tiles import choose_tiles
from ejectamap.world.craters import Crater
from ejectamap.world.label_files import load_labels
from ejectamap.world.mosaic import Mosaic


@pytest.fixture(scope="module")
def planet():
    return simulate_planet(7, 384, 10)


def test_what_is_written_is_read_back(planet, tmp_path):
    tiles = choose_tiles(planet, 6, 24, 0)
    write_planet(planet, tmp_path, tiles)
    mosaic = Mosaic.open(tmp_path / "mosaic.tif")
    assert mosaic.band_names == planet.mosaic.band_names
    assert mosaic.grid.radius_m == planet.mosaic.grid.radius_m
    assert np.array_equal(mosaic.levels[0], planet.mosaic.levels[0])
    assert np.array_equal(mosaic.masks[0], planet.mosaic.masks[0])

    table = pd.read_csv(tmp_path / "craters.csv")
    columns = ["crater_id", "name", "lon", "lat", "radius_m", "reach"]
    craters = tuple(Crater(**row) for row in table[columns].to_dict("records"))
    assert craters == planet.craters

    labels = load_labels(tmp_path / "labels", mosaic.grid, craters, tmp_path / "tiles.csv")
    assert labels.tiles == tiles
    for crater_id in planet.truth.masks:
        whole = mosaic.grid.whole
        assert np.array_equal(labels.read(crater_id, whole), planet.truth.read(crater_id, whole))


def test_mosaic_file_declares_itself(planet, tmp_path):
    write_planet(planet, tmp_path)
    with rasterio.open(tmp_path / "mosaic.tif") as source:
        assert source.nodata == 0
        assert source.profile["compress"] == "deflate"
        assert source.profile["tiled"]
        assert source.crs is not None
    assert not (tmp_path / "tiles.csv").exists()


def test_tiles_do_not_overlap_and_are_of_every_kind(planet):
    tiles = choose_tiles(planet, 20, 24, 1)
    assert len(tiles) == 20
    assert [tile.tile_id for tile in tiles] == list(range(20))
    covered = np.zeros(planet.mosaic.grid.shape, int)
    columns = planet.mosaic.grid.columns
    for tile in tiles:
        window = tile.window
        rows = np.arange(window.row, window.row + window.height)
        covered[np.ix_(rows, columns(window))] += 1
    assert covered.max() == 1
    with_ejecta = [planet.truth.any_ejecta(tile.window).any() for tile in tiles]
    assert 10 <= sum(with_ejecta) <= 17
    assert choose_tiles(planet, 20, 24, 1) == tiles
    assert choose_tiles(planet, 20, 24, 2) != tiles


def test_a_small_planet_gives_fewer_tiles(planet):
    assert 0 < len(choose_tiles(planet, 100, 96, 0)) < 100


def test_a_folder_with_files_is_left_alone(planet, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty: choose another folder"):
        write_planet(planet, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failure_leaves_nothing(planet, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("csv.writer", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_planet(planet, tmp_path / "planet")
    assert not any(tmp_path.iterdir())
