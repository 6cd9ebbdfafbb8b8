"""The directive `terminal`: runs commands while the site is built, and shows them with what they print.

Commands of a page run in one folder, in the order of the page. `terminal: mapped` in the front matter of a page starts
it from a copy of the folder `mapped`, which holds a simulated planet and a finished project of it;
`planet-as-published` and `moon-as-published` hold mosaics as they are downloaded; otherwise the folder is empty. Lines
that begin with # are shown as comments. A command that fails is an error of the build.

Options of the directive: `hidden` runs the commands without a word, `no-output` leaves out what they print, `not-run`
shows commands that need a person, a program or a machine that the build does not have, `fails` shows a command that the
program refuses.
"""

import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sessions import CommandError, Session, prepare
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_WIDTH = 80
_sessions: dict[str, Session] = {}


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
        try:
            text = "\n".join(self._lines())
        except CommandError as error:
            return [self.state.document.reporter.error(str(error), line=self.lineno)]
        if "hidden" in self.options:
            return []
        block = nodes.literal_block(text, text, language="console")
        self.set_source_info(block)
        return [block]

    def _lines(self) -> Iterator[str]:
        """The commands, each with what it prints."""
        for command in re.findall(r"(?:.*\\\n)*.+", "\n".join(self.content)):
            is_comment = command.startswith("#")
            yield command if is_comment else f"$ {command}"
            if is_comment or "not-run" in self.options:
                continue
            printed = self._session().run(command.replace("\\\n", " "), "fails" in self.options)
            if "no-output" not in self.options:
                yield from _wrap(printed)

    def _session(self) -> Session:
        """The page's session; where it starts is in the front matter, which Sphinx itself reads only after the page."""
        page = self.env.docname
        if page not in _sessions:
            text = Path(self.env.doc2path(page)).read_text()
            start = re.match(r"---\n(?:.+\n)*?terminal: (\S+)\n", text)
            root = self.config.terminal_folder
            _sessions[page] = Session(root, page, None if start is None else start[1])
        return _sessions[page]


def _wrap(printed: str) -> Iterator[str]:
    """Lines of a terminal of 80 columns, as the program wraps its sentences there."""
    for line in printed.rstrip().splitlines():
        if len(line) <= _WIDTH:
            yield line.rstrip()
        else:
            yield from textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _prepare(app: Sphinx) -> None:
    _sessions.clear()
    prepare(app.config.terminal_folder)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_config_value("terminal_folder", None, "env")
    app.add_directive("terminal", Terminal)
    app.connect("builder-inited", _prepare)
    return {"parallel_read_safe": False}
