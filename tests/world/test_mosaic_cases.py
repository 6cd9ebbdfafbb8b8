"""Mosaics as people have them are read right, or refused in one line; see `mosaic_cases`."""

import re
from pathlib import Path

import mosaic_cases
import pytest

from ejectamap.errors import MosaicError
from ejectamap.world.mosaic import Mosaic

CASES = mosaic_cases.CASES
READ = [name for name, case in CASES.items() if not isinstance(case.check, str)]
REFUSED = [name for name, case in CASES.items() if isinstance(case.check, str)]


@pytest.mark.parametrize("name", READ)
def test_read_right(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = CASES[name].make(tmp_path)
    capfd.readouterr()
    mosaic = Mosaic.open(path)
    CASES[name].check(mosaic)  # type: ignore[operator]
    assert capfd.readouterr() == ("", "")
    assert all("\n" not in note and str(tmp_path) in note for note in mosaic.notes)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = CASES[name].make(tmp_path)
    capfd.readouterr()
    with pytest.raises(MosaicError) as caught:
        Mosaic.open(path)
    message = str(caught.value)
    pattern = ".*".join(re.escape(part) for part in str(CASES[name].check).split("..."))
    assert re.search(pattern, message), message
    assert "\n" not in message
    assert path.name in message
    assert capfd.readouterr() == ("", "")
