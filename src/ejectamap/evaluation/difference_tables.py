"""The difference between two maps as tables of text."""

from ejectamap.evaluation.difference import CraterAgreement, Difference, FigureDifference
from ejectamap.evaluation.tables import FigureTable, format_figure, format_interval

_SUBSETS = {
    "unseen": "labels that no network was trained on",
    "test": "test labels that a network was trained on",
    "all": "labels that a network was trained on",
}
_MOST_CRATERS = 20
_LONGEST_NAME = 18


def difference_tables(difference: Difference) -> list[FigureTable]:
    """Tables of the figures of merit, where there are labels, and of each crater's agreement."""
    tables = []
    if difference.judged is not None:
        tables.append(_figure_table(difference, difference.judged))
    return [*tables, _crater_table(difference)]


def _figure_table(difference: Difference, subset: str) -> FigureTable:
    figures = difference.figures[subset].values()
    rows = tuple(
        (
            figure.title,
            format_figure(figure.before),
            format_figure(figure.after),
            _signed(figure.paired.difference),
            format_interval(figure.paired.low, figure.paired.high),
        )
        for figure in figures
    )
    notes = [_verdict(list(figures))]
    if difference.unrecorded:
        notes.append(
            f"Not known: all that was trained on by {', '.join(difference.unrecorded)}; labels that count as not"
            " trained on may have been."
        )
    head = ("", "Before", "After", "Difference", "95 % interval")
    return FigureTable(f"Figures of merit, on {_SUBSETS[subset]}", head, rows, tuple(notes))


def _verdict(figures: list[FigureDifference]) -> str:
    """Which figures differ beyond chance."""
    craters = max(figure.paired.craters for figure in figures)
    over = f"{craters} crater{'' if craters == 1 else 's'} with such labels"
    if not any(figure.paired.enough_craters for figure in figures):
        return f"{over}: too few to tell a difference from chance; six are the least."
    changes = {
        "better": [f.title for f in figures if f.paired.is_beyond_chance and f.paired.low > 0],
        "worse": [f.title for f in figures if f.paired.is_beyond_chance and f.paired.high < 0],
    }
    found = [f"{change} in {', '.join(titles)}" for change, titles in changes.items() if titles]
    if not found:
        return f"No difference is beyond chance: every interval, over {over}, holds 0."
    return f"Beyond chance: {'; '.join(found)} (the interval, over {over}, excludes 0)."


def _crater_table(difference: Difference) -> FigureTable:
    """Areas of the craters that changed most, and of all."""
    by_change = sorted(difference.craters, key=lambda c: (-_changed_km2(c), c.crater_id))
    rows = [_crater_row(crater) for crater in by_change[:_MOST_CRATERS]]
    area, pixels = difference.area_km2, difference.pixels
    numbers = area.tp + area.fn, area.tp + area.fp, area.fp, area.fn
    if len(difference.craters) > 1:
        rows.append(("All", *(f"{n:,.0f}" for n in numbers), format_figure(pixels.iou)))
    head = ("Crater", "Before", "After", "Gained", "Lost", "IoU")
    return FigureTable("Ejecta of each crater, km²", head, tuple(rows), tuple(_notes(difference)))


def _crater_row(crater: CraterAgreement) -> tuple[str, ...]:
    row = crater.row()
    names = "before_km2", "after_km2", "gained_km2", "lost_km2"
    name = f"{crater.name[:_LONGEST_NAME]} ({crater.crater_id})"
    return name, *(f"{row[key]:,.0f}" for key in names), format_figure(row["iou"])


def _notes(difference: Difference) -> list[str]:
    """What the tables do not show: further craters, changed origins, and what the maps were made with."""
    notes = []
    if difference.figures and difference.judged is None:
        notes.append("The labels hold no ejecta of these craters: there is nothing to judge.")
    notes.append(
        f"{difference.origin_changed_km2:,.0f} km² have ejecta of another origin than before."
    )
    more = len(difference.craters) - _MOST_CRATERS
    if more > 0:
        notes.append(f"{more} craters that changed less are in craters.csv alone.")
    alone = {
        difference.before.name: difference.only_before,
        difference.after.name: difference.only_after,
    }
    for name, ids in alone.items():
        if ids:
            notes.append(f"On {name} alone: {_crater_ids(ids)}.")
    changed = [
        f"{k}: {_text(a)} before, {_text(b)} after" for k, (a, b) in difference.settings.items()
    ]
    notes += [f"Settings that differ: {'; '.join(changed)}."] if changed else []
    notes.append(f"Made with {'the same' if difference.same_networks else 'other'} networks.")
    return notes


def _changed_km2(crater: CraterAgreement) -> float:
    return crater.area_km2.fp + crater.area_km2.fn


def _crater_ids(ids: tuple[int, ...]) -> str:
    return f"crater{'' if len(ids) == 1 else 's'} {', '.join(map(str, ids))}"


def _text(value: object) -> str:
    return "none" if value is None else str(value)


def _signed(number: float) -> str:
    text = format_figure(number)
    return text if text == "–" or number < 0 else f"+{text}"
