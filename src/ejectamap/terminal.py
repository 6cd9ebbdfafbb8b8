"""The terminal: results on standard output, messages and warnings beside them."""

import textwrap
from typing import Any
from unicodedata import category

from rich.console import Console
from rich.text import Text


class MessageConsole(Console):
    """Console that prints text as it is, since a name may hold [brackets] and :colons:.

    A sentence (`soft_wrap=True`) is wrapped at words to a terminal's width, and never within a word, so that a path
    can be copied. Where the output is no terminal it stays one line, for programs that read it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as `Console.print` does, without characters that would control the terminal."""
        objects = tuple(_harmless(each) if isinstance(each, str) else each for each in objects)
        if options.get("soft_wrap") and self.is_terminal:
            objects = tuple(self._wrap(each) for each in objects)
        super().print(*objects, **options)

    def _wrap(self, text: Any) -> Any:
        """A string, or a text of one style, with line breaks between its words."""
        lines = str(text).split("\n")
        wrapped = "\n".join(
            textwrap.fill(line, self.width, break_long_words=False, break_on_hyphens=False)
            for line in lines
        )
        return Text(wrapped, text.style) if isinstance(text, Text) else wrapped


def _harmless(text: str) -> str:
    """A text with "?" for control characters, which a name or a path may hold, but for line ends and tabs."""
    return "".join(c if c in "\n\t" or category(c) != "Cc" else "?" for c in text)


def results_console() -> Console:
    """Console for standard output."""
    return MessageConsole()
