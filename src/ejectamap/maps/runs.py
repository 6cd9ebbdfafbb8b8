"""Runs: earlier maps of a project, each kept in a folder of `runs` with the results and settings that belong to it.

`ejectamap map` keeps the map that is there before it changes it, and a person keeps one under a name of their own. The
files of a map are replaced by renaming and never written in place, so that a kept raster is a hard link to it, where
the disk has such links: it takes no space before the map's own raster is replaced.
"""

import hashlib
import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ejectamap.errors import OutputError, ProjectError, SettingsError
from ejectamap.files import (
    hash_file,
    move_into_place,
    partial_path,
    read_bytes,
    read_text,
    remove_partial_files,
    replace_file,
)
from ejectamap.maps.provenance import Fingerprints
from ejectamap.maps.state import IMPORTED, is_done
from ejectamap.project.folder import Project
from ejectamap.project.lock import writes_project
from ejectamap.project.migrations import migrate
from ejectamap.project.yaml import make_settings, write_settings

PRESENT = "present"
"""Stands for the map in the project's own folder `map`, where a run is named."""
SETTINGS_NAME = "settings.yaml"

_RECORD = "run.json"
_NAME = re.compile(r"[\w][\w.+-]*")
_RESULTS = (
    *("evaluation.json", "analysis.csv", "analysis-columns.csv"),
    *("rays.csv", "rays.gpkg", "rays-columns.csv"),
)
# People open the other files, tables above all, and their programs save them in place: those are copied.
_LINKED = {".tif", ".png", ".parquet"}


@dataclass(frozen=True)
class Run:
    """A finished map with the results that belong to it.

    Attributes
    ----------
    name : str
        `PRESENT` for the one in the project's folder `map`.
    folder : Path
        Holds map/, provenance.json and, where there are any, evaluation.json, analysis.csv, settings.yaml.
    automatic : bool
        Whether it is one of the few latest that `ejectamap map` kept; others stay until a person deletes them.
    """

    name: str
    folder: Path
    automatic: bool = False

    @property
    def maps(self) -> Path:
        """Folder of the craters' maps."""
        return self.folder / "map"

    @property
    def edits(self) -> Path:
        """Folder of the edits of the craters' maps."""
        return self.folder / "edits"

    @property
    def provenance(self) -> dict[str, Any]:
        """Content of its provenance.json; raises `OutputError` if that is damaged."""
        path = self.folder / "provenance.json"
        try:
            content = json.loads(read_text(path))
            content["craters"], content["settings"]["map"]["threshold"], content["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{path}: is missing or damaged ({error}): delete the run, or map again"
            ) from None
        return dict(content)

    @property
    def crater_ids(self) -> list[int]:
        """Craters of the map."""
        return [int(crater_id) for crater_id in self.provenance["craters"]]

    @property
    def method(self) -> str:
        """Method that made it."""
        return str(self.provenance["settings"].get("method", "–"))

    @property
    def f1(self) -> float | None:
        """Pixel F1 of its evaluation, over the test set or else all labels; None without an evaluation of this map."""
        content = self.evaluation or {}
        subset = content.get("test" if content.get("split") else "all", {})
        f1: float | None = subset.get("pixel", {}).get("f1")
        return f1

    @property
    def evaluation(self) -> dict[str, Any] | None:
        """Content of its evaluation.json; None without an evaluation of this map."""
        name = "evaluation.json"
        return _read(self.folder / name) if self.is_result(name) else None

    @property
    def networks(self) -> str:
        """Digest of its networks in six letters: equal for the same networks; "–" without any."""
        content = self.provenance
        inputs = content["settings"]["inputs"]
        files = {
            name: digest
            for name, digest in content["files"].items()
            if name not in (inputs.get("mosaic"), inputs.get("craters"))
        }
        text = json.dumps(sorted(files.items()))
        return hashlib.blake2b(text.encode(), digest_size=3).hexdigest() if files else "–"

    @property
    def size_bytes(self) -> int:
        """Size of the files of its map."""
        return sum(path.stat().st_size for path in self.maps.rglob("*") if path.is_file())

    @property
    def made(self) -> datetime:
        """When its newest mask was made."""
        return datetime.fromtimestamp(self._newest_mask_s, UTC)

    def is_result(self, name: str) -> bool:
        """Whether a file of its folder exists, and is no older than its masks, so that it was made of them."""
        path = self.folder / name
        return path.exists() and path.stat().st_mtime >= self._newest_mask_s

    @property
    def _newest_mask_s(self) -> float:
        masks = self.maps.glob("crater_*_mask.tif")
        return max((path.stat().st_mtime for path in masks), default=0.0)


def keep_before_change(
    project: Project, fingerprints: Fingerprints, crater_ids: list[int]
) -> Run | None:
    """Keep the project's finished map, if mapping these craters changes it; drop the oldest kept in this way.

    A map that is continued, with the same inputs, settings and networks, is not kept, nor one to which craters are
    only added. Of a map that was interrupted while it replaced another one, that other one has been kept already.
    The maps of a comparison and of a search's trials are not kept.

    Returns
    -------
    Run or None
        The run that the map is kept as, this time or under a name before.

    Raises
    ------
    OutputError
        If it cannot be kept; the map is as it was then.
    """
    if project.results != "." or not _changes(project, fingerprints, crater_ids):
        return None
    limit = project.settings.map.keep_runs
    present = Run(PRESENT, project.outputs)
    named = [r for r in kept_runs(project) if not r.automatic and _is_same_map(r, present)]
    for run in named:  # with the results that were made since
        for name in filter(present.is_result, _RESULTS):
            replace_file(run.folder / name, read_bytes(present.folder / name))
    kept = named[0] if named else _keep(project, None) if limit else None
    automatic = sorted((run for run in kept_runs(project) if run.automatic), key=_age)
    for run in automatic[: max(0, len(automatic) - limit)]:
        _delete(run)
    return kept


@writes_project("runs")
def keep_as(project: Project, name: str) -> Run:
    """Keep the project's finished map under a name, until a person deletes it.

    Raises
    ------
    ProjectError
        If there is no finished map, or the name is taken or not possible.
    OutputError
        If it cannot be kept.
    """
    _require_free(project, name)
    require_finished(project)
    return _keep(project, name)


@writes_project("runs")
def rename_run(project: Project, old: str, new: str) -> Run:
    """Give a kept run another name; it stays until a person deletes it.

    Raises
    ------
    ProjectError
        If there is no run of the old name, or the new one is taken or not possible.
    """
    run = find_run(project, old)
    if new != old:
        _require_free(project, new)
    _write_record(run.folder, automatic=False)
    target = _folder(project) / new
    try:
        run.folder.replace(target)
    except OSError as error:
        raise _cannot(target, "be written", error) from error
    return Run(new, target)


@writes_project("runs")
def delete_run(project: Project, name: str) -> None:
    """Delete a kept run.

    Raises
    ------
    ProjectError
        If there is none of this name.
    OutputError
        If it cannot be deleted.
    """
    _delete(find_run(project, name))


def kept_runs(project: Project) -> list[Run]:
    """All kept runs, latest map first."""
    runs = [
        Run(path.parent.name, path.parent, bool(_read(path).get("automatic")))
        for path in _folder(project).glob(f"[!.]*/{_RECORD}")
    ]
    return sorted(runs, key=_age, reverse=True)


def find_run(project: Project, name: str) -> Run:
    """The kept run of a name.

    Raises
    ------
    ProjectError
        If there is none.
    """
    runs = kept_runs(project)
    for run in runs:
        if run.name == name:
            return run
    names = ", ".join(run.name for run in runs) or "none"
    raise ProjectError(
        f"{_folder(project)}: there is no run {name!r}, there are {names}:"
        f" ejectamap runs {project.folder} lists them"
    )


def require_finished(project: Project) -> Run:
    """The project's present map, which may be of earlier settings, inputs or networks, but of one moment.

    Raises
    ------
    ProjectError
        If there is none, or a run of `ejectamap map` was interrupted while it changed it.
    """
    if _finished(project) is None:
        state = "is not finished" if project.maps.is_dir() else "is not made yet"
        raise ProjectError(f"{project.maps}: {state}: run ejectamap map {project.folder} first")
    return Run(PRESENT, project.outputs)


def present_run(project: Project) -> Run | None:
    """The project's present map; None if there is none that is finished."""
    return None if _finished(project) is None else Run(PRESENT, project.outputs)


def _changes(project: Project, fingerprints: Fingerprints, crater_ids: list[int]) -> bool:
    """Whether mapping these craters replaces files of a finished map by those of other inputs or settings."""
    finished = _finished(project)
    if finished is None:
        return False
    if finished["settings"]["map"]["threshold"] != project.settings.map.threshold:
        return True
    if finished["fingerprint"] == fingerprints.whole:
        return False
    again = set(crater_ids) & {int(crater_id) for crater_id in finished["craters"]}
    return any(
        not is_done(project, crater, *fingerprints.accepted(crater.crater_id))
        for crater in project.craters
        if crater.crater_id in again
    )


def _finished(project: Project) -> dict[str, Any] | None:
    """Content of provenance.json, if the craters' files are still those that it names; else None."""
    try:
        content = Run(PRESENT, project.outputs).provenance
    except OutputError:
        return None
    threshold = content["settings"]["map"]["threshold"]
    for crater_id, fingerprint in content["fingerprints"].items():
        record = _read(project.maps / ".done" / f"crater_{crater_id}.json")
        same_mask = record.get("threshold") == threshold or fingerprint == IMPORTED
        if record.get("fingerprint") != fingerprint or not same_mask:
            return None
    return content if content["craters"] and (project.maps / "origin.tif").exists() else None


def _keep(project: Project, name: str | None) -> Run:
    """Keep the project's finished map under a name, or else automatically, under its date."""
    present = Run(PRESENT, project.outputs)
    same = [run for run in kept_runs(project) if _is_same_map(run, present)]
    folder = _folder(project)
    target = folder / (name or _free_name(folder, present.made))
    temporary = partial_path(target)
    try:
        folder.mkdir(exist_ok=True)
        remove_partial_files(folder)
        _link_folder(present.maps, temporary / "map")
        if present.edits.is_dir():
            _link_folder(present.edits, temporary / present.edits.name)
        _copy_results(present, temporary)
        _write_record(temporary, automatic=name is None)
        move_into_place(temporary, target)
    except OSError as error:
        raise _cannot(target, "be kept", error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for run in same:  # the same map without the results that were made since
        if run.automatic:
            _delete(run)
    return Run(target.name, target, name is None)


def _delete(run: Run) -> None:
    # Renamed first: what is left of it, should this be interrupted, is no run any more.
    rest = partial_path(run.folder)
    try:
        run.folder.replace(rest)
        shutil.rmtree(rest)
    except OSError as error:
        raise _cannot(run.folder, "be deleted", error) from error


def _copy_results(present: Run, folder: Path) -> None:
    """Copy what belongs to the present map into a run's folder: provenance, settings, results."""
    shutil.copy2(present.folder / "provenance.json", folder)
    for name in filter(present.is_result, _RESULTS):
        shutil.copy2(present.folder / name, folder)
    values = present.provenance["settings"]
    # Settings that no version can read any more are still in provenance.json.
    with suppress(SettingsError):
        values = values if "version" in values else migrate(values, SETTINGS_NAME)
        write_settings(make_settings(values, SETTINGS_NAME), folder / SETTINGS_NAME)


def _link_folder(source: Path, target: Path) -> None:
    """Make a folder with the same files: hard links where the disk has them, and copies."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.is_dir():
            _link_folder(path, target / path.name)
        elif path.suffix != ".partial":
            _link(path, target / path.name)


def _link(path: Path, target: Path) -> None:
    if path.suffix in _LINKED:
        with suppress(OSError):
            os.link(path, target)
            return
    shutil.copy2(path, target)


def _is_same_map(run: Run, present: Run) -> bool:
    """Whether two runs hold the same map: equal provenance gives equal files, but for imported and edited maps."""
    pairs = [
        (run.folder / name, present.folder / name) for name in ("provenance.json", "map/origin.tif")
    ]
    return all(a.exists() and hash_file(a) == hash_file(b) for a, b in pairs)


def _require_free(project: Project, name: str) -> None:
    """Check that a run may be given a name; raises `ProjectError`."""
    if not _NAME.fullmatch(name) or name == PRESENT:
        raise ProjectError(
            f"run {name!r}: is no possible name: use letters, digits, -, _, + and ., and not {PRESENT!r}"
        )
    if (_folder(project) / name).exists():
        raise ProjectError(
            f"{_folder(project) / name}: exists already: choose another name, or delete it with"
            f" ejectamap runs {project.folder} --delete {name}"
        )


def _free_name(folder: Path, made: datetime) -> str:
    """Name of a run from the date of its map, as in 2026-05-17-1432; numbered where that is taken."""
    name = f"{made.astimezone():%Y-%m-%d-%H%M}"
    taken = {path.name for path in folder.glob("*")}
    numbered = (f"{name}-{k}" for k in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def _age(run: Run) -> tuple[datetime, str]:
    return run.made, run.name


def _write_record(folder: Path, automatic: bool) -> None:
    replace_file(folder / _RECORD, (json.dumps({"automatic": automatic}) + "\n").encode())


def _read(path: Path) -> dict[str, Any]:
    """Content of a JSON file; empty if it is missing or damaged."""
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _folder(project: Project) -> Path:
    return project.folder / "runs"


def _cannot(path: Path, what: str, error: OSError) -> OutputError:
    return OutputError(
        f"{path}: cannot {what} ({error.strerror}): check space and permissions, and run again;"
        " map.keep_runs: 0 keeps no earlier map"
    )
