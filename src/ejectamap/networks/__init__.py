"""The networks: what they are built of, what they minimise, and how they are kept."""

from ejectamap.networks.bundle import (
    Bundle,
    Normalisation,
    library_versions,
    load_bundle,
    save_bundle,
)
from ejectamap.networks.connection import ConnectionNetwork, build_connection
from ejectamap.networks.context import ContextNetwork, build_context
from ejectamap.networks.losses import Loss, build_loss
from ejectamap.networks.segmentation import SegmentationNetwork, build_segmentation

__all__ = [
    "Bundle",
    "ConnectionNetwork",
    "ContextNetwork",
    "Loss",
    "Normalisation",
    "SegmentationNetwork",
    "build_connection",
    "build_context",
    "build_loss",
    "build_segmentation",
    "library_versions",
    "load_bundle",
    "save_bundle",
]
