"""Lightning checkpoints of the release as bundles, without running any code that a checkpoint may hold.

Only a checkpoint's weights are read; its hyperparameters, objects of any kind, stay descriptions (`interop.pickles`).
Names are matched, never guessed: every weight of the network must be found under one common prefix with its own shape,
and nothing may be left over.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from ejectamap.errors import ReleaseError
from ejectamap.interop.pickles import open_archive
from ejectamap.networks.bundle import Normalisation

_NUMBERS = re.compile(r"\d+")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a checkpoint.

    Raises
    ------
    ReleaseError
        If it is no checkpoint, is damaged, or has no state dict of tensors.
    """
    with open_archive(path) as archive:
        content = archive.content
        described = content.get("state_dict") if isinstance(content, dict) else None
        if not isinstance(described, dict) or not described:
            raise ReleaseError(f"{path}: has no state_dict")
        weights: dict[str, Tensor] = {}
        for name, value in described.items():
            tensor = archive.tensor(value)
            if not isinstance(name, str) or tensor is None:
                raise ReleaseError(f"{path}: its state_dict holds {name!r}, which is no tensor")
            weights[name] = tensor
        return weights


def fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load a checkpoint's weights into our network.

    Parameters
    ----------
    network : ConnectionNetwork or SegmentationNetwork
    weights : mapping of str to Tensor
        As `read_weights` gives them.
    path : Path
        Of the checkpoint, for messages.

    Raises
    ------
    ReleaseError
        If a weight is missing, left over, or of another shape.
    """
    ours = network.state_dict()
    names = _matched(list(ours), weights, path)
    for name, theirs in names.items():
        if weights[theirs].shape != ours[name].shape:
            raise ReleaseError(
                f"{path}: does not fit: {theirs} is {tuple(weights[theirs].shape)}, not {tuple(ours[name].shape)}"
            )
    network.load_state_dict({name: weights[theirs] for name, theirs in names.items()})


def _matched(ours: list[str], weights: Mapping[str, Tensor], path: Path) -> dict[str, str]:
    """Their name of each of our weights."""
    # Ours stand below `classifier` or `network`, theirs below a prefix that is not documented.
    injections = sorted((n for n in ours if n.startswith("injections.")), key=_natural)
    inner = {name: name.partition(".")[2] for name in ours if name not in injections}
    prefix = _prefix(next(iter(inner.values())), weights, path)
    names = {}
    for name, part in inner.items():
        theirs = prefix + part
        if theirs not in weights:  # their network calls the segmentation head just "head"
            theirs = prefix + part.replace("segmentation_head.", "head.", 1)
        if theirs not in weights:
            raise ReleaseError(f"{path}: does not fit: it lacks {prefix + part}")
        names[name] = theirs
    # What is left are the layers that add the metadata, one a feature map, finest first.
    rest = sorted(set(weights) - set(names.values()), key=_natural)
    if [name.rpartition(".")[2] for name in rest] != [n.rpartition(".")[2] for n in injections]:
        raise ReleaseError(
            f"{path}: does not fit: beside the network it has {len(rest)} weights, not the {len(injections)} that add"
            f" the metadata{f' ({rest[0]})' if rest else ''}"
        )
    return names | dict(zip(injections, rest, strict=True))


def _prefix(first: str, weights: Mapping[str, Tensor], path: Path) -> str:
    """What stands in front of all of their names, found by the first of ours."""
    found = sorted(
        name.removesuffix(first) for name in weights if name == first or name.endswith(f".{first}")
    )
    if len(found) != 1:
        how_many = "no weight" if not found else "several weights"
        raise ReleaseError(f"{path}: does not fit: {how_many} called {first}")
    return found[0]


def _natural(name: str) -> tuple[list[int], str]:
    """Order of layers: by the numbers in their names."""
    return [int(number) for number in _NUMBERS.findall(name)], name


def read_normalisation(checkpoint: Path, bands: int) -> Normalisation:
    """Scaling of a checkpoint's inputs, for bands that were divided by 255 already.

    The release keeps offsets and divisors of the raw bands and of one more channel, in one file for all checkpoints of
    a version or in one for each.

    Raises
    ------
    ReleaseError
        If there is none, or it is not 2 x (bands + 1) numbers with divisors other than 0.
    """
    run = checkpoint.stem.removeprefix("best-checkpoint_")
    found = [
        path
        for path in sorted(checkpoint.parent.glob("best-norm_*.npy"))
        if f"{run}_".startswith(path.stem.removeprefix("best-norm_") + "_")
    ]
    if not found:
        raise ReleaseError(f"{checkpoint}: has no best-norm_{run}.npy beside it")
    path = max(found, key=lambda p: len(p.stem))
    try:
        values = np.asarray(np.load(path, allow_pickle=False), np.float64)
    except (OSError, ValueError, EOFError) as problem:
        raise ReleaseError(f"{path}: is not an array of numbers ({problem})") from None
    if values.shape != (2, bands + 1) or not np.isfinite(values).all() or (values[1] == 0).any():
        raise ReleaseError(
            f"{path}: should be 2 x {bands + 1} numbers (offsets, divisors), none of the divisors 0"
        )
    values[:, :bands] /= 255.0
    return Normalisation(tuple(values[0].tolist()), tuple(values[1].tolist()))
