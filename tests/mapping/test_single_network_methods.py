"""The map is the mean of the maps of the method with each of its networks alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ejectamap.mapping.methods import load_method, single_network_methods
from ejectamap.networks.bundle import load_bundle, save_bundle
from ejectamap.project.folder import Project


def with_another(project: Project, kind: str) -> None:
    """Put a second network with other weights beside a project's first."""
    folder = project.models / kind
    bundle = load_bundle(folder / "member-00")
    torch.manual_seed(1)
    for weight in bundle.model.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    save_bundle(replace(bundle), folder / "member-01")


def test_the_map_is_the_mean_over_networks(make_ready: Callable[..., Project]) -> None:
    project = make_ready("method=polar")
    with_another(project, "context")
    method, crater = load_method(project), project.craters[0]
    members = single_network_methods(method)
    assert len(members) == 2
    whole, *parts = (each.predict(crater) for each in (method, *members))
    probabilities = [part.probability(part.window) for part in parts]
    assert np.nanmax(np.abs(probabilities[0] - probabilities[1])) > 0.01
    expected = np.mean(probabilities, axis=0)
    assert np.allclose(whole.probability(whole.window), expected, atol=1e-6, equal_nan=True)


def test_networks_of_smaller_ensembles_are_repeated(make_ready: Callable[..., Project]) -> None:
    project = make_ready("method=two-stage")
    with_another(project, "connection")
    members = [each.ensembles for each in single_network_methods(load_method(project))]
    assert [len(member["connection"]) for member in members] == [1, 1]
    first, second = (member["connection"].bundles[0] for member in members)
    assert first is not second
    assert members[0]["segmentation"].bundles == members[1]["segmentation"].bundles
