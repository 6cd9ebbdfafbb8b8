"""The demonstration: train on simulated planets, and map and evaluate another one."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from ejectamap.analysis.measure import analyze_project
from ejectamap.errors import ProjectError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.tables import print_tables
from ejectamap.mapping.run import map_project
from ejectamap.pages.report.page import write_report
from ejectamap.project.folder import Project
from ejectamap.show.analysis import plot_analysis
from ejectamap.simulation.files import write_planet
from ejectamap.simulation.planet import simulate_planet
from ejectamap.training.run import train

_TRAINING_PLANETS = 3
_MINUTES = 6.0


def run_demo(
    folder: Path,
    max_minutes: float | None,
    seed: int,
    console: Console,
    *,
    width_px: int = 2048,
    craters: int = 30,
    changes: Sequence[str] = (),
) -> None:
    """Simulate planets, train on all but one, map that one, evaluate and measure the map, and write the report.

    Parameters
    ----------
    folder : Path
        Where planet-{k} (inputs), training and unseen (projects) are written. An interrupted run is continued.
    max_minutes : float, optional
        Time budget of the training, in minutes; 6 by default.
    seed : int
        Planets have seeds from 10 000 + 100 seed on, which were not used to train the networks that come with the
        program.
    console : Console
    width_px, craters : int
        Width of the planets' mosaics, and number of their craters.
    changes : sequence of str
        `section.key=value` changes to the preset laptop, for all projects.

    Raises
    ------
    ProjectError
        If the folder is not empty and holds no demonstration.
    """
    if folder.exists() and any(folder.iterdir()) and not any(folder.glob("planet-*")):
        raise ProjectError(f"{folder}: is not empty: choose another folder for the demonstration")
    console.print(f"simulating {_TRAINING_PLANETS + 1} planets")
    first_seed = 10_000 + 100 * seed

    def project(name: str, k: int, *more: str) -> Project:
        settings = [*changes, *more]
        return simulated_project(
            folder, name, k, first_seed + k, width_px, seed, settings, craters=craters
        )

    others = [project(f"training-{k}", k) for k in range(1, _TRAINING_PLANETS)]
    unseen = project("unseen", _TRAINING_PLANETS)
    names = ", ".join(f"../{other.folder.name}" for other in others)
    training = project(
        "training", 0, "training.test_fraction=0", f"training.also_train_on=[{names}]"
    )
    console.rule(f"training on {_TRAINING_PLANETS} planets")
    train(training, max_minutes or _MINUTES, console=console)
    console.rule("mapping a planet that was not trained on")
    shutil.copytree(training.models, unseen.models, dirs_exist_ok=True)
    map_project(unseen)
    print_tables(evaluate_project(unseen), console)
    plot_analysis(unseen.outputs / "analysis.png", analyze_project(unseen))
    console.print(f"\nthe report: {write_report(unseen)}", soft_wrap=True)


def simulated_project(
    folder: Path,
    name: str,
    k: int,
    planet_seed: int,
    width_px: int,
    seed: int = 0,
    changes: Iterable[str] = (),
    *,
    craters: int = 30,
) -> Project:
    """Open a project on a simulated planet; make what does not exist yet.

    Parameters
    ----------
    folder : Path
        Where planet-{k} (mosaic, craters, labels) and the project are.
    name : str
        Name of the project's folder.
    k, planet_seed, width_px : int
        Number, seed and mosaic width of the planet.
    seed : int
        Seed of the project.
    changes : iterable of str
        `section.key=value` changes to the preset laptop.
    craters : int
        Number of craters of the planet.
    """
    path, inputs = folder / name, folder / f"planet-{k}"
    if not (inputs / "craters.csv").exists():
        write_planet(simulate_planet(planet_seed, width_px, craters), inputs)
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
