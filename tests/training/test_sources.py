import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ejectamap.errors import LabelError, ProjectError
from ejectamap.project.folder import Project
from ejectamap.project.pairs import make_pairs
from ejectamap.training.sources import (
    Source,
    gather_sources,
    hold_out_craters,
    split_validation,
)
from ejectamap.world.world import World

MakeProject = Callable[..., Project]


@pytest.fixture
def sources(make_world: Callable[..., World]) -> list[Source]:
    """Two worlds of two labelled craters each."""
    world = make_world()
    return [Source(world, make_pairs(world, 8))] * 2


def craters_of(sources: Sequence[Source]) -> set[tuple[int, int]]:
    return {(k, p.crater.crater_id) for k, source in enumerate(sources) for p in source.pairs}


def pairs_of(sources: Sequence[Source]) -> set[tuple[int, int, int]]:
    return {(k, p.crater.crater_id, p.tile_id) for k, s in enumerate(sources) for p in s.pairs}


# --- a project's own


def test_test_pairs_are_not_trained_on(make_project: MakeProject) -> None:
    project = make_project("training.test_fraction=0.25")
    gathered = gather_sources(project)
    (own,) = gathered.sources
    parts = list(gathered.split.values())
    assert parts.count("test") == pytest.approx(0.25 * len(parts), abs=1)
    trained = {(p.crater.crater_id, p.tile_id) for p in own.pairs}
    assert trained == {key for key, part in gathered.split.items() if part == "train"}
    assert gathered.tile_m == pytest.approx(10 * project.mosaic.grid.pixel_m)
    assert gather_sources(Project.open(project.folder)).split == gathered.split


def test_other_projects_give_all_their_pairs(make_project: MakeProject) -> None:
    other = make_project(name="other")
    project = make_project("training.also_train_on=[../other]")
    own, others = gather_sources(project).sources
    assert len(others.pairs) == len(make_pairs(other.world, other.tile_side_px))
    assert len(own.pairs) < len(others.pairs)
    assert len(gather_sources(project).split) == len(others.pairs)


def test_other_projects_have_tiles_of_the_project_s_own_size(
    make_project: MakeProject,
) -> None:
    make_project("views.tile_km=null", name="other")
    _, others = gather_sources(make_project("training.also_train_on=[../other]")).sources
    assert {pair.window.height for pair in others.pairs} <= {9, 10, 11}


def test_a_project_without_labels_can_train_on_others(make_project: MakeProject) -> None:
    make_project(name="other")
    project = make_project("training.also_train_on=[../other]", labels=False)
    gathered = gather_sources(project)
    assert len(gathered.sources) == 1
    assert gathered.split == {}


def test_no_pairs_at_all(make_project: MakeProject) -> None:
    with pytest.raises(LabelError, match="no training data: give labels"):
        gather_sources(make_project(labels=False))


def test_another_project_that_does_not_exist(make_project: MakeProject) -> None:
    with pytest.raises(ProjectError, match="holds no project"):
        gather_sources(make_project("training.also_train_on=[../none]"))


def test_another_project_with_other_bands(
    make_project: MakeProject,
    planet_files: Path,
    tmp_path: Path,
    write_raster: Callable[..., Path],
) -> None:
    files = tmp_path / "grey"
    shutil.copytree(planet_files, files)
    mosaic = make_project(name="colour").mosaic
    write_raster(files / "mosaic.tif", mosaic.read(mosaic.grid.whole)[0][:1], mosaic.grid)
    make_project(name="grey-project", files=files)
    with pytest.raises(ProjectError, match=r"grey-project.* 1 bands.* has 3.*also_train_on"):
        gather_sources(make_project("training.also_train_on=[../grey-project]"))


def test_tiles_have_the_size_of_the_setting_of_labelled_tiles_or_of_chips(
    make_project: MakeProject, planet_files: Path, tmp_path: Path
) -> None:
    assert make_project().tile_side_px == 10
    assert make_project("views.tile_km=null", name="chips").tile_side_px == 32
    files = tmp_path / "tiled"
    shutil.copytree(planet_files, files)
    (files / "tiles.csv").write_text("tile_id,row,col,height,width\n0,9,9,14,14\n1,50,9,14,14\n")
    project = Project.create(
        tmp_path / "tiled-project",
        files / "mosaic.tif",
        files / "craters.csv",
        files / "labels",
        files / "tiles.csv",
    )
    assert project.tile_side_px == 14


# --- validation


def test_pairs_of_each_world_are_split(sources: list[Source]) -> None:
    train, validation = split_validation(sources, 0.2, seed=1)
    assert pairs_of(train).isdisjoint(pairs_of(validation))
    assert pairs_of(train) | pairs_of(validation) == pairs_of(sources)
    for source, part in zip(sources, validation, strict=True):
        assert len(part.pairs) == pytest.approx(0.2 * len(source.pairs), abs=3)


@pytest.mark.parametrize(("fraction", "count"), [(0.1, 1), (0.5, 2), (0.9, 3)])
def test_whole_craters_are_held_out(sources: list[Source], fraction: float, count: int) -> None:
    train, validation = hold_out_craters(sources, fraction, seed=0)
    assert len(craters_of(validation)) == count
    assert craters_of(train).isdisjoint(craters_of(validation))
    assert pairs_of(train) | pairs_of(validation) == pairs_of(sources)
    again = hold_out_craters(sources, fraction, seed=0)
    assert craters_of(again[1]) == craters_of(validation)
    held_out = {frozenset(craters_of(hold_out_craters(sources, fraction, s)[1])) for s in range(8)}
    assert len(held_out) > 1


def test_the_pairs_of_a_single_crater_are_split(sources: list[Source]) -> None:
    single = [sources[0].with_pairs([p for p in sources[0].pairs if p.crater.crater_id == 1])]
    train, validation = hold_out_craters(single, 0.2, seed=0)
    assert pairs_of(train).isdisjoint(pairs_of(validation))
    assert craters_of(train) == craters_of(validation) == {(0, 1)}
