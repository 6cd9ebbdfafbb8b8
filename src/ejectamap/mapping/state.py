"""What of each crater's map is there already, and what it was made from: small notes in `map/.done`.

A note names the fingerprint behind a crater's probabilities and the threshold of its mask. It is written after the
files it speaks of, and taken back before they are touched: whatever moment a run ends at, a note never lies.
"""

import json
from pathlib import Path

from ejectamap.errors import OutputError
from ejectamap.mapping.files import replace_file
from ejectamap.project import Project
from ejectamap.world.craters import Crater

IMPORTED = "imported"  # stands for the fingerprint of a map that was made elsewhere


def prepare(project: Project) -> None:
    """Make the folders, and remove what an earlier run was writing when it was killed."""
    try:
        (project.maps / ".done").mkdir(parents=True, exist_ok=True)
        for folder in (project.outputs, project.maps, project.maps / ".done"):
            for partial in folder.glob(".*.partial"):
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{project.maps}: cannot be made ({error.strerror})") from error


def is_predicted(project: Project, crater: Crater, mark: str) -> bool:
    """Whether the crater's probabilities and connections are there and have this fingerprint."""
    files = (probability_path(project, crater), connections_path(project, crater))
    return _read(project, crater).get("fingerprint") == mark and all(f.exists() for f in files)


def is_done(project: Project, crater: Crater, mark: str) -> bool:
    """Whether all files of a crater are there, with this fingerprint and today's threshold."""
    masked = _read(project, crater).get("threshold") == project.settings.map.threshold
    return masked and _is_masked(project, crater) and is_predicted(project, crater, mark)


def is_imported(project: Project, crater: Crater) -> bool:
    """Whether the crater's files are there and were made elsewhere; their mask has the threshold it came with."""
    return _is_masked(project, crater) and is_predicted(project, crater, IMPORTED)


def forget(project: Project, crater: Crater) -> None:
    """Take a crater's note back: its files are about to change."""
    _note_path(project, crater).unlink(missing_ok=True)


def note_predicted(project: Project, crater: Crater, mark: str) -> None:
    """Note that probabilities and connections are there, and that mask and outline may not belong to them."""
    _write(project, crater, {"fingerprint": mark})


def note_done(project: Project, crater: Crater, mark: str) -> None:
    """Note that all files of a crater are there."""
    _write(project, crater, {"fingerprint": mark, "threshold": project.settings.map.threshold})


def is_current(project: Project, path: Path) -> bool:
    """Whether a file is there that was made after all of the craters' maps."""
    masks = (mask_path(project, crater) for crater in project.craters)
    newest = max((p.stat().st_mtime for p in masks if p.exists()), default=0.0)
    return path.exists() and path.stat().st_mtime >= newest


def probability_path(project: Project, crater: Crater) -> Path:
    """Where a crater's probabilities are."""
    return project.maps / f"crater_{crater.crater_id}_probability.tif"


def mask_path(project: Project, crater: Crater) -> Path:
    """Where a crater's mask is."""
    return project.maps / f"crater_{crater.crater_id}_mask.tif"


def outline_path(project: Project, crater: Crater) -> Path:
    """Where a crater's own row of the polygons is."""
    return project.maps / ".done" / f"outline_{crater.crater_id}.parquet"


def connections_path(project: Project, crater: Crater) -> Path:
    """Where a crater's own part of the connection table is."""
    return project.maps / ".done" / f"connections_{crater.crater_id}.parquet"


def _is_masked(project: Project, crater: Crater) -> bool:
    return mask_path(project, crater).exists() and outline_path(project, crater).exists()


def _note_path(project: Project, crater: Crater) -> Path:
    return project.maps / ".done" / f"crater_{crater.crater_id}.json"


def _write(project: Project, crater: Crater, note: dict[str, object]) -> None:
    replace_file(_note_path(project, crater), memoryview(json.dumps(note).encode()))


def _read(project: Project, crater: Crater) -> dict[str, object]:
    """A crater's note; empty if there is none."""
    try:
        note = json.loads(_note_path(project, crater).read_text())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
