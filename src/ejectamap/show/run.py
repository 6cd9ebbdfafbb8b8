"""Draw the pictures of a finished map: the globe, and a card for each crater."""

from functools import partial
from pathlib import Path

from rich.progress import track

from ejectamap.evaluation.mapfiles import MapFiles
from ejectamap.project import Project
from ejectamap.show.card import ReadTruth, crater_card
from ejectamap.show.globe import global_map
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels


def draw_maps(project: Project) -> None:
    """Draw map/global.png and map/crater_{id}.png; a card that is newer than its map stays.

    Raises
    ------
    OutputError
        If a map is missing or a picture cannot be written.
    """
    files = MapFiles(project.maps, project.mosaic.grid)
    overview = files.origin_overview()
    global_map(project.maps / "global.png", project.mosaic, project.craters, overview)
    stale = [crater for crater in project.craters if _is_stale(project.maps, crater)]
    for crater in track(stale, "drawing cards", disable=not stale):
        probability = files.sampler(crater.crater_id)
        truth = _truth(project.labels, crater)
        crater_card(_card_path(project.maps, crater), project.mosaic, crater, probability, truth)


def _truth(labels: Labels | None, crater: Crater) -> ReadTruth | None:
    """Look up what people drew of a crater; None if they did not."""
    if labels is None or crater.crater_id not in labels.masks:
        return None
    return partial(labels.sample, crater.crater_id)


def _card_path(folder: Path, crater: Crater) -> Path:
    return folder / f"crater_{crater.crater_id}.png"


def _is_stale(folder: Path, crater: Crater) -> bool:
    mapped = folder / f"crater_{crater.crater_id}_probability.tif"
    card = _card_path(folder, crater)
    if not mapped.exists():
        return False
    return not card.exists() or card.stat().st_mtime < mapped.stat().st_mtime
