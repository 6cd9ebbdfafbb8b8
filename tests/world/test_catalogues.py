"""Catalogues as people have them: other programs' dialects, published columns, ids of any kind."""

from collections.abc import Callable
from pathlib import Path

import pytest
from catalogue_cases import CASES, Case, as_tuple

from ejectamap.errors import CraterError
from ejectamap.world.craters import load_craters
from ejectamap.world.grid import Grid


@pytest.fixture(scope="module")
def fine(make_grid: Callable[..., Grid]) -> Grid:
    """Pixels of 4.3 km, so that craters have real sizes."""
    return make_grid(1800)


def write(folder: Path, case: Case) -> Path:
    path = folder / f"craters{case.suffix}"
    path.write_bytes(case.content)
    return path


@pytest.mark.parametrize("case", [c for c in CASES if c.craters], ids=lambda c: c.name)
def test_is_read(tmp_path: Path, fine: Grid, case: Case) -> None:
    notes: list[str] = []
    craters = load_craters(write(tmp_path, case), fine, dict(case.columns), notes)
    assert len(craters) == len(case.craters)
    for crater, expected in zip(craters, case.craters, strict=True):
        found = as_tuple(crater)
        assert found[:2] == expected[:2]
        assert found[2:] == pytest.approx(expected[2:])
    assert all("\n" not in note and note.startswith(str(tmp_path)) for note in notes)
    for word in case.words:
        assert word in " ".join(notes)


@pytest.mark.parametrize("case", [c for c in CASES if not c.craters], ids=lambda c: c.name)
def test_is_refused(tmp_path: Path, fine: Grid, case: Case) -> None:
    path = write(tmp_path, case)
    with pytest.raises(CraterError) as caught:
        load_craters(path, fine, dict(case.columns))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    for word in case.words:
        assert word in message
