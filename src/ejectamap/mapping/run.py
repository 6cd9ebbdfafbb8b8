"""Map a project's craters, one at a time, and put the global files together from the craters' own.

A crater is done when its files are there and a note in `map/.done` says that they came from the same settings,
networks and inputs. An interrupted run goes on with the craters that are not done.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd
from rich.progress import track

from ejectamap.errors import OutputError, ProjectError
from ejectamap.mapping.export import (
    read_probability,
    write_connections,
    write_mask,
    write_polygons,
    write_probability,
)
from ejectamap.mapping.files import replace_file
from ejectamap.mapping.methods import CraterMap, Method, no_connections
from ejectamap.mapping.origin import OriginMap
from ejectamap.mapping.provenance import fingerprint, write_provenance
from ejectamap.mapping.registry import load_method
from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.mosaic import Floats

IMPORTED = "imported"  # stands for the fingerprint of a map that was made elsewhere


def map_project(
    project: Project,
    crater_ids: Iterable[int] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
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

    Raises
    ------
    BundleError, CraterError, OutputError
        If a network is missing, an id unknown, or a file cannot be written.
    """
    craters = project.chosen_craters(crater_ids)
    mark = fingerprint(project)
    left = [crater for crater in craters if not _is_done(project, crater, mark)]
    if left:
        _prepare(project.maps)
        if workers > 1 or scheduler is not None:
            _map_on_dask(project, left, mark, workers, scheduler)
        else:
            method = load_method(project)
            for crater in track(left, "mapping craters"):
                _map_crater(project, method, crater, mark)
    _write_global(project)


def mapped_craters(project: Project) -> list[Crater]:
    """Craters whose files are there and came from the present settings, networks and inputs, or from outside."""
    mark = fingerprint(project)
    return [
        crater
        for crater in project.craters
        if _is_done(project, crater, mark) or _is_done(project, crater, IMPORTED)
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
    _prepare(project.maps)
    for result in maps:
        _write_crater(project, result, IMPORTED)
    _write_global(project)


def _map_crater(project: Project, method: Method, crater: Crater, mark: str) -> None:
    """Map one crater and write its files."""
    _write_crater(project, method.predict(crater), mark)


def _write_crater(project: Project, result: CraterMap, mark: str) -> None:
    """Write one crater's files; the note that it is done comes last."""
    crater = result.crater
    grid, threshold = project.mosaic.grid, project.settings.map.threshold
    # From here on the files may belong together no more, whatever made them before.
    _note_path(project, crater).unlink(missing_ok=True)
    write_probability(_probability_path(project, crater), grid, result.window, result.probability)
    write_mask(_mask_path(project, crater), grid, result.window, result.probability, threshold)
    write_connections(_connections_path(project, crater), result.connections)
    note = json.dumps({"fingerprint": mark}).encode()
    replace_file(_note_path(project, crater), memoryview(note))


def _map_on_dask(
    project: Project, craters: Sequence[Crater], mark: str, workers: int, scheduler: str | None
) -> None:
    """The same on the workers of a Dask cluster: a task a crater; the work of a lost worker is done again."""
    import distributed  # noqa: PLC0415 - slow to import, seldom needed

    folder = str(project.folder.resolve())
    cluster = (
        None
        if scheduler
        else distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None
        )
    )
    try:
        with distributed.Client(scheduler or cluster) as client:
            tasks = client.map(
                _map_crater_by_id,
                [folder] * len(craters),
                [c.crater_id for c in craters],
                [mark] * len(craters),
            )
            for task in track(distributed.as_completed(tasks), "mapping craters", total=len(tasks)):
                task.result()
    finally:
        if cluster is not None:
            cluster.close()


@lru_cache(maxsize=1)
def _opened(folder: str, mark: str) -> tuple[Project, Method]:
    """A worker's own project and networks, loaded once; `mark` makes changed ones load again."""
    project = Project.open(Path(folder))
    return project, load_method(project)


def _map_crater_by_id(folder: str, crater_id: int, mark: str) -> None:
    project, method = _opened(folder, mark)
    (crater,) = project.chosen_craters([crater_id])
    _map_crater(project, method, crater, mark)


def _write_global(project: Project) -> None:
    """Write origin map, polygons, connections and provenance from the craters' files."""
    done = mapped_craters(project)
    grid = project.mosaic.grid
    threshold = project.settings.map.threshold
    origin = OriginMap(grid, threshold)

    def entries() -> Iterator[tuple[Crater, Window, Floats]]:
        for crater in track(done, "putting the globe together", transient=True):
            window, probability = read_probability(_probability_path(project, crater), grid)
            origin.add(crater.crater_id, window, probability)
            yield crater, window, probability

    write_polygons(project.maps / "ejecta.gpkg", grid, entries(), threshold)
    origin.write(project.maps / "origin.tif", done)
    tables = [pd.read_parquet(_connections_path(project, crater)) for crater in done]
    tables = [table for table in tables if len(table)]
    everyone = pd.concat(tables) if tables else no_connections()
    write_connections(project.maps / "connections.parquet", everyone)
    imported = [crater for crater in done if _is_done(project, crater, IMPORTED)]
    write_provenance(project, done, imported)


def _is_done(project: Project, crater: Crater, mark: str) -> bool:
    try:
        note = json.loads(_note_path(project, crater).read_text())
    except (OSError, ValueError):
        return False
    files = (_probability_path, _mask_path, _connections_path)
    return note == {"fingerprint": mark} and all(f(project, crater).exists() for f in files)


def _prepare(folder: Path) -> None:
    try:
        (folder / ".done").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error


def _probability_path(project: Project, crater: Crater) -> Path:
    return project.maps / f"crater_{crater.crater_id}_probability.tif"


def _mask_path(project: Project, crater: Crater) -> Path:
    return project.maps / f"crater_{crater.crater_id}_mask.tif"


def _connections_path(project: Project, crater: Crater) -> Path:
    return project.maps / ".done" / f"connections_{crater.crater_id}.parquet"


def _note_path(project: Project, crater: Crater) -> Path:
    return project.maps / ".done" / f"crater_{crater.crater_id}.json"
