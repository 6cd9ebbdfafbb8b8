"""What `check` says of a project, before and after the work is done."""

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import rasterio
from rich.console import Console

from ejectamap.check import check_project
from ejectamap.errors import BundleError, LabelError, SettingsError
from ejectamap.mapping.batches import BATCH
from ejectamap.mapping.cost import Speed, mapping_cost
from ejectamap.mapping.run import map_project
from ejectamap.project.folder import Project
from ejectamap.training.run import train
from ejectamap.training.setups import validate_training
from ejectamap.training.sources import gather_sources
from ejectamap.views.tiling import ChipGrid

MakeProject = Callable[..., Project]


def check_output(project: Project) -> str:
    """What check prints, on one line."""
    console = Console(file=io.StringIO(), width=400)
    check_project(Project.open(project.folder), console)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def test_inputs_networks_and_cost(make_project: MakeProject) -> None:
    project = make_project("method=two-stage", "connection.members=3")
    output = check_output(project)
    pairs = gather_sources(project)
    (own,) = pairs.sources
    connected = sum(pair.connected for pair in own.pairs)
    held = list(pairs.split.values()).count("test")
    for words in (
        "sphere of radius 2,440,530 m (a simulated planet)",
        "256 x 128 pixels of 59,900 m, 3 bands",
        "of uint8,",
        "craters 6, radius",
        "labels 6 craters with ejecta, complete within each crater's reach",
        f"pairs {len(own.pairs)} of crater and tile to train on, {connected} of them with ejecta",
        f"{held} held out",
        "test_resnet",
        "Unet, tu-test_resnet",
        "method two-stage",
        "0 of 3 connection networks, 0 of 1 segmentation networks trained, 0 of 6 craters mapped",
        f"next: ejectamap train {project.folder}",
    ):
        assert words in output, words
    assert re.search(
        r"about \d+ corridors, \d+ chips about \d+ s on this machine while nothing else runs, and \d+\.\d GB",
        output,
    )


def test_the_next_command_follows_the_work(make_project: MakeProject) -> None:
    project = make_project("method=polar")
    assert f"next: ejectamap train {project.folder}" in check_output(project)
    train(project)
    output = check_output(project)
    assert "1 of 1 context networks trained, 0 of 6 craters mapped" in output
    assert f"next: ejectamap map {project.folder}" in output
    map_project(project)
    output = check_output(project)
    assert "6 of 6 craters mapped" in output
    assert f"next: ejectamap evaluate {project.folder}" in output


@pytest.mark.parametrize("setting", ["accelerator=gpuu", "strategy=ddpp"])
def test_unknown_devices_are_refused(make_project: MakeProject, setting: str) -> None:
    project = make_project("method=polar", f"training.{setting}")
    with pytest.raises(SettingsError, match=f"training.*{setting[-4:]}"):
        check_output(project)


def test_devices_that_this_machine_lacks(make_project: MakeProject) -> None:
    """The project may be trained on another machine, and mapped on this one."""
    project = make_project("method=polar", "training.accelerator=tpu")
    output = check_output(project)
    assert "warning: ejectamap train would end with: training.accelerator tpu" in output
    assert "next: ejectamap train" in output


def test_without_labels_there_is_a_way_on(make_project: MakeProject) -> None:
    project = make_project("method=polar", labels=False)
    output = check_output(project)
    assert "labels none" in output
    assert "warning: no labels" in output
    assert f"next: put trained networks into {project.models}" in output
    teacher = make_project("method=polar", name="teacher")
    train(teacher)
    shutil.copytree(teacher.models, project.models)
    assert f"next: ejectamap map {project.folder}" in check_output(project)


def test_warnings(make_project: MakeProject, planet_files: Path, tmp_path: Path) -> None:
    """A crater too small to be seen, and one whose ejecta no tile holds."""
    files = tmp_path / "files"
    shutil.copytree(planet_files, files)
    text = (files / "craters.csv").read_text().splitlines()
    header = text[0].split(",")
    small = dict(zip(header, text[1].split(","), strict=True)) | {"radius_m": "20000"}
    text[1] = ",".join(small[name] for name in header)
    (files / "craters.csv").write_text("\n".join(text) + "\n")
    output = check_output(make_project("method=polar", files=files, name="small"))
    assert (
        f"warning: radius below 1.5 pixels, which can hardly be resolved: {small['name']}" in output
    )
    assert "labelled, but without ejecta" not in check_output(
        make_project("training.test_fraction=0")
    )
    project = make_project("method=polar", name="seen")
    assert project.labels is not None
    window, mask = project.labels.masks[2]
    row, col = (int(v) for v in divmod(int(mask.argmax()), mask.shape[1]))
    (tmp_path / "tiles.csv").write_text(
        f"tile_id,row,col,height,width\n0,{window.row + row},{(window.col + col) % 256},8,8\n"
    )
    tiled = Project.create(
        tmp_path / "tiled",
        planet_files / "mosaic.tif",
        planet_files / "craters.csv",
        planet_files / "labels",
        tmp_path / "tiles.csv",
        changes=["training.start_from=none", "training.test_fraction=0"],
    )
    output = check_output(tiled)
    assert "1 tiles" in output
    names = output.split("without ejecta in any tile to train on: ")[1]
    assert project.craters[2].name not in names
    assert project.craters[0].name in names


def test_labels_that_teach_nothing_are_an_error(
    make_project: MakeProject, planet_files: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiles.csv").write_text("tile_id,row,col,height,width\n0,0,0,1,1\n")
    lines = [line.split(",") for line in (planet_files / "craters.csv").read_text().splitlines()]
    files = tmp_path / "files"
    shutil.copytree(planet_files, files)
    column = lines[0].index("reach")
    for line in lines[1:]:
        line[column] = "0.08"
    (files / "craters.csv").write_text("\n".join(map(",".join, lines)) + "\n")
    project = Project.create(
        tmp_path / "p",
        files / "mosaic.tif",
        files / "craters.csv",
        files / "labels",
        tmp_path / "tiles.csv",
    )
    with pytest.raises(LabelError, match="no training data"):
        check_output(project)


def test_networks_to_start_from_have_to_fit(make_project: MakeProject) -> None:
    teacher = make_project("method=polar", name="teacher")
    train(teacher)
    wider = "context.decoder_channels=[64, 16, 16, 8, 8]"
    project = make_project("method=polar", "training.start_from=../teacher/models", wider)
    with pytest.raises(BundleError, match="decoder_channels differ"):
        check_output(project)
    same = make_project("method=polar", "training.start_from=../teacher/models", name="same")
    assert "next: ejectamap train" in check_output(same)


def test_a_loss_of_images_is_no_loss_for_the_connection_network(
    make_project: MakeProject,
) -> None:
    project = make_project("method=two-stage", "connection.loss={name: skeleton}")
    with pytest.raises(
        SettingsError, match=r"project.yaml: connection: loss skeleton needs one logit per pixel"
    ):
        check_output(project)


def test_cost_is_counted_per_input_and_member(make_project: MakeProject) -> None:
    project = make_project("method=two-stage", "connection.members=3")
    networks = validate_training(project, gather_sources(project))
    speeds = {"connection": Speed(0.01, 0.1, 1e6), "segmentation": Speed(0.0, 1.0, 5e6)}
    radius_m, tile_m = project.mosaic.grid.radius_m, 600e3
    chips = [len(ChipGrid.around(c.reach_m(radius_m), tile_m, 0.0)) for c in project.craters]
    cost = mapping_cost(project, networks, speeds, tile_m, connected=0.25)
    assert cost.inputs == {"connection": sum(chips), "segmentation": round(0.25 * sum(chips))}
    assert cost.seconds == pytest.approx(sum(chips) * (0.31 + 0.25))
    hungry = {"connection": Speed(0.01, 0.1, 1e6), "segmentation": Speed(0.0, 1.0, 1e9)}
    more = mapping_cost(project, networks, hungry, tile_m, connected=0.25)
    batch = min(BATCH, 0.25 * max(chips))
    assert more.memory_bytes - cost.memory_bytes == pytest.approx(batch * (1e9 - 5e6), rel=0.05)


def test_a_part_of_a_globe_and_its_edges_are_said(
    make_project: MakeProject, planet_files: Path, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    shutil.copytree(planet_files, files)
    with rasterio.open(files / "mosaic.tif") as source:
        rows = source.height // 2
        profile = source.profile | {"height": rows}
        values = source.read()[:, :rows]
    with rasterio.open(files / "mosaic.tif", "w", **profile) as target:
        target.write(values)
    project = make_project(labels=False, files=files)
    output = check_output(project)
    assert "mapped as far as the mosaic shows the ground within their reach: " in output
    assert "% of the globe" in output
    assert "inputs.part_of" in output
