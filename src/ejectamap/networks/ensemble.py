"""Networks of one kind that answer together."""

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
from ejectamap.networks.bundle import SETTINGS_NAME, Bundle, load_bundle
from ejectamap.networks.calibration import RangeCalibration
from ejectamap.networks.vote import Vote, vote


@contextmanager
def one_thread() -> Iterator[None]:
    """Have torch compute on one thread: on several the last bits of a sum depend on how many there are.

    So one project gives one map, on any number of processes and on any machine's number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def load_start(folder: Path, arguments: dict[str, Any], scaling: str, number: int) -> Bundle:
    """Load the trained network that a new one's training is a continuation of.

    Parameters
    ----------
    folder : Path
        Of trained networks of its kind.
    arguments : dict
        What the new one is built with.
    scaling : str
        How the new one is given the bands.
    number : int
        Which of them, if there are several; they are taken in turns.

    Raises
    ------
    BundleError
        If there is none, or it was built with other arguments or given the bands otherwise.
    """
    found = _bundle_folders(folder)
    path = found[number % len(found)]
    bundle = load_bundle(path)
    wanted = arguments | {"scaling": scaling}
    has = bundle.network | {"scaling": bundle.views["scaling"]}
    differing = sorted(k for k in wanted if has.get(k) != wanted[k])
    if differing:
        raise BundleError(
            f"{path}: cannot be continued, its {', '.join(differing)} differ: set training.start_from to none"
        )
    return bundle


def blend_weights(network: nn.Module, start: dict[str, torch.Tensor], share: float) -> None:
    """Go back part of the way to the weights that a training started from, in place.

    What a network learns from few labels it learns at the cost of what it knew of other ground; between the two sets
    of weights there are networks better than both (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).

    Parameters
    ----------
    network : nn.Module
        Trained.
    start : dict
        State of the same network before.
    share : float
        Of the trained weights, 0 to 1.
    """
    network.load_state_dict(
        {
            name: torch.lerp(start[name], trained, share)
            if trained.is_floating_point()
            else trained
            for name, trained in network.state_dict().items()
        }
    )


def _bundle_folders(folder: Path) -> list[Path]:
    """Folders of the bundles in a folder such as models/connection, at least one."""
    found = sorted(p.parent for p in folder.glob(f"[!.]*/{SETTINGS_NAME}"))
    if not found:
        raise BundleError(f"{folder}: holds no trained network: run ejectamap train first")
    return found


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
        found = _bundle_folders(folder)
        bundles = tuple(load_bundle(path) for path in found)
        for path, bundle in zip(found, bundles, strict=True):
            if bundle.views.get("bands", bands) != bands:
                raise BundleError(
                    f"{path}: was trained on {bundle.views['bands']} bands, the mosaic has {bands}: train on it"
                )
            if bundle.views != bundles[0].views:
                raise BundleError(
                    f"{path}: was trained with other views than {found[0].name}: train both again with --fresh"
                )
        get_backend(backend)
        return cls(bundles, backend)

    def __len__(self) -> int:
        return len(self.bundles)

    @property
    def device(self) -> str:
        """Where pictures are best brought to, as torch names it."""
        return get_backend(self.backend).device

    def alone(self, member: int) -> "Ensemble":
        """One of the networks by itself; they are taken in turns."""
        return Ensemble((self.bundles[member % len(self)],), self.backend)

    @property
    def views(self) -> dict[str, Any]:
        """What the networks look at."""
        return self.bundles[0].views

    @property
    def calibrations(self) -> tuple[RangeCalibration | None, ...]:
        """What each network's probabilities are worth, where that was measured."""
        return tuple(bundle.calibration for bundle in self.bundles)

    def probabilities(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Each network's probabilities, (n, member) or (n, member, h, w), in [0, 1], of a batch of raw inputs."""
        return torch.stack([self._ask(k, inputs, metadata) for k in range(len(self))], 1)

    def mean(self, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """The networks' mean probabilities, (n,) or (n, h, w), of a batch of raw inputs."""
        total = self._ask(0, inputs, metadata)
        for k in range(1, len(self)):
            total = total + self._ask(k, inputs, metadata)
        return total / len(self) if len(self) > 1 else total

    def vote(self, inputs: Tensor, threshold: float, batch: int) -> Vote:
        """Have the networks vote on each of some raw inputs; see `networks.vote`."""
        voters = [partial(self._ask, k) for k in range(len(self))]
        return vote(voters, inputs, threshold, batch)

    @cached_property
    def _networks(self) -> tuple[Network, ...]:
        backend = get_backend(self.backend)
        return tuple(backend.load(bundle.model) for bundle in self.bundles)

    @torch.inference_mode()
    @one_thread()
    def _ask(self, member: int, inputs: Tensor, metadata: Tensor | None = None) -> Tensor:
        """One network's probabilities, (n,) or (n, h, w)."""
        bundle = self.bundles[member]
        extra: tuple[Tensor, ...] = ()
        if metadata is not None and bundle.metadata_normalisation is not None:
            extra = (bundle.metadata_normalisation.apply(metadata),)
        return self._networks[member](bundle.normalisation.apply(inputs), *extra).sigmoid()
