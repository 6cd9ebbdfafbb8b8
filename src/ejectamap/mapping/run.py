"""Map a project's craters, one at a time, and put the global files together from the craters' own.

An interrupted run goes on with what is missing (see `mapping.state`), and a change has just that done again which
depends on it: another threshold the masks, another network the probabilities, another name the polygons.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd
from rich.progress import track

from ejectamap.errors import ProjectError
from ejectamap.mapping.backend import settle_backends
from ejectamap.mapping.cluster import run_on_dask
from ejectamap.mapping.colours import crater_colour
from ejectamap.mapping.export import (
    stored_strips,
    write_connections,
    write_mask,
    write_probability,
)
from ejectamap.mapping.methods import CraterMap, Method, no_connections
from ejectamap.mapping.origin import OriginMap
from ejectamap.mapping.outlines import write_outline, write_polygons
from ejectamap.mapping.provenance import Fingerprints, fingerprints, write_provenance
from ejectamap.mapping.registry import load_method
from ejectamap.mapping.state import (
    IMPORTED,
    connections_path,
    forget,
    is_done,
    is_imported,
    is_predicted,
    mask_path,
    note_done,
    note_predicted,
    outline_path,
    prepare,
    probability_path,
)
from ejectamap.project import Project, Settings
from ejectamap.world.craters import Crater

Then = Callable[[Project, Crater], None]


def map_project(
    project: Project,
    crater_ids: Iterable[int] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    then: Then | None = None,
) -> None:
    """Map craters and write the contract's files into the project's `map` folder.

    Parameters
    ----------
    project : Project
        With trained networks.
    crater_ids : iterable of int, optional
        Which craters; all by default. The global files always show every crater that is mapped.
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a running Dask scheduler that does the work instead; its workers must see the project folder under
        the same path.
    then : callable, optional
        Called with the project and each crater once that is mapped, by the worker that mapped it; picklable.

    Raises
    ------
    BundleError, CraterError, OutputError, ProjectError
        If a network is missing, an id unknown, a file cannot be written, or an input changes meanwhile.
    """
    craters = project.chosen_craters(crater_ids)
    settle_backends(project)
    marks = fingerprints(project)
    prepare(project)
    left = [c for c in craters if not is_predicted(project, c, marks.craters[c.crater_id])]
    if left:
        mapped = _map_craters(project, left, marks, workers, scheduler, then)
        for _ in track(mapped, "mapping craters", total=len(left)):
            pass
    unmasked = [c for c in craters if not is_done(project, c, marks.craters[c.crater_id])]
    for crater in track(unmasked, "masks", transient=True):
        _write_mask_again(project, crater, marks.craters[crater.crater_id])
    _write_global(project, marks)


def mapped_craters(project: Project, marks: Fingerprints | None = None) -> list[Crater]:
    """Craters whose files are there and came from the present settings, networks and inputs, or from outside.

    Parameters
    ----------
    project : Project
    marks : Fingerprints, optional
        Of the present settings, networks and inputs, if they were taken already.
    """
    marks = marks or fingerprints(project)
    return [
        crater
        for crater in project.craters
        if is_done(project, crater, marks.craters[crater.crater_id]) or is_imported(project, crater)
    ]


def require_mapped(project: Project) -> list[Crater]:
    """`mapped_craters`, for what can do nothing without.

    Raises
    ------
    ProjectError
        If there are none.
    """
    craters = mapped_craters(project)
    if not craters:
        raise ProjectError(
            f"{project.maps}: holds no map of the present settings, networks and inputs:"
            f" run ejectamap map {project.folder} first"
        )
    return craters


def bring_in(project: Project, maps: Iterable[CraterMap]) -> None:
    """Take maps that were made elsewhere as the project's own, until `map_project` replaces them.

    Parameters
    ----------
    project : Project
    maps : iterable of CraterMap
        Taken one at a time.
    """
    prepare(project)
    for result in maps:
        _write_crater(project, result, IMPORTED)
    _write_global(project, fingerprints(project))


def _map_craters(
    project: Project,
    craters: Sequence[Crater],
    marks: Fingerprints,
    workers: int,
    scheduler: str | None,
    then: Then | None,
) -> Iterator[int]:
    """Map craters here or on a cluster; yields the id of each when it is done."""
    numbers = [crater.crater_id for crater in craters]
    if workers > 1 or scheduler is not None:
        work = partial(_map_crater_by_id, _Work.on(project, marks), then)
        yield from run_on_dask(work, numbers, workers, scheduler)
        return
    method = load_method(project)
    for crater in craters:
        _map_crater(project, marks, method, crater, then)
        yield crater.crater_id


def _map_crater(
    project: Project, marks: Fingerprints, method: Method, crater: Crater, then: Then | None
) -> None:
    """Map one crater, whole."""
    _write_crater(project, method.predict(crater), marks.craters[crater.crater_id])
    if then is not None:
        then(project, crater)


def _write_crater(project: Project, result: CraterMap, mark: str) -> None:
    """Write one crater's files; the note that it is done comes last."""
    crater, grid = result.crater, project.grid
    forget(project, crater)
    write_probability(probability_path(project, crater), grid, result.window, result.probability)
    write_connections(connections_path(project, crater), result.connections)
    _write_mask(project, crater)
    note_done(project, crater, mark)


def _write_mask_again(project: Project, crater: Crater, mark: str) -> None:
    """Write a mask for another threshold from the probabilities that are there."""
    note_predicted(project, crater, mark)
    _write_mask(project, crater)
    note_done(project, crater, mark)


def _write_mask(project: Project, crater: Crater) -> None:
    """Write mask and outline from the probabilities that are there."""
    grid, threshold = project.grid, project.settings.map.threshold
    probability, mask = probability_path(project, crater), mask_path(project, crater)
    write_mask(mask, grid, probability, threshold, crater_colour(crater.crater_id))
    write_outline(outline_path(project, crater), grid, probability, mask, threshold)


@dataclass(frozen=True)
class _Work:
    """What a worker must know to open the project as it is here: a small message, and a key to what it opened."""

    folder: Path
    settings: str
    results: str
    fingerprint: str

    @classmethod
    def on(cls, project: Project, marks: Fingerprints) -> "_Work":
        settings = project.settings.model_dump_json()
        return cls(project.folder.resolve(), settings, project.results, marks.whole)


@lru_cache(maxsize=1)
def _opened(work: _Work) -> tuple[Project, Fingerprints, Method]:
    """A worker's own project and networks, loaded once from the disk."""
    settings = Settings.model_validate_json(work.settings)
    project = Project(work.folder, settings, work.results)
    method = load_method(project)
    marks = fingerprints(project)
    if marks.whole != work.fingerprint:
        raise ProjectError(
            f"{work.folder}: an input or a network changed during mapping: map again"
        )
    return project, marks, method


def _map_crater_by_id(work: _Work, then: Then | None, crater_id: int) -> None:
    project, marks, method = _opened(work)
    (crater,) = project.chosen_craters([crater_id])
    _map_crater(project, marks, method, crater, then)


def _write_global(project: Project, marks: Fingerprints) -> None:
    """Write origin map, polygons, connections and provenance from the craters' files."""
    done = mapped_craters(project, marks)
    grid = project.grid
    outlines = {crater: outline_path(project, crater) for crater in done}
    write_polygons(project.maps / "ejecta.gpkg", grid, outlines)
    origin = OriginMap(grid, project.settings.map.threshold)
    for crater in track(done, "putting the globe together", transient=True):
        for strip, stored in stored_strips(probability_path(project, crater), grid):
            origin.add(crater.crater_id, strip, stored)
    origin.write(project.maps / "origin.tif", done)
    tables = [pd.read_parquet(connections_path(project, crater)) for crater in done]
    tables = [table for table in tables if len(table)]
    everyone = pd.concat(tables) if tables else no_connections()
    write_connections(project.maps / "connections.parquet", everyone)
    write_provenance(project, marks, done)
