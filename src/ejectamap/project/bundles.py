"""The description of a trained network in its bundle's JSON file, read without the weights and without PyTorch.

A bundle is a folder of two files: `weights.safetensors` and `bundle.json`. `networks.bundle` loads both. Here too is
how one bundle takes the place of another, so that a kill at any moment loses neither.
"""

import hashlib
import json
import platform
import re
import shutil
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

from ejectamap.errors import BundleError, OutputError
from ejectamap.files import hash_file, move_into_place, read_bytes, read_text, remove_partial_files
from ejectamap.project.bundle_views import NetworkViews
from ejectamap.project.lineage import Lineage
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.views.scaling import ChannelScaling

DESCRIPTION_NAME = "bundle.json"
WEIGHTS_NAME = "weights.safetensors"

# Ends of the hidden names of bundles: one that a new one just replaces, and one that is to be replaced by training.
_OLD, _REPLACED = ".old", ".replaced"
_LEFT_BY_VERSION_0_2 = re.compile(
    r"\.member-\d+\.[a-z0-9_]{8}"
)  # a folder in which it wrote a bundle


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
    raises_faint_rays : bool
        Whether faint far rays are raised (`networks.faint_rays`); not in bundles of ejectamap 0.2 and before, so that
        their maps stay as they are.
    training : dict
        Figures of its training: metrics, epochs, seed, data, duration.
    lineage : Lineage or None
        What it was trained on; None in bundles of ejectamap 0.2 and before, and in imported ones.
    versions : dict of str to str
        See `library_versions`.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    kind: str
    network: dict[str, Any]
    views: NetworkViews
    normalisation: ChannelScaling
    metadata_normalisation: ChannelScaling | None
    calibration: dict[str, float] | None = None
    raises_faint_rays: bool = False
    training: dict[str, Any]
    versions: dict[str, str]
    lineage: Lineage | None = None

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
        return _format(self.model_dump())


def set_aside(path: Path) -> None:
    """Hide a bundle, or whatever has its name, until a new one takes its place.

    Raises
    ------
    OutputError
        If it cannot be renamed.
    """
    hidden = path.with_name(f".{path.name}{_REPLACED}")
    try:
        _delete(hidden)
        path.rename(hidden)
    except OSError as problem:
        raise OutputError(
            f"{path}: cannot be renamed ({problem.strerror}): check its permissions"
        ) from problem


def set_all_aside(models: Path) -> None:
    """Hide all bundles in a folder of models, and delete what is none; raises `OutputError`."""
    for kind in models.glob("[!.]*"):
        for path in [kind] if kind.is_file() else kind.glob("[!.]*"):
            if (path / WEIGHTS_NAME).exists():
                set_aside(path)
            else:
                _delete(path)
    _delete_empty(models)


def tidy_bundles(models: Path) -> None:
    """Put right what a killed training left in a folder of models: partial bundles, and one half replaced.

    Raises
    ------
    OutputError
        If something cannot be removed or renamed.
    """
    for folder in (path for path in models.glob("[!.]*") if path.is_dir()):
        remove_partial_files(folder)
        for hidden in sorted(folder.glob(".*")):
            if _LEFT_BY_VERSION_0_2.fullmatch(hidden.name):
                _restore(hidden / "old", folder / hidden.name[1:].rpartition(".")[0])
                _delete(hidden)
            elif hidden.name.endswith(_OLD):
                _restore(hidden, folder / hidden.name[1:].removesuffix(_OLD))
                _delete(hidden)


def replace_bundle(new: Path, folder: Path) -> None:
    """Put a complete bundle in the place of another one, which is deleted afterwards; raises `OSError`."""
    old = folder.with_name(f".{folder.name}{_OLD}")
    _delete(old)
    if folder.exists():
        folder.rename(old)
    move_into_place(new, folder)
    _delete(old)
    _delete(folder.with_name(f".{folder.name}{_REPLACED}"))


def delete_replaced(models: Path) -> None:
    """Delete all bundles that were set aside."""
    siblings = models.parent.glob(f".{models.name}{_REPLACED}")
    for hidden in [*siblings, *models.glob(f".*{_REPLACED}"), *models.glob(f"*/.*{_REPLACED}")]:
        _delete(hidden)
    _delete_empty(models)


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
        content = json.loads(read_text(path))
    except OSError as problem:
        raise BundleError(f"cannot read {path}: {problem.strerror}; train first") from problem
    except ValueError as problem:  # not JSON, or not UTF-8
        raise BundleError(f"{path} is damaged ({problem}): run ejectamap train again") from problem
    try:
        return BundleDescription.model_validate(content)
    except ValidationError as problem:
        raise BundleError(
            f"{path} is not as expected: {_explain(problem)}: run ejectamap train again"
        ) from None


def read_descriptions(folder: Path) -> list[BundleDescription]:
    """Descriptions of all bundles in a folder such as models/connection, at least one; errors as above."""
    return [read_description(bundle) for bundle in require_bundle_folders(folder)]


def hash_bundle_file(path: Path) -> str:
    """Digest of a bundle's file, without the lineage: no probability depends on that.

    So the digest of a network did not change when its lineage was added.
    """
    if path.name != DESCRIPTION_NAME:
        return hash_file(path)
    text = read_bytes(path)
    try:
        content = json.loads(text)
        del content["lineage"]
    except (ValueError, TypeError, KeyError):
        pass
    else:
        text = _format(content).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the software that a network depends on: ejectamap, torch, timm, smp and Python."""
    names = {"torch": "torch", "timm": "timm", "smp": "segmentation-models-pytorch"}
    return {
        "ejectamap": version("ejectamap"),
        **{name: version(package) for name, package in names.items()},
        "python": platform.python_version(),
    }


def _restore(old: Path, folder: Path) -> None:
    """Bring a bundle back whose replacement did not come to an end."""
    if old.exists() and not folder.exists():
        old.rename(folder)


def _delete_empty(models: Path) -> None:
    """Delete folders of kinds without bundles, and that of all models if it is empty."""
    for folder in (*models.glob("*"), models):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _delete(path: Path) -> None:
    """Delete a folder or file, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _format(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def _explain(problem: ValidationError) -> str:
    """The first thing that is wrong, in one line."""
    error = problem.errors()[0]
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"it has no {field}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
