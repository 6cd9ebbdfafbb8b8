"""Families: clusters of ejecta against radius, of five to three hundred craters."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ejectamap.analysis.families import adopt_families, cluster, suggest_families, write_families
from ejectamap.errors import CraterError, ProjectError
from ejectamap.maps.crater_map import CraterMap
from ejectamap.maps.mapped import mapped_craters
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project
from ejectamap.show.families import plot_families
from ejectamap.training.sources import gather_sources


def two_groups(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radii and ejecta of craters of two kinds; the second has thirty times the ejecta for its size."""
    rng = np.random.default_rng(seed)
    second = np.arange(n) % 2 == 1
    radii = 10 ** rng.normal(1.3, 0.15, n)
    ejecta = 10 * radii**2 * 10 ** rng.normal(0, 0.12, n) * np.where(second, 30.0, 1.0)
    return radii, ejecta, second


@pytest.mark.parametrize("n", [16, 60, 300])
def test_two_kinds_are_separated(n: int) -> None:
    radii, ejecta, second = two_groups(n)
    families = np.array(cluster(radii, ejecta, seed=0))
    assert (families == np.where(second, "B", "A")).all()
    assert cluster(radii, ejecta, seed=0) == families.tolist()
    # Units do not matter, nor the order of the craters.
    assert cluster(radii * 1000, ejecta / 7, seed=0) == families.tolist()


@pytest.mark.parametrize("n", [40, 300])
def test_one_cloud_is_one_family(n: int) -> None:
    rng = np.random.default_rng(2)
    radii = 10 ** rng.normal(1.3, 0.3, n)
    ejecta = 10 * radii**2 * 10 ** rng.normal(0, 0.3, n)
    assert set(cluster(radii, ejecta, seed=0)) == {"A"}


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_few_craters(n: int) -> None:
    radii, ejecta, _ = two_groups(5)
    assert cluster(radii[:n], ejecta[:n], seed=0) == ["A"] * n


def test_craters_without_ejecta_have_no_family() -> None:
    assert cluster(np.full(5, 20.0), np.array([0.0, 3, 3, 3, 0]), 0) == ["", "A", "A", "A", ""]


@pytest.fixture
def mapped(make_project: Callable[..., Project]) -> Project:
    """A simulated planet whose map is the truth."""
    project = make_project()
    labels = project.labels
    assert labels is not None
    grid = project.mosaic.grid
    whole = [
        CraterMap(c, grid.whole, lambda strip, c=c: labels.read(c.crater_id, strip).astype("f4"))
        for c in project.craters
    ]
    import_maps(project, whole)
    return project


def test_area_of_a_simulated_planet(mapped: Project, tmp_path: Path) -> None:
    families = suggest_families(mapped)
    assert families.quantity == "area_km2"
    grid, labels = mapped.mosaic.grid, mapped.labels
    assert labels is not None
    for row in families.table.itertuples():
        rows = labels.read(row.crater_id, grid.whole).sum(axis=1)
        assert row.area_km2 == pytest.approx(float(rows @ grid.row_area_m2) / 1e6)
    write_families(mapped, families)
    again = pd.read_csv(mapped.folder / "families.csv", keep_default_na=False)
    assert again["family"].tolist() == families.table["family"].tolist()
    plot_families(tmp_path / "families.png", families)
    assert (tmp_path / "families.png").read_bytes().startswith(b"\x89PNG")


def test_connected_tiles_where_there_are_connections(mapped: Project) -> None:
    rows = [
        (c.crater_id, tile, 1e5, 0.7, 1, tile <= k)
        for k, c in enumerate(mapped.craters)
        for tile in range(9)
    ]
    columns = ["crater_id", "tile", "distance_m", "score", "votes", "connected"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_parquet(mapped.maps / "connections.parquet")
    families = suggest_families(mapped)
    assert families.quantity == "connected_tiles"
    assert families.table["connected_tiles"].tolist() == [k + 1 for k in range(len(mapped.craters))]
    # Without connections of every crater the area is used.
    table[table["crater_id"] > 0].to_parquet(mapped.maps / "connections.parquet")
    assert suggest_families(mapped).quantity == "area_km2"


def test_adopted_families_select_the_training_pairs(mapped: Project) -> None:
    families = suggest_families(mapped)
    families.table["family"] = ["A", "A", "B", "B", "B", ""]
    project = adopt_families(mapped, families)
    assert [c.family for c in project.craters] == ["A", "A", "B", "B", "B", ""]
    assert [c.radius_m for c in project.craters] == [c.radius_m for c in mapped.craters]
    assert len(mapped_craters(project)) == 6
    assert len(project.family_craters(["B"])) == 3
    training = project.settings.training.model_copy(update={"families": ("A",)})
    only_a = Project(project.folder, project.settings.model_copy(update={"training": training}))
    (source,) = gather_sources(only_a).sources
    assert {pair.crater.family for pair in source.pairs} == {"A"}
    with pytest.raises(CraterError, match=r"family 'C': .* there are A, B"):
        project.family_craters(["C"])


def test_families_need_a_map(make_project: Callable[..., Project]) -> None:
    with pytest.raises(ProjectError, match="run ejectamap map"):
        suggest_families(make_project())
