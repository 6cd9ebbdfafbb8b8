"""Ensembles: trained networks of one kind, whose probabilities are averaged or which vote."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ejectamap.errors import BundleError
from ejectamap.networks.backends import Network, get_backend
from ejectamap.networks.bundle import Bundle, load_bundle, scale_channels
from ejectamap.networks.calibration import RangeCalibration
from ejectamap.networks.vote import Vote, vote
from ejectamap.project.bundle_views import NetworkViews
from ejectamap.project.bundles import require_bundle_folders


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread.

    On several threads the rounding of sums depends on their number. With one, a map depends neither on the number of
    processes nor on the machine's number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def load_initial(folder: Path, arguments: dict[str, Any], scaling: str, number: int) -> Bundle:
    """Load the trained network that a training starts from.

    Parameters
    ----------
    folder : Path
        Bundles of the same kind, such as models/context.
    arguments : dict
        Arguments of the `build_*` function of the network to be trained.
    scaling : str
        Scaling of its bands, as in the settings.
    number : int
        Index of the bundle in the folder, modulo their number.

    Raises
    ------
    BundleError
        If there is none, or it was built with other arguments or another scaling.
    """
    folders = require_bundle_folders(folder)
    path = folders[number % len(folders)]
    bundle = load_bundle(path)
    expected = arguments | {"scaling": scaling}
    actual = bundle.description.network | {"scaling": bundle.description.views.scaling}
    differing = sorted(k for k in expected if actual.get(k) != expected[k])
    if differing:
        raise BundleError(
            f"{path}: cannot be continued, its {', '.join(differing)} differ: set training.start_from to none"
        )
    return bundle


def blend_weights(network: nn.Module, start: dict[str, torch.Tensor], fraction: float) -> None:
    """Interpolate linearly between the weights that a training started from and the trained ones, in place.

    Fine-tuning on few labels lowers the accuracy elsewhere; interpolated weights can be better than both
    (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).

    Parameters
    ----------
    network : nn.Module
        The trained network.
    start : dict
        State dict of the network before training.
    fraction : float
        Weight of the trained values, 0 to 1.
    """
    network.load_state_dict(
        {
            name: torch.lerp(start[name], trained, fraction)
            if trained.is_floating_point()
            else trained
            for name, trained in network.state_dict().items()
        }
    )


@dataclass(frozen=True)
class Ensemble:
    """Trained networks of one kind, with the same views.

    Attributes
    ----------
    bundles : tuple of Bundle
    backend : str
        Name of the backend that runs them; see `networks.backends`.
    """

    bundles: tuple[Bundle, ...]
    backend: str = "eager"

    @classmethod
    def load(cls, folder: Path, bands: int, backend: str = "eager") -> "Ensemble":
        """Load every bundle in a folder such as models/connection.

        Parameters
        ----------
        folder : Path
        bands : int
            Number of bands of the mosaic to which the networks are applied.
        backend : str

        Raises
        ------
        BundleError
            If there is none, one is damaged, or one has other views or another number of bands.
        SettingsError
            If this machine cannot run the backend.
        """
        folders = require_bundle_folders(folder)
        bundles = tuple(load_bundle(path) for path in folders)
        for path, bundle in zip(folders, bundles, strict=True):
            views = bundle.description.views
            if views.bands not in (None, bands):
                raise BundleError(
                    f"{path}: was trained on {views.bands} bands, the mosaic has {bands}: train on it"
                )
            if views != bundles[0].description.views:
                raise BundleError(
                    f"{path}: was trained with other views than {folders[0].name}: train both again with --fresh"
                )
        get_backend(backend)
        return cls(bundles, backend)

    def __len__(self) -> int:
        return len(self.bundles)

    @property
    def device(self) -> str:
        """The device on which the networks run, as torch names it; inputs already there need no copy."""
        return get_backend(self.backend).device

    def member(self, number: int) -> "Ensemble":
        """An ensemble of only one of the networks, whose index is `number` modulo the number of networks."""
        return Ensemble((self.bundles[number % len(self)],), self.backend)

    @property
    def views(self) -> NetworkViews:
        """The pictures that all the networks take, as their bundles describe them."""
        return self.bundles[0].description.views

    @property
    def calibrations(self) -> tuple[RangeCalibration | None, ...]:
        """Calibration of each network's probabilities; None where none was fitted."""
        return tuple(bundle.calibration for bundle in self.bundles)

    def probabilities(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Predict each network's probabilities in [0, 1] of a batch of unscaled inputs.

        Parameters
        ----------
        inputs : Tensor
            (n, c, h, w), before the bundle's normalisation.
        metadata : Tensor, optional
            (n, m), before the bundle's normalisation; for networks that take any.

        Returns
        -------
        Tensor
            (n, member), or (n, member, h, w) for networks with one logit per pixel.
        """
        return torch.stack([self._predict(k, inputs, metadata) for k in range(len(self))], 1)

    def mean(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Predict the networks' mean probabilities, (n,) or (n, h, w), of a batch; see `probabilities`."""
        total = self._predict(0, inputs, metadata)
        for k in range(1, len(self)):
            total = total + self._predict(k, inputs, metadata)
        return total / len(self) if len(self) > 1 else total

    def vote(self, inputs: Tensor, threshold: float, batch: int) -> Vote:
        """Let the networks vote on each of n unscaled inputs (n, c, h, w); see `networks.vote.vote`."""
        classifiers = [partial(self._predict, k) for k in range(len(self))]
        return vote(classifiers, inputs, threshold, batch)

    @cached_property
    def _networks(self) -> tuple[Network, ...]:
        backend = get_backend(self.backend)
        return tuple(backend.load(bundle.model) for bundle in self.bundles)

    @torch.inference_mode()
    @one_thread()
    def _predict(self, member: int, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Predict one network's probabilities, (n,) or (n, h, w), of a batch of unscaled inputs."""
        description = self.bundles[member].description
        extra: tuple[Tensor, ...] = ()
        if metadata is not None and description.metadata_normalisation is not None:
            extra = (scale_channels(description.metadata_normalisation, metadata),)
        scaled = scale_channels(description.normalisation, inputs)
        return self._networks[member](scaled, *extra).sigmoid()
