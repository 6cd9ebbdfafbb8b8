"""The release's tables of hyperparameters: architecture and inputs of the networks of each version."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ejectamap.errors import ReleaseError
from ejectamap.world.tables import read_table

FINAL_VERSION = {"connection": 32, "segmentation": 200}
"""Versions of the networks behind the published map."""

# The rows of these versions; used if the tables are absent.
_FINAL_VALUES = {
    "connection": {"model_name": "densenet169.tv_in1k", "iter_threshold": "0.5"},
    "segmentation": {
        "model_name": "Unet++",
        "MDL_Unet++_encoder_name": "resnet34",
        "buffer_bounds": "(2,5)",
        "accept_midinput": "True",
        "distance_mode": "absolute",
        "log_dist": "True",
    },
}
_TABLES = {
    "connection": "connection_version_hparams.csv",
    "segmentation": "ejecta_version_hparams.csv",
}
_DECODERS = {"Unet++": "UnetPlusPlus", "DeepLabV3+": "DeepLabV3Plus"}


@dataclass(frozen=True)
class ModelVersion:
    """Hyperparameters of one version of the networks of a kind.

    Attributes
    ----------
    kind : str
        "connection" or "segmentation".
    number : int
    values : mapping of str to str
        Value of each column of the table.
    source : str
        Where the values come from, for error messages.
    """

    kind: str
    number: int
    values: Mapping[str, str]
    source: str

    @property
    def annulus_radii(self) -> tuple[float, float]:
        """Ring around the crater whose band means are metadata, in crater radii."""
        text = self.values.get("buffer_bounds", "") or "(2,5)"
        try:
            inner, outer = (float(part) for part in text.strip("() ").split(","))
        except ValueError:
            raise ReleaseError(
                f"{self.source}: buffer_bounds is {text!r}, not two numbers"
            ) from None
        return inner, outer

    @property
    def vote_threshold(self) -> float:
        """Fraction of the votes that makes a chip connected."""
        return float(self.values.get("iter_threshold") or 0.5)

    def network_arguments(self, bands: int) -> dict[str, Any]:
        """Arguments of the network kind's `build_*` function, for a mosaic of this many bands.

        Raises
        ------
        ReleaseError
            If the version has a hyperparameter that our network does not support.
        """
        name = self.values.get("model_name", "")
        if not name:
            raise ReleaseError(f"{self.source}: has no model_name")
        if self.kind == "connection":
            return {"architecture": name, "in_channels": bands + 1}
        self._check_distance_channel()
        prefix = f"MDL_{name}_"
        arguments = {
            key.removeprefix(prefix): value
            for key, value in self.values.items()
            if key.startswith(prefix) and value
        }
        encoder = arguments.pop("encoder_name", "resnet34")
        if arguments:
            raise ReleaseError(
                f"{self.source}: cannot be built with {', '.join(sorted(arguments))}"
            )
        return {
            "decoder": _DECODERS.get(name, name),
            "encoder": encoder,
            "in_channels": bands + 1,
            "metadata_size": bands + 1 if self.values.get("accept_midinput") != "False" else 0,
            "decoder_channels": None,
        }

    def _check_distance_channel(self) -> None:
        supported = {"distance_mode": "absolute", "log_dist": "True"}
        for key, value in supported.items():
            if self.values.get(key, value) != value:
                raise ReleaseError(
                    f"{self.source}: {key} is {self.values[key]}, only {value} can be imported"
                )


def read_version(kind: str, number: int, folders: tuple[Path, ...]) -> ModelVersion:
    """Read a version's row from the first of these folders that has the table of its kind.

    Without a table, the final version's published values are returned.

    Raises
    ------
    ReleaseError
        If there is no table for another version, or the table lacks the version.
    """
    path = next((f / _TABLES[kind] for f in folders if (f / _TABLES[kind]).exists()), None)
    if path is None:
        if number != FINAL_VERSION[kind]:
            raise ReleaseError(
                f"{kind} version {number}: its hyperparameters are unknown: put {_TABLES[kind]} beside the results"
            )
        return ModelVersion(kind, number, _FINAL_VALUES[kind], f"{kind} version {number}")
    table = read_table(path, ReleaseError)
    numbers = table.integers(table.require("version"))
    if number not in numbers:
        table.fail(f"has no version {number}")
    row = numbers.index(number)
    values = {column: table.texts(column)[row] for column in table.columns}
    return ModelVersion(kind, number, values, f"{path}, version {number}")
