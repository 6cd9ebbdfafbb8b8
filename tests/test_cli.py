"""The command line: what goes wrong is said in one line that names the file, the field and the remedy."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS

from ejectamap import cli
from ejectamap.project import Project

VERBS = ["demo", "simulate", "new", "check", "train", "map", "evaluate", "compare"]
VERBS += ["families", "analyze", "import", "export", "tune", "report", "view"]


class Outcome:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def is_refusal(self, *words: str) -> None:
        assert self.code == 2, self.err
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("ejectamap: ")
        assert "Traceback" not in self.out + self.err
        for word in words:
            assert word in self.err, (word, self.err)


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def ejectamap(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ejectamap", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Outcome(int(ended.value.code or 0), *capsys.readouterr())

    return ejectamap


@pytest.fixture
def files(tmp_path: Path, planet_files: Path) -> Path:
    shutil.copytree(planet_files, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def refused(run: Run, files: Path, tmp_path: Path) -> Callable[..., None]:
    """Make a project of the files as they are, and have `check` refuse it."""

    def check(*words: str, tiles: bool = False, changes: tuple[str, ...] = ()) -> None:
        inputs = {name: files / f"{name}.tif" for name in ("mosaic",)}
        inputs |= {"craters": files / "craters.csv", "labels": files / "labels"}
        if tiles:
            inputs["tiles"] = files / "tiles.csv"
        options = [part for name, path in inputs.items() for part in (f"--{name}", path)]
        settings = [part for change in changes for part in ("--set", change)]
        made = run("new", tmp_path / "p", *options, *settings)
        assert made.code == 0, made.err
        run("check", tmp_path / "p").is_refusal(*words)

    return check


def rewrite(
    path: Path, change: Callable[[np.ndarray], np.ndarray] | None = None, **profile: object
) -> None:
    """Write a raster again with other values or another profile."""
    with rasterio.open(path) as source:
        values, kept = source.read(), source.profile
    values = values if change is None else change(values)
    kept.update(driver="GTiff", height=values.shape[1], width=values.shape[2], **profile)
    for key in ("blockxsize", "blockysize", "tiled", "predictor"):
        kept.pop(key, None)
    path.unlink()
    with rasterio.open(path, "w", **kept) as target:
        target.write(values)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# --- help


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(run: Run, verb: str) -> None:
    shown = run(verb, "--help")
    assert shown.code == 0
    assert f"Example: ejectamap {verb}" in shown.out


def test_help_lists_every_verb(run: Run) -> None:
    shown = run("--help")
    assert all(f" {verb} " in shown.out for verb in VERBS)


def test_exit_code_of_the_real_program(tmp_path: Path) -> None:
    """One process of its own: nothing but one line on standard error."""
    call = ["new", str(tmp_path), "--mosaic", str(tmp_path / "none.tif"), "--craters", "none.csv"]
    program = [sys.executable, "-c", "from ejectamap.cli import main; main()", *call]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, env=os.environ)
    said = Outcome(ended.returncode, ended.stdout, ended.stderr)
    said.is_refusal("none.tif", "does not exist", "check the path")
    assert ended.stdout == ""


# --- mosaics


def test_no_crs(refused: Callable[..., None], files: Path) -> None:
    rewrite(files / "mosaic.tif", crs=None)
    refused("mosaic.tif", "no CRS", "gdal_edit.py -a_srs")


def test_a_crs_of_another_radius_than_the_labels(refused: Callable[..., None], files: Path) -> None:
    with rasterio.open(files / "mosaic.tif") as source:
        transform, shape = source.transform, source.shape
    moon = CRS.from_dict({"proj": "eqc", "R": 1_737_400.0})
    pixel = np.pi * 1_737_400.0 / shape[0]
    corner = Affine(pixel, 0, -np.pi * 1_737_400.0, 0, -pixel, np.pi * 1_737_400.0 / 2)
    assert transform.a > pixel
    rewrite(files / "mosaic.tif", crs=moon, transform=corner)
    refused("mask_crater_0.tif", "radius of 2440530 m", "1737400 m", "reproject")


def test_wrongly_projected(refused: Callable[..., None], files: Path) -> None:
    rewrite(files / "mosaic.tif", crs=CRS.from_dict({"proj": "sinu", "R": 2_440_530.0}))
    refused("mosaic.tif", "sinusoidal", "gdalwarp")


def test_half_a_globe(refused: Callable[..., None], files: Path) -> None:
    rewrite(files / "mosaic.tif", lambda values: values[:, :64])
    refused("mosaic.tif", "360.00 x 90.00 degrees", "gdalwarp -te")


def test_a_truncated_tiff(refused: Callable[..., None], files: Path) -> None:
    path = files / "mosaic.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused("mosaic.tif", "cannot be read", "copy it again")


def test_all_no_data(refused: Callable[..., None], files: Path) -> None:
    rewrite(files / "mosaic.tif", np.zeros_like)
    refused("mosaic.tif", "every pixel is no-data", "check the no-data value")


# --- craters


def test_swapped_lon_and_lat(refused: Callable[..., None], files: Path) -> None:
    edit(files / "craters.csv", "lon,lat", "lat,lon")
    refused("craters.csv", "lat is", "beyond 90 degrees", "swapped")


def test_kilometres_in_a_column_of_metres(refused: Callable[..., None], files: Path) -> None:
    lines = (files / "craters.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    column = rows[0].index("radius_m")
    for row in rows[1:]:
        row[column] = str(float(row[column]) / 1000)
    (files / "craters.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    refused("craters.csv", "column radius_m", "kilometres", "radius_km")


def test_duplicate_ids(refused: Callable[..., None], files: Path) -> None:
    edit(files / "craters.csv", "\n1,", "\n2,")
    refused("craters.csv", "column crater_id", "rows 2 and 3", "an id of its own")


def test_a_missing_column(refused: Callable[..., None], files: Path) -> None:
    edit(files / "craters.csv", "radius_m", "size")
    refused("craters.csv", "no column radius_m", "columns present: crater_id")


def test_no_craters(refused: Callable[..., None], files: Path) -> None:
    (files / "craters.csv").write_text("crater_id,lon,lat,radius_m\n")
    refused("craters.csv", "has no rows")


# --- labels and tiles


def test_an_unknown_id_in_the_labels(refused: Callable[..., None], files: Path) -> None:
    (files / "labels" / "mask_crater_0.tif").rename(files / "labels" / "mask_crater_99.tif")
    refused("mask_crater_99.tif", "crater 99 is not in the catalogue", "remove its label")


def test_empty_labels(refused: Callable[..., None], files: Path) -> None:
    for path in (files / "labels").iterdir():
        rewrite(path, np.zeros_like)
    refused("labels", "every mask is empty", "draw the ejecta")


def test_no_labels_in_the_folder(refused: Callable[..., None], files: Path) -> None:
    shutil.rmtree(files / "labels")
    (files / "labels").mkdir()
    refused("labels", "has no mask_crater_{id}.tif")


def test_a_tile_outside_the_mosaic(refused: Callable[..., None], files: Path) -> None:
    (files / "tiles.csv").write_text("tile_id,row,col,height,width\n0,120,10,16,16\n")
    refused("tiles.csv", "tile 0", "not in the mosaic of 128 x 256", "mosaic pixels", tiles=True)


def test_tiles_out_of_every_reach(refused: Callable[..., None], files: Path) -> None:
    edit(files / "craters.csv", "\n", "\n")
    lines = [line.split(",") for line in (files / "craters.csv").read_text().splitlines()]
    column = lines[0].index("reach")
    for line in lines[1:]:
        line[column] = "0.06"
    (files / "craters.csv").write_text("\n".join(map(",".join, lines)) + "\n")
    (files / "tiles.csv").write_text("tile_id,row,col,height,width\n0,0,10,4,4\n")
    refused("nothing to learn from", tiles=True)


# --- settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("context.encoder=resnet43", ("project.yaml", "context", "resnet43", "resnet34")),
        ("context.decoder=Unett", ("project.yaml", "context", "Unett", "unet")),
        ("context.encoder=efficientnet-b0", ("project.yaml", "edge in azimuth", "use Unet")),
        ("context.decoder=FPN", ("project.yaml", "FPN has no decoder_channels", "leave them out")),
        ("context.loss={name: dise}", ("project.yaml", "context", "dise", "dice")),
        ("context.loss={name: dice, arguments: {alpha: 1}}", ("context", "alpha", "smooth")),
        ("context.optimiser={name: AdamX}", ("project.yaml", "context", "AdamX", "Adam")),
        ("context.scheduler={name: StepLR}", ("project.yaml", "context", "StepLR", "step_size")),
        ("training.start_from=../none", ("none/context", "training.start_from")),
        ("training.also_train_on=[../none]", ("none", "holds no project.yaml")),
    ],
)
def test_settings_that_cannot_be_built(
    refused: Callable[..., None], change: str, words: tuple[str, ...]
) -> None:
    refused(*words, changes=("training.start_from=none", "context.encoder=tu-test_resnet", change))


def test_a_project_file_that_is_no_yaml(run: Run, tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text("inputs: [mosaic\nseed: {")
    run("check", tmp_path).is_refusal("project.yaml", "is not YAML")


def test_a_key_that_is_not_there(run: Run, files: Path, tmp_path: Path) -> None:
    new = [
        "new",
        tmp_path / "p",
        "--mosaic",
        files / "mosaic.tif",
        "--craters",
        files / "craters.csv",
    ]
    run(*new, "--set", "views.chip=64").is_refusal("views.chip", "views.chip_px")
    run(*new, "--set", "views.chip_px").is_refusal("KEY=VALUE")
    run(*new, "--set", "views.chip_px=small").is_refusal("views.chip_px", "small")
    run(*new, "--preset", "huge").is_refusal("huge", "laptop", "poster")
    assert not (tmp_path / "p").exists()


# --- new


@pytest.mark.parametrize("field", ["mosaic", "craters", "labels", "tiles"])
def test_new_names_the_input_that_is_missing(
    run: Run, files: Path, tmp_path: Path, field: str
) -> None:
    inputs = {"mosaic": files / "mosaic.tif", "craters": files / "craters.csv"}
    inputs[field] = tmp_path / "nowhere"
    options = [part for name, path in inputs.items() for part in (f"--{name}", path)]
    run("new", tmp_path / "p", *options).is_refusal(f"{field} ", "nowhere", "check the path")


def test_new_keeps_an_old_project(
    run: Run, make_project: Callable[..., Project], files: Path
) -> None:
    folder = make_project().folder
    again = run("new", folder, "--mosaic", files / "mosaic.tif", "--craters", files / "craters.csv")
    again.is_refusal("already holds a project", "choose another folder")


def test_new_says_what_comes_next(run: Run, files: Path, tmp_path: Path) -> None:
    made = run(
        "new", tmp_path / "p", "--mosaic", files / "mosaic.tif", "--craters", files / "craters.csv"
    )
    assert made.code == 0
    assert f"ejectamap check {tmp_path / 'p'}" in made.out


# --- too early


def test_nothing_to_train_map_or_evaluate_with(
    run: Run, make_project: Callable[..., Project]
) -> None:
    bare = make_project("method=polar", labels=False).folder
    run("train", bare).is_refusal("nothing to learn from", "give labels")
    run("map", bare).is_refusal("models/context", "run ejectamap train first")
    run("map", bare, "--craters", "1,88").is_refusal("crater 88", "craters.csv", "check the id")
    run("evaluate", bare).is_refusal("has no labels", "inputs.labels")
    labelled = make_project("method=polar", name="labelled").folder
    run("evaluate", labelled).is_refusal("holds no map", "run ejectamap map")


@pytest.mark.parametrize("ids", ["one", "1,,2", "1 2", ""])
def test_ids_that_are_none(run: Run, make_project: Callable[..., Project], ids: str) -> None:
    run("map", make_project().folder, "--craters", ids).is_refusal("--craters", "12,17")


def test_an_interruption_is_no_error(
    run: Run, make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ejectamap.training.train", interrupt)
    ended = run("train", make_project().folder)
    assert ended.code == 130
    assert ended.err == "interrupted: run the same command again to go on\n"


def test_a_full_disk_is_one_line(
    run: Run, make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "split.csv")

    monkeypatch.setattr("ejectamap.training.train", full)
    run("train", make_project().folder).is_refusal("split.csv", "No space left", "check space")


def test_simulate_makes_what_new_takes(run: Run, tmp_path: Path) -> None:
    planet = tmp_path / "planet"
    made = run("simulate", planet, "--width", 256, "--craters", 3, "--tiles", 10, "--seed", 4)
    assert made.code == 0, made.err
    options = [
        *("--mosaic", planet / "mosaic.tif", "--craters", planet / "craters.csv"),
        *("--labels", planet / "labels", "--tiles", planet / "tiles.csv"),
    ]
    assert run("new", tmp_path / "p", *options, "--seed", 9).code == 0
    project = Project.open(tmp_path / "p")
    assert project.settings.seed == 9
    assert len(project.craters) == 3
    assert project.world.tiles


def test_evaluate_prints_tables_or_json(
    run: Run, make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ejectamap.mapping import map_project
    from ejectamap.training import train

    project = make_project("method=polar")
    train(project)
    map_project(project)
    table = run("evaluate", project.folder)
    assert table.code == 0, table.err
    assert "Precision" in table.out
    as_json = run("evaluate", project.folder, "--json")
    assert json.loads(as_json.out) == json.loads((project.folder / "evaluation.json").read_text())
