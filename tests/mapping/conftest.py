"""Methods with stand-ins instead of networks, and mapped projects opened again."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stand_in_networks import VIEWS, StandIn

from ejectamap.mapping import methods
from ejectamap.mapping.methods import Method, load_method
from ejectamap.project.folder import Project
from ejectamap.project.input_files import InputFiles
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic


class InputsInMemory(InputFiles):
    """Input files whose mosaic and craters are given."""

    mosaic: Any = None
    craters: Any = ()


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file of a finished map, by name, the hidden records included."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read


@pytest.fixture(scope="session")
def whole_map(polar_mapped: Path, contents: Callable[[Path], dict[str, bytes]]) -> dict[str, bytes]:
    """Every file of the finished map of `make_ready("method=polar")`."""
    return contents(polar_mapped / "map")


@pytest.fixture
def mapped(polar_mapped: Path, tmp_path: Path) -> Project:
    """A copy of the project with that map."""
    return Project.open(shutil.copytree(polar_mapped, tmp_path / "project"))


@pytest.fixture(scope="session")
def reopened() -> Callable[[Project], Project]:
    """A project as another process would open it."""
    return lambda project: Project.open(project.folder)


@pytest.fixture
def load(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Method]:
    """A method on a planet in memory, with stand-ins for its networks."""

    def make(
        method: str,
        mosaic: Mosaic,
        crater: Crater | tuple[Crater, ...],
        *changes: str,
        **predict: Any,
    ) -> Method:
        half = "views.overlap=0.5"
        project = make_project(f"method={method}", half, *changes, name=f"p{len(loaded)}")
        loaded.append(project)
        craters = crater if isinstance(crater, tuple) else (crater,)
        inputs = InputsInMemory(project.folder, project.settings.inputs)
        inputs.mosaic, inputs.craters = mosaic, craters

        def load_stand_in(_: Project, kind: str) -> StandIn:
            given = predict[kind]
            function, size = given if isinstance(given, tuple) else (given, 1)
            return StandIn(function, VIEWS[kind], size)

        monkeypatch.setattr(methods, "load_ensemble", load_stand_in)
        return load_method(replace(project, shared_inputs=inputs))

    loaded: list[Project] = []
    return make
