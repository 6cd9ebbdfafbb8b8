"""The project folder: its documented file layout, which other programs rely on."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from importlib import resources
from pathlib import Path

import numpy as np

from ejectamap.errors import CraterError, OutputError, ProjectError
from ejectamap.project.bundles import set_all_aside
from ejectamap.project.input_files import InputFiles, real_path
from ejectamap.project.settings import Settings
from ejectamap.project.yaml import (
    make_settings,
    merge,
    parse_changes,
    read_preset,
    read_settings,
    write_settings,
)
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.label_files import label_path
from ejectamap.world.label_sources import LabelSources, source_path
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.world import World

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Project:
    """A folder with settings, inputs and outputs.

    Attributes
    ----------
    folder : Path
    settings : Settings
    results : str
        Where map and evaluation go, relative to the folder.
    shared_inputs : InputFiles, optional
        Input files of another project, with the same settings of inputs, that may have been read already.
    """

    folder: Path
    settings: Settings
    results: str = "."
    shared_inputs: InputFiles | None = field(default=None, repr=False, compare=False)

    @classmethod
    def create(
        cls,
        folder: StrPath,
        mosaic: StrPath,
        craters: StrPath,
        labels: StrPath | None = None,
        tiles: StrPath | None = None,
        preset: str = "laptop",
        seed: int = 0,
        changes: Iterable[str] = (),
        *,
        columns: Mapping[str, str] | None = None,
    ) -> "Project":
        """Make a project folder with its `project.yaml`.

        Parameters
        ----------
        folder : str or path
            New, or without a `project.yaml`.
        mosaic, craters, labels, tiles : str or path
            Input files; they stay where they are.
        preset : str
            Name of the preset to start from.
        seed : int
        changes : iterable of str
            `section.key=value` changes to the preset.
        columns : mapping of str to str, optional
            Columns of the catalogue, for `inputs.columns`.

        Raises
        ------
        ProjectError
            If the folder holds a project already, or an input does not exist.
        OutputError
            If `project.yaml` cannot be written; a folder that was made for it is removed.
        SettingsError
            If the preset, a key or a value is not possible.

        Examples
        --------
        >>> inputs = "planet/mosaic.tif", "planet/craters.csv", "planet/labels"
        >>> project = em.Project.create("new", *inputs, changes=["map.threshold=0.4"])
        >>> project.settings.map.threshold
        0.4
        """
        folder = Path(folder)
        file = folder / "project.yaml"
        if file.exists() and file.stat().st_size:  # a full disk may have left an empty one
            raise ProjectError(
                f"{folder}: already holds a project: choose another folder, or edit its project.yaml"
            )
        given = {"mosaic": mosaic, "craters": craters, "labels": labels, "tiles": tiles}
        inputs = {name: None if path is None else Path(path) for name, path in given.items()}
        for name, path in inputs.items():
            if path is not None and not path.exists():
                what = "is a link to nothing" if path.is_symlink() else "does not exist"
                raise ProjectError(f"{name} {path}: {what}: check the path")
        relative = {k: None if p is None else relative_path(p, folder) for k, p in inputs.items()}
        chosen = {"columns": dict(columns or {})}
        values = merge(read_preset(preset), {"seed": seed, "inputs": relative | chosen})
        settings = make_settings(merge(values, parse_changes(changes)), f"preset {preset}")
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            write_settings(settings, file)
        except OutputError:
            if is_new:
                folder.rmdir()
            raise
        return cls(folder, settings)

    @classmethod
    def open(cls, folder: StrPath) -> "Project":
        """Open an existing project.

        Parameters
        ----------
        folder : str or path

        Raises
        ------
        ProjectError
            If the folder holds no project.
        SettingsError
            If its `project.yaml` is not possible.

        Examples
        --------
        >>> em.Project.open("project").settings.method
        'polar'
        """
        folder = Path(folder)
        path = folder / "project.yaml"
        if not path.is_file():
            raise ProjectError(
                f"{folder}: holds no project.yaml: make a project with ejectamap new {folder}"
            )
        return cls(folder, read_settings(path))

    def _repr_html_(self) -> str:
        inputs = self.settings.inputs
        rows = {
            "folder": str(self.folder),
            **{name: getattr(inputs, name) for name in ("mosaic", "craters", "labels", "tiles")},
            "method": self.settings.method,
        }
        lines = (
            f"<tr><th>{name}</th><td>{escape(value)}</td></tr>"
            for name, value in rows.items()
            if value is not None
        )
        return f"<table>{''.join(lines)}</table>"

    @property
    def models(self) -> Path:
        """Folder of the bundles: models/{kind}/{member}."""
        return self.folder / "models"

    @property
    def logs(self) -> Path:
        """Folder of what the trainings wrote down: logs/{kind}/{member}."""
        return self.folder / "logs"

    def networks_folder(self, kind: str) -> Path:
        """Folder of the trained networks of a kind: the project's own or, before any training, what it starts from."""
        own, start = self.models / kind, self.start_networks(kind)
        trained = own.is_dir() and any(own.glob("[!.]*"))
        return own if trained or start is None else start

    def start_networks(self, kind: str) -> Path | None:
        """Folder of the networks of a kind that training starts from; None if it starts from nothing.

        Raises
        ------
        ProjectError
            If the settings name a folder without such networks.
        """
        start_from = self.settings.training.start_from
        if start_from == "none":
            return None
        if start_from == "builtin":
            folder = Path(str(resources.files("ejectamap") / "weights" / kind))
            return folder if folder.is_dir() else None
        folder = self.input_path(start_from) / kind
        if not folder.is_dir():
            raise ProjectError(
                f"{folder}: training.start_from names it, but it does not exist: use builtin, none or a models folder"
            )
        return folder

    @property
    def outputs(self) -> Path:
        """Folder that holds map, evaluation.json and provenance.json: the project's, or a method's of a comparison."""
        return self.folder / self.results

    @property
    def maps(self) -> Path:
        """Folder of the maps."""
        return self.outputs / "map"

    @property
    def split_path(self) -> Path:
        """Table of what each pair of this project was used for; not among the models, which may move to others."""
        return self.folder / "split.csv"

    @property
    def split_record_path(self) -> Path:
        """Record of how that table was drawn, and whether it is whole."""
        return self.folder / ".split.json"

    @cached_property
    def input_files(self) -> InputFiles:
        """The input files, each read on first use."""
        return self.shared_inputs or InputFiles(self.folder, self.settings.inputs)

    def input_path(self, text: str) -> Path:
        """Absolute path of a path in the settings, which is relative to the project folder."""
        return real_path(self.folder / text)

    @property
    def mosaic_path(self) -> Path:
        """The mosaic's file."""
        return self.input_path(self.settings.inputs.mosaic)

    @property
    def mosaic(self) -> Mosaic:
        """The mosaic, read on first use."""
        return self.input_files.mosaic

    @property
    def grid(self) -> Grid:
        """The mosaic's grid, from the header of its file alone."""
        return self.input_files.grid

    @property
    def craters(self) -> tuple[Crater, ...]:
        """The crater catalogue, with the reaches of the settings; raises `CraterError`."""
        return self.input_files.craters

    @property
    def labels(self) -> Labels | None:
        """The labels, or None if the project has none; raises `LabelError`."""
        return self.input_files.labels

    @property
    def label_sources(self) -> LabelSources:
        """Where the labels' pixels come from."""
        return self.input_files.label_sources

    def label_files(self, crater_id: int) -> list[Path]:
        """Files that a crater's label is read from: its mask and its sources, as far as they exist, or the polygons."""
        if self.settings.inputs.labels is None:
            return []
        path = self.input_path(self.settings.inputs.labels)
        files = [label_path(path, crater_id), source_path(path, crater_id)]
        return [file for file in (files if path.is_dir() else [path]) if file.exists()]

    @property
    def tile_side_px(self) -> int:
        """Side of the tiles in mosaic pixels: as set, as labelled, or one chip pixel per mosaic pixel."""
        views, labels = self.settings.views, self.labels
        if views.tile_km is not None:
            return max(2, round(views.tile_km * 1000 / self.grid.pixel_m))
        if labels is not None and labels.tiles:
            return round(float(np.median([tile.window.height for tile in labels.tiles])))
        return views.chip_px

    @property
    def tile_side_m(self) -> float:
        """The same in metres, where pixels are square."""
        return self.tile_side_px * self.grid.pixel_m

    @property
    def world(self) -> World:
        """Everything on the ground."""
        return World(self.mosaic, self.craters, self.labels)

    def chosen_craters(self, crater_ids: Iterable[int] | None) -> tuple[Crater, ...]:
        """Craters with the given ids, or all of them.

        Raises
        ------
        CraterError
            If an id is not in the catalogue.
        """
        if crater_ids is None:
            return self.craters
        by_id = {crater.crater_id: crater for crater in self.craters}
        wanted = list(crater_ids)
        for crater_id in wanted:
            if crater_id not in by_id:
                raise CraterError(
                    f"crater {crater_id}: is not in {self.settings.inputs.craters}: check the id"
                )
        return tuple(by_id[crater_id] for crater_id in sorted(set(wanted)))

    def with_method(self, method: str) -> "Project":
        """The same project, inputs and networks with another method; its results go to compare/{method}."""
        settings = self.settings.model_copy(update={"method": method})
        results = f"compare/{method}"
        return replace(self, settings=settings, results=results, shared_inputs=self.input_files)

    def family_craters(self, families: Iterable[str]) -> tuple[Crater, ...]:
        """Craters of the given families.

        Raises
        ------
        CraterError
            If no crater is of one of them.
        """
        wanted = list(families)
        known = sorted({crater.family for crater in self.craters if crater.family})
        for family in wanted:
            if family not in known:
                raise CraterError(
                    f"family {family!r}: no crater of {self.settings.inputs.craters} is in it, there are"
                    f" {', '.join(known) or 'none'}: run ejectamap families {self.folder} --write"
                )
        return tuple(crater for crater in self.craters if crater.family in wanted)

    def delete_models(self) -> None:
        """Set all trained networks aside, and delete their logs and the split, so that training starts afresh.

        Each network is deleted once a new one takes its place.
        """
        set_all_aside(self.models)
        shutil.rmtree(self.logs, ignore_errors=True)
        self.split_path.unlink(missing_ok=True)
        self.split_record_path.unlink(missing_ok=True)


def relative_path(path: Path, folder: Path) -> str:
    """An input's path as the project file keeps it: relative, so that the two can move together."""
    return Path(os.path.relpath(real_path(path), real_path(folder))).as_posix()
