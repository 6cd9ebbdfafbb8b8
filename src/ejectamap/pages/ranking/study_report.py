"""Report the results of a ranking study: files, a figure and printed tables."""

from rich.console import Console

from ejectamap.evaluation.ranking.choices import pair_outcomes, read_choices
from ejectamap.evaluation.ranking.figures import map_figures
from ejectamap.evaluation.ranking.report import print_ranking, rank, write_ranking
from ejectamap.pages.ranking.study import Study, map_reader
from ejectamap.project.folder import Project
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
        craters = project.chosen_craters(set(outcomes["crater_id"]))
        figures = map_figures(project.labels, craters, readers, project.tile_side_px)
    ranking = rank(outcomes, maps, figures, study.seed)
    write_ranking(ranking, study.folder)
    plot_ranking(study.folder / "ranking.png", ranking)
    print_ranking(ranking, console)
    console.print(
        f"{study.folder / 'ranking.json'}, with maps.csv, figures.csv, judges.csv and ranking.png"
    )
