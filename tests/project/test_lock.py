"""One writer per project, among real processes; readers are not held up."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ejectamap.cli import main
from ejectamap.compare import compare_methods
from ejectamap.errors import ProjectError
from ejectamap.interop.import_labels import import_labels
from ejectamap.mapping.run import map_project
from ejectamap.maps.mapped import require_mapped
from ejectamap.project.folder import Project
from ejectamap.project.lock import sole_writer, writes_project
from ejectamap.training.run import train

MakeReady = Callable[..., Project]

HOLD = """
import sys
from pathlib import Path
from ejectamap.project.lock import sole_writer
with sole_writer(Path(sys.argv[1]), "map"):
    print("held", flush=True)
    sys.stdin.read()
"""
VERBS: dict[str, Callable[[Project], object]] = {
    "map": map_project,
    "train": train,
    "import labels": lambda project: import_labels(project, project.folder / "any.gpkg"),
    "compare": lambda project: compare_methods(project, ("polar",)),
}


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that writes the project."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_writer_is_told_who_the_first_is(make_project: Callable[..., Project]) -> None:
    project = make_project("method=polar")
    with held(project.folder) as process:
        first = rf"ejectamap map \(process {process.pid} on .*, since .*\) writes it: wait"
        for verb, write in VERBS.items():
            with pytest.raises(ProjectError, match=first) as caught:
                write(project)
            assert "\n" not in str(caught.value), verb
        left = {path.name for path in project.folder.iterdir()}
    assert left == {"project.yaml", ".lock"}


def test_the_second_command_is_one_line_and_exit_code_2(
    make_project: Callable[..., Project],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = make_project("method=polar")
    monkeypatch.setattr(sys, "argv", ["ejectamap", "map", str(project.folder)])
    with held(project.folder), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith(f"ejectamap: {project.folder}: ejectamap map (process ")
    assert message.count("\n") == 1


def test_a_killed_writer_locks_nobody_out(make_project: Callable[..., Project]) -> None:
    project = make_project("method=polar")
    with held(project.folder) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with sole_writer(project.folder, "train"):
            assert "ejectamap train" in (project.folder / ".lock").read_text()
    assert (project.folder / ".lock").read_text() == ""


def test_readers_are_not_held_up(make_ready: MakeReady) -> None:
    project = make_ready("method=polar")
    map_project(project, [0])
    with held(project.folder):
        assert len(require_mapped(Project.open(project.folder))) == 1


def test_a_verb_may_use_others(make_project: Callable[..., Project]) -> None:
    """As compare, which trains and maps; the project stays locked until the outermost ends."""
    project = make_project("method=polar")

    @writes_project("map")
    def inner(project: Project) -> str:
        return (project.folder / ".lock").read_text()

    with sole_writer(project.folder, "compare"):
        assert "ejectamap compare" in inner(project)
        assert "ejectamap compare" in (project.folder / ".lock").read_text()
        with pytest.raises(subprocess.CalledProcessError):
            command = [sys.executable, "-c", HOLD, str(project.folder)]
            subprocess.run(command, check=True, capture_output=True)


def test_a_disk_without_locks_is_warned_of(
    make_project: Callable[..., Project],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    project = make_project("method=polar")
    monkeypatch.setattr(fcntl, "flock", refuse)
    with sole_writer(project.folder, "map"):
        pass
    assert "its disk has no locks" in caplog.text
