"""Paths of each crater's files, and records of their state: small JSON files in `map/.done`.

A crater's record holds the fingerprint of its probabilities, the digests of the parts that it is made of, and the
threshold of its mask. It is written after the files it describes and deleted before they change, so that it is right at
whatever moment a run is interrupted.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from ejectamap.errors import OutputError
from ejectamap.files import read_text, remove_partial_files, replace_file
from ejectamap.maps.edits import edit_digest
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater

IMPORTED = "imported"
"""Stands for the fingerprint of a map that was made outside this project."""


def prepare_folders(project: Project) -> None:
    """Make the map folders, and remove files that an interrupted run left half-written."""
    try:
        _records(project).mkdir(parents=True, exist_ok=True)
        for folder in (project.outputs, project.maps, _records(project)):
            remove_partial_files(folder)
    except OSError as error:
        raise OutputError(f"{project.maps}: cannot be made ({error.strerror})") from error


def is_predicted(project: Project, crater: Crater, *fingerprints: str) -> bool:
    """Whether the crater's probabilities and connections exist and have one of these fingerprints."""
    return recorded_fingerprint(project, crater) in fingerprints


def is_done(project: Project, crater: Crater, *fingerprints: str) -> bool:
    """Whether all files of a crater exist, with one of these fingerprints and the threshold of the settings."""
    return has_present_mask(project, crater) and is_predicted(project, crater, *fingerprints)


def is_imported(project: Project, crater: Crater) -> bool:
    """Whether the crater's files exist and were imported; their mask has the threshold it came with."""
    return _is_masked(project, crater) and is_predicted(project, crater, IMPORTED)


def has_present_mask(project: Project, crater: Crater) -> bool:
    """Whether mask and outline exist and belong to the probabilities, with threshold and edit as at present."""
    record = _read(project, crater)
    same = record.get("threshold") == project.settings.map.threshold
    return same and has_present_edit(project, crater) and _is_masked(project, crater)


def has_present_edit(project: Project, crater: Crater) -> bool:
    """Whether the crater's mask and outline have the present edit of its map, or none as there is none."""
    return _read(project, crater).get("edit") == edit_digest(project, crater.crater_id)


def recorded_fingerprint(project: Project, crater: Crater) -> str | None:
    """Fingerprint of a crater's probabilities and connections; None if one of the two or the record is missing."""
    fingerprint = _read(project, crater).get("fingerprint")
    files = (probability_path(project, crater), connections_path(project, crater))
    return fingerprint if isinstance(fingerprint, str) and all(f.exists() for f in files) else None


def recorded_parts(project: Project, crater: Crater) -> Mapping[str, str]:
    """Digest of each part of the recorded fingerprint, by name; empty in records of earlier versions."""
    parts = _read(project, crater).get("parts")
    return parts if isinstance(parts, dict) else {}


def recorded_ids(project: Project) -> list[int]:
    """Ids of all craters with a record, whether or not they are in the catalogue."""
    names = (re.fullmatch(r"crater_(\d+)\.json", p.name) for p in _records(project).glob("*.json"))
    return sorted(int(name[1]) for name in names if name)


def delete_record(project: Project, crater: Crater) -> None:
    """Delete a crater's record, before its files change."""
    _record_path(project, crater).unlink(missing_ok=True)


def record_predicted(project: Project, crater: Crater) -> None:
    """Record that mask and outline may not belong to the probabilities, which stay."""
    record = {key: value for key, value in _read(project, crater).items() if key != "threshold"}
    _write(project, crater, record)


def record_masked(project: Project, crater: Crater, edit: str | None) -> None:
    """Record that mask and outline belong to the probabilities and to an edit, and that all files are complete."""
    record = {key: value for key, value in _read(project, crater).items() if key != "edit"}
    _write(project, crater, {**record, **_mask_record(project, edit)})


def record_done(
    project: Project, crater: Crater, fingerprint: str, parts: Mapping[str, str], edit: str | None
) -> None:
    """Record that all files of a crater are complete; a record that says so already stays."""
    record = {"fingerprint": fingerprint, **_mask_record(project, edit), "parts": dict(parts)}
    if _read(project, crater) != record:
        _write(project, crater, record)


def renew_record(
    project: Project, crater: Crater, fingerprint: str, parts: Mapping[str, str]
) -> None:
    """Record a fingerprint as this version computes it, of files that are complete and stay."""
    record = {**_read(project, crater), "fingerprint": fingerprint, "parts": dict(parts)}
    if _read(project, crater) != record:
        _write(project, crater, record)


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
    return _records(project) / f"outline_{crater.crater_id}.parquet"


def connections_path(project: Project, crater: Crater) -> Path:
    """Path of a crater's own part of the connection table."""
    return _records(project) / f"connections_{crater.crater_id}.parquet"


def _is_masked(project: Project, crater: Crater) -> bool:
    return mask_path(project, crater).exists() and outline_path(project, crater).exists()


def _records(project: Project) -> Path:
    """Folder of the records, and of each crater's part of the global tables."""
    return project.maps / ".done"


def _mask_record(project: Project, edit: str | None) -> dict[str, object]:
    """What a record says of the mask: its threshold, and the digest of its edit if it has one."""
    threshold = project.settings.map.threshold
    return {"threshold": threshold} if edit is None else {"threshold": threshold, "edit": edit}


def _record_path(project: Project, crater: Crater) -> Path:
    return _records(project) / f"crater_{crater.crater_id}.json"


def _write(project: Project, crater: Crater, record: dict[str, object]) -> None:
    replace_file(
        _record_path(project, crater), memoryview(json.dumps(record, sort_keys=True).encode())
    )


def _read(project: Project, crater: Crater) -> dict[str, object]:
    """A crater's record; empty if there is none, or it is damaged."""
    try:
        record = json.loads(read_text(_record_path(project, crater)))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
