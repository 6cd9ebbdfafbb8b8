"""Suggested tiles are where the map is uncertain, are not labelled yet, and belong to different craters."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from ejectamap import suggest
from ejectamap.errors import ProjectError
from ejectamap.interop.qgis import export_qgis
from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project
from ejectamap.suggest import (
    COLUMNS,
    NAME,
    disagreement_bits,
    entropy_bits,
    suggest_tiles,
)
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.label_files import load_tiles
from ejectamap.world.sphere import distance

IDS = (0, 1, 2)
LABELLED = 1


def uncertain_map(project: Project, k: int, probability: float) -> CraterMap:
    """A map with a given probability within 400 km of a crater, and 0 elsewhere."""
    crater, grid = project.craters[k], project.mosaic.grid
    lon, lat = grid.centres(grid.whole)
    near = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) < 4e5
    return CraterMap(crater, grid.whole, in_memory(grid.whole, np.float32(probability) * near))


@pytest.fixture
def make(tmp_path: Path, planet_files: Path) -> Callable[..., Project]:
    """A project with three mapped craters, one of them labelled, in some tiles or everywhere."""

    def build(*probabilities: float, tiles: str | None = None) -> Project:
        table = pd.read_csv(planet_files / "craters.csv").head(len(IDS))
        table.to_csv(tmp_path / "craters.csv", index=False)
        labels = tmp_path / "labels"
        labels.mkdir(exist_ok=True)
        name = f"mask_crater_{LABELLED}.tif"
        (labels / name).write_bytes((planet_files / "labels" / name).read_bytes())
        given_tiles = None
        if tiles is not None:
            given_tiles = tmp_path / "tiles.csv"
            given_tiles.write_text(f"tile_id,row,col,height,width\n{tiles}")
        inputs = planet_files / "mosaic.tif", tmp_path / "craters.csv", labels, given_tiles
        changes = ["views.tile_km=900"]
        made = Project.create(
            tmp_path / f"p{len(list(tmp_path.iterdir()))}", *inputs, changes=changes
        )
        import_maps(
            made,
            [
                uncertain_map(made, k, probability)
                for k, probability in zip(IDS, probabilities, strict=True)
            ],
        )
        return made

    return build


def windows(table: pd.DataFrame) -> list[Window]:
    places = table[["row", "col", "height", "width"]].itertuples(index=False)
    return [Window(*map(int, place)) for place in places]


def test_refuses_without_a_map(make_project: Callable[..., Project]) -> None:
    with pytest.raises(ProjectError, match="ejectamap map"):
        suggest_tiles(make_project(labels=False), 5)


def test_suggests_where_the_map_is_uncertain(make: Callable[..., Project]) -> None:
    project = make(0.5, 0.5, 0.1)
    grid = project.mosaic.grid
    table = suggest_tiles(project, 100)
    assert tuple(table.columns) == COLUMNS
    assert (table["score"].diff().dropna() <= 1e-12).all()
    # Crater 1 is labelled within its whole reach; all uncertain tiles of the others are suggested.
    assert set(" ".join(table["crater_ids"]).split()) == {"0", "2"}
    uncertain = uncertain_map(project, 0, 0.5).probability(grid.whole) > 0
    for window in windows(table[table["crater_ids"].str.split().str[0] == "0"]):
        assert uncertain[window.row : window.row + window.height, grid.columns(window)].any()
    assert table["reason"][0].startswith(f"unsure of {project.craters[0].name}")
    assert table["reason"][0].endswith("no labels of this crater yet")


def test_labelled_ground_is_not_suggested(make: Callable[..., Project]) -> None:
    free = make(0.5, 0.5, 0.5)
    best = windows(suggest_tiles(free, 1))[0]
    project = make(0.5, 0.5, 0.5, tiles=f"7,{best.row},{best.col},{best.height},{best.width}\n")
    table = suggest_tiles(project, 100)
    assert best not in windows(table)
    assert list(table["tile_id"]) == list(range(8, 8 + len(table)))
    # With tiles the labelled crater has open ground too.
    assert "1" in " ".join(table["crater_ids"]).split()


def test_craters_and_distances_with_few_labels_come_first(make: Callable[..., Project]) -> None:
    project = make(0.5, 0.5, 0.5, tiles="0,0,0,4,4\n")
    craters = project.craters
    near = int(project.mosaic.grid.to_pixel(craters[1].lon, craters[1].lat)[1])
    project = make(0.5, 0.5, 0.5, tiles=f"0,{max(near - 30, 0)},0,4,256\n")
    order = [ids.split()[0] for ids in suggest_tiles(project, 3)["crater_ids"]]
    assert order[0] != str(LABELLED)
    assert len(set(order)) > 1


def test_the_file_is_a_table_of_tiles_and_a_layer(
    make: Callable[..., Project], tmp_path: Path
) -> None:
    project = make(0.5, 0.5, 0.3)
    table = suggest_tiles(project, 4)
    written = (project.folder / NAME).read_bytes()
    tiles = load_tiles(project.folder / NAME, project.mosaic.grid)
    assert [tile.window for tile in tiles] == windows(table)
    assert suggest_tiles(project, 4).equals(table)
    assert (project.folder / NAME).read_bytes() == written
    export_qgis(project, tmp_path / "map.gpkg")
    layer = gpd.read_file(tmp_path / "map.gpkg", layer="suggestions")
    assert list(layer["tile_id"]) == list(table["tile_id"])
    assert layer.geometry.area.min() > 0


def test_a_certain_map_gives_no_suggestions(make: Callable[..., Project]) -> None:
    project = make(0.0, 0.0, 0.0)
    assert len(suggest_tiles(project, 5)) == 0
    assert (project.folder / NAME).read_text() == ",".join(COLUMNS) + "\n"


def test_entropy() -> None:
    assert entropy_bits(np.array([125], np.uint8)) == pytest.approx(1.0)
    assert entropy_bits(np.array([0, 250, 255], np.uint8)) == 0.0
    assert entropy_bits(np.array([255], np.uint8)) == 0.0
    assert entropy_bits(np.array([125, 0, 255, 250, 125], np.uint8)) == pytest.approx(0.5)


def test_disagreement() -> None:
    yes, no, half = (np.array([value], np.uint8) for value in (250, 0, 125))
    assert disagreement_bits([yes, no]) == pytest.approx(1.0)
    assert disagreement_bits([half, half]) == pytest.approx(0.0)
    assert disagreement_bits([yes, yes]) == pytest.approx(0.0)
    # One is certain, the other is not: H(3/4) - H(1/2) / 2.
    assert disagreement_bits([yes, half]) == pytest.approx(0.3113, abs=1e-4)
    assert disagreement_bits([yes, np.array([255], np.uint8)]) == 0.0


class ConstantMethod:
    """A method of one network that maps a given probability within 400 km of each crater."""

    def __init__(self, project: Project, probabilities: dict[int, float]) -> None:
        self.project, self.probabilities = project, probabilities

    def predict(self, crater: Crater) -> CraterMap:
        probability = self.probabilities[crater.crater_id]
        return uncertain_map(self.project, IDS.index(crater.crater_id), probability)


def test_disagreement_counts_and_shared_uncertainty_does_not(
    make: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make(0.5, 0.5, 0.5)
    methods = [
        ConstantMethod(project, {0: 1.0, 2: 0.5}),
        ConstantMethod(project, {0: 0.0, 2: 0.5}),
    ]
    monkeypatch.setattr(suggest, "load_method", lambda _: None)
    monkeypatch.setattr(suggest, "single_network_methods", lambda _: methods)
    assert set(" ".join(suggest_tiles(project, 100)["crater_ids"]).split()) == {"0", "2"}
    # The same maps, taken as made by the project's own networks.
    monkeypatch.setattr(suggest, "is_imported", lambda *_: False)
    table = suggest_tiles(project, 100)
    assert set(table["crater_ids"]) == {"0"}
    assert table["reason"][0].startswith(f"networks disagree on {project.craters[0].name}")
