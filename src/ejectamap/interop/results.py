"""The release's results: trained networks as bundles of ours, and published masks as a map."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from ejectamap.errors import LabelError, ReleaseError
from ejectamap.interop.checkpoints import fill, read_normalisation, read_weights
from ejectamap.interop.hyperparameters import FINAL_VERSION, Version, read_version
from ejectamap.interop.release import Release
from ejectamap.mapping.methods import CraterMap, in_memory
from ejectamap.networks.bundle import BUILDERS, Bundle, library_versions, save_bundle
from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import read_mask
from ejectamap.world.labels import cut

_FOLDERS = {"connection": "conn_results", "segmentation": "ejc_results"}
_MASK_NAME = re.compile(r"cylindrical_mask_crater_(\d+)\.tiff?", re.IGNORECASE)


@dataclass(frozen=True)
class Networks:
    """The trained networks of one kind.

    Attributes
    ----------
    version : Version
    checkpoints : tuple of Path
        One a training, for the split asked for.
    """

    version: Version
    checkpoints: tuple[Path, ...]


def find_networks(release: Release) -> dict[str, Networks]:
    """Checkpoints of each kind: of the version behind the published map or, without it, of the only one there is.

    Raises
    ------
    ReleaseError
        If there are several other versions, or the version's hyperparameters are not known.
    """
    if release.results is None:
        return {}
    found = {}
    for kind, name in _FOLDERS.items():
        pattern = f"version_*/best-checkpoint_test-set-{release.split}_*.ckpt"
        paths = sorted((release.results / name).glob(pattern), key=_trainings_in_order)
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
        found[kind] = Networks(read_version(kind, number, folders), chosen)
    return found


def _trainings_in_order(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.name)]


def convert_networks(project: Project, networks: Mapping[str, Networks], tile_px: int) -> None:
    """Write bundles of all networks; none of a kind if one of them cannot be converted.

    Parameters
    ----------
    project : Project
    networks : mapping of str to Networks
        By kind.
    tile_px : int
        Side of the labelled tiles, in mosaic pixels: the networks' pictures follow from it.

    Raises
    ------
    ReleaseError
        Naming the checkpoint.
    """
    for kind, found in networks.items():
        bundles = [
            _bundle(project, found.version, path, tile_px)
            for path in track(found.checkpoints, f"reading {kind} networks", transient=True)
        ]
        for number, bundle in enumerate(bundles):
            save_bundle(bundle, project.models / kind / f"member-{number:02d}")


def _bundle(project: Project, version: Version, path: Path, tile_px: int) -> Bundle:
    """One network with what it looks at."""
    bands = project.mosaic.bands
    arguments = version.network(bands)
    network = BUILDERS[version.kind](**arguments, pretrained=False)
    fill(network, read_weights(path), path)
    normalisation = read_normalisation(path, bands)
    views: dict[str, Any] = {"bands": bands, "scaling": "255"}
    if version.kind == "connection":
        views["corridor_px"] = [2 * tile_px, tile_px // 2]
    else:
        views["chip_px"] = tile_px
        views["tile_m"] = tile_px * project.mosaic.grid.pixel_m
        views["annulus_radii"] = list(version.annulus_radii)
        # `Version.network` lets no other distance channel through.
        views |= {"distance": "metres", "log_distance": True}
    return Bundle(
        kind=version.kind,
        network=arguments,
        views=views,
        normalisation=normalisation,
        # The release scales the metadata (band means, logarithm of the radius) as it scales the channels.
        metadata_normalisation=normalisation if arguments.get("metadata_size") else None,
        training={"imported": path.name, "version": version.number},
        versions=library_versions(),
        model=network.eval(),
    )


def find_masks(release: Release) -> dict[int, Path]:
    """The published mask of each crater.

    Raises
    ------
    ReleaseError
        If several folders hold masks and none of them is the published map.
    """
    if release.results is None:
        return {}
    paths = sorted((release.results / "output_masks").rglob("cylindrical_mask_crater_*.tif*"))
    folders = sorted({path.parent for path in paths})
    wanted = "ejc-version-{segmentation}_conn-version-{connection}".format(**FINAL_VERSION)
    published = [
        folder for folder in folders if folder.name.startswith(f"{wanted}_test-set-{release.split}")
    ]
    if len(folders) > 1 and len(published) != 1:
        listed = ", ".join(folder.name for folder in folders)
        raise ReleaseError(
            f"{release.results / 'output_masks'}: holds several maps ({listed}): leave one there"
        )
    chosen = published or folders
    matches = {path: _MASK_NAME.fullmatch(path.name) for path in paths if path.parent in chosen}
    return {int(match[1]): path for path, match in matches.items() if match}


def published_maps(
    masks: Mapping[int, Path], craters: Sequence[Crater], grid: Grid, damaged: list[str]
) -> Iterator[CraterMap]:
    """Published masks as maps of probability 0 and 1, each over all ground in reach and all of the mask.

    A line for each mask that cannot be read, or does not fit the grid, is added to `damaged`.
    """
    known = [crater for crater in craters if crater.crater_id in masks]
    for crater in track(known, "reading published masks", transient=True):
        try:
            window, mask = read_mask(masks[crater.crater_id], grid)
        except LabelError as problem:
            damaged.append(str(problem))
            continue
        reach = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
        whole = _around(reach, window, grid)
        probability = cut(window, mask, whole, grid.width).astype(np.float32)
        yield CraterMap(crater, whole, in_memory(whole, probability))


def _around(a: Window, b: Window, grid: Grid) -> Window:
    """Smallest window that holds two others and does not wrap around."""
    if b.height == 0:
        return a
    top = min(a.row, b.row)
    bottom = max(a.row + a.height, b.row + b.height)
    left, right = min(a.col, b.col), max(a.col + a.width, b.col + b.width)
    if right > grid.width:
        left, right = 0, grid.width
    return Window(top, left, bottom - top, right - left)
