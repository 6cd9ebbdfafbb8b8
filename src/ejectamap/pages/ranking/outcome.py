"""What came of a study: files, a figure and tables."""

from rich.console import Console

from ejectamap.evaluation.ranking import (
    figures_of,
    pair_outcomes,
    print_ranking,
    rank,
    read_choices,
    write_ranking,
)
from ejectamap.pages.ranking.study import Study, map_reader
from ejectamap.project import Project
from ejectamap.show.ranking import plot_ranking


def report_study(project: Project, study: Study, console: Console) -> None:
    """Write ranking.json, maps.csv, figures.csv, judges.csv and ranking.png beside the choices, and print the tables.

    Raises
    ------
    RankingError
        If nobody has chosen yet, or the choices do not link all maps.
    """
    maps = tuple(study.maps)
    outcomes = pair_outcomes(read_choices(study.choices_path), maps)
    figures = None
    if project.labels is not None:
        grid = project.mosaic.grid
        readers = {name: map_reader(folder, grid) for name, folder in study.maps.items()}
        judged = project.chosen_craters(set(outcomes["crater_id"]))
        figures = figures_of(project.labels, judged, readers, project.tile_side_px)
    ranking = rank(outcomes, maps, figures, study.seed)
    write_ranking(ranking, study.folder)
    plot_ranking(study.folder / "ranking.png", ranking)
    print_ranking(ranking, console)
    console.print(
        f"{study.folder / 'ranking.json'}, with maps.csv, figures.csv, judges.csv and ranking.png"
    )
