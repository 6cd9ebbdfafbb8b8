"""A part of the attacks; `make attack` runs all of them."""

from pathlib import Path

import pytest
from attack import References, attack
from attack_cases import cases
from case import SLOW, Case
from sandbox import make_template

LONG = {"map", "report", "analyze", *(call[0] for call in SLOW.values())} - {"new"}
SOME = [case for case in cases() if case.arguments[0] not in LONG][::47]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacks") / "template"
    make_template(folder)
    return folder


@pytest.fixture(scope="module")
def references() -> References:
    return {}


@pytest.mark.parametrize(
    "case", SOME, ids=lambda case: case.name.encode("ascii", "replace").decode()
)
def test_an_attack_is_answered(
    template: Path, tmp_path: Path, case: Case, references: References
) -> None:
    assert not attack(template, tmp_path / "attacked", case, references)
