"""The pages of the site agree with the program: links lead somewhere, and commands are those that it has.

`make docs` runs the commands; this only reads them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ejectamap.cli import app

ROOT = Path(__file__).parents[1]
BUILT = ("_build", "generated")
PAGES = [
    ROOT / "README.md",
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if not set(BUILT) & set(path.parts) and not path.name.endswith(".part.md")
    ),
]
FENCE = re.compile(r"^ *(`{3,}|:{3,}).*?^ *\1`*:*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^ *(?:\$ |`)?(?:\.venv/bin/)?(ejectamap [^`#\n]*)", re.MULTILINE)
PLACEHOLDERS = {"...", "PROJECT", "COMMAND", "KEY=VALUE"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def headings(path: Path) -> set[str]:
    """Anchors of a page's headings."""
    text = FENCE.sub("", path.read_text())
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        place, _, anchor = link.partition("#")
        if "://" in link or place.startswith(("mailto:", "/_build/")):
            continue
        target = page.parent / place if place else page
        assert target.exists(), link
        if anchor and target.suffix == ".md" and not anchor.startswith("ejectamap-"):
            assert anchor in headings(target), link


def commands(page: Path) -> Iterator[str]:
    """Every `ejectamap ...` of a page, in blocks and in the text."""
    text = page.read_text().replace("\\\n", " ")
    for found in COMMAND.findall(text) + re.findall(r"`(ejectamap [^`]*)`", text):
        yield " ".join(re.split(r"  | \(", found)[0].split())


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_those_of_the_program(page: Path) -> None:
    for command in commands(page):
        words = command.rstrip(".,;:").split()[1:]
        if PLACEHOLDERS.isdisjoint(words):
            check(typer.main.get_command(app), words, command)


def check(command: Any, words: list[str], whole: str) -> None:
    """Whether a command and its options exist; arguments may be left out in a text."""
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, whole
        command, words = command.commands[words[0]], words[1:]
    options = {text for option in command.params for text in (*option.opts, *option.secondary_opts)}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= options | {"--help"}, whole


def test_every_verb_is_on_a_page() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    for verb in typer.main.get_command(app).commands:
        assert f"ejectamap {verb}" in text or f"`{verb}`" in text, verb
