"""Paths of each crater's files, and records of their state: small JSON files in `map/.done`.

A crater's record holds the fingerprint of its probabilities and the threshold of its mask. It is written after the
files it describes and deleted before they change, so that it is right at whatever moment a run is interrupted.
"""

import json
from pathlib import Path

from ejectamap.errors import OutputError
from ejectamap.files import replace_file
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater

IMPORTED = "imported"
"""Stands for the fingerprint of a map that was made outside this project."""


def prepare_folders(project: Project) -> None:
    """Make the map folders, and remove files that an interrupted run left half-written."""
    try:
        (project.maps / ".done").mkdir(parents=True, exist_ok=True)
        for folder in (project.outputs, project.maps, project.maps / ".done"):
            for partial in folder.glob(".*.partial"):
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{project.maps}: cannot be made ({error.strerror})") from error


def is_predicted(project: Project, crater: Crater, fingerprint: str) -> bool:
    """Whether the crater's probabilities and connections exist and have this fingerprint."""
    files = (probability_path(project, crater), connections_path(project, crater))
    return _read(project, crater).get("fingerprint") == fingerprint and all(
        f.exists() for f in files
    )


def is_done(project: Project, crater: Crater, fingerprint: str) -> bool:
    """Whether all files of a crater exist, with this fingerprint and the threshold of the settings."""
    same_threshold = _read(project, crater).get("threshold") == project.settings.map.threshold
    return (
        same_threshold
        and _is_masked(project, crater)
        and is_predicted(project, crater, fingerprint)
    )


def is_imported(project: Project, crater: Crater) -> bool:
    """Whether the crater's files exist and were imported; their mask has the threshold it came with."""
    return _is_masked(project, crater) and is_predicted(project, crater, IMPORTED)


def delete_record(project: Project, crater: Crater) -> None:
    """Delete a crater's record, before its files change."""
    _record_path(project, crater).unlink(missing_ok=True)


def record_predicted(project: Project, crater: Crater, fingerprint: str) -> None:
    """Record that probabilities and connections are complete, and that mask and outline may not belong to them."""
    _write(project, crater, {"fingerprint": fingerprint})


def record_done(project: Project, crater: Crater, fingerprint: str) -> None:
    """Record that all files of a crater are complete."""
    _write(
        project, crater, {"fingerprint": fingerprint, "threshold": project.settings.map.threshold}
    )


def is_newer_than_masks(project: Project, path: Path) -> bool:
    """Whether a file exists that is newer than all of the craters' masks."""
    masks = (mask_path(project, crater) for crater in project.craters)
    newest = max((p.stat().st_mtime for p in masks if p.exists()), default=0.0)
    return path.exists() and path.stat().st_mtime >= newest


def crater_path(folder: Path, crater_id: int, product: str) -> Path:
    """Path of a crater's raster, "probability" or "mask", in a map folder."""
    return folder / f"crater_{crater_id}_{product}.tif"


def probability_path(project: Project, crater: Crater) -> Path:
    """Path of a crater's stored probabilities."""
    return crater_path(project.maps, crater.crater_id, "probability")


def mask_path(project: Project, crater: Crater) -> Path:
    """Path of a crater's mask."""
    return crater_path(project.maps, crater.crater_id, "mask")


def card_path(project: Project, crater: Crater) -> Path:
    """Path of a crater's card, its figure for people."""
    return project.maps / f"crater_{crater.crater_id}.png"


def outline_path(project: Project, crater: Crater) -> Path:
    """Path of the table with a crater's own polygon."""
    return project.maps / ".done" / f"outline_{crater.crater_id}.parquet"


def connections_path(project: Project, crater: Crater) -> Path:
    """Path of a crater's own part of the connection table."""
    return project.maps / ".done" / f"connections_{crater.crater_id}.parquet"


def _is_masked(project: Project, crater: Crater) -> bool:
    return mask_path(project, crater).exists() and outline_path(project, crater).exists()


def _record_path(project: Project, crater: Crater) -> Path:
    return project.maps / ".done" / f"crater_{crater.crater_id}.json"


def _write(project: Project, crater: Crater, record: dict[str, object]) -> None:
    replace_file(_record_path(project, crater), memoryview(json.dumps(record).encode()))


def _read(project: Project, crater: Crater) -> dict[str, object]:
    """A crater's record; empty if there is none."""
    try:
        record = json.loads(_record_path(project, crater).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
