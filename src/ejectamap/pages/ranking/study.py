"""A ranking study and its folder: maps, craters, pictures, and the order of questions for each judge."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ejectamap.errors import RankingError
from ejectamap.evaluation.ranking.choices import read_choices
from ejectamap.evaluation.ranking.figures import ReadMap
from ejectamap.files import read_bytes, replace_file
from ejectamap.maps.state import crater_path
from ejectamap.outputs import reading
from ejectamap.pages.ranking.pictures import draw_crater
from ejectamap.progress import track
from ejectamap.project.folder import Project, relative_path
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.label_masks import read_mask
from ejectamap.world.labels import Labels

Plan = dict[str, Any]

_REPEAT_EVERY = 10
"""After this many new questions, an earlier question is repeated with its sides exchanged."""
_LEAST_APART = 5
"""Least number of questions from a question to its repetition."""


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
    """Files of one crater's pictures; their names are digests of their content, so that they do not reveal the map.

    Attributes
    ----------
    name : str
        Of the crater.
    half_km : float
        Half the side of the square that is shown, in km.
    ground : str
        File name of the mosaic's picture.
    maps : mapping of str to str
        File name of each map's picture, by the map's name.
    masks : mapping of str to str
        Digest of the mask file behind each picture, by the map's name.
    """

    name: str
    half_km: float
    ground: str
    maps: Mapping[str, str]
    masks: Mapping[str, str]


@dataclass(frozen=True)
class Study:
    """The maps to compare, and their pictures.

    Attributes
    ----------
    folder : Path
        PROJECT/ranking.
    maps : mapping of str to Path
        By the map's name, the folder with crater_{id}_mask.tif.
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
        """Path of the file with all judges' choices."""
        return self.folder / "choices.jsonl"

    @property
    def pairs(self) -> list[tuple[int, str, str]]:
        """Every crater with every two of its maps whose pictures differ."""
        pairs = []
        for crater_id, pictures in self.pictures.items():
            names = [name for name in self.maps if name in pictures.maps]
            for one, other in combinations(names, 2):
                if pictures.maps[one] != pictures.maps[other]:
                    pairs.append((crater_id, one, other))
        return pairs

    def questions(self, judge: str) -> list[Question]:
        """A judge's questions: all pairs in random order, on random sides; one in ten again with sides exchanged."""
        rng = np.random.default_rng([self.seed, *hashlib.sha256(judge.encode()).digest()])
        pairs = self.pairs
        questions: list[Question] = []
        for number, k in enumerate(rng.permutation(len(pairs)), start=1):
            crater_id, *sides = pairs[k]
            left, right = sides if rng.random() < 0.5 else sides[::-1]
            questions.append(Question(crater_id, left, right))
            if number % _REPEAT_EVERY == 0:
                back = int(rng.integers(_LEAST_APART, _REPEAT_EVERY + 1))
                again = questions[len(questions) - back]
                questions.append(Question(again.crater_id, again.right, again.left))
        return questions


def open_study(
    project: Project, maps: Mapping[str, Path], crater_ids: Sequence[int] | None
) -> Study:
    """Open a ranking study, and draw the pictures that are missing or out of date.

    Parameters
    ----------
    project : Project
        Project with mosaic and craters; the study is stored in its folder ranking/.
    maps : mapping of str to Path
        By name: a project, one of its compare/{method} folders, or a folder with crater_{id}_mask.tif. If empty: the
        maps that the study has or, for a new study, those in the project's compare/.
    crater_ids : sequence of int, optional
        By default those that the study has or, for a new study, all craters with two maps.

    Raises
    ------
    RankingError
        If no crater has two maps, or if choices were already made between other maps.
    LabelError
        If a mask is not on the mosaic's grid.
    """
    folder = project.outputs / "ranking"
    plan = _make_plan(project, folder, maps, crater_ids)
    begun = bool(read_choices(folder / "choices.jsonl"))
    if begun and plan != _read_plan(folder):
        raise _different_study(folder, "of other maps or craters")
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    replace_file(folder / "study.json", memoryview(json.dumps(plan).encode()))
    folders = {name: folder / text for name, text in plan["maps"].items()}
    pictures = {}
    for crater in track(project.chosen_craters(plan["craters"]), "drawing maps"):
        paths = _mask_paths(folders, crater.crater_id)
        masks = {name: hashlib.sha256(read_bytes(path)).hexdigest() for name, path in paths.items()}
        known = _read_pictures(folder, crater)
        if known is None or known.masks != masks:
            if begun:
                raise _different_study(folder, f"in which crater {crater.crater_id} had other maps")
            readers = {name: map_reader(folders[name], project.mosaic.grid) for name in masks}
            parts = draw_crater(project.mosaic, crater, readers, folder / "pictures")
            known = Pictures(crater.name, *parts, masks)
            text = json.dumps(asdict(known), ensure_ascii=False)
            replace_file(_pictures_path(folder, crater), memoryview(text.encode()))
        pictures[crater.crater_id] = known
    study = Study(folder, folders, pictures, plan["seed"])
    if not study.pairs:
        raise RankingError(f"{', '.join(map(str, folders.values()))}: their maps are all the same")
    return study


def map_reader(folder: Path, grid: Grid) -> ReadMap:
    """Function from a crater's id to its map in a folder, as labels; the last map is kept in memory."""

    @lru_cache(1)
    def read(crater_id: int) -> Labels:
        mask = read_mask(crater_path(folder, crater_id, "mask"), grid)
        return Labels(grid, {crater_id: mask}, None)

    return read


def _make_plan(
    project: Project, folder: Path, maps: Mapping[str, Path], crater_ids: Sequence[int] | None
) -> Plan:
    """Maps, craters and seed of the study: as given, else as when it was opened last, else from the project."""
    previous = _read_plan(folder) or {"maps": {}, "craters": None, "seed": project.settings.seed}
    folders = {name: _map_folder(name, path) for name, path in maps.items()}
    folders = folders or {name: folder / text for name, text in previous["maps"].items()}
    folders = folders or _comparison_folders(project)
    ids = previous["craters"] if crater_ids is None and not maps else crater_ids
    chosen = [crater.crater_id for crater in project.chosen_craters(ids)]
    comparable = [crater_id for crater_id in chosen if len(_mask_paths(folders, crater_id)) > 1]
    if not comparable:
        where = ", ".join(map(str, folders.values())) or project.folder / "compare"
        raise RankingError(
            f"{where}: no crater has two maps there: name two folders of maps with --maps NAME=FOLDER,"
            f" or run ejectamap compare {project.folder} first"
        )
    paths = {name: relative_path(path, folder) for name, path in folders.items()}
    return {"maps": paths, "craters": comparable, "seed": previous["seed"]}


def _read_plan(folder: Path) -> Plan | None:
    """Maps, craters and seed of the study when it was opened last; None if it is new."""
    path = folder / "study.json"
    if not path.exists():
        return None
    with reading(path, f"move {folder} away and run ejectamap rank again"):
        plan: Plan = json.loads(path.read_text(encoding="utf-8"))
    return plan


def _read_pictures(folder: Path, crater: Crater) -> Pictures | None:
    """Pictures of a crater that were drawn before; None if there are none."""
    path = _pictures_path(folder, crater)
    if not path.exists():
        return None
    with reading(path, f"move {folder} away and run ejectamap rank again"):
        return Pictures(**json.loads(path.read_text(encoding="utf-8")))


def _comparison_folders(project: Project) -> dict[str, Path]:
    """Folders of maps that `ejectamap compare` wrote, by method."""
    folders = sorted((project.folder / "compare").glob("*/map"))
    return {path.parent.name: path for path in folders}


def _map_folder(name: str, path: Path) -> Path:
    """Folder of maps in a project or in a method's folder, or the folder itself."""
    for folder in (path / "map", path):
        if any(folder.glob("crater_*_mask.tif")):
            return folder
    raise RankingError(
        f"--maps {name}={path}: holds no crater_{{id}}_mask.tif: give a project that is mapped, or its folder of maps"
    )


def _mask_paths(folders: Mapping[str, Path], crater_id: int) -> dict[str, Path]:
    """Paths of a crater's masks, by the map's name, where they exist."""
    paths = {name: crater_path(folder, crater_id, "mask") for name, folder in folders.items()}
    return {name: path for name, path in paths.items() if path.exists()}


def _pictures_path(folder: Path, crater: Crater) -> Path:
    return folder / f"crater_{crater.crater_id}.json"


def _different_study(folder: Path, difference: str) -> RankingError:
    return RankingError(
        f"{folder}: holds choices of a study {difference}: move the folder away to begin another one"
    )
