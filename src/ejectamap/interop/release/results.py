"""The release's results folder: which checkpoints it holds, and its published masks as maps."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ejectamap.errors import LabelError, ReleaseError
from ejectamap.interop.release.data import Release
from ejectamap.interop.release.hyperparameters import FINAL_VERSION, ModelVersion, read_version
from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.progress import track
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_masks import read_mask
from ejectamap.world.labels import extract_window

_FOLDERS = {"connection": "conn_results", "segmentation": "ejc_results"}
_MASK_NAME = re.compile(r"cylindrical_mask_crater_(\d+)\.tiff?", re.IGNORECASE)


@dataclass(frozen=True)
class CheckpointSet:
    """The checkpoints of one network kind.

    Attributes
    ----------
    version : ModelVersion
    paths : tuple of Path
        One per training, all of the chosen split.
    """

    version: ModelVersion
    paths: tuple[Path, ...]


def find_checkpoints(release: Release) -> dict[str, CheckpointSet]:
    """Find the checkpoints of each network kind.

    They are those of the version behind the published map or, if that is absent, of the only version present.

    Raises
    ------
    ReleaseError
        If there are several other versions, or the version's hyperparameters are not known.
    """
    if release.results is None:
        return {}
    checkpoints = {}
    for kind, name in _FOLDERS.items():
        pattern = f"version_*/best-checkpoint_test-set-{release.split}_*.ckpt"
        paths = sorted((release.results / name).glob(pattern), key=_training_order)
        versions = {int(path.parent.name.removeprefix("version_")) for path in paths}
        if not versions:
            continue
        number = FINAL_VERSION[kind] if FINAL_VERSION[kind] in versions else min(versions)
        if number != FINAL_VERSION[kind] and len(versions) > 1:
            listed = ", ".join(map(str, sorted(versions)))
            raise ReleaseError(
                f"{release.results / name}: holds versions {listed}, none of them the published {FINAL_VERSION[kind]}:"
                " leave one there"
            )
        chosen = tuple(path for path in paths if path.parent.name == f"version_{number}")
        folders = (release.results, release.data, release.results.parent / "code")
        checkpoints[kind] = CheckpointSet(read_version(kind, number, folders), chosen)
    return checkpoints


def _training_order(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.name)]


def find_masks(release: Release) -> dict[int, Path]:
    """Find the published mask of each crater, by crater id.

    Raises
    ------
    ReleaseError
        If several folders hold masks and none of them is the published map.
    """
    if release.results is None:
        return {}
    paths = sorted((release.results / "output_masks").rglob("cylindrical_mask_crater_*.tif*"))
    folders = sorted({path.parent for path in paths})
    prefix = "ejc-version-{segmentation}_conn-version-{connection}".format(**FINAL_VERSION)
    published = [
        folder for folder in folders if folder.name.startswith(f"{prefix}_test-set-{release.split}")
    ]
    if len(folders) > 1 and len(published) != 1:
        listed = ", ".join(folder.name for folder in folders)
        raise ReleaseError(
            f"{release.results / 'output_masks'}: holds several maps ({listed}): leave one there"
        )
    chosen = published or folders
    matches = {path: _MASK_NAME.fullmatch(path.name) for path in paths if path.parent in chosen}
    return {int(match[1]): path for path, match in matches.items() if match}


def read_published_maps(
    masks: Mapping[int, Path], craters: Sequence[Crater], grid: Grid, warnings: list[str]
) -> Iterator[CraterMap]:
    """Read published masks as maps of probability 0 and 1, each covering the crater's reach and all of the mask.

    A line is added to `warnings` for each mask that cannot be read or does not fit the grid.
    """
    published = [crater for crater in craters if crater.crater_id in masks]
    for crater in track(published, "reading published masks"):
        try:
            window, mask = read_mask(masks[crater.crater_id], grid)
        except LabelError as problem:
            warnings.append(str(problem))
            continue
        reach = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
        joined = _bounding_window(reach, window, grid)
        probability = extract_window(window, mask, joined, grid.width).astype(np.float32)
        yield CraterMap(crater, joined, in_memory(joined, probability))


def _bounding_window(first: Window, second: Window, grid: Grid) -> Window:
    """Smallest window that contains two others and does not wrap around."""
    if second.height == 0:
        return first
    top = min(first.row, second.row)
    bottom = max(first.row + first.height, second.row + second.height)
    left = min(first.col, second.col)
    right = max(first.col + first.width, second.col + second.width)
    if right > grid.width:
        left, right = 0, grid.width
    return Window(top, left, bottom - top, right - left)
