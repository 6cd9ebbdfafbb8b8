"""Progress is shown on a terminal, and nowhere else."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from ejectamap import progress
from ejectamap.progress import status, track
from ejectamap.terminal import MessageConsole


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a terminal of 80 columns is sent."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr(progress, "progress_console", lambda: console)
    assert isinstance(console.file, io.StringIO)
    yield console.file


@status("reading the mosaic")
def read() -> int:
    return sum(track([1, 2, 3], "drawing cards"))


def test_displays_within_one_another(terminal: io.StringIO) -> None:
    assert read() == 6
    assert "reading the mosaic" in terminal.getvalue()
    assert "drawing cards" in terminal.getvalue()


def test_nothing_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert read() == 6
    assert list(track(iter("ab"), "letters", total=2)) == ["a", "b"]
    assert capfd.readouterr() == ("", "")


SENTENCE = "made /some/folder/longer/than/a/line-and/to-be/copied/whole.json and more"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_message_wraps_at_words_on_a_terminal_alone(is_terminal: bool) -> None:
    console = MessageConsole(file=io.StringIO(), force_terminal=is_terminal, width=40)
    console.print(SENTENCE, soft_wrap=True, highlight=False)
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    path = SENTENCE.split()[1]
    assert lines == (["made", path, "and more"] if is_terminal else [SENTENCE])
