"""What the networks of a map were trained on, recorded with the map: they may be trained anew, and the map stays."""

import json
from pathlib import Path

from pydantic import ValidationError

from ejectamap.files import read_text, replace_file
from ejectamap.project.folder import Project
from ejectamap.project.lineage import SeenPlanet
from ejectamap.project.seen import SeenLabels, read_seen_labels
from ejectamap.world.grid import Grid

_NAME = "trained_on.json"


def record_training(project: Project) -> None:
    """Record with a project's map what its present networks were trained on; errors as `read_seen_labels`."""
    seen = read_seen_labels(project)
    content = {
        "planets": [planet.model_dump(mode="json") for planet in seen.planets],
        "unrecorded": seen.unrecorded,
    }
    replace_file(project.maps / ".done" / _NAME, json.dumps(content).encode())


def read_training(maps: Path, grid: Grid) -> SeenLabels:
    """What the networks of a map were trained on; "its networks" are unrecorded in maps of earlier versions.

    Parameters
    ----------
    maps : Path
        Folder of the map.
    grid : Grid
        Of the tiles that are asked for.
    """
    try:
        content = json.loads(read_text(maps / ".done" / _NAME))
        planets = tuple(SeenPlanet.model_validate(planet) for planet in content["planets"])
        unrecorded = tuple(str(name) for name in content["unrecorded"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return SeenLabels(grid, planets=(), unrecorded=("its networks",))
    return SeenLabels(grid, planets=planets, unrecorded=unrecorded)
