"""Write a crater's files, and put the global files together from the craters' own."""

from collections.abc import Iterable

import pandas as pd

from ejectamap.maps.colours import crater_colour
from ejectamap.maps.connections import no_connections, write_connections
from ejectamap.maps.crater_map import CraterMap
from ejectamap.maps.origin import OriginMap
from ejectamap.maps.outlines import write_outline, write_polygons
from ejectamap.maps.provenance import (
    Fingerprints,
    compute_fingerprints,
    mapped_craters,
    write_provenance,
)
from ejectamap.maps.rasters import stored_strips, write_mask, write_probability
from ejectamap.maps.state import (
    IMPORTED,
    connections_path,
    delete_record,
    mask_path,
    outline_path,
    prepare_folders,
    probability_path,
    record_done,
    record_predicted,
)
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater


def write_crater_files(project: Project, crater_map: CraterMap, fingerprint: str) -> None:
    """Write one crater's files; the record that they are complete comes last."""
    crater, grid = crater_map.crater, project.grid
    delete_record(project, crater)
    path = probability_path(project, crater)
    write_probability(path, grid, crater_map.window, crater_map.probability)
    write_connections(connections_path(project, crater), crater_map.connections)
    _write_mask_and_outline(project, crater)
    record_done(project, crater, fingerprint)


def rewrite_mask(project: Project, crater: Crater, fingerprint: str) -> None:
    """Write mask and outline again, for another threshold, from the stored probabilities."""
    record_predicted(project, crater, fingerprint)
    _write_mask_and_outline(project, crater)
    record_done(project, crater, fingerprint)


def write_global_files(project: Project, fingerprints: Fingerprints) -> None:
    """Write polygons, origin map, connections and provenance from the craters' files."""
    craters = mapped_craters(project, fingerprints)
    grid = project.grid
    outlines = {crater: outline_path(project, crater) for crater in craters}
    write_polygons(project.maps / "ejecta.gpkg", grid, outlines)
    origin = OriginMap(grid, project.settings.map.threshold)
    for crater in track(craters, "origin map"):
        for strip, stored in stored_strips(probability_path(project, crater), grid):
            origin.add(crater.crater_id, strip, stored)
    origin.write(project.maps / "origin.tif", craters)
    tables = [pd.read_parquet(connections_path(project, crater)) for crater in craters]
    tables = [table for table in tables if len(table)]
    connections = pd.concat(tables) if tables else no_connections()
    write_connections(project.maps / "connections.parquet", connections)
    write_provenance(project, fingerprints, craters)


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


def _write_mask_and_outline(project: Project, crater: Crater) -> None:
    grid, threshold = project.grid, project.settings.map.threshold
    probability, mask = probability_path(project, crater), mask_path(project, crater)
    write_mask(mask, grid, probability, threshold, crater_colour(crater.crater_id))
    write_outline(outline_path(project, crater), grid, probability, mask, threshold)
