"""A committee is the method with one network at a time, and the map is the mean of what its members say."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ejectamap.mapping.registry import committee, load_method
from ejectamap.networks.bundle import load_bundle, save_bundle
from ejectamap.project import Project


def with_another(project: Project, kind: str) -> None:
    """Put a second network with other weights beside a project's first."""
    folder = project.models / kind
    bundle = load_bundle(folder / "member-00")
    torch.manual_seed(1)
    for weight in bundle.model.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    save_bundle(replace(bundle), folder / "member-01")


def test_the_map_is_the_members_mean(make_ready: Callable[..., Project]) -> None:
    project = make_ready("method=polar")
    with_another(project, "context")
    method, crater = load_method(project), project.craters[0]
    members = committee(method)
    assert len(members) == 2
    whole, *parts = (each.predict(crater) for each in (method, *members))
    said = [part.probability(part.window) for part in parts]
    assert np.nanmax(np.abs(said[0] - said[1])) > 0.01
    expected = np.mean(said, axis=0)
    assert np.allclose(whole.probability(whole.window), expected, atol=1e-6, equal_nan=True)


def test_smaller_ensembles_take_turns(make_ready: Callable[..., Project]) -> None:
    project = make_ready("method=two-stage")
    with_another(project, "connection")
    members = [vars(member) for member in committee(load_method(project))]
    assert [len(member["connection"]) for member in members] == [1, 1]
    first, second = (member["connection"].bundles[0] for member in members)
    assert first is not second
    assert members[0]["segmentation"].bundles == members[1]["segmentation"].bundles
