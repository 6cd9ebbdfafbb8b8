"""Import of the release as a project: contents, scores, and messages for damaged files."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mini_release import MiniRelease
from rich.console import Console
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from ejectamap.errors import EjectamapError, ProjectError, ReleaseError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.interop.release.ejmap import import_ejmap
from ejectamap.maps.mapped import mapped_craters
from ejectamap.project.folder import Project
from ejectamap.project.yaml import write_settings
from ejectamap.world.label_files import load_labels


def import_release(release: MiniRelease, folder: Path, **other: object) -> tuple[Project, str]:
    console = Console(file=io.StringIO(), width=300)
    options: dict = {"results": release.results, "split": 61} | other
    project = import_ejmap(release.data, folder, options["results"], options["split"], console)
    return project, console.file.getvalue()  # type: ignore[attr-defined]


def test_imports_names_reaches_tiles_and_labels(release: MiniRelease, tmp_path: Path) -> None:
    project, output = import_release(release, tmp_path / "p", results=None)
    assert [(c.crater_id, c.name) for c in project.craters] == [
        (0, "Hokusai"),
        (12, "Debussy"),
        (17, "Kuiper"),
        (40, "crater 40"),
    ]
    assert [c.reach for c in project.craters] == [0.75, 0.5, 0.25, 0.25]
    labels = project.labels
    assert labels is not None
    assert {t.tile_id: t.window for t in labels.tiles or ()} == release.tiles
    for crater_id, mask in release.labels.items():
        np.testing.assert_array_equal(labels.read(crater_id, release.grid.whole), mask)
    assert "no checkpoints" in output
    assert "no published masks" in output


def test_imports_the_chosen_split(release: MiniRelease, tmp_path: Path) -> None:
    project, _ = import_release(release, tmp_path / "p", results=None)
    table = pd.read_csv(project.split_path).set_index(["crater_id", "tile_id"])["split"]
    for row in release.pairs.itertuples():
        use = {0: "train", 1: "test", -1: "unused"}[row.test_61]
        assert table.get((row.crat_FID, row.pos_index), "unused") == use
    # All pairs of the crater without labels are unused.
    assert set(table[40]) == {"unused"}
    given = pd.read_csv(project.folder / "release" / "split.csv")
    assert given["test"].tolist() == release.pairs["test_61"].tolist()
    with pytest.raises(ReleaseError, match=r"no split 3: use --split with one of 7, 61"):
        import_release(release, tmp_path / "q", split=3)


def test_scores_of_published_masks_equal_scikit_learn(release: MiniRelease, tmp_path: Path) -> None:
    project, _ = import_release(release, tmp_path / "p")
    evaluation = evaluate_project(project)
    used = release.pairs[release.pairs["test_61"] >= 0]
    for scores, pairs in ((evaluation.all, used), (evaluation.test, used[used["test_61"] == 1])):
        keys = list(zip(pairs["crat_FID"], pairs["pos_index"].tolist(), strict=True))
        truth = [release.labels[c][release.window(t)].ravel() for c, t in keys]
        mapped = [release.published[c][release.window(t)].ravel() for c, t in keys]
        tiles = np.array([(t.any(), m.any()) for t, m in zip(truth, mapped, strict=True)])
        pixels = np.concatenate(truth), np.concatenate(mapped)
        for counts, arrays in ((scores.pixel, pixels), (scores.tile, tuple(tiles.T))):
            assert counts.f1 == pytest.approx(f1_score(*arrays), abs=1e-12)
            assert counts.precision == pytest.approx(precision_score(*arrays), abs=1e-12)
            assert counts.recall == pytest.approx(recall_score(*arrays), abs=1e-12)
            assert counts.iou == pytest.approx(jaccard_score(*arrays), abs=1e-12)
            assert 0 < counts.f1 <= 1
    assert evaluation.has_training_pairs
    assert evaluation.all.pixel.f1 < 1 > evaluation.all.tile.f1


def test_published_masks_are_imported_as_a_map(release: MiniRelease, tmp_path: Path) -> None:
    project, _ = import_release(release, tmp_path / "p")
    assert [c.crater_id for c in mapped_craters(project)] == [0, 12, 17, 40]
    provenance = json.loads((project.folder / "provenance.json").read_text())
    assert provenance["imported"] == [0, 12, 17, 40]
    for name in ("origin.tif", "ejecta.gpkg", "connections.parquet", "crater_12_probability.tif"):
        assert (project.maps / name).exists()


def test_whole_patterns_can_be_evaluated_against(release: MiniRelease, tmp_path: Path) -> None:
    """Patterns resampled from azimuthal frames agree with the truth, and an evaluation can use them."""
    project, _ = import_release(release, tmp_path / "p")
    reference = project.folder / "release" / "reference"
    labels = load_labels(reference, release.grid, project.craters)
    assert sorted(labels.masks) == [12, 17]
    for crater_id in labels.masks:
        mask = labels.read(crater_id, release.grid.whole)
        # Resampling to the frame and back moves edges by up to a pixel.
        assert f1_score(release.whole[crater_id].ravel(), mask.ravel()) > 0.9
    inputs = project.settings.inputs.model_copy(
        update={"labels": "release/reference", "tiles": None}
    )
    settings = project.settings.model_copy(update={"inputs": inputs})
    write_settings(settings, project.folder / "project.yaml")
    evaluation = evaluate_project(Project.open(project.folder))
    assert [row.crater_id for row in evaluation.craters] == [12, 17]
    assert 0.5 < evaluation.all.pixel.f1 < 1


def test_imports_chips(release: MiniRelease, tmp_path: Path) -> None:
    project, _ = import_release(release, tmp_path / "p", results=None)
    chips = pd.read_csv(project.folder / "release" / "chips.csv")
    assert len(chips) == 3 * 16
    first, pixel_m = chips.iloc[0], release.grid.pixel_m
    assert (first["x_m"], first["y_m"]) == pytest.approx((-24 * pixel_m, 24 * pixel_m))
    assert first["side_m"] == pytest.approx(16 * pixel_m)


def test_does_not_overwrite_a_project(release: MiniRelease, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "project.yaml").write_text("mine")
    with pytest.raises(ProjectError, match="already holds a project"):
        import_release(release, tmp_path / "p")
    assert (tmp_path / "p" / "project.yaml").read_text() == "mine"


def test_names_every_missing_file(release: MiniRelease, tmp_path: Path) -> None:
    (release.data / "conn_data" / "az_positions_all.csv").unlink()
    (release.data / "ejc_data" / "fresh_craters.shp").unlink()
    lines = error_lines(release, tmp_path)
    assert len(lines) == 2
    assert "fresh_craters.shp: is missing" in lines[0]
    assert "az_positions_all.csv: is missing" in lines[1]
    assert not (tmp_path / "p").exists()


def test_names_every_damaged_label(release: MiniRelease, tmp_path: Path) -> None:
    masks = release.data / "cyl_data"
    (masks / "mask_crater_0.tif").unlink()
    (masks / "mask_crater_12.tif").write_bytes(b"II*\0 nothing")
    table = pd.read_csv(masks / "positions_crater_17.csv")
    table.loc[0, "y"] += 1
    table.to_csv(masks / "positions_crater_17.csv", index=False)
    lines = error_lines(release, tmp_path)
    for line, words in zip(lines, ("mask_crater_0", "mask_crater_12", "tile 5"), strict=True):
        assert words in line
    assert not (tmp_path / "p").exists()


def error_lines(release: MiniRelease, tmp_path: Path) -> list[str]:
    console = Console(file=io.StringIO(), width=300)
    with pytest.raises(ReleaseError, match="files that are needed"):
        import_ejmap(release.data, tmp_path / "p", release.results, 61, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        ("conn_data/az_positions_all.csv", "test_61", 4, "none of 1, 0 and -1"),
        ("conn_data/az_positions_all.csv", "pos_index", 900, "tile 900"),
        ("conn_data/az_positions_all.csv", "crat_FID", 901, "crater 901"),
        ("ejc_data/human_positions.csv", "pos_index", 6, "stands in rows"),
    ],
)
def test_refuses_invalid_tables(
    release: MiniRelease, tmp_path: Path, table: str, column: str, value: int, words: str
) -> None:
    path = release.data / table
    frame = pd.read_csv(path)
    frame.loc[0, column] = value
    frame.to_csv(path, index=False)
    with pytest.raises(EjectamapError, match=words):
        import_release(release, tmp_path / "p", results=None)


def test_names_damaged_optional_files_and_continues(release: MiniRelease, tmp_path: Path) -> None:
    chips = release.data / "conn_data" / "eval_positions" / "eval_positions_crater_17.csv"
    chips.write_text(chips.read_text().replace("96,96,16", "96,250,16", 1))
    (release.data / "man_data" / "az_manual_Kuiper.tif").rename(
        release.data / "man_data" / "az_manual_Nobody.tif"
    )
    masks = release.results / "output_masks" / "ejc-version-200_conn-version-32_test-set-61_x20"
    (masks / "cylindrical_mask_crater_0.tif").unlink()
    (masks / "cylindrical_mask_crater_12.tif").write_bytes(b"")
    positions = release.data / "cyl_data" / "positions_crater_0.csv"
    table = pd.read_csv(positions)
    table.loc[0, "num_1"] += 1
    table.to_csv(positions, index=False)
    project, output = import_release(release, tmp_path / "p")
    lines = output.splitlines()
    for words in (
        "tile 5 should hold",
        "is not a square in the frame of 256",
        "az_manual_Nobody.tif: no crater has this name",
        "has no mask of crater 0",
        "cylindrical_mask_crater_12.tif: is empty",
        "no checkpoints",
    ):
        assert sum(words in line for line in lines) == 1, (words, lines)
    assert [c.crater_id for c in mapped_craters(project)] == [17, 40]


def test_refuses_several_unpublished_maps(release: MiniRelease, tmp_path: Path) -> None:
    masks = release.results / "output_masks"
    (old,) = masks.iterdir()
    shutil.copytree(old, masks / "another")
    project, _ = import_release(release, tmp_path / "p")
    assert len(mapped_craters(project)) == 4
    old.rename(masks / "mine")
    with pytest.raises(ReleaseError, match=r"several maps \(another, mine\)"):
        import_release(release, tmp_path / "q")
