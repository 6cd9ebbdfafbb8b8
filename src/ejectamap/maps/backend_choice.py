"""Which backend runs each kind of network of a project: as set, or as chosen by an earlier trial.

The outcome of a trial (`mapping.backend_selection`) is kept in `.backend.json` beside the map, where every process
reads it: the backend never changes within a map.
"""

import json
from pathlib import Path
from typing import Any

from ejectamap.files import read_text
from ejectamap.project.folder import Project


def trial_path(project: Project) -> Path:
    """Path of the outcome of the last trial."""
    return project.outputs / ".backend.json"


def read_trial(project: Project) -> dict[str, Any]:
    """The outcome of the last trial; empty if there was none, or the file is damaged."""
    try:
        content = json.loads(read_text(trial_path(project)))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def backend_names(project: Project) -> dict[str, str]:
    """Backend of each kind of network that the method needs; "eager" where no trial was held yet."""
    setting = project.settings.map.backend
    chosen = read_trial(project).get("chosen", {}) if setting == "auto" else {}
    default = "eager" if setting == "auto" else setting
    return {kind: str(chosen.get(kind, default)) for kind in project.settings.network_configs}
