"""Networks of one kind that answer together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ejectamap.errors import BundleError
from ejectamap.networks.bundle import SETTINGS_NAME, Bundle, load_bundle


@dataclass(frozen=True)
class Ensemble:
    """Trained networks of one kind, all made for the same views.

    Attributes
    ----------
    bundles : tuple of Bundle
    """

    bundles: tuple[Bundle, ...]

    @classmethod
    def load(cls, folder: Path, bands: int) -> "Ensemble":
        """Load every bundle in a folder such as models/connection.

        Parameters
        ----------
        folder : Path
        bands : int
            Bands of the mosaic that the networks are to look at.

        Raises
        ------
        BundleError
            If there is none, one is damaged, or one was made for another number of bands or other views.
        """
        found = (
            sorted(p.parent for p in folder.glob(f"*/{SETTINGS_NAME}")) if folder.is_dir() else []
        )
        if not found:
            raise BundleError(f"{folder}: holds no trained network: run ejectamap train first")
        bundles = tuple(load_bundle(path) for path in found)
        for path, bundle in zip(found, bundles, strict=True):
            if bundle.views["bands"] != bands:
                raise BundleError(
                    f"{path}: was trained on {bundle.views['bands']} bands, the mosaic has {bands}: train on this mosaic"
                )
            if bundle.views != bundles[0].views:
                raise BundleError(
                    f"{path}: was trained with other views than {found[0].name}: train both again with --fresh"
                )
        return cls(bundles)

    def __len__(self) -> int:
        return len(self.bundles)

    @property
    def views(self) -> dict[str, Any]:
        """What the networks look at."""
        return self.bundles[0].views

    @torch.inference_mode()
    def probabilities(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Each network's probabilities, (n, member) or (n, member, h, w), in [0, 1], of a batch of raw inputs."""
        return torch.stack([self._logits(b, inputs, metadata).sigmoid() for b in self.bundles], 1)

    @staticmethod
    def _logits(bundle: Bundle, inputs: Tensor, metadata: Tensor | None) -> Tensor:
        extra = ()
        if metadata is not None and bundle.metadata_normalisation is not None:
            extra = (bundle.metadata_normalisation.apply(metadata),)
        logits: Tensor = bundle.model(bundle.normalisation.apply(inputs), *extra)
        return logits
