"""Mapping a project: its files, and that they are the same however often it stops or starts again."""

import errno
import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from ejectamap.errors import BundleError, CraterError, MosaicError, OutputError
from ejectamap.mapping import run as map_run
from ejectamap.mapping.run import map_project
from ejectamap.maps.connections import no_connections
from ejectamap.maps.crater_map import CraterMap
from ejectamap.maps.mapped import mapped_craters
from ejectamap.maps.state import card_path
from ejectamap.project.folder import Project
from ejectamap.show.run import draw_card
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic_files import read_mosaic_grid

MakeReady = Callable[..., Project]
Contents = Callable[[Path], dict[str, bytes]]
Reopened = Callable[[Project], Project]
IDS = [0, 1, 2, 3, 4, 5]
GLOBAL = ["connections.parquet", "ejecta.gpkg", "origin.qml", "origin.tif"]


class Counting:
    """A method that records which craters it maps, and may stop at one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop_at: int | None = None) -> None:
        self.mapped_ids: list[int] = []
        load = map_run.load_method

        def loaded(project: Project) -> "Counting":
            self.method = load(project)
            return self

        self.stop_at = stop_at
        monkeypatch.setattr(map_run, "load_method", loaded)

    def predict(self, crater: Crater) -> CraterMap:
        if crater.crater_id == self.stop_at:
            raise KeyboardInterrupt
        self.mapped_ids.append(crater.crater_id)
        return self.method.predict(crater)


def test_the_files_other_programs_rely_on(make_ready: MakeReady) -> None:
    project = make_ready("method=two-stage")
    map_project(project)
    names = [f"crater_{k}_{what}.tif" for k in IDS for what in ("probability", "mask")]
    visible = [path.name for path in project.maps.iterdir() if not path.name.startswith(".")]
    assert sorted(visible) == sorted([*names, *GLOBAL])
    grid = project.mosaic.grid
    for crater in project.craters:
        stem = project.maps / f"crater_{crater.crater_id}"
        with rasterio.open(f"{stem}_probability.tif") as p, rasterio.open(f"{stem}_mask.tif") as m:
            stored, mask = p.read(1), m.read(1)
            assert p.nodata == 255
            assert (p.transform, p.shape, p.crs) == (m.transform, m.shape, m.crs)
            assert p.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert stored.dtype == mask.dtype == np.uint8
        assert ((stored <= 250) | (stored == 255)).all()
        assert np.array_equal(mask == 1, (stored > 125) & (stored != 255))
    with rasterio.open(project.maps / "origin.tif") as source:
        origin = source.read(1)
    assert read_mosaic_grid(project.maps / "origin.tif").shape == grid.shape
    assert set(np.unique(origin)) <= {0, *(k + 1 for k in IDS)}
    polygons = gpd.read_file(project.maps / "ejecta.gpkg", layer="ejecta")
    assert set(polygons["crater_id"]) <= set(IDS)
    connections = pd.read_parquet(project.maps / "connections.parquet")
    assert tuple(connections) == tuple(no_connections())
    assert sorted(connections["crater_id"].unique()) == IDS
    provenance = json.loads((project.folder / "provenance.json").read_text())
    assert provenance["craters"] == IDS
    assert provenance["settings"]["method"] == "two-stage"
    assert any(name.endswith("weights.safetensors") for name in provenance["files"])


def test_again_is_no_work_and_the_same_bytes(
    mapped: Project, monkeypatch: pytest.MonkeyPatch, contents: Contents, reopened: Reopened
) -> None:
    first = contents(mapped.folder)
    monkeypatch.setattr(map_run, "load_method", None)  # would fail if there were work
    map_project(mapped)
    assert contents(mapped.folder) == first
    assert mapped_craters(reopened(mapped)) == list(mapped.craters)


def test_two_copies_are_the_same_map(make_ready: MakeReady, contents: Contents) -> None:
    one, two = (make_ready("method=two-stage", name=name) for name in ("one", "two"))
    map_project(one)
    map_project(two)
    assert contents(one.maps) == contents(two.maps)


def test_an_interrupted_map_goes_on(
    make_ready: MakeReady,
    monkeypatch: pytest.MonkeyPatch,
    contents: Contents,
    whole_map: dict[str, bytes],
    reopened: Reopened,
) -> None:
    project = make_ready("method=polar")
    with monkeypatch.context() as patched:
        cut = Counting(patched, stop_at=3)
        with pytest.raises(KeyboardInterrupt):
            map_project(project)
    assert cut.mapped_ids == [0, 1, 2]
    assert not (project.maps / "origin.tif").exists()
    assert [c.crater_id for c in mapped_craters(reopened(project))] == [0, 1, 2]
    rest = Counting(monkeypatch)
    map_project(reopened(project))
    assert rest.mapped_ids == [3, 4, 5]
    assert contents(project.maps) == whole_map


@pytest.mark.parametrize(
    ("lost", "mapped_ids"),
    [
        ("crater_2_mask.tif", []),
        (".done/outline_2.parquet", []),
        ("crater_2_probability.tif", [2]),
        (".done/connections_2.parquet", [2]),
        ("origin.tif", []),
    ],
)
def test_a_lost_file_is_made_again(
    mapped: Project,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
    mapped_ids: list[int],
    contents: Contents,
    whole_map: dict[str, bytes],
) -> None:
    (mapped.maps / lost).unlink()
    again = Counting(monkeypatch)
    map_project(mapped)
    assert again.mapped_ids == mapped_ids
    assert contents(mapped.maps) == whole_map


def test_some_craters(
    make_ready: MakeReady, contents: Contents, whole_map: dict[str, bytes]
) -> None:
    project = make_ready("method=polar")
    map_project(project, [4, 1])
    assert [c.crater_id for c in mapped_craters(project)] == [1, 4]
    with rasterio.open(project.maps / "origin.tif") as source:
        assert set(np.unique(source.read(1))) <= {0, 2, 5}
    with pytest.raises(CraterError, match="crater 77"):
        map_project(project, [77])
    map_project(project)
    assert contents(project.maps) == whole_map


def test_workers_map_the_project_as_it_is_here(
    make_ready: MakeReady, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its results' folder and its settings go along, whatever stands in the file meanwhile."""

    def work_here(work: Callable[[int], None], numbers: list[int], *_: object) -> Iterator[int]:
        for number in numbers:
            pickle.loads(pickle.dumps(work))(number)
            yield number

    monkeypatch.setattr(map_run, "run_on_dask", work_here)
    project = make_ready("method=polar")
    variant = project.with_method("polar")
    settings = project.folder / "project.yaml"
    settings.write_text(settings.read_text().replace("method: polar ", "method: two-stage "))
    map_project(variant, workers=2)
    assert mapped_craters(variant) == list(project.craters)
    assert variant.maps == project.folder / "compare" / "polar" / "map"
    assert not project.maps.exists()


def test_two_workers_make_the_same_map_and_pictures(
    make_ready: MakeReady, contents: Contents
) -> None:
    alone, together = (make_ready("method=two-stage", name=name) for name in ("alone", "together"))
    some = [0, 2, 5]
    map_project(alone, some, after_crater=draw_card)
    map_project(together, some, workers=2, after_crater=draw_card)
    assert contents(together.maps) == contents(alone.maps)
    assert all(card_path(together, together.craters[k]).exists() for k in some)


@pytest.mark.parametrize("full_after", [0, 5, 32])
def test_a_full_disk_leaves_nothing_half_written(
    make_ready: MakeReady,
    monkeypatch: pytest.MonkeyPatch,
    full_after: int,
    contents: Contents,
    whole_map: dict[str, bytes],
    reopened: Reopened,
) -> None:
    """The disk fills up with the first file, in the second crater, and with the last global file."""
    project = make_ready("method=polar")
    write, written = Path.write_bytes, 0

    def write_until_full(path: Path, content: memoryview) -> int:
        nonlocal written
        written += 1
        if written > full_after:
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", write_until_full)
        with pytest.raises(OutputError, match=r"No space left.*free some space") as caught:
            map_project(project)
    assert "\n" not in str(caught.value)
    left = contents(project.maps)
    assert len(left) == full_after
    assert all(whole_map[name] == content for name, content in left.items())
    map_project(reopened(project))
    assert contents(project.maps) == whole_map


def test_a_truncated_mosaic(
    make_ready: MakeReady,
    planet_files: Path,
    tmp_path: Path,
    contents: Contents,
    reopened: Reopened,
) -> None:
    files = tmp_path / "files"
    shutil.copytree(planet_files, files)
    project = make_ready("method=polar", files=files)
    mosaic = files / "mosaic.tif"
    mosaic.write_bytes(mosaic.read_bytes()[: mosaic.stat().st_size // 2])
    with pytest.raises(MosaicError, match=r"mosaic\.tif: cannot be read"):
        map_project(reopened(project))
    assert contents(project.maps) == {}


def test_without_networks(make_project: Callable[..., Project]) -> None:
    with pytest.raises(BundleError, match="run ejectamap train first"):
        map_project(make_project("method=polar"))


def test_a_folder_that_cannot_be_made(make_ready: MakeReady) -> None:
    project = make_ready("method=polar")
    project.maps.write_text("a file in the way")
    with pytest.raises(OutputError, match=r"map.*cannot be made"):
        map_project(project)
