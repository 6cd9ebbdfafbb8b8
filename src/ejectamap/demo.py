"""The demonstration: from simulated planets to the map of one that no network has seen, and how good it is."""

import shutil
from pathlib import Path

from rich.console import Console

from ejectamap.errors import ProjectError
from ejectamap.evaluation import evaluate_project, print_tables
from ejectamap.mapping import map_project
from ejectamap.project import Project
from ejectamap.show import draw_maps
from ejectamap.simulate import simulate_planet, write_planet
from ejectamap.training import train

_TRAINING_PLANETS = 3
_WIDTH_PX = 2048
_MINUTES = 6.0


def run_demo(folder: Path, max_minutes: float | None, seed: int, console: Console) -> None:
    """Simulate planets, train on all but one, map that one, judge the map and say where the pictures are.

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
    if folder.exists() and any(folder.iterdir()) and not (folder / "planet-0").exists():
        raise ProjectError(f"{folder}: is not empty: choose another folder for the demonstration")
    for k in range(_TRAINING_PLANETS + 1):
        _simulate(folder / f"planet-{k}", 10_000 + 100 * seed + k, console)
    others = [_project(folder, f"training-{k}", k, seed, ()) for k in range(1, _TRAINING_PLANETS)]
    names = ", ".join(f"../{project.folder.name}" for project in others)
    changes = ["training.test_fraction=0", f"training.also_train_on=[{names}]"]
    teacher = _project(folder, "training", 0, seed, changes)
    console.rule(f"training on {_TRAINING_PLANETS} planets")
    train(teacher, max_minutes or _MINUTES)
    console.rule("mapping a planet of another seed")
    pupil = _project(folder, "unseen", _TRAINING_PLANETS, seed, ())
    shutil.copytree(teacher.models, pupil.models, dirs_exist_ok=True)
    map_project(pupil)
    draw_maps(pupil)
    print_tables(evaluate_project(pupil), console)
    console.print(f"\npictures: {pupil.maps}/global.png and crater_*.png", soft_wrap=True)


def _simulate(folder: Path, seed: int, console: Console) -> None:
    if (folder / "craters.csv").exists():
        return
    console.print(f"simulating {folder.name} (seed {seed})")
    write_planet(simulate_planet(seed, _WIDTH_PX), folder)


def _project(
    folder: Path, name: str, planet: int, seed: int, changes: tuple[str, ...] | list[str]
) -> Project:
    """Open a project of the demonstration, or make it."""
    path, inputs = folder / name, folder / f"planet-{planet}"
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
