"""Whether the networks can be trained as the settings say, found out without training."""

import torch
from torch import nn

from ejectamap.errors import SettingsError
from ejectamap.networks.bundle import BUILDERS
from ejectamap.networks.ensemble import load_start
from ejectamap.networks.losses import build_loss
from ejectamap.project import Project
from ejectamap.training.optimisers import build_optimiser, build_schedule
from ejectamap.training.recipes import RECIPES
from ejectamap.training.sources import Sources


def rehearse(project: Project, sources: Sources) -> dict[str, nn.Module]:
    """Build what the project's method needs, without ImageNet weights: a network of each kind, its loss and optimiser.

    Raises
    ------
    SettingsError
        Naming the project file and the section, if a name or an argument in it is not possible.
    BundleError, ProjectError
        If the networks to start from are missing or of another shape.
    """
    networks = {}
    for kind, settings in project.settings.fittings.items():
        try:
            loss = build_loss(settings.loss.name, **settings.loss.arguments)
            answer = torch.zeros(2 if kind == "connection" else (2, 8, 8))
            loss(answer, answer)
            recipe = RECIPES[kind](project, sources)
            networks[kind] = BUILDERS[kind](**recipe.arguments, pretrained=False)
            start = project.start_networks(kind)
            if start is not None:
                load_start(start, recipe.arguments, recipe.views["scaling"], number=0)
            build_schedule(settings, build_optimiser(settings, networks[kind]))
        except SettingsError as error:
            raise SettingsError(f"{project.folder / 'project.yaml'}: {kind}: {error}") from None
    return networks
