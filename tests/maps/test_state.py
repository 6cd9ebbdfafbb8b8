"""Records of craters' maps: what counts as complete, of which settings, whatever is missing or damaged."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ejectamap.maps.state import (
    IMPORTED,
    connections_path,
    delete_record,
    has_present_mask,
    is_done,
    is_imported,
    is_newer_than_masks,
    is_predicted,
    mask_path,
    outline_path,
    prepare_folders,
    probability_path,
    record_done,
    record_masked,
    record_predicted,
    recorded_fingerprint,
    recorded_ids,
    recorded_parts,
    renew_record,
)
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater

FILES = (probability_path, connections_path, mask_path, outline_path)
CRATER = Crater(7, "A", 0.0, 0.0, 50e3)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    """A project in which crater 7 is complete; what its files hold doesn't matter here."""
    project = make_project("map.threshold=0.5")
    prepare_folders(project)
    for path in FILES:
        path(project, CRATER).write_text("")
    record_done(project, CRATER, "abc", {"mosaic": "1"}, None)
    return project


def with_threshold(project: Project, threshold: float) -> Project:
    settings = project.settings
    changed = settings.map.model_copy(update={"threshold": threshold})
    return Project(project.folder, settings.model_copy(update={"map": changed}))


def record(project: Project) -> Path:
    (path,) = (project.maps / ".done").glob("crater_7.json")
    return path


def add_edit(project: Project, content: str) -> None:
    path = project.outputs / "edits" / "edit_crater_7.tif"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)


def test_a_complete_crater(project: Project) -> None:
    assert recorded_fingerprint(project, CRATER) == "abc"
    assert recorded_parts(project, CRATER) == {"mosaic": "1"}
    assert is_predicted(project, CRATER, "x", "abc")
    assert is_done(project, CRATER, "abc")
    assert not is_predicted(project, CRATER, "x")
    assert not is_done(project, CRATER, "x")
    assert not is_imported(project, CRATER)
    other = Crater(8, "B", 0.0, 0.0, 50e3)
    assert recorded_fingerprint(project, other) is None
    assert recorded_parts(project, other) == {}


@pytest.mark.parametrize("path", FILES)
def test_a_missing_file_is_noticed(
    project: Project, path: Callable[[Project, Crater], Path]
) -> None:
    path(project, CRATER).unlink()
    assert not is_done(project, CRATER, "abc")
    of_mask = path in (mask_path, outline_path)
    assert is_predicted(project, CRATER, "abc") == of_mask
    assert has_present_mask(project, CRATER) != of_mask


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\udcff", '{"fingerprint": 3}'])
def test_a_damaged_record_is_none(project: Project, content: str) -> None:
    record(project).write_bytes(content.encode(errors="surrogateescape"))
    assert recorded_fingerprint(project, CRATER) is None
    assert recorded_parts(project, CRATER) == {}
    assert not is_done(project, CRATER, "abc")


def test_another_threshold_or_edit_needs_another_mask(project: Project) -> None:
    other = with_threshold(project, 0.6)
    assert is_predicted(other, CRATER, "abc")
    assert not has_present_mask(other, CRATER)
    record_predicted(project, CRATER)
    assert is_predicted(project, CRATER, "abc")
    assert not has_present_mask(project, CRATER)
    record_masked(other, CRATER, None)
    assert has_present_mask(other, CRATER)
    assert not has_present_mask(project, CRATER)
    assert recorded_parts(project, CRATER) == {"mosaic": "1"}


def test_an_edit_belongs_to_the_mask(project: Project) -> None:
    from ejectamap.maps.edits import edit_digest

    add_edit(project, "an edit")
    assert not has_present_mask(project, CRATER)
    record_masked(project, CRATER, edit_digest(project, 7))
    assert has_present_mask(project, CRATER)
    add_edit(project, "a later edit")
    assert not has_present_mask(project, CRATER)
    (project.outputs / "edits" / "edit_crater_7.tif").unlink()
    assert not has_present_mask(project, CRATER)
    record_masked(project, CRATER, None)
    assert has_present_mask(project, CRATER)
    assert recorded_fingerprint(project, CRATER) == "abc"


def test_a_renewed_record_keeps_its_threshold(project: Project) -> None:
    renew_record(project, CRATER, "def", {"mosaic": "2"})
    assert is_done(project, CRATER, "def")
    assert recorded_parts(project, CRATER) == {"mosaic": "2"}
    assert not has_present_mask(with_threshold(project, 0.6), CRATER)


def test_a_record_that_stays_the_same_is_not_written(project: Project) -> None:
    os.utime(record(project), (1, 1))
    record_done(project, CRATER, "abc", {"mosaic": "1"}, None)
    renew_record(project, CRATER, "abc", {"mosaic": "1"})
    assert record(project).stat().st_mtime == 1
    record_done(project, CRATER, "abc", {"mosaic": "2"}, None)
    assert record(project).stat().st_mtime > 1


def test_an_imported_map_keeps_the_threshold_it_came_with(project: Project) -> None:
    record_done(project, CRATER, IMPORTED, {}, None)
    assert is_imported(with_threshold(project, 0.9), CRATER)
    outline_path(project, CRATER).unlink()
    assert not is_imported(project, CRATER)


def test_ids_of_records_are_in_order_of_number(project: Project) -> None:
    for crater_id in (10, 2):
        record_done(project, Crater(crater_id, "B", 0.0, 0.0, 50e3), "x", {}, None)
    (project.maps / ".done" / "trained_on.json").write_text("{}")
    (project.maps / ".done" / "crater_x.json").write_text("{}")
    assert recorded_ids(project) == [2, 7, 10]
    delete_record(project, CRATER)
    delete_record(project, CRATER)  # once more does no harm
    assert recorded_ids(project) == [2, 10]


def test_results_are_as_old_as_their_file(project: Project, tmp_path: Path) -> None:
    result = tmp_path / "result.csv"
    assert not is_newer_than_masks(project, result)
    result.write_text("")
    os.utime(result, (100, 100))
    assert is_newer_than_masks(project, result)  # there are no masks
    masks = [mask_path(project, crater) for crater in project.craters[:2]]
    for mask, time in zip(masks, (50, 100), strict=True):
        mask.write_text("")
        os.utime(mask, (time, time))
    assert is_newer_than_masks(project, result)
    os.utime(masks[0], (101, 101))
    assert not is_newer_than_masks(project, result)


def test_half_written_files_go(project: Project) -> None:
    folders = (project.outputs, project.maps, project.maps / ".done")
    left = [folder / ".a.tif.999999999.partial" for folder in folders]
    for path in left:
        path.write_text("")
    prepare_folders(project)
    assert not any(path.exists() for path in left)
    assert is_done(project, CRATER, "abc")
