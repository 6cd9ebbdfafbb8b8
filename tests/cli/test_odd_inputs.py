"""Odd inputs as a person meets them: what the commands say, and that what they advise works when it is done."""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest
import rasterio
from ruamel.yaml import YAML
from safetensors.numpy import load_file, save_file

from ejectamap import cli
from ejectamap.errors import ProjectError
from ejectamap.mapping.cluster import run_on_dask
from ejectamap.project.folder import Project

Run = Callable[..., Any]
TINY = [
    part
    for change in (
        "views.polar_px=[32, 64]",
        "context.encoder=tu-test_resnet",
        "context.decoder_channels=[32, 16, 16, 8, 8]",
        "context.pretrained=false",
        "training.start_from=none",
        "training.max_minutes=null",
        "context.max_epochs=1",
    )
    for part in ("--set", change)
]


@pytest.fixture
def new(run: Run, files: Path, tmp_path: Path) -> Callable[..., Project]:
    """Make a project of the files with small networks; `check` reads its catalogue."""

    def make(*options: object, labels: bool = True, small: bool = True) -> Project:
        inputs = ["--mosaic", files / "mosaic.tif", "--craters", files / "craters.csv"]
        inputs += ["--labels", files / "labels"] if labels else []
        outcome = run("new", tmp_path / "p", *inputs, *(TINY if small else ()), *options)
        assert outcome.code == 0, outcome.err
        return Project.open(tmp_path / "p")

    return make


def rename(files: Path, old: str, new: str) -> Path:
    """Rename a column of the catalogue."""
    path = files / "craters.csv"
    text = path.read_text()
    assert old in text.splitlines()[0]
    path.write_text(text.replace(old, new, 1))
    return path


def set_value(project: Project, section: str, key: str, value: object) -> None:
    """Change a value in project.yaml as a person would."""
    yaml = YAML()
    path = project.folder / "project.yaml"
    values = yaml.load(path.read_text())
    values[section][key] = value
    with path.open("w") as file:
        yaml.dump(values, file)


# --- columns


def test_columns_are_written_into_the_project(new: Callable[..., Project], files: Path) -> None:
    before = Project.open(new(labels=False).folder).craters
    rename(files, "lon", "where_x")
    rename(files, "radius_m", "size")
    (files.parent / "p" / "project.yaml").unlink()
    project = new("--columns", "lon=where_x,radius_m=size", labels=False)
    assert project.settings.inputs.columns == {"lon": "where_x", "radius_m": "size"}
    assert project.craters == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lon", ("--columns", "lon=LON_CIRC")),
        ("lon=", ("--columns",)),
        ("longitude=L", ("inputs.columns", "longitude", "lon_west")),
    ],
)
def test_wrong_columns(
    run: Run, files: Path, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    inputs = ["--mosaic", files / "mosaic.tif", "--craters", files / "craters.csv"]
    run("new", tmp_path / "p", *inputs, "--columns", text).is_refusal(*words)
    assert not (tmp_path / "p").exists()


# --- remedies, followed to the letter


def test_choose_one_of_two_columns(run: Run, new: Callable[..., Project], files: Path) -> None:
    path = files / "craters.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},LON", *(f"{row},1" for row in rows)]) + "\n")
    project = new(labels=False)
    outcome = run("check", project.folder)
    outcome.is_refusal("craters.csv", "columns lon and LON differ", "inputs.columns")
    advised = re.search(r"as in columns: \{(\w+): (\w+)\}", outcome.err)
    assert advised
    set_value(project, "inputs", "columns", {advised[1]: advised[2]})
    assert run("check", project.folder).code == 0


def test_rename_the_column_of_kilometres(
    run: Run, new: Callable[..., Project], files: Path
) -> None:
    before = [crater.radius_m for crater in new(labels=False).craters]
    path = files / "craters.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    column = rows[0].index("radius_m")
    for row in rows[1:]:
        row[column] = repr(float(row[column]) / 1000)
    path.write_text("\n".join(map(",".join, rows)) + "\n")
    outcome = run("check", files.parent / "p")
    outcome.is_refusal("column radius_m", "looks like kilometres")
    advised = re.search(r"name it (\w+)", outcome.err)
    assert advised
    rename(files, "radius_m", advised[1])
    assert [c.radius_m for c in Project.open(files.parent / "p").craters] == pytest.approx(before)


def test_rename_the_column_of_text_ids(run: Run, new: Callable[..., Project], files: Path) -> None:
    path = files / "craters.csv"
    path.write_text("crater_id,lon,lat,radius_m\nKuiper,10,5,60000\nBasho,50,5,70000\n")
    project = new(labels=False)
    outcome = run("check", project.folder)
    outcome.is_refusal("column crater_id, row 1 is 'Kuiper'", "rename the column to name")
    rename(files, "crater_id", "name")
    outcome = run("check", project.folder)
    assert outcome.code == 0
    assert "note: " in outcome.out
    assert "numbered from 1" in outcome.out
    craters = Project.open(project.folder).craters
    assert [(c.crater_id, c.name) for c in craters] == [(1, "Kuiper"), (2, "Basho")]


def test_reach_above_what_is_advised(run: Run, new: Callable[..., Project]) -> None:
    project = new("--set", "inputs.reach={2: 1e-9}", labels=False)
    outcome = run("check", project.folder)
    outcome.is_refusal("project.yaml: inputs.reach, crater 2", "1e-09", "rim")
    advised = re.search(r"above ([\d.e-]+)", outcome.err)
    assert advised
    set_value(project, "inputs", "reach", {2: 1.1 * float(advised[1])})
    assert run("check", project.folder).code == 0


def test_quote_what_contains_the_separator(
    run: Run, new: Callable[..., Project], files: Path
) -> None:
    path = files / "craters.csv"
    header, *rows = path.read_text().splitlines()
    name = rows[0].split(",")[1]
    odd = rows[0].replace(name, f"{name}, the first", 1)
    path.write_text("\n".join([header, odd, *rows[1:]]) + "\n")
    project = new(labels=False)
    run("check", project.folder).is_refusal("row 1 has", "quote text that contains the separator")
    quoted = odd.replace(f"{name}, the first", f'"{name}, the first"')
    path.write_text("\n".join([header, quoted, *rows[1:]]) + "\n")
    assert f"{name}, the first" in [c.name for c in Project.open(project.folder).craters]


def test_a_label_is_assigned_a_geotransform(
    run: Run, new: Callable[..., Project], files: Path
) -> None:
    project = new()
    path = sorted((files / "labels").iterdir())[0]
    before = Project.open(project.folder).labels
    with rasterio.open(path, "r+") as raster:
        edges, good = raster.bounds, raster.transform
        raster.transform = rasterio.Affine(np.nan, 0, 0, 0, np.nan, 0)
    outcome = run("check", project.folder)
    outcome.is_refusal(path.name, "geotransform", "-a_ullr LEFT TOP RIGHT BOTTOM")
    with rasterio.open(path, "r+") as raster:  # what gdal_translate -a_ullr does
        across, down = (edges.right - edges.left, edges.bottom - edges.top)
        raster.transform = rasterio.Affine(
            across / raster.width, 0, edges.left, 0, down / raster.height, edges.top
        )
        assert np.allclose(raster.transform, good)
    after = Project.open(project.folder).labels
    assert before is not None
    assert after is not None
    assert all(np.array_equal(after.masks[k][1], before.masks[k][1]) for k in before.masks)


def test_delete_a_network_that_holds_no_numbers(
    run: Run, new: Callable[..., Project], tmp_path: Path
) -> None:
    project = new(labels=False, small=False)
    bundle = project.models / "context" / "member-00"
    shutil.copytree(project.networks_folder("context") / "member-00", bundle)
    weights = load_file(bundle / "weights.safetensors")
    name = next(k for k, values in weights.items() if values.dtype == np.float16)
    weights[name] = np.full_like(weights[name], np.nan)
    save_file(weights, bundle / "weights.safetensors")
    outcome = run("check", project.folder)
    outcome.is_refusal("weights.safetensors", name, f"delete {bundle} and train again")
    shutil.rmtree(bundle)
    assert run("check", project.folder).code == 0


@pytest.mark.parametrize("key", ["offset", "divisor"])
def test_a_normalisation_that_holds_no_numbers(
    run: Run, new: Callable[..., Project], key: str
) -> None:
    project = new(labels=False, small=False)
    bundle = project.models / "context" / "member-00"
    shutil.copytree(project.networks_folder("context") / "member-00", bundle)
    description = json.loads((bundle / "bundle.json").read_text())
    description["normalisation"][key][0] = float("nan")
    (bundle / "bundle.json").write_text(json.dumps(description))
    run("check", project.folder).is_refusal(
        "bundle.json", f"normalisation.{key}.0", "finite number"
    )


# --- options and the terminal


def test_a_time_without_end(run: Run, new: Callable[..., Project]) -> None:
    project = new(labels=False)
    outcome = run("train", project.folder, "--max-minutes", "inf")
    outcome.is_refusal("--max-minutes inf", "training.max_minutes of project.yaml to null")
    set_value(project, "training", "max_minutes", None)
    assert Project.open(project.folder).settings.training.max_minutes is None


@pytest.mark.parametrize("name", ["[red]x", "[/red]:smile:[0]"])
def test_names_are_printed_as_they_are(run: Run, files: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.parent.mkdir(exist_ok=True)
    inputs = ["--mosaic", files / "mosaic.tif", "--craters", files / "craters.csv"]
    outcome = run("new", folder, *inputs, *TINY)
    assert outcome.code == 0, outcome.err
    assert f"made {folder}/project.yaml; next: ejectamap check {folder}" in outcome.out
    assert (folder / "project.yaml").exists()
    assert f"next: put trained networks into {folder}/models" in run("check", folder).out
    run("check", tmp_path / f"{name}y").is_refusal(f"{name}y: holds no project.yaml")


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("", None),
        ("not an address", ValueError("missing port number in address 'not an address'")),
        ("banana://x:1", ValueError("unknown address scheme 'banana'")),
        ("tcp://10.0.0.5:8786", TimeoutError("Timed out trying to connect\nafter 30 s")),
        ("tcp://10.0.0.5:22", OSError("protocol error")),
    ],
)
def test_a_scheduler_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, address: str, error: Exception | None
) -> None:
    def client(_: str) -> None:
        assert error is not None
        raise error

    monkeypatch.setattr(distributed, "Client", client)
    with pytest.raises(ProjectError) as caught:
        list(run_on_dask(print, [1], 1, address))
    message = str(caught.value)
    assert message.startswith(f"--scheduler {address}: no Dask scheduler answers (")
    assert "start one with dask scheduler" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "x.tif"),
            "x.tif: No space left on device: free space",
        ),
        (
            OSError(errno.EACCES, "Permission denied", "x.tif"),
            "x.tif: Permission denied: check permissions",
        ),
        (OSError(errno.ELOOP, "Too many levels of symbolic links", "x"), "leads to itself"),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
            "check this file or address",
        ),
        (OSError("cannot identify image file 'x.png'"), "x.png"),
        (OSError(errno.EACCES, "a\nb\x1b[31m", "x"), "x: a b"),
    ],
)
def test_errors_of_the_system_have_the_remedy_of_their_kind(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    outcome = run("check", "p")
    outcome.is_refusal(words)
    assert "\x1b" not in outcome.err
    assert ("space" in outcome.err) == (error.errno == errno.ENOSPC)


# --- files that are none


def test_links_to_themselves_and_pipes(
    run: Run, new: Callable[..., Project], files: Path, tmp_path: Path
) -> None:
    loop, pipe = tmp_path / "loop.csv", tmp_path / "pipe.csv"
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    inputs = ["--mosaic", files / "mosaic.tif", "--craters"]
    run("new", tmp_path / "q", *inputs, loop).is_refusal("loop.csv", "is a link to nothing")
    project = new(labels=False)
    for path, words in ((loop, "does not exist"), (pipe, "not a file")):
        set_value(project, "inputs", "craters", str(path))
        run("check", project.folder).is_refusal(path.name, words)
    set_value(project, "inputs", "craters", "../data/craters.csv")
    for key in ("mosaic", "labels"):
        set_value(project, "inputs", key, str(loop))
        run("check", project.folder).is_refusal("loop.csv")
        set_value(project, "inputs", key, None if key == "labels" else "../data/mosaic.tif")
    (project.folder / "project.yaml").unlink()
    os.mkfifo(project.folder / "project.yaml")
    run("check", project.folder).is_refusal("holds no project.yaml")


def test_notes_are_listed_by_check(run: Run, new: Callable[..., Project], files: Path) -> None:
    (files / "labels" / "mask_crater_x.tif").write_bytes(b"")
    project = new()
    outcome = run("check", project.folder)
    assert outcome.code == 0, outcome.err
    (note,) = [line for line in outcome.out.splitlines() if line.startswith("note: ")]
    assert "mask_crater_x.tif is not read" in note
    assert not outcome.err


def test_no_warning_of_a_library_reaches_the_terminal(
    run: Run, new: Callable[..., Project], files: Path
) -> None:
    """A catalogue that pandas and GDAL would warn of."""
    path = files / "craters.csv"
    path.write_text("crater_id;lon;lat;radius_m;\n3;10,5;5,5;60000;\n4;50,25;5;70000;\n")
    project = new(labels=False)
    outcome = run("check", project.folder)
    assert outcome.code == 0, outcome.err
    assert not outcome.err
