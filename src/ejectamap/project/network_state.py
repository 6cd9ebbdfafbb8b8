"""Whether trained networks are current: of the present settings and labels, as their lineages tell."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from ejectamap.errors import BundleError, EjectamapError
from ejectamap.files import hash_file
from ejectamap.project.bundle_views import ChipViews, CorridorViews, NetworkViews, PolarViews
from ejectamap.project.bundles import WEIGHTS_NAME, bundle_folders, read_description
from ejectamap.project.folder import Project
from ejectamap.project.lineage import Lineage, SeenCrater, SeenPlanet, tile_box
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.project.pairs import Pair
from ejectamap.project.settings import ComponentSpec
from ejectamap.project.training_pairs import (
    TrainingPairs,
    other_training_pairs,
    own_training_pairs,
)
from ejectamap.world.labels import Labels
from ejectamap.world.raster_digest import mosaic_digests

# Settings of a kind of network that its weights do not depend on, or on which machine they were made.
_WITHOUT_EFFECT = {"members", "budget_weight", "precision", "vote_threshold"}
_VIEW_SETTINGS: dict[type[NetworkViews], tuple[str, ...]] = {
    CorridorViews: ("tile_km", "corridor_px"),
    ChipViews: ("tile_km", "chip_px", "annulus_radii"),
    PolarViews: ("tile_km", "polar_px", "polar_power"),
}
_TRAINING_SETTINGS = ("split", "test_fraction", "validation_fraction", "families")
_MOST_NAMES = 3


@dataclass(frozen=True)
class Changes:
    """What has changed since a network was trained.

    Attributes
    ----------
    settings : tuple of str
        Names of the settings.
    craters : tuple of str
        Names of the craters that were added or removed, moved, or labelled differently.
    mosaic : bool
        Whether a mosaic is another one.
    is_recorded : bool
        False if the network has no lineage, so that nothing is known.
    is_of_this_project : bool
        False if it was trained on none of the craters that training would use, as if it had been copied here.
    """

    settings: tuple[str, ...] = ()
    craters: tuple[str, ...] = ()
    mosaic: bool = False
    is_recorded: bool = True
    is_of_this_project: bool = True

    @property
    def of_data(self) -> bool:
        """Whether what it was trained on has changed."""
        return bool(self.craters) or self.mosaic

    def __str__(self) -> str:
        parts = []
        if self.settings:
            parts.append(f"settings changed ({shorten(self.settings)})")
        if self.craters:
            parts.append(f"labels changed ({shorten(self.craters)})")
        if self.mosaic:
            parts.append("the mosaic changed")
        return ", ".join(parts)


def shorten(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def present_lineage(project: Project, kind: str, with_mosaics: bool = True) -> Lineage:
    """Lineage that a network of a kind would have if it were trained now, from nothing.

    Parameters
    ----------
    project : Project
    kind : str
    with_mosaics : bool
        Whether to compute digests of the mosaics, which takes seconds for large ones.

    Raises
    ------
    EjectamapError
        If labels, catalogue or split cannot be used.
    """
    parts = [own_training_pairs(project), *other_training_pairs(project)]
    planets = [_seen_planet(part, kind, with_mosaics) for part in parts]
    return Lineage(
        settings=_settings(project, kind),
        trained_on=tuple(planet for planet in planets if planet.craters),
    )


def find_changes(lineage: Lineage | None, present: Lineage) -> Changes:
    """Compare a network's lineage with that of a network trained now."""
    if lineage is None or lineage.settings is None:
        return Changes(is_recorded=False)
    recorded, now = lineage.settings, present.settings or {}
    # A setting that one of them lacks was added or removed by another version, and is not known to have changed.
    settings = tuple(name for name in recorded if name in now and recorded[name] != now[name])
    before, after = _labels(lineage), _labels(present)
    changed = [
        name for key, name in {**before, **after}.items() if (key in before) != (key in after)
    ]
    mosaics = [{p.mosaic for p in x.trained_on if p.mosaic} for x in (lineage, present)]
    centres = [{key[:3] for key in labels} for labels in (before, after)]
    return Changes(
        settings=settings,
        craters=tuple(dict.fromkeys(changed)),
        mosaic=bool(mosaics[0] and mosaics[1] and mosaics[0] != mosaics[1]),
        is_of_this_project=bool(centres[0] & centres[1] or mosaics[0] & mosaics[1]),
    )


def network_changes(project: Project, kind: str, present: Lineage) -> dict[Path, Changes]:
    """Changes since each of the project's own networks of a kind was trained, by its folder; damaged ones left out."""
    changes = {}
    for bundle in bundle_folders(project.models / kind):
        try:
            lineage = read_description(bundle).lineage
        except BundleError:
            continue
        changes[bundle] = find_changes(lineage, present)
    return changes


def outdated_networks(project: Project) -> list[str]:
    """A line for each kind of network that is older than the labels or settings; none where that cannot be told."""
    lines = []
    for kind in project.settings.network_configs:
        if not bundle_folders(project.models / kind):
            continue
        try:
            present = present_lineage(project, kind, with_mosaics=False)
        except EjectamapError:  # the labels cannot be used: mapping does not need them
            return []
        found = list(network_changes(project, kind, present).values())
        reasons = dict.fromkeys(str(c) for c in found if c.is_of_this_project and str(c))
        if reasons and present.trained_on:
            lines.append(
                f"{kind} networks are older than the project: {'; '.join(reasons)}:"
                f" ejectamap train {project.folder} renews them"
            )
    return lines


def _labels(lineage: Lineage) -> dict[tuple[Any, ...], str]:
    """Names of the craters trained on, by place and label."""
    return {
        (planet.body_radius_m, c.lon, c.lat, c.radius_m, c.reach, c.label): c.name
        for planet in lineage.trained_on
        for c in planet.craters
    }


def _seen_planet(part: TrainingPairs, kind: str, with_mosaic: bool) -> SeenPlanet:
    """What a network of a kind is trained on in one project."""
    # An agnostic network is given the labels of all craters in its tiles.
    sees_all = NETWORK_KINDS[kind].training_samples == "tiles"
    pairs = part.with_tiles_of_all_craters() if sees_all else part.pairs
    grid, labels = part.project.grid, part.labels
    of_crater: dict[int, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: pair.tile_id):
        of_crater.setdefault(pair.crater.crater_id, []).append(pair)
    craters = []
    for crater in (own[0].crater for own in of_crater.values()):
        own = of_crater[crater.crater_id]
        seen = SeenCrater(
            crater_id=crater.crater_id,
            name=crater.name,
            lon=crater.lon,
            lat=crater.lat,
            radius_m=crater.radius_m,
            reach=crater.reach,
            tiles=tuple(pair.tile_id for pair in own),
            label=None if labels is None else _label_digest(labels, own),
        )
        craters.append(seen)
    return SeenPlanet(
        body_radius_m=grid.radius_m,
        mosaic=_mosaic_digest(part.project) if with_mosaic and craters else None,
        tiles={pair.tile_id: tile_box(pair.window, grid) for pair in pairs},
        craters=tuple(craters),
    )


def _mosaic_digest(project: Project) -> str:
    """Digest of everything that GDAL reads for the mosaic."""
    return " ".join(mosaic_digests(project.mosaic_path, project.input_files.cache))


def _label_digest(labels: Labels, pairs: Sequence[Pair]) -> str:
    """Digest of one crater's label in its tiles, and of where these are."""
    digest = hashlib.blake2b(digest_size=8)
    for pair in pairs:
        digest.update(str((pair.tile_id, tile_box(pair.window, labels.grid))).encode())
        mask = labels.read(pair.crater.crater_id, pair.window)
        digest.update(np.packbits(mask).tobytes())
    return digest.hexdigest()


def _settings(project: Project, kind: str) -> dict[str, Any]:
    """The settings that the weights of a kind of network depend on, by dotted name."""
    settings, description = project.settings, NETWORK_KINDS[kind]
    section = getattr(settings, description.section)
    values = {"seed": settings.seed} | _flatten(section, f"{description.section}.", _WITHOUT_EFFECT)
    for name in _TRAINING_SETTINGS:
        values[f"training.{name}"] = _plain(getattr(settings.training, name))
    for name in _VIEW_SETTINGS[description.views]:
        values[f"views.{name}"] = _plain(getattr(settings.views, name))
    split = settings.inputs.split
    values["inputs.split"] = None if split is None else hash_file(project.input_path(split))
    values["training.start_from"] = _start(project, kind)
    return values


def _start(project: Project, kind: str) -> str | list[str]:
    """What training starts from: "builtin" or "none" as set, for that changes with the version; else its digests."""
    text = project.settings.training.start_from
    if text in ("builtin", "none"):
        return text
    folder = project.start_networks(kind)
    bundles = [] if folder is None else bundle_folders(folder)
    return [hash_file(bundle / WEIGHTS_NAME) for bundle in bundles]


def _flatten(section: BaseModel, prefix: str, left_out: set[str]) -> dict[str, Any]:
    """Values of a section and its parts by dotted name, as JSON has them; a named component is one value."""
    values: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in left_out:
            continue
        if isinstance(value, BaseModel) and not isinstance(value, ComponentSpec):
            values |= _flatten(value, f"{prefix}{name}.", set())
        else:
            values[prefix + name] = _plain(value)
    return values


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return value
