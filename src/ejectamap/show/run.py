"""Draw the pictures of a finished map: the globe, and a card for each crater."""

from functools import partial
from pathlib import Path

from rich.progress import track

from ejectamap.analysis.measure import ANALYSIS_NAME, read_analysis
from ejectamap.mapping.mapfiles import MapFiles
from ejectamap.mapping.state import is_current, mask_path, probability_path
from ejectamap.project import Project
from ejectamap.show.card import ReadTruth, crater_card
from ejectamap.show.globe import global_map
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels


def draw_maps(project: Project) -> None:
    """Draw map/global.png and map/crater_{id}.png; a card that is newer than its map and its measurements stays.

    Raises
    ------
    OutputError
        If a map is missing or a picture cannot be written.
    """
    files = MapFiles(project.maps, project.mosaic.grid)
    owners = files.origin_overview()
    # Craters that own nothing may lie under others.
    mapped = [c for c in project.craters if probability_path(project, c).exists()]
    second = files.overlaps_overview(crater.crater_id for crater in mapped)
    global_map(project.maps / "global.png", project.mosaic, project.craters, owners, second)
    blankets_m = _blankets_m(project)
    stale = [crater for crater in mapped if _is_stale(project, crater, bool(blankets_m))]
    for crater in track(stale, "drawing cards", disable=not stale):
        draw_card(project, crater, blankets_m.get(crater.crater_id))


def draw_card(project: Project, crater: Crater, blanket_m: float | None = None) -> None:
    """Draw map/crater_{id}.png of a crater that is mapped; see `crater_card`."""
    probability = partial(MapFiles(project.maps, project.grid).sample, crater.crater_id)
    truth = _truth(project.labels, crater)
    path = card_path(project, crater)
    threshold = project.settings.map.threshold
    crater_card(path, project.mosaic, crater, probability, truth, blanket_m, threshold)


def _truth(labels: Labels | None, crater: Crater) -> ReadTruth | None:
    """Look up what people drew of a crater; None if they did not."""
    if labels is None or crater.crater_id not in labels.masks:
        return None
    return partial(labels.sample, crater.crater_id)


def card_path(project: Project, crater: Crater) -> Path:
    """Where the card of a crater is drawn."""
    return project.maps / f"crater_{crater.crater_id}.png"


def _blankets_m(project: Project) -> dict[int, float]:
    """Measured radius of each crater's blanket, by id; none unless measured on these very maps."""
    if not is_current(project, project.outputs / ANALYSIS_NAME):
        return {}
    table = read_analysis(project)
    radii_m = 1000 * table["blanket_radius_km"].dropna()
    return dict(zip(table.loc[radii_m.index, "crater_id"], radii_m, strict=True))


def _is_stale(project: Project, crater: Crater, measured: bool) -> bool:
    """Whether a card is older than the map, or than the measurements if they are on it."""
    card, behind = card_path(project, crater), [mask_path(project, crater)]
    if measured:
        behind.append(project.outputs / ANALYSIS_NAME)
    return not card.exists() or any(card.stat().st_mtime < b.stat().st_mtime for b in behind)
