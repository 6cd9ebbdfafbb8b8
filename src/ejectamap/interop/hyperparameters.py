"""The release's tables of hyperparameters: which networks a version holds and what they look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ejectamap.errors import ReleaseError
from ejectamap.world.tables import read_table

FINAL_VERSION = {"connection": 32, "segmentation": 200}
"""Versions behind the published map."""

# What these versions' rows say; used where the tables are not given.
_FINAL = {
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
class Version:
    """One version's row, or what is published of the final one.

    Attributes
    ----------
    kind : str
        "connection" or "segmentation".
    number : int
    values : mapping of str to str
    source : str
        Where the values come from, for messages.
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
        """Share of the votes that makes a chip connected."""
        return float(self.values.get("iter_threshold") or 0.5)

    def network(self, bands: int) -> dict[str, Any]:
        """Arguments of the network's `build_*` function.

        Raises
        ------
        ReleaseError
            If the version has something that our network has not.
        """
        name = self.values.get("model_name", "")
        if not name:
            raise ReleaseError(f"{self.source}: has no model_name")
        if self.kind == "connection":
            return {"architecture": name, "in_channels": bands + 1}
        self._refuse_other_inputs()
        prefix = f"MDL_{name}_"
        chosen = {
            key.removeprefix(prefix): value
            for key, value in self.values.items()
            if key.startswith(prefix) and value
        }
        encoder = chosen.pop("encoder_name", "resnet34")
        if chosen:
            raise ReleaseError(f"{self.source}: cannot be built with {', '.join(sorted(chosen))}")
        return {
            "decoder": _DECODERS.get(name, name),
            "encoder": encoder,
            "in_channels": bands + 1,
            "metadata_size": bands + 1 if self.values.get("accept_midinput") != "False" else 0,
            "decoder_channels": None,
        }

    def _refuse_other_inputs(self) -> None:
        wanted = {"distance_mode": "absolute", "log_dist": "True"}
        for key, value in wanted.items():
            if self.values.get(key, value) != value:
                raise ReleaseError(
                    f"{self.source}: {key} is {self.values[key]}, only {value} can be imported"
                )


def read_version(kind: str, number: int, folders: tuple[Path, ...]) -> Version:
    """Look a version up in the first of its tables in these folders, or take what is published of the final one.

    Raises
    ------
    ReleaseError
        If there is neither, or the table lacks the version.
    """
    path = next((f / _TABLES[kind] for f in folders if (f / _TABLES[kind]).exists()), None)
    if path is None:
        if number != FINAL_VERSION[kind]:
            raise ReleaseError(
                f"{kind} version {number}: put {_TABLES[kind]} beside the results, which says what it is built of"
            )
        return Version(kind, number, _FINAL[kind], f"{kind} version {number}")
    table = read_table(path, ReleaseError)
    numbers = table.integers(table.require("version"))
    if number not in numbers:
        table.fail(f"has no version {number}")
    row = numbers.index(number)
    values = {column: table.words(column)[row] for column in table.columns}
    return Version(kind, number, values, f"{path}, version {number}")
