"""Map a project's craters, one at a time, and put the global files together from the craters' own.

An interrupted run continues with what is missing (see `maps.state`). A change renews only what depends on it: another
threshold the masks, another network the probabilities, another name the polygons.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from ejectamap.errors import ProjectError
from ejectamap.mapping.backend_selection import select_backends
from ejectamap.mapping.cluster import run_on_dask
from ejectamap.mapping.methods import Method, load_method
from ejectamap.maps.provenance import Fingerprints, compute_fingerprints
from ejectamap.maps.runs import Run, keep_before_change
from ejectamap.maps.state import is_predicted, prepare_folders
from ejectamap.maps.writing import rewrite_masks, write_crater_files, write_global_files
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.project.lock import writes_project
from ejectamap.project.settings import Settings
from ejectamap.world.craters import Crater

logger = logging.getLogger(__name__)

AfterCrater = Callable[[Project, Crater], None]
"""Called with the project and a crater once that is mapped."""


@writes_project("map")
def map_project(
    project: Project,
    crater_ids: Iterable[int] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    after_crater: AfterCrater | None = None,
) -> Run | None:
    """Map craters and write their files and the global ones into the project's `map` folder.

    Parameters
    ----------
    project : Project
        With trained networks.
    crater_ids : iterable of int, optional
        Which craters; all by default. The global files always show every crater that has a map; that some of these
        are stale is logged as a warning.
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a running Dask scheduler that does the work instead; its workers must see the project folder under
        the same path.
    after_crater : callable, optional
        Called with the project and each crater once that is mapped, by the worker that mapped it; picklable.

    Returns
    -------
    Run or None
        The map before, if this one replaced it and it was kept.

    Raises
    ------
    BundleError, CraterError, OutputError, ProjectError
        If a network is missing, an id unknown, a file cannot be written, or an input changes meanwhile.
    """
    craters = project.chosen_craters(crater_ids)
    select_backends(project)
    fingerprints = compute_fingerprints(project)
    prepare_folders(project)
    kept = keep_before_change(project, fingerprints, [crater.crater_id for crater in craters])
    missing = [
        c for c in craters if not is_predicted(project, c, *fingerprints.accepted(c.crater_id))
    ]
    if missing:
        mapped = _map_craters(project, missing, fingerprints, workers, scheduler, after_crater)
        for _ in track(mapped, "mapping craters", total=len(missing)):
            pass
    rewrite_masks(project)
    for note in write_global_files(project, fingerprints).notes(project):
        logger.warning(note)
    return kept


def _map_craters(
    project: Project,
    craters: Sequence[Crater],
    fingerprints: Fingerprints,
    workers: int,
    scheduler: str | None,
    after_crater: AfterCrater | None,
) -> Iterator[int]:
    """Map craters here or on a cluster; yields the id of each when it is done."""
    crater_ids = [crater.crater_id for crater in craters]
    if workers > 1 or scheduler is not None:
        project.input_files.store_mosaic()
        task = partial(_map_crater_by_id, _ProjectState.of(project, fingerprints), after_crater)
        yield from run_on_dask(task, crater_ids, workers, scheduler)
        return
    method = load_method(project)
    for crater in craters:
        _map_crater(project, fingerprints, method, crater, after_crater)
        yield crater.crater_id


def _map_crater(
    project: Project,
    fingerprints: Fingerprints,
    method: Method,
    crater: Crater,
    after_crater: AfterCrater | None,
) -> None:
    """Map one crater and write all its files."""
    number = crater.crater_id
    write_crater_files(
        project, method.predict(crater), fingerprints.craters[number], fingerprints.parts[number]
    )
    if after_crater is not None:
        after_crater(project, crater)


@dataclass(frozen=True)
class _ProjectState:
    """Everything from which a worker opens the project in the same state: a small message, and a cache key."""

    folder: Path
    settings: str
    results: str
    fingerprint: str

    @classmethod
    def of(cls, project: Project, fingerprints: Fingerprints) -> "_ProjectState":
        settings = project.settings.model_dump_json()
        return cls(project.folder.resolve(), settings, project.results, fingerprints.whole)


@lru_cache(maxsize=1)
def _open(state: _ProjectState) -> tuple[Project, Fingerprints, Method]:
    """A worker's own project and networks, loaded from the disk once."""
    settings = Settings.model_validate_json(state.settings)
    project = Project(state.folder, settings, state.results)
    method = load_method(project)
    fingerprints = compute_fingerprints(project)
    if fingerprints.whole != state.fingerprint:
        raise ProjectError(
            f"{state.folder}: an input or a network changed during mapping: map again"
        )
    return project, fingerprints, method


def _map_crater_by_id(
    state: _ProjectState, after_crater: AfterCrater | None, crater_id: int
) -> None:
    project, fingerprints, method = _open(state)
    (crater,) = project.chosen_craters([crater_id])
    _map_crater(project, fingerprints, method, crater, after_crater)
