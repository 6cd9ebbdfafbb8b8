"""The report's summary: what was mapped, with which method and networks, and the results in total."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ejectamap.evaluation.tables import is_independent, subset_titles
from ejectamap.maps.edits import describe_edits
from ejectamap.maps.reader import MapReader
from ejectamap.project.bundles import bundle_folders
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS
from ejectamap.project.products import body_name, how_to_cite, recipe_citation
from ejectamap.project.yaml import make_settings, merge, preset_names, read_preset
from ejectamap.show.globe import origin_areas_km2
from ejectamap.world.craters import Crater
from ejectamap.world.label_sources import describe_all

Fact = tuple[str, str]


def summarise(
    project: Project, mapped: Sequence[Crater], evaluation: Mapping[str, Any] | None
) -> list[Fact]:
    """Summarise a map as facts, each a heading and a sentence."""
    settings, mosaic = project.settings, project.mosaic
    grid, body = mosaic.grid, body_name(project)
    facts = [
        (
            "Planet",
            f"{body[0].upper()}{body[1:]}, a sphere of radius {grid.radius_m / 1000:,.2f} km; a mosaic of"
            f" {grid.width:,} x {grid.height:,} pixels of {grid.pixel_m:,.0f} m in {mosaic.bands} bands:"
            f" {', '.join(mosaic.band_names)}",
        ),
        ("Craters", f"{len(mapped)} of the {len(project.craters)} in the catalogue are mapped"),
        ("Method", f"{settings.method}: {METHODS[settings.method].summary}"),
        ("Settings", _settings(project)),
        ("Networks", "; ".join(_networks(project))),
        ("Ejecta", _totals(project, mapped)),
        *_facts_of_people(project),
    ]
    if evaluation is not None:
        facts.append(("Evaluation", headline_scores(evaluation)))
    return [*facts, *_facts_of_use(project)]


def _facts_of_use(project: Project) -> Iterator[Fact]:
    """Whom to credit, by which licence the map may be used, and how to cite it."""
    products = project.settings.products
    if products.credit:
        yield "Images", products.credit
    if products.licence:
        yield "Licence", products.licence
    yield "How to cite", how_to_cite(project)
    yield "Recipe", recipe_citation()


def _facts_of_people(project: Project) -> Iterator[Fact]:
    """What people contributed: labels, and edits of the map."""
    if project.labels is not None:
        yield "Labels", describe_all(project.label_sources.areas(project.labels))
    edits = describe_edits(project)
    if edits is not None:
        yield "Edited by hand", edits


def changed_settings(project: Project) -> tuple[str, dict[str, tuple[str, str]]]:
    """Find the preset that a project's settings are nearest to.

    Returns
    -------
    name : str
    changed : dict of str to (str, str)
        By dotted name, each setting that differs: the preset's value and the project's.
    """
    own = dict(_flatten(project.settings.model_dump(mode="json"), ""))
    own_text = {
        name: getattr(project.settings, name).model_dump() for name in ("inputs", "products")
    }
    differences = {}
    for name in preset_names():
        values = merge(read_preset(name), {"seed": project.settings.seed, **own_text})
        preset = dict(_flatten(make_settings(values, name).model_dump(mode="json"), ""))
        keys = sorted(k for k in own.keys() | preset.keys() if own.get(k) != preset.get(k))
        differences[name] = {k: (str(preset.get(k, "–")), str(own.get(k, "–"))) for k in keys}
    nearest = min(differences, key=lambda name: len(differences[name]))
    return nearest, differences[nearest]


def _settings(project: Project) -> str:
    name, changed = changed_settings(project)
    if not changed:
        return f"preset {name}, unchanged; seed {project.settings.seed}"
    noun = "setting" if len(changed) == 1 else "settings"
    return f"preset {name}, with {len(changed)} {noun} changed (see provenance); seed {project.settings.seed}"


def _networks(project: Project) -> Iterator[str]:
    """Number and source of the networks of each kind."""
    for kind in project.settings.network_configs:
        folder = project.networks_folder(kind)
        count = len(bundle_folders(folder))
        if folder == project.models / kind:
            source = "in the project's models folder"
        elif project.settings.training.start_from == "builtin":
            source = "that come with the program"
        else:
            source = f"of {project.settings.training.start_from}"
        yield f"{count} {kind} {'network' if count == 1 else 'networks'} {source}"


def _totals(project: Project, mapped: Sequence[Crater]) -> str:
    """Area of all ejecta, and of overlaps between craters; from overviews, so that a large map takes seconds."""
    radius_m = project.mosaic.grid.radius_m
    ejecta_map = MapReader(project.maps, project.mosaic.grid)
    areas_km2 = origin_areas_km2(ejecta_map.origin_overview(), radius_m)
    second = ejecta_map.overlaps_overview(crater.crater_id for crater in mapped)
    area_km2, shared_km2 = sum(areas_km2.values()), sum(origin_areas_km2(second, radius_m).values())
    fraction = area_km2 / (4 * np.pi * (radius_m / 1000) ** 2)
    return (
        f"{area_km2:,.0f} km² of ground, {fraction:.1%} of the planet; on {shared_km2:,.0f} km² of it the ejecta of"
        f" two or more craters overlap; {len(areas_km2)} craters are the origin of some of it"
    )


def headline_scores(evaluation: Mapping[str, Any]) -> str:
    """F1 over pixels and over tiles, on the test set if there is one, and how far that is an independent test."""
    titles = subset_titles(evaluation)
    parts = []
    for subset in ("test" if evaluation["split"] else "all", "unseen"):
        if subset not in titles:
            continue
        units = {unit: evaluation[subset][unit]["f1"] for unit in ("pixel", "tile")}
        figures = [f"{unit} F1 {f1:.3f}" for unit, f1 in units.items() if f1 is not None]
        parts.append(f"{titles[subset]}: {', '.join(figures) or 'nothing to evaluate'}")
    if not is_independent(evaluation) and "unseen" not in titles:
        parts.append("this is no independent test")
    return "; ".join(parts)


def _flatten(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Nested settings as dotted names and JSON values; a component (a mapping with a `name`) is one value."""
    for key, value in values.items():
        if isinstance(value, dict) and "name" not in value and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value)
