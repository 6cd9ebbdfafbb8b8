"""A study in its folder: which maps, of which craters, and the order in which each judge is asked."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from ejectamap.errors import RankingError
from ejectamap.evaluation.ranking import ReadMap, read_choices
from ejectamap.mapping.files import replace_file
from ejectamap.pages.ranking.pictures import draw_crater
from ejectamap.project import Project
from ejectamap.project.folder import relative_path
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.label_files import read_mask
from ejectamap.world.labels import Labels

Plan = dict[str, Any]

_ASK_AGAIN_EVERY = 10
"""After so many new questions an earlier one comes again with its sides exchanged."""
_LEAST_APART = 5


@dataclass(frozen=True)
class Question:
    """Two maps of a crater, side by side.

    Attributes
    ----------
    crater_id : int
    left, right : str
        Names of the maps.
    """

    crater_id: int
    left: str
    right: str


@dataclass(frozen=True)
class Pictures:
    """Files of one crater's pictures; their names are made of their content and do not give a map away.

    Attributes
    ----------
    name : str
        Of the crater.
    half_km : float
        Half the side of the pictures' ground.
    ground : str
        The mosaic.
    maps : mapping of str to str
        By the map's name.
    masks : mapping of str to str
        Fingerprint of the mask behind each.
    """

    name: str
    half_km: float
    ground: str
    maps: Mapping[str, str]
    masks: Mapping[str, str]


@dataclass(frozen=True)
class Study:
    """What is asked.

    Attributes
    ----------
    folder : Path
        PROJECT/ranking.
    maps : mapping of str to Path
        By name, the folder with crater_{id}_mask.tif.
    pictures : mapping of int to Pictures
        By crater id.
    seed : int
    """

    folder: Path
    maps: Mapping[str, Path]
    pictures: Mapping[int, Pictures]
    seed: int

    @property
    def choices_path(self) -> Path:
        """File of all judges' choices."""
        return self.folder / "choices.jsonl"

    @property
    def pairs(self) -> list[tuple[int, str, str]]:
        """Every crater with every two of its maps that do not look alike to the last pixel."""
        found = []
        for crater_id, drawn in self.pictures.items():
            for one, other in combinations([name for name in self.maps if name in drawn.maps], 2):
                if drawn.maps[one] != drawn.maps[other]:
                    found.append((crater_id, one, other))
        return found

    def questions(self, judge: str) -> list[Question]:
        """A judge's own order: all pairs, sides by chance, and one in ten again with its sides exchanged."""
        rng = np.random.default_rng([self.seed, *hashlib.sha256(judge.encode()).digest()])
        pairs = self.pairs
        asked: list[Question] = []
        for number, k in enumerate(rng.permutation(len(pairs)), start=1):
            crater_id, *sides = pairs[k]
            left, right = sides if rng.random() < 0.5 else sides[::-1]
            asked.append(Question(crater_id, left, right))
            if number % _ASK_AGAIN_EVERY == 0:
                since = number - _ASK_AGAIN_EVERY
                again = asked[len(asked) - int(rng.integers(_LEAST_APART, number - since + 1))]
                asked.append(Question(again.crater_id, again.right, again.left))
        return asked


def open_study(
    project: Project, maps: Mapping[str, Path], crater_ids: Sequence[int] | None
) -> Study:
    """Draw what is to be judged; pictures that are there already stay.

    Parameters
    ----------
    project : Project
        Whose mosaic and craters are shown; the study is its folder ranking/.
    maps : mapping of str to Path
        By name: a project, one of its compare/{method} folders, or a folder with crater_{id}_mask.tif. Without any:
        those that the study has or, if it is new, those in the project's compare/.
    crater_ids : sequence of int, optional
        By default those that the study has or, if it is new, all of which there are two maps.

    Raises
    ------
    RankingError
        If there are not two maps of any crater, or choices were made between others.
    LabelError
        If a mask does not fit the mosaic.
    """
    folder = project.outputs / "ranking"
    plan = _plan(project, folder, maps, crater_ids)
    begun = bool(read_choices(folder / "choices.jsonl"))
    if begun and plan != _read_plan(folder):
        raise _other_study(folder, "of other maps or craters")
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    replace_file(folder / "study.json", memoryview(json.dumps(plan).encode()))
    folders = {name: folder / text for name, text in plan["maps"].items()}
    pictures = {}
    for crater in track(project.chosen_craters(plan["craters"]), "drawing maps", transient=True):
        paths = _masks(folders, crater.crater_id)
        masks = {
            name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()
        }
        drawn = _read_pictures(folder, crater)
        if drawn is None or drawn.masks != masks:
            if begun:
                raise _other_study(folder, f"in which crater {crater.crater_id} had other maps")
            readers = {name: map_reader(folders[name], project.mosaic.grid) for name in masks}
            parts = draw_crater(project.mosaic, crater, readers, folder / "pictures")
            drawn = Pictures(crater.name, *parts, masks)
            text = json.dumps(vars(drawn), ensure_ascii=False)
            replace_file(_note_path(folder, crater), memoryview(text.encode()))
        pictures[crater.crater_id] = drawn
    study = Study(folder, folders, pictures, plan["seed"])
    if not study.pairs:
        raise RankingError(f"{', '.join(map(str, folders.values()))}: their maps are all the same")
    return study


def map_reader(folder: Path, grid: Grid) -> ReadMap:
    """A crater's id to its map, as labels; one is kept in memory."""

    @lru_cache(1)
    def read(crater_id: int) -> Labels:
        mask = read_mask(_mask_path(folder, crater_id), grid)
        return Labels(grid, {crater_id: mask}, None)

    return read


def _plan(
    project: Project, folder: Path, maps: Mapping[str, Path], crater_ids: Sequence[int] | None
) -> Plan:
    """What the study is of, from what was asked for, what it was of before, and what there is."""
    before = _read_plan(folder) or {"maps": {}, "craters": None, "seed": project.settings.seed}
    folders = {name: _map_folder(name, path) for name, path in maps.items()}
    folders = folders or {name: folder / text for name, text in before["maps"].items()}
    folders = folders or _compared(project)
    ids = before["craters"] if crater_ids is None and not maps else crater_ids
    chosen = [crater.crater_id for crater in project.chosen_craters(ids)]
    several = [crater_id for crater_id in chosen if len(_masks(folders, crater_id)) > 1]
    if not several:
        where = ", ".join(map(str, folders.values())) or project.folder / "compare"
        raise RankingError(
            f"{where}: no crater has two maps there: name two folders of maps with --maps NAME=FOLDER,"
            f" or run ejectamap compare {project.folder} first"
        )
    places = {name: relative_path(path, folder) for name, path in folders.items()}
    return {"maps": places, "craters": several, "seed": before["seed"]}


def _read_plan(folder: Path) -> Plan | None:
    """What a study was of when it was opened last."""
    path = folder / "study.json"
    plan: Plan | None = json.loads(path.read_text("utf-8")) if path.exists() else None
    return plan


def _read_pictures(folder: Path, crater: Crater) -> Pictures | None:
    """What was drawn of a crater; None if nothing."""
    path = _note_path(folder, crater)
    return Pictures(**json.loads(path.read_text("utf-8"))) if path.exists() else None


def _compared(project: Project) -> dict[str, Path]:
    """The maps that `ejectamap compare` has left."""
    found = sorted((project.folder / "compare").glob("*/map"))
    return {path.parent.name: path for path in found}


def _map_folder(name: str, path: Path) -> Path:
    """Where a project, or a method's folder, has its maps."""
    for folder in (path / "map", path):
        if any(folder.glob("crater_*_mask.tif")):
            return folder
    raise RankingError(
        f"--maps {name}={path}: holds no crater_{{id}}_mask.tif: give a project that is mapped, or its folder of maps"
    )


def _masks(folders: Mapping[str, Path], crater_id: int) -> dict[str, Path]:
    """The masks that there are of a crater."""
    paths = {name: _mask_path(folder, crater_id) for name, folder in folders.items()}
    return {name: path for name, path in paths.items() if path.exists()}


def _mask_path(folder: Path, crater_id: int) -> Path:
    return folder / f"crater_{crater_id}_mask.tif"


def _note_path(folder: Path, crater: Crater) -> Path:
    return folder / f"crater_{crater.crater_id}.json"


def _other_study(folder: Path, what: str) -> RankingError:
    return RankingError(
        f"{folder}: holds choices of a study {what}: move the folder away to begin another one"
    )
