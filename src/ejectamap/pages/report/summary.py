"""The report's summary: what was mapped, how, and what it comes to."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ejectamap.mapping.mapfiles import MapFiles
from ejectamap.networks.bundle import SETTINGS_NAME
from ejectamap.project import Project
from ejectamap.project.yaml import make_settings, merge, preset_names, read_preset
from ejectamap.show.globe import owned_areas_km2
from ejectamap.world.body import body_near
from ejectamap.world.craters import Crater

Fact = tuple[str, str]

_METHODS = {
    "two-stage": "connection networks vote on which tiles a ray links to the crater; a segmentation network outlines"
    " its ejecta there",
    "polar": "a network looks at a crater's whole surroundings at once, as a picture of azimuth against range",
    "polar-connect": "a tile in which the polar network sees ejecta is outlined by the segmentation network",
    "guided": "a segmentation network outlines tiles at full resolution, guided by what the polar network sees there",
    "distance-only": "a segmentation network outlines ejecta in every tile from the tile and its distance",
    "agnostic": "a segmentation network outlines anybody's ejecta; a pixel goes to the crater nearest in crater radii",
}


def summary(
    project: Project, mapped: Sequence[Crater], evaluation: Mapping[str, Any] | None
) -> list[Fact]:
    """Facts of a map, each a heading and a sentence."""
    settings, mosaic = project.settings, project.mosaic
    grid = mosaic.grid
    facts = [
        (
            "Planet",
            f"{_body(grid.radius_m)}, a sphere of radius {grid.radius_m / 1000:,.2f} km; a mosaic of {grid.width:,} x"
            f" {grid.height:,} pixels of {grid.pixel_m:,.0f} m in {mosaic.bands} bands:"
            f" {', '.join(mosaic.band_names)}",
        ),
        ("Craters", f"{len(mapped)} of the {len(project.craters)} in the catalogue are mapped"),
        ("Method", f"{settings.method}: {_METHODS[settings.method]}"),
        ("Settings", _settings(project)),
        ("Networks", "; ".join(_networks(project))),
        ("Ejecta", _totals(project, mapped)),
    ]
    if evaluation is not None:
        facts.append(("Judged", _judgement(evaluation)))
    return facts


def changed_settings(project: Project) -> tuple[str, dict[str, tuple[str, str]]]:
    """The preset that a project's settings are nearest to, and those that differ: its value, and the project's."""
    mine = dict(_flat(project.settings.model_dump(mode="json"), ""))
    inputs = project.settings.inputs.model_dump()
    found = {}
    for name in preset_names():
        values = merge(read_preset(name), {"seed": project.settings.seed, "inputs": inputs})
        theirs = dict(_flat(make_settings(values, name).model_dump(mode="json"), ""))
        keys = sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))
        found[name] = {k: (str(theirs.get(k, "–")), str(mine.get(k, "–"))) for k in keys}
    nearest = min(found, key=lambda name: len(found[name]))
    return nearest, found[nearest]


def _settings(project: Project) -> str:
    name, changed = changed_settings(project)
    if not changed:
        return f"preset {name}, as it is; seed {project.settings.seed}"
    noun = "setting" if len(changed) == 1 else "settings"
    return f"preset {name}, with {len(changed)} {noun} changed (see provenance); seed {project.settings.seed}"


def _networks(project: Project) -> Iterator[str]:
    """Where the networks of each kind come from."""
    for kind in project.settings.fittings:
        folder = project.networks(kind)
        count = len(list(folder.glob(f"[!.]*/{SETTINGS_NAME}")))
        if folder == project.models / kind:
            origin = "of the project's own"
        elif project.settings.training.start_from == "builtin":
            origin = "that came with the program"
        else:
            origin = f"of {project.settings.training.start_from}"
        yield f"{count} {kind} {'network' if count == 1 else 'networks'} {origin}"


def _totals(project: Project, mapped: Sequence[Crater]) -> str:
    """Ground under ejecta, and under those of two craters; taken from overviews, so that a large map takes seconds."""
    radius_m = project.mosaic.grid.radius_m
    files = MapFiles(project.maps, project.mosaic.grid)
    owned = owned_areas_km2(files.origin_overview(), radius_m)
    second = files.overlaps_overview(crater.crater_id for crater in mapped)
    area_km2, shared_km2 = sum(owned.values()), sum(owned_areas_km2(second, radius_m).values())
    share = area_km2 / (4 * np.pi * (radius_m / 1000) ** 2)
    return (
        f"{area_km2:,.0f} km² of ground, {share:.1%} of the planet; on {shared_km2:,.0f} km² of it those of two or"
        f" more craters overlap; {len(owned)} craters own some"
    )


def _judgement(evaluation: Mapping[str, Any]) -> str:
    """The poster's two figures."""
    subset, name = ("test", "test set") if evaluation["split"] else ("all", "all labels")
    pixel, tile = (evaluation[subset][unit]["f1"] for unit in ("pixel", "tile"))
    figures = [f"{n} F1 {f:.3f}" for n, f in (("pixel", pixel), ("tile", tile)) if f is not None]
    return f"on {name}: {', '.join(figures) or 'nothing to judge'}"


def _body(radius_m: float) -> str:
    """Name of the body that has about this radius."""
    body = body_near(radius_m)
    return "A body without a name" if body is None else body.name


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Nested settings under dotted names; what has a `name` of its own stays whole."""
    for key, value in values.items():
        if isinstance(value, dict) and "name" not in value and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value)
