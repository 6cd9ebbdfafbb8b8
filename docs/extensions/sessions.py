"""What runs the commands of a page: one folder for each page, and what every command printed there.

A command that the page had in the same place when it was last built, after the same commands, is not run again: its
output is kept in the folder. `make docs` begins without these folders.
"""

import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

from stand_ins import add_scripts, write_moon_as_published, write_planet_as_published

from ejectamap.cli import main

_WIDTH = 80
_MAPPED = (
    "ejectamap simulate planet --seed 3 --width 512 --craters 4",
    "ejectamap new mercury --mosaic planet/mosaic.tif --craters planet/craters.csv --labels planet/labels",
    "ejectamap map mercury",
    "ejectamap evaluate mercury",
    "ejectamap analyze mercury",
)


class CommandError(Exception):
    """A command of a page ended otherwise than the page says."""


class Session:
    """The commands of one page, in their order.

    Parameters
    ----------
    root : Path
        Where the folders of all pages are.
    page : str
        Its name.
    start : str or None
        Folder of `prepare` that the page's folder is a copy of at first; None: it is empty.
    """

    def __init__(self, root: Path, page: str, start: str | None) -> None:
        self.folder = root / page.replace("/", "-")
        self._start = None if start is None else root / start
        self._asked: list[tuple[str, bool]] = []
        store = self.folder / ".printed.json"
        self._kept = json.loads(store.read_text()) if store.exists() else []

    def run(self, command: str, fails: bool = False) -> str:
        """Run the next command; return what it printed: its message, if it is one that fails."""
        self._asked.append((command, fails))
        k = len(self._asked) - 1
        if k < len(self._kept) and self._kept[k][0] == command:
            return str(self._kept[k][1])
        if k == 0 or k < len(self._kept):  # the page has changed: from the beginning
            self._begin()
            for earlier in self._asked[:-1]:
                self._run_and_keep(*earlier)
        return self._run_and_keep(command, fails)

    def _begin(self) -> None:
        self._kept = []
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._start is None:
            self.folder.mkdir(parents=True)
        else:
            shutil.copytree(self._start, self.folder)

    def _run_and_keep(self, command: str, fails: bool) -> str:
        printed = run_command(command, self.folder, fails)
        self._kept.append([command, printed])
        (self.folder / ".printed.json").write_text(json.dumps(self._kept))
        return printed


def run_command(command: str, folder: Path, fails: bool = False) -> str:
    """Run a command in a folder; return what it printed: its message, if it is one that fails.

    `ejectamap` runs in this process, so that its libraries are loaded once.
    """
    words = shlex.split(command)
    if words[0] != "ejectamap":
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        code, printed, message = done.returncode, done.stdout, done.stderr
    else:
        code, printed, message = _run_here(words, folder)
    if bool(code) != fails:
        raise CommandError(f"{folder}: {command}: ended with code {code}: {printed}{message}")
    return (message if fails else printed).replace(f"{folder}/", "")


def _run_here(words: list[str], folder: Path) -> tuple[int, str, str]:
    """Run the program in this process: its exit code, and what it wrote on standard output and error."""
    printed, message, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", words),
        mock.patch.dict(os.environ, COLUMNS=str(_WIDTH)),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(message),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return code, printed.getvalue(), message.getvalue()


def prepare(root: Path) -> None:
    """Make the folders that pages start from, where they are not there."""
    for name, make in _FOLDERS.items():
        folder = root / name
        if (folder / "done").exists():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        (folder / "done").touch()


def _map_a_planet(folder: Path) -> None:
    for command in _MAPPED:
        run_command(command, folder)
    add_scripts(folder)


_FOLDERS = {
    "mapped": _map_a_planet,
    "planet-as-published": write_planet_as_published,
    "moon-as-published": write_moon_as_published,
}
