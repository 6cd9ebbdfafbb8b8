"""A trained network with everything that its use needs, as a folder of two files.

`weights.safetensors` holds the weights, `bundle.json` the rest. Nothing is ever unpickled.
"""

import json
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ejectamap.errors import BundleError, OutputError, SettingsError
from ejectamap.networks.calibration import RangeCalibration
from ejectamap.networks.connection import build_connection
from ejectamap.networks.context import build_context
from ejectamap.networks.segmentation import build_segmentation

WEIGHTS_NAME = "weights.safetensors"
SETTINGS_NAME = "bundle.json"

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "connection": build_connection,
    "segmentation": build_segmentation,
    "context": build_context,
    "guided": build_segmentation,
    "distance-only": build_segmentation,
    "agnostic": build_segmentation,
}


@dataclass(frozen=True)
class Normalisation:
    """How numbers are scaled before a network sees them: (x - offset) / divisor, per channel.

    Attributes
    ----------
    offset, divisor : tuple of float
        One number for each channel (or for each of the metadata), in the channel's own unit.
    """

    offset: tuple[float, ...]
    divisor: tuple[float, ...]

    def apply(self, values: Tensor) -> Tensor:
        """Scale a batch, (n, c, h, w) or (n, c), whose second axis is the channel."""
        shape = (-1, *[1] * (values.ndim - 2))
        offset = values.new_tensor(self.offset).reshape(shape)
        divisor = values.new_tensor(self.divisor).reshape(shape)
        return (values - offset) / divisor


@dataclass(frozen=True)
class Bundle:
    """A trained network with everything that its use needs.

    Attributes
    ----------
    kind : str
        One of `BUILDERS`.
    network : dict
        Arguments of the `build_*` function, without `pretrained`.
    views : dict
        Settings of the views that it was trained on.
    normalisation : Normalisation
        Of the channels.
    metadata_normalisation : Normalisation or None
        Of the metadata, if the network takes any.
    training : dict
        How it came about: metrics, epochs, seed, data, duration.
    versions : dict
        Of ejectamap and the libraries that matter; see `library_versions`.
    model : nn.Module
        The network itself.
    calibration : RangeCalibration or None
        What a context network's probabilities are worth, if that was measured.
    """

    kind: str
    network: dict[str, Any]
    views: dict[str, Any]
    normalisation: Normalisation
    metadata_normalisation: Normalisation | None
    training: dict[str, Any]
    versions: dict[str, str]
    model: nn.Module
    calibration: RangeCalibration | None = None


def library_versions() -> dict[str, str]:
    """Versions of what shapes a network: ejectamap, torch, timm, smp and Python."""
    return {
        "ejectamap": version("ejectamap"),
        "torch": torch.__version__,
        "timm": version("timm"),
        "smp": version("segmentation-models-pytorch"),
        "python": platform.python_version(),
    }


def save_bundle(bundle: Bundle, folder: Path, half: bool = False) -> None:
    """Write a bundle; one that is there already is replaced once the new one is complete.

    Parameters
    ----------
    bundle : Bundle
        Its dictionaries must be JSON-able.
    folder : Path
        Where to; parents are made.
    half : bool
        Store trained parameters as float16: half the size, about three digits. Running means,
        variances and counters of normalisation layers are stored as they are.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    settings = {
        "kind": bundle.kind,
        "network": bundle.network,
        "views": bundle.views,
        "normalisation": _normalisation_to_json(bundle.normalisation),
        "metadata_normalisation": _normalisation_to_json(bundle.metadata_normalisation),
        "calibration": None if bundle.calibration is None else asdict(bundle.calibration),
        "training": bundle.training,
        "versions": bundle.versions,
    }
    text = json.dumps(settings, indent=2)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            fresh, stale = Path(temporary, "fresh"), Path(temporary, "stale")
            fresh.mkdir()
            (fresh / SETTINGS_NAME).write_text(text + "\n", encoding="utf-8")
            save_file(_weights(bundle.model, half), fresh / WEIGHTS_NAME)
            if folder.exists():
                folder.rename(stale)
            fresh.rename(folder)
    except (OSError, SafetensorError) as problem:
        raise OutputError(f"cannot write the bundle {folder}: {problem}") from problem


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle; the model comes in evaluation mode, float32, on the CPU.

    Raises
    ------
    BundleError
        If a file is missing or damaged, or the weights do not fit the network.
    """
    settings = _read_settings(folder / SETTINGS_NAME)
    weights = _read_weights(folder / WEIGHTS_NAME)
    try:
        kind, network = str(settings["kind"]), dict(settings["network"])
        normalisation = _normalisation_from_json(settings["normalisation"])
        metadata = settings["metadata_normalisation"]
        metadata_normalisation = None if metadata is None else _normalisation_from_json(metadata)
        views, training = dict(settings["views"]), dict(settings["training"])
        versions = dict(settings["versions"])
        calibration = _calibration_from_json(settings.get("calibration"))
    except KeyError as problem:
        raise BundleError(f"{folder / SETTINGS_NAME} has no {problem}: train again") from problem
    except (TypeError, ValueError) as problem:
        raise BundleError(f"{folder / SETTINGS_NAME} is not as expected: {problem}") from problem
    if kind not in BUILDERS:
        raise BundleError(
            f"{folder / SETTINGS_NAME}: kind {kind!r} is none of {', '.join(BUILDERS)}"
        )
    sizes = {"in_channels": normalisation, "metadata_size": metadata_normalisation}
    for name, scaling in sizes.items():
        size, scaled = network.get(name, 0), len(scaling.offset) if scaling else 0
        if size != scaled:
            raise BundleError(
                f"{folder / SETTINGS_NAME}: {name} is {size}, but {scaled} numbers normalise it"
            )
    model = _build(folder, kind, network)
    _fill(folder, model, weights)
    return Bundle(
        kind=kind,
        network=network,
        views=views,
        normalisation=normalisation,
        metadata_normalisation=metadata_normalisation,
        training=training,
        versions=versions,
        model=model.eval(),
        calibration=calibration,
    )


def read_views(folder: Path) -> dict[str, Any]:
    """Settings of the views that a bundle's network was trained on, without a look at its weights.

    Raises
    ------
    BundleError
        If it is missing or damaged.
    """
    return dict(_read_settings(folder / SETTINGS_NAME).get("views", {}))


def _weights(model: nn.Module, half: bool) -> dict[str, Tensor]:
    parameters = dict(model.named_parameters())
    # Clones, because safetensors refuses tensors that share memory.
    return {
        name: (value.half() if half and name in parameters else value)
        .detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }


def _normalisation_to_json(normalisation: Normalisation | None) -> dict[str, list[float]] | None:
    if normalisation is None:
        return None
    return {"offset": list(normalisation.offset), "divisor": list(normalisation.divisor)}


def _normalisation_from_json(values: dict[str, list[float]]) -> Normalisation:
    offset = tuple(float(value) for value in values["offset"])
    divisor = tuple(float(value) for value in values["divisor"])
    if len(offset) != len(divisor):
        raise ValueError(f"{len(offset)} offsets and {len(divisor)} divisors")
    if 0.0 in divisor:
        raise ValueError("a divisor is 0")
    return Normalisation(offset, divisor)


def _calibration_from_json(values: dict[str, float] | None) -> RangeCalibration | None:
    if values is None:  # as in bundles of other kinds, and in those that nobody calibrated
        return None
    return RangeCalibration(**{name: float(value) for name, value in values.items()})


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BundleError(f"cannot read {path}: {problem.strerror}; train first") from problem
    except ValueError as problem:  # not JSON, or not UTF-8
        raise BundleError(f"{path} is damaged ({problem}): train again") from problem
    if not isinstance(settings, dict):
        raise BundleError(f"{path} is not as expected: not a JSON object")
    return settings


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = load_file(path)
    except OSError as problem:
        raise BundleError(f"cannot read {path}: {problem.strerror or problem}") from problem
    except SafetensorError as problem:
        raise BundleError(f"{path} is damaged ({problem}): train again") from problem
    return weights


def _build(folder: Path, kind: str, network: dict[str, Any]) -> nn.Module:
    try:
        return BUILDERS[kind](**network, pretrained=False)
    except SettingsError as problem:
        raise BundleError(f"{folder / SETTINGS_NAME}: {problem}") from problem
    except (TypeError, AttributeError, ValueError, RuntimeError) as problem:
        raise BundleError(
            f"{folder / SETTINGS_NAME}: not the arguments of a {kind} network ({problem})"
        ) from problem


def _fill(folder: Path, model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load weights, whatever their precision, into a float32 model; all must be there and fit."""
    expected = model.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            lack = "lack" if name not in weights else "have an unknown"
            raise BundleError(f"{folder / WEIGHTS_NAME} does not fit: the weights {lack} {name}")
        if weights[name].shape != expected[name].shape:
            raise BundleError(
                f"{folder / WEIGHTS_NAME} does not fit: {name} is {tuple(weights[name].shape)}, "
                f"not {tuple(expected[name].shape)}"
            )
    model.load_state_dict(weights)
