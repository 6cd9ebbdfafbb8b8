"""Backends are tried once a project, and the provenance of every map names the chosen ones."""

import json
from collections.abc import Callable

import pytest
import torch

from ejectamap.mapping import backend_selection
from ejectamap.mapping.backend_selection import select_backends
from ejectamap.mapping.run import map_project
from ejectamap.maps.backend_choice import backend_names
from ejectamap.maps.mapped import mapped_craters
from ejectamap.networks.backends import Trial
from ejectamap.project.folder import Project

MakeReady = Callable[..., Project]


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Probabilities of eager in each trial, whose outcome is always eager."""
    probabilities: list[torch.Tensor] = []

    def choose(names: list[str], load: Callable) -> tuple[str, dict[str, Trial]]:
        probabilities.append(load(names[0])())
        return names[0], {names[0]: Trial(1.0, 1.0)}

    monkeypatch.setattr(backend_selection, "choose_backend", choose)
    return probabilities


def test_backends_are_tried_once(make_ready: MakeReady, trials: list[torch.Tensor]) -> None:
    project = make_ready("method=two-stage", "map.backend=auto")
    select_backends(project)
    assert [answer.shape for answer in trials] == [(64, 1), (64, 1, 32, 32)]
    first = (project.outputs / ".backend.json").read_bytes()
    select_backends(Project.open(project.folder))
    assert len(trials) == 2
    assert (project.outputs / ".backend.json").read_bytes() == first
    (weights,) = (project.models / "connection").glob("*/weights.safetensors")
    weights.write_bytes((project.models / "segmentation/member-00" / weights.name).read_bytes())
    with pytest.raises(Exception, match="does not fit"):
        select_backends(Project.open(project.folder))


def test_provenance_names_the_backends(make_ready: MakeReady, trials: list[torch.Tensor]) -> None:
    project = make_ready("method=polar", "map.backend=auto")
    map_project(project)
    provenance = json.loads((project.folder / "provenance.json").read_text())
    assert provenance["backends"] == {"context": "eager"}
    assert len(mapped_craters(project)) == 6
    outcome = project.outputs / ".backend.json"
    outcome.write_text(outcome.read_text().replace('"context": "eager"', '"context": "eager-bf16"'))
    assert backend_names(project) == {"context": "eager-bf16"}
    assert mapped_craters(project) == []
    assert len(trials) == 1


def test_a_set_backend_needs_no_trial(make_ready: MakeReady, trials: list[torch.Tensor]) -> None:
    project = make_ready("method=polar", "map.backend=eager-bf16")
    select_backends(project)
    assert backend_names(project) == {"context": "eager-bf16"}
    assert trials == []
    assert not (project.outputs / ".backend.json").exists()
