"""Copy a project to another folder, with other settings."""

from pathlib import Path

from ejectamap.project.folder import Project, relative_path
from ejectamap.project.input_files import InputFiles
from ejectamap.project.settings import Settings
from ejectamap.project.yaml import write_settings


def copy_project(project: Project, folder: Path, settings: Settings) -> Project:
    """Make a project in another folder, or change the one that is there.

    Parameters
    ----------
    project : Project
        Which the paths in the settings are relative to; the same mosaic is held in memory once.
    folder : Path
    settings : Settings
    """
    folder.mkdir(parents=True, exist_ok=True)
    moved = _moved(project, settings, folder)
    write_settings(moved, folder / "project.yaml")
    old, new = project.settings.inputs, settings.inputs
    same_mosaic = (new.mosaic, new.part_of) == (old.mosaic, old.part_of)
    inputs = InputFiles(folder, moved.inputs, project.input_files if same_mosaic else None)
    return Project(folder, moved, shared_inputs=inputs)


def _moved(project: Project, settings: Settings, folder: Path) -> Settings:
    """Settings whose relative paths are relative to another folder."""

    def move(text: str) -> str:
        return relative_path(project.input_path(text), folder)

    inputs, training = settings.inputs, settings.training
    names = ("mosaic", "part_of", "craters", "labels", "tiles", "split")
    files = {key: getattr(inputs, key) for key in names}
    moved = {key: None if text is None else move(text) for key, text in files.items()}
    start = training.start_from
    training_update = {
        "start_from": start if start in ("builtin", "none") else move(start),
        "also_train_on": tuple(move(text) for text in training.also_train_on),
    }
    return settings.model_copy(
        update={
            "inputs": inputs.model_copy(update=moved),
            "training": training.model_copy(update=training_update),
        }
    )
