"""Convert the release's Lightning checkpoints to bundles, without running code that a checkpoint may contain.

Only a checkpoint's weights are read; the objects among its hyperparameters are never created (see `pickles`). Names of
weights are matched, not guessed: every weight of the network must be present under one common prefix with the same
shape, and no weight may remain.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from ejectamap.errors import ReleaseError
from ejectamap.interop.release.hyperparameters import ModelVersion
from ejectamap.interop.release.pickles import open_archive
from ejectamap.interop.release.results import CheckpointSet
from ejectamap.networks.bundle import Bundle, build_network, save_bundle
from ejectamap.progress import track
from ejectamap.project.bundle_views import ChipViews, CorridorViews
from ejectamap.project.bundles import BundleDescription, library_versions
from ejectamap.project.folder import Project
from ejectamap.views.scaling import ChannelScaling

_NUMBERS = re.compile(r"\d+")


def convert_checkpoints(project: Project, checkpoints: CheckpointSet, tile_px: int) -> None:
    """Write a bundle for each checkpoint of a network kind; none if one of them cannot be converted.

    Parameters
    ----------
    project : Project
    checkpoints : CheckpointSet
    tile_px : int
        Side of the labelled tiles, in mosaic pixels; the size of the networks' chips and corridors follows from it.

    Raises
    ------
    ReleaseError
        If a checkpoint is damaged or does not fit its version; the message names it.
    """
    version = checkpoints.version
    bundles = [
        _convert(project, version, path, tile_px)
        for path in track(checkpoints.paths, f"reading {version.kind} networks")
    ]
    for number, bundle in enumerate(bundles):
        save_bundle(bundle, project.models / version.kind / f"member-{number:02d}")


def _convert(project: Project, version: ModelVersion, path: Path, tile_px: int) -> Bundle:
    """Make the bundle of one checkpoint."""
    bands = project.mosaic.bands
    arguments = version.network_arguments(bands)
    network = build_network(version.kind, **arguments)
    load_weights(network, read_weights(path), path)
    normalisation = read_normalisation(path, bands)
    description = BundleDescription(
        kind=version.kind,
        network=arguments,
        views=_views(project, version, tile_px),
        normalisation=normalisation,
        # The release scales the metadata (band means, logarithm of the radius) as it scales the channels.
        metadata_normalisation=normalisation if arguments.get("metadata_size") else None,
        training={"imported": path.name, "version": version.number},
        versions=library_versions(),
    )
    return Bundle(description, network.eval())


def _views(project: Project, version: ModelVersion, tile_px: int) -> CorridorViews | ChipViews:
    """Describe the pictures that the networks of a version were trained on."""
    bands = project.mosaic.bands
    if version.kind == "connection":
        corridor_px = (2 * tile_px, tile_px // 2)
        return CorridorViews(bands=bands, scaling="255", corridor_px=corridor_px)
    # `ModelVersion.network_arguments` refuses any other distance channel than that of `ChipViews`.
    return ChipViews(
        bands=bands,
        scaling="255",
        chip_px=tile_px,
        tile_m=tile_px * project.grid.pixel_m,
        annulus_radii=version.annulus_radii,
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a checkpoint.

    Raises
    ------
    ReleaseError
        If the file is not a checkpoint, is damaged, or has no state dict of tensors.
    """
    with open_archive(path) as archive:
        content = archive.content
        state_dict = content.get("state_dict") if isinstance(content, dict) else None
        if not isinstance(state_dict, dict) or not state_dict:
            raise ReleaseError(f"{path}: has no state_dict")
        weights: dict[str, Tensor] = {}
        for name, value in state_dict.items():
            tensor = archive.tensor(value)
            if not isinstance(name, str) or tensor is None:
                raise ReleaseError(f"{path}: its state_dict holds {name!r}, which is no tensor")
            weights[name] = tensor
        return weights


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load a checkpoint's weights into one of our networks.

    Parameters
    ----------
    network : ConnectionNetwork or SegmentationNetwork
    weights : mapping of str to Tensor
        As `read_weights` returns them.
    path : Path
        The checkpoint, for error messages.

    Raises
    ------
    ReleaseError
        If a weight is missing, unexpected, or of another shape.
    """
    expected = network.state_dict()
    released_names = _match_names(list(expected), weights, path)
    for name, released in released_names.items():
        if weights[released].shape != expected[name].shape:
            raise ReleaseError(
                f"{path}: does not fit: {released} is {tuple(weights[released].shape)},"
                f" not {tuple(expected[name].shape)}"
            )
    network.load_state_dict({name: weights[other] for name, other in released_names.items()})


def _match_names(names: list[str], weights: Mapping[str, Tensor], path: Path) -> dict[str, str]:
    """Map each weight name of our network to its name in the checkpoint."""
    # Ours begin with `classifier.` or `network.`, the checkpoint's with a prefix that is not documented.
    injections = sorted((n for n in names if n.startswith("injections.")), key=_layer_order)
    inner = {name: name.partition(".")[2] for name in names if name not in injections}
    prefix = _find_prefix(next(iter(inner.values())), weights, path)
    matches = {}
    for name, part in inner.items():
        released = prefix + part
        if released not in weights:  # the release calls the segmentation head just "head"
            released = prefix + part.replace("segmentation_head.", "head.", 1)
        if released not in weights:
            raise ReleaseError(f"{path}: does not fit: it lacks {prefix + part}")
        matches[name] = released
    # What remains are the layers that add the metadata, one per feature map, finest first.
    rest = sorted(set(weights) - set(matches.values()), key=_layer_order)
    if [name.rpartition(".")[2] for name in rest] != [n.rpartition(".")[2] for n in injections]:
        raise ReleaseError(
            f"{path}: does not fit: beside the network it has {len(rest)} weights, not the {len(injections)} that add"
            f" the metadata{f' ({rest[0]})' if rest else ''}"
        )
    return matches | dict(zip(injections, rest, strict=True))


def _find_prefix(first: str, weights: Mapping[str, Tensor], path: Path) -> str:
    """Find the common prefix of a checkpoint's names from the name of our first weight."""
    prefixes = sorted(
        name.removesuffix(first) for name in weights if name == first or name.endswith(f".{first}")
    )
    if len(prefixes) != 1:
        count = "no weight" if not prefixes else "several weights"
        raise ReleaseError(f"{path}: does not fit: {count} called {first}")
    return prefixes[0]


def _layer_order(name: str) -> tuple[list[int], str]:
    """Sorting key of weight names: the numbers in them, as numbers."""
    return [int(number) for number in _NUMBERS.findall(name)], name


def read_normalisation(checkpoint: Path, bands: int) -> ChannelScaling:
    """Read the scaling of a checkpoint's inputs, for bands that were already divided by 255.

    The release stores offsets and divisors of the raw bands and of one more channel, either in one file for all
    checkpoints of a version or in one file per checkpoint.

    Raises
    ------
    ReleaseError
        If there is no such file, or it is not 2 x (bands + 1) numbers with divisors other than 0.
    """
    run = checkpoint.stem.removeprefix("best-checkpoint_")
    candidates = [
        path
        for path in sorted(checkpoint.parent.glob("best-norm_*.npy"))
        if f"{run}_".startswith(path.stem.removeprefix("best-norm_") + "_")
    ]
    if not candidates:
        raise ReleaseError(f"{checkpoint}: has no best-norm_{run}.npy beside it")
    path = max(candidates, key=lambda p: len(p.stem))
    try:
        # Mapped, so that a header cannot ask for more memory than the file has.
        values = np.array(np.load(path, mmap_mode="r", allow_pickle=False), np.float64)
    except (OSError, ValueError, TypeError, EOFError) as problem:
        raise ReleaseError(f"{path}: is not an array of numbers ({problem})") from None
    if values.shape != (2, bands + 1) or not np.isfinite(values).all() or (values[1] == 0).any():
        raise ReleaseError(
            f"{path}: should be 2 x {bands + 1} numbers (offsets, divisors), none of the divisors 0"
        )
    values[:, :bands] /= 255.0
    return ChannelScaling(tuple(values[0].tolist()), tuple(values[1].tolist()))
