"""Projects whose networks were never trained: enough to map with."""

from collections.abc import Callable

import pytest
import torch

from ejectamap.networks import Bundle, library_versions, save_bundle
from ejectamap.networks.bundle import BUILDERS, Normalisation
from ejectamap.project import Project
from ejectamap.training.recipes import RECIPES
from ejectamap.training.sources import gather_sources


@pytest.fixture
def make_ready(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """A project with networks of random weights, the same ones each time."""

    def make(*changes: str, **more: object) -> Project:
        project = make_project(*changes, **more)
        torch.manual_seed(0)
        sources = gather_sources(project)
        for kind in project.settings.fittings:
            recipe = RECIPES[kind](project, sources)
            channels = recipe.arguments["in_channels"]
            described = recipe.arguments.get("metadata_size", 0)
            bundle = Bundle(
                kind=kind,
                network=recipe.arguments,
                views=recipe.views,
                normalisation=Normalisation((0.0,) * channels, (1.0,) * channels),
                metadata_normalisation=(
                    Normalisation((0.0,) * described, (1.0,) * described) if described else None
                ),
                training={},
                versions=library_versions(),
                model=BUILDERS[kind](**recipe.arguments, pretrained=False),
            )
            save_bundle(bundle, project.models / kind / "member-00")
        return project

    return make
