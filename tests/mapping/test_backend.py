"""A trial of backends is held once a project, and every map says what it ran on."""

import json
from collections.abc import Callable

import pytest
import torch

from ejectamap.mapping import backend, map_project, mapped_craters
from ejectamap.mapping.backend import backend_names, settle_backends
from ejectamap.networks.backends.choose import Trial
from ejectamap.project import Project

MakeReady = Callable[..., Project]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What eager says in each trial; the outcome of all is eager."""
    said: list[torch.Tensor] = []

    def choose(names: list[str], load: Callable) -> tuple[str, dict[str, Trial]]:
        said.append(load(names[0])())
        return names[0], {names[0]: Trial(1.0, 1.0)}

    monkeypatch.setattr(backend, "choose_backend", choose)
    return said


def test_a_trial_is_held_once(make_ready: MakeReady, held: list[torch.Tensor]) -> None:
    project = make_ready("method=two-stage", "map.backend=auto")
    settle_backends(project)
    assert [answer.shape for answer in held] == [(64, 1), (64, 1, 32, 32)]
    first = (project.outputs / ".backend.json").read_bytes()
    settle_backends(Project.open(project.folder))
    assert len(held) == 2
    assert (project.outputs / ".backend.json").read_bytes() == first
    (weights,) = (project.models / "connection").glob("*/weights.safetensors")
    weights.write_bytes((project.models / "segmentation/member-00" / weights.name).read_bytes())
    with pytest.raises(Exception, match="does not fit"):
        settle_backends(Project.open(project.folder))


def test_a_map_says_what_it_ran_on(make_ready: MakeReady, held: list[torch.Tensor]) -> None:
    project = make_ready("method=polar", "map.backend=auto")
    map_project(project)
    provenance = json.loads((project.folder / "provenance.json").read_text())
    assert provenance["backends"] == {"context": "eager"}
    assert len(mapped_craters(project)) == 6
    outcome = project.outputs / ".backend.json"
    outcome.write_text(outcome.read_text().replace('"context": "eager"', '"context": "eager-bf16"'))
    assert backend_names(project) == {"context": "eager-bf16"}
    assert mapped_craters(project) == []
    assert len(held) == 1


def test_a_set_backend_needs_no_trial(make_ready: MakeReady, held: list[torch.Tensor]) -> None:
    project = make_ready("method=polar", "map.backend=eager-bf16")
    settle_backends(project)
    assert backend_names(project) == {"context": "eager-bf16"}
    assert held == []
    assert not (project.outputs / ".backend.json").exists()
