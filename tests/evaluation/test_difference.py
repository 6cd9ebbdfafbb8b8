"""Two maps of one planet beside each other: agreement, figures and their intervals, on whatever was kept."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from ejectamap.errors import ProjectError
from ejectamap.evaluation.difference import Difference, compare_maps, write_difference
from ejectamap.evaluation.difference_tables import difference_tables
from ejectamap.evaluation.run import evaluate_project
from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.maps.reader import MapReader
from ejectamap.maps.runs import keep_as
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project
from ejectamap.show.difference import COLOURS, classify, plot_difference
from ejectamap.simulation.files import write_planet
from ejectamap.simulation.planet import simulate_planet

MakeProject = Callable[..., Project]


def map_labels(
    project: Project, moved_px: int = 0, ids: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
) -> None:
    """A map that is the labels, moved to the east."""
    window, labels = project.grid.whole, project.labels
    assert labels is not None
    maps = []
    for crater in project.craters:
        if crater.crater_id in ids:
            mask = np.roll(labels.read(crater.crater_id, window), moved_px, axis=1)
            maps.append(CraterMap(crater, window, in_memory(window, mask.astype(np.float32))))
    import_maps(project, maps)


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """A project whose kept run is the labels moved by three pixels, and whose present map is moved by one."""
    project = make_project("method=polar")
    map_labels(project, 3)
    keep_as(project, "first")
    map_labels(project, 1)
    return Project.open(project.folder)


def masks(project: Project, folder: Path) -> dict[int, np.ndarray]:
    ejecta = MapReader(folder, project.grid)
    return {c.crater_id: ejecta.mask(c.crater_id, project.grid.whole) for c in project.craters}


def test_agreement_pixel_by_pixel(project: Project) -> None:
    difference = compare_maps(project, "first")
    before, after = (
        masks(project, folder) for folder in (project.folder / "runs/first/map", project.maps)
    )
    area = np.broadcast_to(project.grid.row_area_m2[:, None] / 1e6, project.grid.shape)
    assert [row.crater_id for row in difference.craters] == list(before)
    for row in difference.craters:
        a, b = before[row.crater_id], after[row.crater_id]
        assert row.pixels.iou == pytest.approx((a & b).sum() / (a | b).sum())
        values = row.row()
        assert values["kept_km2"] == pytest.approx(area[a & b].sum())
        assert values["gained_km2"] == pytest.approx(area[b & ~a].sum())
        assert values["lost_km2"] == pytest.approx(area[a & ~b].sum())
        assert values["before_km2"] == pytest.approx(area[a].sum())
    origins = [
        MapReader(folder, project.grid).origin(project.grid.whole)
        for folder in (project.folder / "runs/first/map", project.maps)
    ]
    other = (origins[0] != origins[1]) & (origins[0] > 0) & (origins[1] > 0)
    assert difference.origin_changed_km2 == pytest.approx(area[other].sum())
    gained = sum(row.origin_gained_km2 for row in difference.craters)
    lost = sum(row.origin_lost_km2 for row in difference.craters)
    assert gained == pytest.approx(difference.origin_changed_km2) == pytest.approx(lost)


def test_figures_are_those_of_an_evaluation(project: Project) -> None:
    difference = compare_maps(project, "first")
    figures = difference.figures["all"]
    present = evaluate_project(project)
    assert figures["pixel.f1"].after == pytest.approx(present.all.pixel.f1)
    assert figures["tile.f1"].after == pytest.approx(present.all.tile.f1)
    assert figures["pixel.f1"].before < figures["pixel.f1"].after
    paired = figures["pixel.f1"].paired
    assert paired.difference == pytest.approx(present.all.pixel.f1 - figures["pixel.f1"].before)
    assert 0 < paired.low <= paired.difference <= paired.high
    # Nearer to the labels in each of six craters.
    assert paired.is_beyond_chance
    for row in present.craters:
        assert difference.by_crater[row.crater_id][1] == pytest.approx(row.scores.pixel.f1)


def test_forth_and_back(project: Project) -> None:
    forth, back = (
        compare_maps(project, "first", "present"),
        compare_maps(project, "present", "first"),
    )
    assert forth.area_km2.fp == back.area_km2.fn
    assert forth.pixels.iou == back.pixels.iou
    assert forth.origin_changed_km2 == pytest.approx(back.origin_changed_km2)
    there, here = (d.figures["all"]["pixel.f1"].paired for d in (forth, back))
    assert there.low == pytest.approx(-here.high)


def test_files_and_tables(project: Project) -> None:
    difference = compare_maps(project, "first")
    folder = project.folder / "differences" / "first-present"
    write_difference(difference, folder)
    content = json.loads((folder / "difference.json").read_text())
    assert content["judged"] == "unseen"
    assert content["figures"]["all"]["pixel.f1"]["beyond_chance"] is True
    assert content["before"]["name"] == "first"
    table = pd.read_csv(folder / "craters.csv")
    assert table["crater_id"].tolist() == [0, 1, 2, 3, 4, 5]
    assert table["iou"].tolist() == pytest.approx([row["iou"] for row in content["craters"]])
    assert (table["after_f1"] > table["before_f1"]).all()
    figures, craters = difference_tables(difference)
    assert "labels that no network" in figures.title
    assert "better in Pixel F1" in figures.notes[0]
    assert craters.rows[-1][0] == "All"
    assert "Made with the same networks." in craters.notes


def test_without_labels(project: Project, make_project: MakeProject) -> None:
    inputs = project.settings.inputs.model_copy(update={"labels": None})
    bare = replace(project, settings=project.settings.model_copy(update={"inputs": inputs}))
    difference = compare_maps(bare, "first")
    assert difference.figures == {}
    assert difference.judged is None
    assert difference.pixels.iou > 0
    (craters,) = difference_tables(difference)
    assert "IoU" in craters.head
    json.dumps(difference.to_dict(), allow_nan=False)


def test_another_project_with_other_settings_and_fewer_craters(
    project: Project, make_project: MakeProject
) -> None:
    other = make_project("method=polar", "map.threshold=0.25", name="other")
    map_labels(other, 0, (1, 2, 3))
    difference = compare_maps(project, str(other.folder), "present")
    assert difference.before.name == "other"
    assert [row.crater_id for row in difference.craters] == [1, 2, 3]
    assert difference.only_before == ()
    assert difference.only_after == (0, 4, 5)
    assert difference.settings["map.threshold"] == (0.25, 0.5)
    notes = difference_tables(difference)[-1].notes
    assert "On present alone: craters 0, 4, 5." in notes
    assert "Settings that differ: map.threshold: 0.25 before, 0.5 after." in notes
    assert "too few to tell" in difference_tables(difference)[0].notes[0]


def test_what_cannot_be_compared(
    project: Project, make_project: MakeProject, tmp_path: Path
) -> None:
    with pytest.raises(ProjectError, match=r"neither 'present', nor a run .* nor the folder"):
        compare_maps(project, "second")
    with pytest.raises(ProjectError, match="are the same map"):
        compare_maps(project, "present")
    with pytest.raises(ProjectError, match="is not made yet: run ejectamap map"):
        compare_maps(project, str(make_project(name="unmapped").folder))
    write_planet(simulate_planet(3, 128, 2), tmp_path / "coarse")
    coarse = make_project(name="coarse", files=tmp_path / "coarse")
    map_labels(coarse)
    with pytest.raises(ProjectError, match="not on the grid of"):
        compare_maps(project, str(coarse.folder))
    other = make_project(name="others")
    map_labels(other, 0, (0,))
    keep_as(other, "zero")
    shutil.rmtree(other.maps)
    map_labels(other, 0, (1,))
    with pytest.raises(ProjectError, match="no crater in common"):
        compare_maps(other, "zero")


def test_labels_that_either_network_was_trained_on_do_not_judge(project: Project) -> None:
    """The networks of the kept run learnt from crater 2; imported maps were made with unknown ones."""
    record = project.folder / "runs/first/map/.done/trained_on.json"
    crater = next(c for c in project.craters if c.crater_id == 2)
    planet = {
        "body_radius_m": project.grid.radius_m,
        "craters": [
            {
                "crater_id": 12,
                "name": "x",
                "lon": crater.lon,
                "lat": crater.lat,
                "radius_m": crater.radius_m,
                "reach": crater.reach,
            }
        ],
    }
    record.write_text(json.dumps({"planets": [planet], "unrecorded": []}))
    provenance = project.folder / "runs/first/provenance.json"

    def judged(imported: list[int]) -> Difference:
        content = json.loads(provenance.read_text()) | {"imported": imported}
        provenance.write_text(json.dumps(content))
        return compare_maps(project, "first")

    difference = judged([])
    assert difference.figures["unseen"]["pixel.f1"].paired.craters == 5
    assert difference.figures["all"]["pixel.f1"].paired.craters == 6
    assert judged([2]).figures["unseen"]["pixel.f1"].paired.craters == 6


def test_classes_of_ground() -> None:
    before = np.array([[0, 1, 2, 2, 0]], np.uint8)
    after = np.array([[0, 1, 3, 0, 7]], np.uint32)
    assert classify(before, after).tolist() == [[0, 1, 2, 4, 3]]


def test_the_picture_shows_what_changed(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ejectamap.show.globe._DPI", 50)
    before, after = (
        MapReader(folder, project.grid).origin_overview()
        for folder in (project.folder / "runs/first/map", project.maps)
    )
    path = tmp_path / "difference.png"
    plot_difference(path, project.mosaic, project.craters, before, after, ("first", "$x_$"))
    picture = np.rint(255 * imread(path)[..., :3]).astype(int)
    for colour in COLOURS.values():  # of the legend
        assert (np.abs(picture - colour).max(axis=-1) <= 2).any()
