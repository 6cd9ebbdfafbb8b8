"""Whatever goes wrong while a planet is mapped: nothing is lost or half-written; the same bytes come out at the end."""

import os
import shutil
import signal
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dask
import pytest

from ejectamap.errors import MosaicError, ProjectError
from ejectamap.mapping import run as map_run
from ejectamap.mapping.cluster import run_on_dask
from ejectamap.mapping.run import map_project
from ejectamap.maps.crater_map import CraterMap
from ejectamap.maps.mapped import mapped_craters
from ejectamap.maps.provenance import compute_fingerprints
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater

MakeReady = Callable[..., Project]
Contents = Callable[[Path], dict[str, bytes]]
Reopened = Callable[[Project], Project]


def map_and_be_killed(project: Project, at_write: int, share: float) -> None:
    """Map in a process of its own that is killed when it has written some share of its n-th file."""
    write, written = Path.write_bytes, 0

    def write_or_die(path: Path, content: memoryview) -> int:
        nonlocal written
        written += 1
        if written < at_write:
            return write(path, content)
        write(path, content[: round(share * len(content))])
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of other tests may be about; the child uses none
        child = os.fork()
    if child == 0:
        Path.write_bytes = write_or_die  # type: ignore[method-assign]
        try:
            map_project(project)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize(("at_write", "share"), [(3, 0.4), (15, 1.0), (32, 0.7)])
def test_killed_and_started_again(
    make_ready: MakeReady,
    monkeypatch: pytest.MonkeyPatch,
    at_write: int,
    share: float,
    contents: Contents,
    whole_map: dict[str, bytes],
    reopened: Reopened,
) -> None:
    """In the first crater's mask, before the third one's note, and in the global files."""
    project = make_ready("method=polar")
    map_and_be_killed(project, at_write, share)
    done = len(mapped_craters(reopened(project)))
    assert done == (at_write - 1) // 5  # all but the crater in hand; each has five files
    mapped_ids: list[int] = []
    monkeypatch.setattr(map_run, "load_method", recording(mapped_ids, map_run.load_method))
    map_project(reopened(project))
    assert len(mapped_ids) == 6 - done
    assert contents(project.maps) == whole_map
    assert [p.name for p in project.folder.glob(".*")] == [".lock"]  # whose lock is free


def recording(
    mapped_ids: list[int], load: Callable[[Project], object]
) -> Callable[[Project], object]:
    """Methods that record which craters they map."""

    class Recording:
        def __init__(self, project: Project) -> None:
            self.method = load(project)

        def predict(self, crater: Crater) -> CraterMap:
            mapped_ids.append(crater.crater_id)
            return self.method.predict(crater)  # type: ignore[attr-defined]

    return Recording


def test_a_killed_workers_work_is_done_again(tmp_path: Path) -> None:
    def work(number: int) -> None:
        begun = tmp_path / f"begun_{number}"
        if not begun.exists():
            begun.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        (tmp_path / f"done_{number}").touch()

    assert sorted(run_on_dask(work, [3, 7], workers=1, scheduler=None)) == [3, 7]
    assert len(list(tmp_path.glob("done_*"))) == 2


def test_a_task_that_kills_every_worker() -> None:
    once = {"distributed.scheduler.allowed-failures": 0}
    with dask.config.set(once), pytest.raises(ProjectError, match=r"crater 1: .*fewer --workers"):
        list(run_on_dask(os._exit, [1], workers=1, scheduler=None))


def test_a_mosaic_that_is_cut_off_meanwhile(
    make_ready: MakeReady,
    planet_files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    contents: Contents,
    reopened: Reopened,
) -> None:
    """What is at work ends as it began; afterwards it is said which file is wrong, and nothing is taken from it."""
    inputs = tmp_path / "files"
    shutil.copytree(planet_files, inputs)
    whole, project = (
        make_ready("method=polar", name=name, files=inputs) for name in ("whole", "cut")
    )
    map_project(whole)
    mosaic = inputs / "mosaic.tif"
    content = mosaic.read_bytes()
    mapped_ids: list[int] = []
    state = map_run._ProjectState.of(project, compute_fingerprints(project))
    load = recording(mapped_ids, map_run.load_method)

    def load_and_cut(opened: Project) -> object:
        method = load(opened)
        mosaic.write_bytes(content[: len(content) // 2])
        return method

    with monkeypatch.context() as patched:
        patched.setattr(map_run, "load_method", load_and_cut)
        map_project(project)
    with pytest.raises(MosaicError, match=r"mosaic\.tif: cannot be read"):
        map_project(reopened(project))
    with pytest.raises(MosaicError, match=r"mosaic\.tif: cannot be read"):
        map_run._map_crater_by_id(state, None, 0)
    mosaic.write_bytes(content)
    with pytest.raises(ProjectError, match="changed during mapping"):
        map_run._map_crater_by_id(replace(state, fingerprint="another"), None, 0)
    map_project(reopened(project))
    assert mapped_ids == [0, 1, 2, 3, 4, 5]
    assert contents(project.maps) == contents(whole.maps)
