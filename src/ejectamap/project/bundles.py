"""The description of a trained network in its bundle's JSON file, read without the weights and without PyTorch.

A bundle is a folder of two files: `weights.safetensors` and `bundle.json`. `networks.bundle` loads both.
"""

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from ejectamap.errors import BundleError
from ejectamap.project.bundle_views import NetworkViews
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.views.scaling import ChannelScaling

DESCRIPTION_NAME = "bundle.json"
WEIGHTS_NAME = "weights.safetensors"


class BundleDescription(BaseModel):
    """Everything about a trained network but its weights.

    Attributes
    ----------
    kind : str
        One of `NETWORK_KINDS`.
    network : dict
        Arguments of the kind's `build_*` function, without `pretrained`.
    views : NetworkViews
        Its input pictures; of the kind's own subclass.
    normalisation : ChannelScaling
        Of the input channels.
    metadata_normalisation : ChannelScaling or None
        Of the metadata, if the network takes any.
    calibration : dict of str to float, or None
        Coefficients of `networks.calibration.RangeCalibration`, if they were fitted.
    training : dict
        Figures of its training: metrics, epochs, seed, data, duration.
    versions : dict of str to str
        See `library_versions`.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    network: dict[str, Any]
    views: NetworkViews
    normalisation: ChannelScaling
    metadata_normalisation: ChannelScaling | None
    calibration: dict[str, float] | None = None
    training: dict[str, Any]
    versions: dict[str, str]

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in NETWORK_KINDS:
            raise ValueError(f"kind {kind!r} is none of {', '.join(NETWORK_KINDS)}")
        return kind

    @field_validator("views", mode="before")
    @classmethod
    def _views_of_kind(cls, views: Any, info: ValidationInfo) -> Any:
        kind = NETWORK_KINDS.get(info.data.get("kind", ""))
        if kind is None or isinstance(views, NetworkViews):
            return views
        return kind.views.model_validate(views)

    @field_validator("normalisation", "metadata_normalisation")
    @classmethod
    def _can_be_applied(cls, scaling: ChannelScaling | None) -> ChannelScaling | None:
        if scaling is not None and len(scaling.offset) != len(scaling.divisor):
            raise ValueError(f"{len(scaling.offset)} offsets and {len(scaling.divisor)} divisors")
        if scaling is not None and 0.0 in scaling.divisor:
            raise ValueError("a divisor is 0")
        return scaling

    @model_validator(mode="after")
    def _numbers_for_every_channel(self) -> Self:
        scalings = {"in_channels": self.normalisation, "metadata_size": self.metadata_normalisation}
        for name, scaling in scalings.items():
            size, scaled = self.network.get(name, 0), len(scaling.offset) if scaling else 0
            if size != scaled:
                raise ValueError(f"{name} is {size}, but {scaled} numbers normalise it")
        return self

    @field_serializer("views")
    def _serialise_views(self, views: NetworkViews) -> dict[str, Any]:
        return views.to_dict()

    @field_serializer("normalisation", "metadata_normalisation")
    def _serialise_scaling(self, scaling: ChannelScaling | None) -> dict[str, list[float]] | None:
        if scaling is None:
            return None
        return {name: list(values) for name, values in asdict(scaling).items()}

    def to_json(self) -> str:
        """Content of `bundle.json`."""
        return json.dumps(self.model_dump(), indent=2) + "\n"


def bundle_folders(folder: Path) -> list[Path]:
    """Folders of the bundles in a folder such as models/connection, sorted; may be none."""
    return sorted(path.parent for path in folder.glob(f"[!.]*/{DESCRIPTION_NAME}"))


def require_bundle_folders(folder: Path) -> list[Path]:
    """The same, at least one.

    Raises
    ------
    BundleError
        If there is none.
    """
    folders = bundle_folders(folder)
    if not folders:
        raise BundleError(f"{folder}: holds no trained network: run ejectamap train first")
    return folders


def read_description(bundle: Path) -> BundleDescription:
    """Read the description in a bundle's folder.

    Raises
    ------
    BundleError
        If it is missing or damaged.
    """
    path = bundle / DESCRIPTION_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BundleError(f"cannot read {path}: {problem.strerror}; train first") from problem
    except ValueError as problem:  # not JSON, or not UTF-8
        raise BundleError(f"{path} is damaged ({problem}): train again") from problem
    try:
        return BundleDescription.model_validate(content)
    except ValidationError as problem:
        raise BundleError(f"{path} is not as expected: {_explain(problem)}: train again") from None


def read_descriptions(folder: Path) -> list[BundleDescription]:
    """Descriptions of all bundles in a folder such as models/connection, at least one; errors as above."""
    return [read_description(bundle) for bundle in require_bundle_folders(folder)]


def library_versions() -> dict[str, str]:
    """Versions of the software that a network depends on: ejectamap, torch, timm, smp and Python."""
    names = {"torch": "torch", "timm": "timm", "smp": "segmentation-models-pytorch"}
    return {
        "ejectamap": version("ejectamap"),
        **{name: version(package) for name, package in names.items()},
        "python": platform.python_version(),
    }


def _explain(problem: ValidationError) -> str:
    """The first thing that is wrong, in one line."""
    error = problem.errors()[0]
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"it has no {field}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
