"""Methods whose networks are given answers, and mapped projects read again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_networks import VIEWS, Report

from ejectamap.mapping import earlier, polar, polar_connect, two_stage
from ejectamap.mapping.methods import Method
from ejectamap.mapping.registry import load_method
from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file of a finished map, by name, the hidden notes included."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read


@pytest.fixture(scope="session")
def reopened() -> Callable[[Project], Project]:
    """A project as another process would find it."""
    return lambda project: Project.open(project.folder)


@pytest.fixture
def load(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Method]:
    """A method on a planet in memory, with given answers instead of networks."""

    def make(
        method: str,
        mosaic: Mosaic,
        crater: Crater | tuple[Crater, ...],
        *changes: str,
        **answers: Any,
    ) -> Method:
        half = "views.overlap=0.5"
        project = make_project(f"method={method}", half, *changes, name=f"p{len(loaded)}")
        loaded.append(project)
        craters = crater if isinstance(crater, tuple) else (crater,)
        vars(project).update(mosaic=mosaic, craters=craters)

        def load_report(_: Project, kind: str) -> Report:
            given = answers[kind]
            sized = given if isinstance(given, tuple) else (given, 1)
            return Report(sized[0], VIEWS[kind], sized[1])

        for module in (two_stage, polar, polar_connect, earlier):
            monkeypatch.setattr(module, "load_ensemble", load_report)
        return load_method(project)

    loaded: list[Project] = []
    return make
