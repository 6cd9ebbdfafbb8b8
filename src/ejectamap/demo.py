"""The demonstration: from simulated planets to the map of one that no network has seen, and how good it is."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from ejectamap.analysis.measure import analyze_project
from ejectamap.errors import ProjectError
from ejectamap.evaluation import evaluate_project, print_tables
from ejectamap.mapping import map_project
from ejectamap.pages.report import write_report
from ejectamap.project import Project
from ejectamap.show.analysis import plot_analysis
from ejectamap.simulate import simulate_planet, write_planet
from ejectamap.training import train

_TRAINING_PLANETS = 3
_WIDTH_PX = 2048
_MINUTES = 6.0


def run_demo(folder: Path, max_minutes: float | None, seed: int, console: Console) -> None:
    """Simulate planets, train on all but one, map that one, judge and measure the map, and write the report.

    Parameters
    ----------
    folder : Path
        Gets planet-{k} (inputs), training and unseen (projects). What is there from an interrupted run is used.
    max_minutes : float, optional
        Time budget of the training; 6 by default.
    seed : int
        Planets take seeds from 10 000 + 100 seed on: the networks that come with the program never saw these.
    console : Console

    Raises
    ------
    ProjectError
        If the folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not any(folder.glob("planet-*")):
        raise ProjectError(f"{folder}: is not empty: choose another folder for the demonstration")
    console.print(f"simulating {_TRAINING_PLANETS + 1} planets")
    first = 10_000 + 100 * seed

    def project(name: str, k: int, *changes: str) -> Project:
        return simulated_project(folder, name, k, first + k, _WIDTH_PX, seed, changes)

    others = [project(f"training-{k}", k) for k in range(1, _TRAINING_PLANETS)]
    pupil = project("unseen", _TRAINING_PLANETS)
    names = ", ".join(f"../{other.folder.name}" for other in others)
    teacher = project(
        "training", 0, "training.test_fraction=0", f"training.also_train_on=[{names}]"
    )
    console.rule(f"training on {_TRAINING_PLANETS} planets")
    train(teacher, max_minutes or _MINUTES)
    console.rule("mapping a planet of another seed")
    shutil.copytree(teacher.models, pupil.models, dirs_exist_ok=True)
    map_project(pupil)
    print_tables(evaluate_project(pupil), console)
    plot_analysis(pupil.outputs / "analysis.png", analyze_project(pupil))
    console.print(f"\nall of it, to look at: {write_report(pupil)}", soft_wrap=True)


def simulated_project(
    folder: Path,
    name: str,
    k: int,
    planet_seed: int,
    width_px: int,
    seed: int = 0,
    changes: Iterable[str] = (),
) -> Project:
    """Open a project on a simulated planet, or make both.

    Parameters
    ----------
    folder : Path
        Gets planet-{k} (mosaic, craters, labels) and the project.
    name : str
        Of the project's folder.
    k, planet_seed, width_px : int
        Number, seed and mosaic width of the planet.
    seed : int
        Of the project.
    changes : iterable of str
        `section.key=value` changes to the preset laptop.
    """
    path, inputs = folder / name, folder / f"planet-{k}"
    if not (inputs / "craters.csv").exists():
        write_planet(simulate_planet(planet_seed, width_px), inputs)
    if (path / "project.yaml").exists():
        return Project.open(path)
    return Project.create(
        path,
        mosaic=inputs / "mosaic.tif",
        craters=inputs / "craters.csv",
        labels=inputs / "labels",
        seed=seed,
        changes=changes,
    )
