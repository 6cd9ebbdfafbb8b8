"""Run commands in this process, and check how they end."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ejectamap import cli


class Outcome:
    """Exit code and output of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def is_refusal(self, *words: str) -> None:
        """Check that the command ended with exit code 2 and one line on standard error that contains these words."""
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
        with pytest.raises(SystemExit) as end:
            cli.main()
        return Outcome(int(end.value.code or 0), *capsys.readouterr())

    return ejectamap


@pytest.fixture
def files(tmp_path: Path, planet_files: Path) -> Path:
    """Input files that a test may modify."""
    shutil.copytree(planet_files, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def refused(run: Run, files: Path, tmp_path: Path) -> Callable[..., None]:
    """Make a project of the files, and check that `ejectamap check` refuses it."""

    def check(*words: str, tiles: bool = False, changes: tuple[str, ...] = ()) -> None:
        inputs = {name: files / f"{name}.tif" for name in ("mosaic",)}
        inputs |= {"craters": files / "craters.csv", "labels": files / "labels"}
        if tiles:
            inputs["tiles"] = files / "tiles.csv"
        options = [part for name, path in inputs.items() for part in (f"--{name}", path)]
        settings = [part for change in changes for part in ("--set", change)]
        outcome = run("new", tmp_path / "p", *options, *settings)
        assert outcome.code == 0, outcome.err
        run("check", tmp_path / "p").is_refusal(*words)

    return check
