"""Bundles of untrained networks, to test mapping and to measure its speed without training."""

from ejectamap.networks.bundle import Bundle, save_bundle
from ejectamap.project.bundles import BundleDescription, library_versions
from ejectamap.project.folder import Project
from ejectamap.training.setups import training_setup
from ejectamap.training.sources import Sources
from ejectamap.views.scaling import ChannelScaling


def save_untrained_networks(project: Project) -> None:
    """Save one network with random weights of each kind that a project's method needs, as if it had been trained.

    Weights come from torch's random number generator. Inputs are not scaled.
    """
    sources = Sources((), {}, project.tile_side_m)
    for kind in project.settings.network_configs:
        setup = training_setup(kind, project, sources)
        metadata_size = setup.arguments.get("metadata_size", 0)
        description = BundleDescription(
            kind=kind,
            network=setup.arguments,
            views=setup.views,
            normalisation=ChannelScaling.identity(setup.arguments["in_channels"]),
            metadata_normalisation=(
                ChannelScaling.identity(metadata_size) if metadata_size else None
            ),
            calibration=None,
            training={},
            versions=library_versions(),
        )
        bundle = Bundle(description, setup.network(pretrained=False))
        save_bundle(bundle, project.models / kind / "member-00")
