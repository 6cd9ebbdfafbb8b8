"""The input files of a project: mosaic, crater catalogue and labels, each read on first use."""

import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ejectamap.errors import CraterError
from ejectamap.progress import status
from ejectamap.project.settings import Inputs
from ejectamap.world.craters import Crater, check_reaches, load_craters
from ejectamap.world.grid import Grid
from ejectamap.world.label_files import load_labels
from ejectamap.world.label_sources import LabelSources
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.mosaic_files import read_mosaic_grid, read_mosaic_header
from ejectamap.world.store import is_stored


class InputFiles:
    """What a project's input files hold.

    Parameters
    ----------
    folder : Path
        The project's, which the paths in the settings are relative to.
    inputs : Inputs
        Settings of that name.
    mosaic_of : InputFiles, optional
        Those of another project with the same mosaic, which is then opened once.

    Attributes
    ----------
    cache : Path
        Folder of what can be made again, large mosaics first of all; see `world.store`.
    notes : list of str
        What a person should know about how the files that were read so far were read; one line each.
    """

    def __init__(self, folder: Path, inputs: Inputs, mosaic_of: "InputFiles | None" = None) -> None:
        self.folder = folder
        self.inputs = inputs
        self.notes: list[str] = []
        self.cache: Path = cache_folder(folder) if mosaic_of is None else mosaic_of.cache
        self._mosaic_of = mosaic_of

    @cached_property
    @status("reading the mosaic")
    def mosaic(self) -> Mosaic:
        """The mosaic."""
        if self._mosaic_of is not None:
            return self._mosaic_of.mosaic
        mosaic = Mosaic.open(self._path(self.inputs.mosaic), self.cache)
        self.notes.extend(mosaic.notes)
        if self.inputs.part_of is None:
            return mosaic
        return mosaic.as_part_of(Mosaic.open(self._path(self.inputs.part_of), self.cache))

    def store_mosaic(self) -> None:
        """Convert mosaics that are stored: before workers all need them at the same time."""
        names = [name for name in (self.inputs.mosaic, self.inputs.part_of) if name is not None]
        if any(is_stored(read_mosaic_header(self._path(name))) for name in names):
            _ = self.mosaic

    @cached_property
    def grid(self) -> Grid:
        """The mosaic's grid, from the header of its file alone."""
        return read_mosaic_grid(self._path(self.inputs.mosaic))

    @cached_property
    def craters(self) -> tuple[Crater, ...]:
        """The crater catalogue, with the reaches of the settings.

        Raises
        ------
        CraterError
            If the catalogue cannot be used, or the settings name a crater that is not in it.
        """
        inputs = self.inputs
        path = self._path(inputs.craters)
        craters = load_craters(path, self.grid, inputs.columns, self.notes)
        unknown = inputs.reach.keys() - {crater.crater_id for crater in craters}
        if unknown:
            raise CraterError(
                f"{self.folder / 'project.yaml'}: inputs.reach names crater {min(unknown)}, which is not in"
                f" {inputs.craters}: check the id"
            )
        craters = tuple(replace(c, reach=inputs.reach.get(c.crater_id, c.reach)) for c in craters)
        check_reaches(craters, self.grid, f"{self.folder / 'project.yaml'}: inputs.reach")
        return craters

    @cached_property
    @status("reading labels")
    def labels(self) -> Labels | None:
        """The labels, or None if there are none."""
        inputs = self.inputs
        if inputs.labels is None:
            return None
        tiles = None if inputs.tiles is None else self._path(inputs.tiles)
        return load_labels(
            self._path(inputs.labels), self.grid, self.craters, tiles, notes=self.notes
        )

    @cached_property
    def label_sources(self) -> LabelSources:
        """Where the labels' pixels come from."""
        labels = self.inputs.labels
        return LabelSources(None if labels is None else self._path(labels), self.grid)

    def _path(self, text: str) -> Path:
        return real_path(self.folder / text)


def cache_folder(folder: Path) -> Path:
    """Folder of what a project can make again: the variable `EJECTAMAP_CACHE`, or `cache` in the project's folder.

    A fold of a cross-validation or a trial of a search, two levels below its project, has the project's.
    """
    named = os.environ.get("EJECTAMAP_CACHE")
    if named:
        return Path(named).expanduser()
    folder = folder.resolve()
    while (folder.parent.parent / "project.yaml").is_file():
        folder = folder.parent.parent
    return folder / "cache"


def real_path(path: Path) -> Path:
    """Absolute path of a file, links followed; a link to itself, which cannot be followed, stays as it is."""
    return Path(os.path.realpath(path))
