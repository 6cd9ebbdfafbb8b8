"""Draw the pictures of a finished map: the global picture, and a card for each crater."""

from functools import partial

from ejectamap.analysis.measure import ANALYSIS_NAME, read_analysis
from ejectamap.maps.edits import read_edit
from ejectamap.maps.outlines import read_polygons
from ejectamap.maps.reader import MapReader
from ejectamap.maps.state import card_path, is_newer_than_masks, mask_path, probability_path
from ejectamap.progress import status, track
from ejectamap.project.folder import Project
from ejectamap.show.card import SampleLabels, plot_crater_card
from ejectamap.show.globe import plot_global_map
from ejectamap.show.map_elements import read_credit
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels


def draw_maps(project: Project) -> None:
    """Draw map/global.png and map/crater_{id}.png; a card that is newer than its map and its measurements is kept.

    Raises
    ------
    OutputError
        If a map is missing or a picture cannot be written.
    """
    ejecta_map = MapReader(project.maps, project.mosaic.grid)
    origin = ejecta_map.origin_overview()
    # A crater that is the origin of no pixel may still have ejecta below those of others.
    mapped = [c for c in project.craters if probability_path(project, c).exists()]
    second = ejecta_map.overlaps_overview(crater.crater_id for crater in mapped)
    path = project.maps / "global.png"
    with status("drawing the planet"):
        plot_global_map(
            path,
            project.mosaic,
            project.craters,
            origin,
            second,
            areas_km2=mask_areas_km2(project),
            threshold=project.settings.map.threshold,
            credit=project.settings.products.credit,
        )
    blankets_m = _blankets_m(project)
    stale = [crater for crater in mapped if _card_is_outdated(project, crater, bool(blankets_m))]
    for crater in track(stale, "drawing cards"):
        draw_card(project, crater, blankets_m.get(crater.crater_id))


def draw_card(project: Project, crater: Crater, blanket_m: float | None = None) -> None:
    """Draw map/crater_{id}.png of a crater that is mapped; see `plot_crater_card`."""
    sample_probability = partial(MapReader(project.maps, project.grid).sample, crater.crater_id)
    sample_labels = _label_sampler(project.labels, crater)
    edit = read_edit(project, crater.crater_id)
    plot_crater_card(
        card_path(project, crater),
        project.mosaic,
        crater,
        sample_probability,
        project.settings.map.threshold,
        sample_labels,
        blanket_m,
        label_text=describe_label(project, crater) or "",
        sample_edit=None if edit is None else partial(edit.sample, project.grid),
        credit=project.settings.products.credit,
    )


def describe_label(project: Project, crater: Crater) -> str | None:
    """Describe where a crater's label comes from; None if it has none."""
    if project.labels is None or crater.crater_id not in project.labels.masks:
        return None
    return project.label_sources.areas_of(project.labels, crater.crater_id).describe()


def mask_areas_km2(project: Project) -> dict[int, float]:
    """Area of each crater's mask in km², by crater id, as in map/ejecta.gpkg; craters without ejecta are left out."""
    table = read_polygons(project)
    return dict(zip(table["crater_id"].tolist(), table["area_km2"].tolist(), strict=True))


def _label_sampler(labels: Labels | None, crater: Crater) -> SampleLabels | None:
    """Function that samples a crater's labels; None if the crater is not labelled."""
    if labels is None or crater.crater_id not in labels.masks:
        return None
    return partial(labels.sample, crater.crater_id)


def _blankets_m(project: Project) -> dict[int, float]:
    """Measured radius of each crater's blanket, by crater id; empty unless measured on the present maps."""
    if not is_newer_than_masks(project, project.outputs / ANALYSIS_NAME):
        return {}
    table = read_analysis(project)
    radii_m = 1000 * table["blanket_radius_km"].dropna()
    return dict(zip(table.loc[radii_m.index, "crater_id"], radii_m, strict=True))


def _card_is_outdated(project: Project, crater: Crater, measured: bool) -> bool:
    """Whether a card is missing, has another credit, or is older than the map, the labels or the measurements."""
    card, sources = card_path(project, crater), [mask_path(project, crater)]
    sources += project.label_files(crater.crater_id)
    if measured:
        sources.append(project.outputs / ANALYSIS_NAME)
    if not card.exists() or read_credit(card) != project.settings.products.credit:
        return True
    return any(card.stat().st_mtime < s.stat().st_mtime for s in sources)
