"""Write a crater's files, and put the global files together from the craters' own."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from ejectamap.maps.colours import crater_colours
from ejectamap.maps.connections import no_connections, read_connections, write_connections
from ejectamap.maps.crater_map import CraterMap
from ejectamap.maps.edits import edit_digest, edited_areas_km2, read_edit
from ejectamap.maps.mapped import MappedCraters, find_maps
from ejectamap.maps.origin import OriginMap
from ejectamap.maps.outlines import write_outline, write_polygons
from ejectamap.maps.provenance import Fingerprints, compute_fingerprints, write_provenance
from ejectamap.maps.rasters import recolour_mask, stored_strips, write_mask, write_probability
from ejectamap.maps.state import (
    IMPORTED,
    connections_path,
    delete_record,
    has_present_edit,
    has_present_mask,
    is_imported,
    mask_path,
    outline_path,
    prepare_folders,
    probability_path,
    record_done,
    record_masked,
    record_predicted,
    recorded_fingerprint,
    renew_record,
)
from ejectamap.maps.trained_on import record_training
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater


def write_crater_files(
    project: Project,
    crater_map: CraterMap,
    fingerprint: str,
    parts: Mapping[str, str] | None = None,
) -> None:
    """Write one crater's files; the record that they are complete comes last.

    Parameters
    ----------
    project : Project
    crater_map : CraterMap
    fingerprint : str
        Of its probabilities.
    parts : mapping of str to str, optional
        Digests of what that is made of; see `Fingerprints.parts`.
    """
    crater, grid = crater_map.crater, project.grid
    delete_record(project, crater)
    path = probability_path(project, crater)
    write_probability(path, grid, crater_map.window, crater_map.probability)
    write_connections(connections_path(project, crater), crater_map.connections)
    edit = _write_mask_and_outline(project, crater)
    record_done(project, crater, fingerprint, parts or {}, edit)


def rewrite_masks(project: Project) -> None:
    """Write mask and outline again, from the stored probabilities, of all maps with another threshold or without them.

    So too where the edit of a map changed. Stale maps as well: the global files show all of them with one threshold. An
    imported mask stays as it came, but for edits.
    """
    unmasked = [crater for crater in project.craters if _needs_mask(project, crater)]
    for crater in track(unmasked, "masks"):
        record_predicted(project, crater)
        record_masked(project, crater, _write_mask_and_outline(project, crater))


def write_global_files(project: Project, fingerprints: Fingerprints) -> MappedCraters:
    """Write polygons, origin map, connections and provenance from the files of all craters that have a map."""
    maps = find_maps(project, fingerprints)
    craters = maps.all
    for crater in maps.current:
        if not is_imported(project, crater):
            number = crater.crater_id
            renew_record(project, crater, fingerprints.craters[number], fingerprints.parts[number])
    colours = crater_colours(project.craters)
    for crater in craters:
        recolour_mask(mask_path(project, crater), project.grid, colours[crater.crater_id])
    outlines = {crater: outline_path(project, crater) for crater in craters}
    polygons, edited_km2 = project.maps / "ejecta.gpkg", edited_areas_km2(project)
    write_polygons(polygons, project.grid, outlines, maps.stale.keys(), edited_km2)
    origin = compute_origin(project, craters)
    origin.write(project.maps / "origin.tif", craters, colours)
    remedy = f"remove it and run ejectamap map {project.folder} again"
    tables = [read_connections(connections_path(project, crater), remedy) for crater in craters]
    tables = [table for table in tables if len(table)]
    connections = pd.concat(tables) if tables else no_connections()
    write_connections(project.maps / "connections.parquet", connections)
    record_training(project)
    write_provenance(project, fingerprints, craters, list(maps.stale))
    return maps


def compute_origin(
    project: Project, craters: Sequence[Crater], with_edits: bool = True
) -> OriginMap:
    """Compute the origin map of some mapped craters from their stored probabilities.

    Parameters
    ----------
    project : Project
    craters : sequence of Crater
    with_edits : bool
        Whether the map's edits count; if not, the origins are those that the networks alone give.
    """
    largest_id = max((crater.crater_id for crater in craters), default=0)
    threshold, cache = project.settings.map.threshold, project.input_files.cache
    origin = OriginMap(project.grid, threshold, largest_id, cache)
    for crater in track(craters, "origin map"):
        edit = read_edit(project, crater.crater_id) if with_edits else None
        for strip, stored in stored_strips(probability_path(project, crater), project.grid, edit):
            origin.add(crater.crater_id, strip, stored)
    return origin


def import_maps(project: Project, maps: Iterable[CraterMap]) -> None:
    """Take maps that were made elsewhere as the project's own, until they are mapped again.

    Parameters
    ----------
    project : Project
    maps : iterable of CraterMap
        Read and written one at a time.
    """
    prepare_folders(project)
    for crater_map in maps:
        write_crater_files(project, crater_map, IMPORTED)
    write_global_files(project, compute_fingerprints(project))


def _needs_mask(project: Project, crater: Crater) -> bool:
    """Whether a map is predicted, but its mask is missing or of another threshold or edit."""
    fingerprint = recorded_fingerprint(project, crater)
    if fingerprint == IMPORTED:
        return not has_present_edit(project, crater)
    return fingerprint is not None and not has_present_mask(project, crater)


def _write_mask_and_outline(project: Project, crater: Crater) -> str | None:
    """Write a crater's mask and outline from its stored probabilities and its edit; returns the edit's digest."""
    grid, threshold = project.grid, project.settings.map.threshold
    probability, mask = probability_path(project, crater), mask_path(project, crater)
    colour = crater_colours(project.craters)[crater.crater_id]
    digest = edit_digest(project, crater.crater_id)  # first: a later edit makes the mask stale
    edit = read_edit(project, crater.crater_id)
    write_mask(mask, grid, probability, threshold, colour, edit)
    write_outline(outline_path(project, crater), grid, probability, mask)
    return digest
