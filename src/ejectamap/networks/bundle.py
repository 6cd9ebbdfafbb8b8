"""Bundles: a trained network with everything that its application needs, in a folder of two files.

`weights.safetensors` holds the weights, `bundle.json` the rest (see `project.bundles`). Neither needs unpickling.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ejectamap.errors import BundleError, OutputError, SettingsError
from ejectamap.files import partial_path
from ejectamap.networks.calibration import RangeCalibration
from ejectamap.project.bundles import (
    DESCRIPTION_NAME,
    WEIGHTS_NAME,
    BundleDescription,
    read_description,
    replace_bundle,
)
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.views.scaling import ChannelScaling

_MOST_CHANNELS = 10_000  # of pictures, or metadata


@dataclass(frozen=True)
class Bundle:
    """A trained network and its description.

    Attributes
    ----------
    description : BundleDescription
    model : nn.Module
        The network itself.
    """

    description: BundleDescription
    model: nn.Module

    @property
    def calibration(self) -> RangeCalibration | None:
        """Calibration of a context network's probabilities, if it was fitted."""
        coefficients = self.description.calibration
        return None if coefficients is None else RangeCalibration(**coefficients)


def build_network(kind: str, pretrained: bool = False, **arguments: Any) -> nn.Module:
    """Build an untrained network of a kind in `NETWORK_KINDS`.

    Parameters
    ----------
    kind : str
    pretrained : bool
        Start from ImageNet weights if they are available.
    **arguments
        Of the kind's `build_*` function, which also documents the errors.
    """
    network: nn.Module = resolve_name(NETWORK_KINDS[kind].builder)(
        **arguments, pretrained=pretrained
    )
    return network


def scale_channels(scaling: ChannelScaling, values: Tensor) -> Tensor:
    """Scale a batch, (n, c, h, w) or (n, c), along its second axis; on any device."""
    shape = (-1, *[1] * (values.ndim - 2))
    offset = values.new_tensor(scaling.offset).reshape(shape)
    divisor = values.new_tensor(scaling.divisor).reshape(shape)
    return (values - offset) / divisor


def save_bundle(bundle: Bundle, folder: Path, half: bool = False) -> None:
    """Write a bundle; an existing one is replaced once the new one is complete.

    Parameters
    ----------
    bundle : Bundle
        The dictionaries in its description must be serialisable as JSON.
    folder : Path
        Folder of the bundle; its parents are created.
    half : bool
        Store trained parameters as float16: half the size, about three digits. Running means, variances and counters of
        normalisation layers keep their precision.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    text = bundle.description.to_json()
    temporary = partial_path(folder)
    try:
        try:
            temporary.mkdir(parents=True)
            (temporary / DESCRIPTION_NAME).write_text(text, encoding="utf-8")
            # `save_file` would give the file to its owner alone, whatever the umask is.
            (temporary / WEIGHTS_NAME).write_bytes(save(_weights(bundle.model, half)))
            replace_bundle(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except (OSError, SafetensorError) as problem:
        raise OutputError(f"cannot write the bundle {folder}: {problem}") from problem


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle; its model is in evaluation mode, float32, on the CPU.

    Raises
    ------
    BundleError
        If a file is missing or damaged, or the weights do not fit the network.
    """
    description = read_description(folder)
    weights = _read_weights(folder / WEIGHTS_NAME)
    model = _build(folder, description)
    _load_weights(folder, model, weights)
    return Bundle(description, model.eval())


def _weights(model: nn.Module, half: bool) -> dict[str, Tensor]:
    """The state dict on the CPU; with `half`, parameters as float16."""
    parameters = dict(model.named_parameters())
    # Clones, because safetensors refuses tensors that share memory.
    return {
        name: (value.half() if half and name in parameters else value)
        .detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = load_file(path)
    except OSError as problem:
        raise BundleError(f"cannot read {path}: {problem.strerror or problem}") from problem
    except SafetensorError as problem:
        raise BundleError(f"{path} is damaged ({problem}): run ejectamap train again") from problem
    return weights


def _build(folder: Path, description: BundleDescription) -> nn.Module:
    path, kind = folder / DESCRIPTION_NAME, description.kind
    for name, value in description.network.items():
        if isinstance(value, int) and value > _MOST_CHANNELS:
            raise BundleError(f"{path}: network.{name} is {value}, more than any network has")
    try:
        return build_network(kind, **description.network)
    except SettingsError as problem:
        raise BundleError(f"{path}: {problem}") from problem
    except (TypeError, AttributeError, ValueError, RuntimeError) as problem:
        raise BundleError(f"{path}: not the arguments of a {kind} network ({problem})") from problem


def _load_weights(folder: Path, model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load weights of any precision into a float32 model; names and shapes must be the same, all values numbers."""
    expected = model.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            verb = "lack" if name not in weights else "have an unknown"
            raise BundleError(f"{folder / WEIGHTS_NAME} does not fit: the weights {verb} {name}")
        if weights[name].shape != expected[name].shape:
            raise BundleError(
                f"{folder / WEIGHTS_NAME} does not fit: {name} is {tuple(weights[name].shape)}, "
                f"not {tuple(expected[name].shape)}"
            )
        if not torch.isfinite(weights[name]).all():
            raise BundleError(
                f"{folder / WEIGHTS_NAME} is damaged ({name} has values that are no numbers): delete"
                f" {folder} and train again"
            )
    model.load_state_dict(weights)
