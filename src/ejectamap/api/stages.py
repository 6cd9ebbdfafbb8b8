"""The stages from a planet to its measurements, as functions; each writes the files that its command writes."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ejectamap.api.arguments import ProjectLike, as_ids, as_project, require_least
from ejectamap.progress import progress_wanted, status
from ejectamap.project.folder import Project, StrPath

if TYPE_CHECKING:
    from ejectamap.api.ejecta_map import EjectaMap
    from ejectamap.evaluation.scores import Evaluation
    from ejectamap.maps.runs import Run
    from ejectamap.training.result import TrainingResult

# Heavy libraries load inside the functions, so that help(ejectamap) answers at once.


def simulate(
    folder: StrPath,
    seed: int = 0,
    width: int = 2048,
    craters: int = 30,
    tiles: int = 0,
    tile_px: int = 64,
    *,
    progress: bool = True,
) -> Path:
    """Simulate a planet with known ejecta: an airless body with terrain, old craters, and fresh ones with rays.

    Writes mosaic.tif, craters.csv, labels/ (the true ejecta of each crater) and, if there are tiles, tiles.csv: the
    inputs of a project.

    Parameters
    ----------
    folder : str or path
        New, or empty.
    seed : int
        Of the planet: the same seed, the same planet.
    width : int
        Width of the mosaic in pixels, 256 or more; its height is half of it.
    craters : int
        Number of fresh craters, 1 or more.
    tiles : int
        Number of tiles that count as labelled; 0: the whole planet does.
    tile_px : int
        Side of a tile in pixels, 8 or more.
    progress : bool
        Whether to show progress, on a terminal or in a notebook.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ArgumentError
        If a number is not possible.
    OutputError
        If the folder holds anything, or cannot be written.

    Examples
    --------
    >>> planet = em.simulate("another-planet", seed=7, width=256, craters=3)
    >>> sorted(path.name for path in planet.iterdir())
    ['craters.csv', 'labels', 'mosaic.tif']
    """
    from ejectamap.simulation.files import require_empty, write_planet
    from ejectamap.simulation.planet import simulate_planet
    from ejectamap.simulation.tiles import choose_tiles

    require_least(seed=(seed, 0), width=(width, 256), craters=(craters, 1))
    require_least(tiles=(tiles, 0), tile_px=(tile_px, 8))
    target = Path(folder)
    require_empty(target)  # before minutes of work
    with progress_wanted(progress):
        planet = simulate_planet(seed, width, craters)
        chosen = choose_tiles(planet, tiles, tile_px, seed) if tiles else ()
        write_planet(planet, target, chosen)
    return target


def train(
    project: ProjectLike,
    max_minutes: float | None = None,
    fresh: bool = False,
    *,
    progress: bool = True,
) -> "TrainingResult":
    """Train the networks that the project's method needs and that are missing, damaged or not current.

    Where labels have changed, training goes on from the present networks; where settings have, it starts anew. An
    interrupted training is resumed. Writes models/ and logs/.

    Parameters
    ----------
    project : Project, str or path
    max_minutes : float, optional
        Time budget of all networks together, in minutes; by default `training.max_minutes` of the settings.
    fresh : bool
        Train all networks anew.
    progress : bool
        Whether to show progress, on a terminal or in a notebook.

    Returns
    -------
    TrainingResult
        Which networks were trained and why, and all of them as a table (`to_frame`).

    Raises
    ------
    ArgumentError
        If the time budget is not possible.
    LabelError
        If there is nothing to train on.
    ProjectError, SettingsError
        If the project cannot be used, or another process writes it.

    Examples
    --------
    >>> result = em.train("mercury", max_minutes=60)  # doctest: +SKIP
    >>> result.to_frame()[["kind", "member", "validation_f1"]]  # doctest: +SKIP
    """
    if max_minutes is not None:
        require_least(max_minutes=(max_minutes, 0.01))
    opened = as_project(project)
    with progress_wanted(progress):
        with status("loading"):  # PyTorch takes seconds
            from ejectamap.training.run import train as train_networks
        return train_networks(opened, max_minutes, fresh)


def map(
    project: ProjectLike,
    craters: int | Iterable[int] | None = None,
    *,
    family: str | Iterable[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: bool = True,
) -> "EjectaMap":
    """Map every crater's ejecta, and draw the pictures of the map.

    What is mapped already is kept, so that an interrupted map is continued. Without trained networks the ones that come
    with the program are used. Writes map/ and provenance.json.

    Parameters
    ----------
    project : Project, str or path
    craters : int or iterable of int, optional
        Only the craters with these ids.
    family : str or iterable of str, optional
        Only the craters of these families.
    workers : int
        Processes on this machine. In a script, call it under `if __name__ == "__main__":` with more than one.
    scheduler : str, optional
        Address of a Dask scheduler to use instead of local processes.
    progress : bool
        Whether to show progress, on a terminal or in a notebook.

    Returns
    -------
    EjectaMap
        Of all craters that have a map.

    Raises
    ------
    ArgumentError, CraterError
        If a number is not possible, or there is no such crater or family.
    BundleError, OutputError, ProjectError, SettingsError
        If a network is missing, a file cannot be written, or the project cannot be used.

    Examples
    --------
    >>> ejecta = em.map("mercury", craters=[12, 17], workers=2)  # doctest: +SKIP
    >>> ejecta.probability(12).plot()  # doctest: +SKIP
    """
    from ejectamap.api.ejecta_map import EjectaMap

    require_least(workers=(workers, 1))
    opened = as_project(project)
    ids = chosen_ids(opened, as_ids(craters), [family] if isinstance(family, str) else family)
    with progress_wanted(progress):
        kept = map_and_draw(opened, ids, workers, scheduler)
    return EjectaMap(opened, None if kept is None else kept.name)


def map_and_draw(
    project: Project, crater_ids: list[int] | None, workers: int, scheduler: str | None
) -> "Run | None":
    """Map craters and draw the pictures of the map; see `mapping.run.map_project`."""
    with status("loading"):  # PyTorch takes seconds
        from ejectamap.mapping.run import map_project
    from ejectamap.show.run import draw_card, draw_maps

    kept = map_project(project, crater_ids, workers, scheduler, draw_card)
    draw_maps(project)
    return kept


def evaluate(
    project: ProjectLike,
    second_labels: StrPath | None = None,
    structure: bool = False,
    *,
    progress: bool = True,
) -> "Evaluation":
    """Compare the map with the labels.

    Pairs of a crater and a tile that the networks were trained on are told from those that were held out. Writes
    evaluation.json.

    Parameters
    ----------
    project : Project, str or path
    second_labels : str or path, optional
        Labels by a second person: the agreement of the two is the most a map can reach.
    structure : bool
        Also evaluate the shape of the ejecta: outlines, rays, gaps.
    progress : bool
        Whether to show progress, on a terminal or in a notebook.

    Returns
    -------
    Evaluation
        Figures of merit; `to_frame` makes tables of them.

    Raises
    ------
    LabelError
        If the project has no labels, or the second ones cannot be used.
    OutputError, ProjectError
        If there is no map of the present settings, networks and inputs, or a file is damaged.

    Examples
    --------
    >>> evaluation = em.evaluate("project", progress=False)
    >>> evaluation.to_frame().loc["all"].index.tolist()
    ['pixel', 'area_km2', 'outside_km2', 'tile']
    """
    from ejectamap.evaluation.run import evaluate_project

    second = None if second_labels is None else Path(second_labels)
    with progress_wanted(progress):
        return evaluate_project(as_project(project), second, structure)


def analyze(project: ProjectLike, *, progress: bool = True) -> pd.DataFrame:
    """Measure each mapped crater's ejecta and rays.

    Writes analysis.csv, rays.csv, rays.gpkg (see `EjectaMap.rays`) and analysis.png.

    Parameters
    ----------
    project : Project, str or path
    progress : bool
        Whether to show progress, on a terminal or in a notebook.

    Returns
    -------
    DataFrame
        A row for each crater: areas with their uncertainty, distances, blanket, rays, forbidden zone and colours;
        analysis-columns.csv in the project's folder explains every column.

    Raises
    ------
    OutputError, ProjectError
        If no crater has a current map, or a file is damaged.

    Examples
    --------
    >>> measurements = em.analyze("project", progress=False)
    >>> bool((measurements["expected_area_km2"] >= 0).all())
    True
    """
    from ejectamap.analysis.measure import analyze_project
    from ejectamap.show.analysis import plot_analysis

    opened = as_project(project)
    with progress_wanted(progress):
        measurements = analyze_project(opened)
        plot_analysis(opened.outputs / "analysis.png", measurements)
    return measurements


def chosen_ids(
    project: Project, craters: list[int] | None, families: Iterable[str] | None
) -> list[int] | None:
    """Ids of the craters that are among some ids and of some families; None for all."""
    if families is None:
        return craters
    members = [crater.crater_id for crater in project.family_craters(families)]
    return members if craters is None else [k for k in craters if k in members]
