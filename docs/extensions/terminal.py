"""The directive `terminal`: runs commands while the site is built, and shows them with what they print.

Commands of a page run in one folder, in the order of the page. `terminal: mapped` in the front matter of a page starts
it from a copy of the folder `mapped`, which holds a simulated planet and a finished project of it;
`planet-as-published` and `moon-as-published` hold mosaics as they are downloaded; otherwise the folder is empty. Lines
that begin with # are shown as comments. A command that fails ends the build.

Options of the directive: `hidden` runs the commands without a word, `no-output` leaves out what they print, `not-run`
shows commands that need a person, a program or a machine that the build does not have, `fails` shows a command that the
program refuses.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from stand_ins import add_people, write_moon_as_published, write_planet_as_published

from ejectamap.cli import main

_WIDTH = 80
_MAPPED = (
    "ejectamap simulate planet --seed 3 --width 512 --craters 5",
    "ejectamap new mercury --mosaic planet/mosaic.tif --craters planet/craters.csv --labels planet/labels",
    "ejectamap map mercury",
    "ejectamap evaluate mercury",
    "ejectamap analyze mercury",
)


class Terminal(SphinxDirective):
    """Commands, one a line; a line that ends with a backslash continues in the next."""

    has_content = True
    option_spec: ClassVar[dict[str, Callable[[str], Any]]] = {
        "hidden": directives.flag,
        "no-output": directives.flag,
        "not-run": directives.flag,
        "fails": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Run the commands and return them as one block."""
        page = self.env.docname
        if page not in _started:
            _started[page] = _start(self.config.terminal_folder, page, self._beginning())
        lines = []
        for command in "\n".join(self.content).replace("\\\n", "\\\0").split("\n"):
            text = command.replace("\0", "\n")
            if not text.strip():
                continue
            lines.append(text if text.startswith("#") else f"$ {text}")
            if "not-run" in self.options or text.startswith("#"):
                continue
            try:
                printed = run_command(
                    text.replace("\\\n", " "), _started[page], "fails" in self.options
                )
            except ExtensionError as error:
                return [self.state.document.reporter.error(str(error), line=self.lineno)]
            if "no-output" not in self.options:
                lines += _wrap(printed)
        if "hidden" in self.options:
            return []
        block = nodes.literal_block("\n".join(lines), "\n".join(lines), language="console")
        self.set_source_info(block)
        return [block]

    def _beginning(self) -> str | None:
        """Folder that the page starts from, by its front matter, which Sphinx itself reads only after the page."""
        text = Path(self.env.doc2path(self.env.docname)).read_text()
        named = re.match(r"---\n(?:.+\n)*?terminal: (\S+)\n", text)
        return None if named is None else named[1]


_started: dict[str, Path] = {}


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
        raise ExtensionError(f"{folder}: {command}: ended with code {code}: {printed}{message}")
    return message if fails else printed


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


def _start(root: Path, page: str, start: str | None) -> Path:
    """Make the folder in which the commands of a page run."""
    folder = root / page.replace("/", "-")
    shutil.rmtree(folder, ignore_errors=True)
    if start is None:
        folder.mkdir(parents=True)
    else:
        shutil.copytree(root / start, folder)
    return folder


def _wrap(printed: str) -> list[str]:
    """Lines of a terminal of 80 columns, as the program wraps its sentences there."""
    lines: list[str] = []
    for line in printed.rstrip().splitlines():
        fits = len(line) <= _WIDTH
        lines += (
            [line.rstrip()]
            if fits
            else textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
        )
    return lines


def _prepare(app: Sphinx) -> None:
    """Make the folders that pages start from; they are kept until the folder `_build` is removed."""
    _started.clear()
    for name, make in _FOLDERS.items():
        folder = app.config.terminal_folder / name
        if (folder / "done").exists():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        (folder / "done").touch()


def _map_a_planet(folder: Path) -> None:
    for command in _MAPPED:
        run_command(command, folder)
    add_people(folder)


_FOLDERS = {
    "mapped": _map_a_planet,
    "planet-as-published": write_planet_as_published,
    "moon-as-published": write_moon_as_published,
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_config_value("terminal_folder", None, "env")
    app.add_directive("terminal", Terminal)
    app.connect("builder-inited", _prepare)
    return {"parallel_read_safe": False}
