"""Ensembles: trained networks of one kind whose probabilities are averaged or vote."""

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
    """Have torch compute on one thread: on several, the last bits of a sum depend on the number of threads.

    This makes a map independent of the number of processes and of the machine's number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def load_initial(folder: Path, arguments: dict[str, Any], scaling: str, number: int) -> Bundle:
    """Load the trained network whose training a new one continues.

    Parameters
    ----------
    folder : Path
        Of trained networks of its kind.
    arguments : dict
        What the new one is built with.
    scaling : str
        How the new one's bands are scaled.
    number : int
        Which of them, if there are several, modulo their number.

    Raises
    ------
    BundleError
        If there is none, or it was built with other arguments or another scaling.
    """
    folders = require_bundle_folders(folder)
    path = folders[number % len(folders)]
    bundle = load_bundle(path)
    wanted = arguments | {"scaling": scaling}
    present = bundle.description.network | {"scaling": bundle.description.views.scaling}
    differing = sorted(k for k in wanted if present.get(k) != wanted[k])
    if differing:
        raise BundleError(
            f"{path}: cannot be continued, its {', '.join(differing)} differ: set training.start_from to none"
        )
    return bundle


def blend_weights(network: nn.Module, start: dict[str, torch.Tensor], fraction: float) -> None:
    """Interpolate between the weights that a training started from and the trained ones, in place.

    Fine-tuning on few labels lowers the accuracy on other ground; networks between the two sets of weights can be
    better than both (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).

    Parameters
    ----------
    network : nn.Module
        Trained.
    start : dict
        State of the same network before.
    fraction : float
        Of the trained weights, 0 to 1.
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
    """Trained networks of one kind, all made for the same views.

    Attributes
    ----------
    bundles : tuple of Bundle
    backend : str
        What they run on; see `networks.backends`.
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
            Bands of the mosaic that the networks are to look at.
        backend : str

        Raises
        ------
        BundleError
            If there is none, one is damaged, or one was made for another number of bands or other views.
        SettingsError
            If this machine lacks something for the backend.
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
        """Device that inputs are best moved to, as torch names it."""
        return get_backend(self.backend).device

    def member(self, number: int) -> "Ensemble":
        """The ensemble of one of the networks alone; `number` is taken modulo the number of networks."""
        return Ensemble((self.bundles[number % len(self)],), self.backend)

    @property
    def views(self) -> NetworkViews:
        """The pictures that the networks see; all see the same."""
        return self.bundles[0].description.views

    @property
    def calibrations(self) -> tuple[RangeCalibration | None, ...]:
        """Calibration of each network's probabilities, where it was fitted."""
        return tuple(bundle.calibration for bundle in self.bundles)

    def probabilities(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Each network's probabilities, (n, member) or (n, member, h, w), in [0, 1], of a batch of raw inputs."""
        return torch.stack([self._predict(k, inputs, metadata) for k in range(len(self))], 1)

    def mean(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """The networks' mean probabilities, (n,) or (n, h, w), of a batch of raw inputs."""
        total = self._predict(0, inputs, metadata)
        for k in range(1, len(self)):
            total = total + self._predict(k, inputs, metadata)
        return total / len(self) if len(self) > 1 else total

    def vote(self, inputs: Tensor, threshold: float, batch: int) -> Vote:
        """Vote of the networks on each of some raw inputs; see `networks.vote`."""
        voters = [partial(self._predict, k) for k in range(len(self))]
        return vote(voters, inputs, threshold, batch)

    @cached_property
    def _networks(self) -> tuple[Network, ...]:
        backend = get_backend(self.backend)
        return tuple(backend.load(bundle.model) for bundle in self.bundles)

    @torch.inference_mode()
    @one_thread()
    def _predict(self, member: int, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """One network's probabilities, (n,) or (n, h, w)."""
        description = self.bundles[member].description
        extra: tuple[Tensor, ...] = ()
        if metadata is not None and description.metadata_normalisation is not None:
            extra = (scale_channels(description.metadata_normalisation, metadata),)
        scaled = scale_channels(description.normalisation, inputs)
        return self._networks[member](scaled, *extra).sigmoid()
