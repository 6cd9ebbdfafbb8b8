"""What a release says of itself: one version, lower bounds of all dependencies, targets that exist, completion."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from ruamel.yaml import YAML

import ejectamap

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = [Requirement(text) for text in PYPROJECT["project"]["dependencies"]]


def test_citation_has_the_version_of_the_package() -> None:
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == ejectamap.__version__
    assert citation["license"] == PYPROJECT["project"]["license"]


def test_every_dependency_has_a_lower_bound_and_a_pin_that_meets_it() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    pinned = {pin.name: next(iter(pin.specifier)).version for pin in pins}
    for dependency in DEPENDENCIES:
        assert [spec.operator for spec in dependency.specifier] == [">="], dependency.name
        name = dependency.name.replace(".", "-")
        assert dependency.specifier.contains(Version(pinned[name])), dependency.name


def test_every_dependency_is_explained() -> None:
    text = (ROOT / "docs" / "reference" / "dependencies.md").read_text(encoding="utf-8")
    explained = re.findall(r"[\w.-]+", " ".join(re.findall(r"^\| (.*?) \|", text, re.MULTILINE)))
    assert {d.name for d in DEPENDENCIES} == set(explained) - {"package", "---"}


@pytest.mark.parametrize("name", [".github/workflows/tests.yml", "CONTRIBUTING.md", ".ci/run"])
def test_targets_of_make_exist(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = (ROOT / name).read_text(encoding="utf-8")
    commands = re.findall(r"(?:^ *|run: |`)make ([a-z -]+)", text, re.MULTILINE)
    assert commands
    assert {target for command in commands for target in command.split()} <= known


def test_the_shell_completes_commands() -> None:
    words = {"COMP_WORDS": "ejectamap eva", "COMP_CWORD": "1"}
    done = subprocess.run(
        [Path(sys.executable).with_name("ejectamap")],
        env={**os.environ, "_EJECTAMAP_COMPLETE": "complete_bash", **words},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["evaluate"]
