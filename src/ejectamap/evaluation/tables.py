"""Evaluations as tables of text, for a terminal or a page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ejectamap.evaluation import labels_used
from ejectamap.evaluation.scores import Evaluation
from ejectamap.project.splits import Leakage

Content = Mapping[str, Any]

_STRUCTURE = {
    "Structure": "structure",
    "Surface Dice 10 km": "surface_dice_10km",
    "clDice": "cldice",
    "Reached": "reached_length",
    "Balanced Hausdorff, km": "balanced_hausdorff_km",
    "Gaps per 1000 km": "gaps_per_1000km",
}
_FIGURES = {"F1 score": "f1", "Precision": "precision", "Recall": "recall", "IoU": "iou"}
_MOST_PAIRS = 12


@dataclass(frozen=True)
class FigureTable:
    """A table of formatted figures.

    Attributes
    ----------
    title : str
    head : tuple of str
        A heading for each column; the first column names the rows.
    rows : tuple of tuple of str
    notes : tuple of str
        Sentences that belong below it.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def print_table(table: FigureTable, console: Console) -> None:
    """Print a table, the first column aligned to the left and the others to the right, and its notes."""
    printed = Table(title=table.title, title_justify="left")
    for k, name in enumerate(table.head):
        printed.add_column(name, justify="right" if k else "left")
    for row in table.rows:
        printed.add_row(*map(Text, row))
    console.print(printed)
    for note in table.notes:
        console.print(Text(note), soft_wrap=True)


def format_figure(figure: float | None, digits: int = 3) -> str:
    """A figure with some decimals; a dash for None or nan."""
    return "–" if figure is None or math.isnan(figure) else f"{figure:.{digits}f}"


def format_interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """Both ends of an interval with some decimals; a dash if either is None or nan."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "–"
    return f"{low:.{digits}f} to {high:.{digits}f}"


def print_tables(evaluation: Evaluation, console: Console) -> None:
    """Print all tables of an evaluation; a line instead, if neither labels nor map have ejecta in any tile."""
    if evaluation.is_empty:
        console.print(
            "There is nothing to judge: neither labels nor map have ejecta where a tile lies within a crater's reach."
            " ejectamap check lists labels and tiles.",
            soft_wrap=True,
        )
        return
    for table in figure_tables(evaluation.to_dict()):
        print_table(table, console)


def figure_tables(content: Content) -> list[FigureTable]:
    """All tables of an evaluation.

    Parameters
    ----------
    content : mapping
        Of an evaluation.json.
    """
    tables = []
    for subset, title in subset_titles(content).items():
        tables.append(_main_table(title, content[subset], content["intervals"][subset]))
        tables.append(_distance_table(title, content[subset], content, subset == "test"))
    unrecorded = unrecorded_note(content)
    notes = [*labels_used.notes(content), *([] if unrecorded is None else [unrecorded])]
    tables[0] = replace(tables[0], notes=(*tables[0].notes, *notes))
    sources = labels_used.label_rows(content, _names(content))
    if sources:
        tables.append(FigureTable("Where the labels come from", labels_used.HEAD, sources))
    if content["families"]:
        tables.append(_family_table(content["families"]))
    if content["ceiling"] is not None:
        tables.append(_annotator_table(content["ceiling"]))
    tables.append(_crater_table(content["craters"]))
    if content["structure"] is not None:
        tables.append(_structure_table(content))
    return tables


def subset_titles(content: Content) -> dict[str, str]:
    """Titles of the subsets of an evaluation that are worth showing: "all", "test" and "unseen", as far as they differ.

    They say which part of the labels was trained on by the networks, or by those that these started from.

    Parameters
    ----------
    content : mapping
        Of an evaluation.json; those of ejectamap 0.2 do not know what was seen.
    """
    seen = content.get("seen") or {"test_px": 0, "seen_px": 0}
    fraction = seen["seen_px"] / seen["test_px"] if seen["test_px"] else 0.0
    part = "all" if fraction == 1 else f"{fraction:.1%}"
    if content["split"]:
        titles = {"all": "Train & test set", "test": "Test set only"}
        if fraction:
            titles["test"] = f"Test set (training started from networks trained on {part} of it)"
    else:
        titles = {"all": "All labels (none were trained on)"}
        if fraction:
            titles["all"] = f"All labels (the networks were trained on {part} of them)"
        elif not content.get("seen") or seen["unrecorded"]:
            titles["all"] = "All labels (none were held out)"
    if 0 < fraction < 1:
        titles["unseen"] = "Labels that no network was trained on"
    return titles


def is_independent(content: Content) -> bool:
    """Whether the headline figures (of the test set, or else of all labels) are of labels new to every network.

    Parameters
    ----------
    content : mapping
        Of an evaluation.json; without a record of what was seen, those of a test set count as independent.
    """
    seen = content.get("seen")
    if not seen:
        return bool(content.get("split"))
    return not seen["seen_px"] and (bool(content.get("split")) or not seen["unrecorded"])


def unrecorded_note(content: Content) -> str | None:
    """A sentence about networks of which it is not known what they were trained on; None if there are none.

    Parameters
    ----------
    content : mapping
        Of an evaluation.json.
    """
    networks = (content.get("seen") or {}).get("unrecorded", [])
    if not networks:
        return None
    return (
        f"Not known: all that {', '.join(networks)} {'was' if len(networks) == 1 else 'were'} trained on;"
        " labels that count as not trained on may have been."
    )


def wrong_origin_table(content: Content) -> FigureTable | None:
    """True ejecta assigned to a crater whose label does not hold them, most pixels first; None if there are none.

    Parameters
    ----------
    content : mapping
        Of an evaluation.json.
    """
    matrix = content["attribution"]
    if matrix is None:
        return None
    pairs = [
        (pixels, true_id, origin_id)
        for true_id, line in zip(matrix["rows"], matrix["claimed"], strict=True)
        for origin_id, pixels in zip(matrix["columns"], line, strict=True)
        if pixels
    ]
    if not pairs:
        return None
    names = _names(content)
    true_px = {c["crater_id"]: c["pixel"]["tp"] + c["pixel"]["fn"] for c in content["craters"]}
    pairs.sort(key=lambda pair: (-pair[0], *pair[1:]))
    rows = tuple(
        (
            names[true_id],
            names.get(origin_id, f"crater {origin_id}"),
            f"{pixels:,}",
            f"{pixels / true_px[true_id]:.1%}" if true_px[true_id] else "–",
        )
        for pixels, true_id, origin_id in pairs[:_MOST_PAIRS]
    )
    more = len(pairs) - len(rows)
    head = ("True crater", "Origin on the map", "Pixels", "Fraction of its ejecta")
    notes = (f"{more} further pairs of craters with fewer pixels are left out.",) if more else ()
    return FigureTable("True ejecta with a wrong origin", head, rows, notes)


def reliability_table(content: Content) -> FigureTable | None:
    """Fraction of true ejecta among pixels of similar probability, over all labels; None without probabilities.

    Parameters
    ----------
    content : mapping
        Of an evaluation.json.
    """
    calibration = content["all"]["calibration"]
    if calibration is None:
        return None
    rows = tuple(
        (
            f"{part['low']:.1f} to {part['high']:.1f}",
            format_figure(part["mean_probability"]),
            format_figure(part["ejecta_fraction"]),
            f"{part['pixels']:,}",
        )
        for part in calibration["reliability"]
    )
    head = ("Probability", "Mean probability", "Fraction of true ejecta", "Pixels")
    return FigureTable("Calibration of the probabilities", head, rows)


def _main_table(title: str, scores: Content, intervals: Content) -> FigureTable:
    units = {
        "Pixel": "pixel",
        "Pixel, by ground area": "area_km2",
        "Ground beyond the rims": "outside_km2",
        "Tile": "tile",
    }
    rows = tuple(
        (
            name,
            *_cells(scores[unit]),
            format_interval(*intervals[unit]["f1"]) if unit in intervals else "",
        )
        for name, unit in units.items()
    )
    return FigureTable(title, ("", *_FIGURES, "F1, 95 % interval"), rows)


def _distance_table(title: str, scores: Content, content: Content, is_test: bool) -> FigureTable:
    """Figures by distance; below them attribution accuracy, calibration and leakage."""
    notes = []
    if scores["owner"] is not None:
        accuracy = format_figure(scores["owner"]["fraction"])
        notes.append(f"Origin map: attribution accuracy {accuracy}.")
    calibration = scores["calibration"]
    if calibration is not None:
        notes += _calibration_notes(calibration)
    if is_test and content["leakage"] is not None:
        notes.append(f"Leakage: {Leakage(**content['leakage'])}.")
    rows = tuple((name, *_cells(counts)) for name, counts in scores["distance"].items())
    head = ("Crater radii from centre", *_FIGURES)
    return FigureTable(f"{title}: by distance", head, rows, tuple(notes))


def _calibration_notes(calibration: Content) -> list[str]:
    """How far off probabilities above 0.1 are, by distance too, and the threshold with the best F1."""
    notes, above = (
        [],
        calibration.get("above_a_tenth"),
    )  # missing where an earlier version evaluated
    if above is not None and above["pixels"]:
        parts = ", ".join(
            f"{format_figure(figures['ece'])} at {name} radii"
            for name, figures in calibration["distance"].items()
        )
        notes.append(
            f"Calibration: probabilities above 0.1 are off by {above['ece']:.3f} on average"
            f" (mean {above['mean_probability']:.3f}, fraction of true ejecta {above['ejecta_fraction']:.3f});"
            f" {parts}. Over all pixels, most of them near 0: {calibration['ece']:.3f}."
        )
    if calibration["best_f1"] is not None:
        notes.append(
            f"Best pixel F1 {calibration['best_f1']:.3f} at threshold {calibration['best_threshold']:.3f}."
        )
    return notes


def _structure_table(content: Content) -> FigureTable:
    """The most informative figures of structure, crater by crater; docs/metrics.md describes all."""
    structure, names = content["structure"], _names(content)
    lines = [(names[row["crater_id"]], row) for row in structure["craters"]]
    if structure["mean"]:
        lines.append(("Mean", structure["mean"]))
    rows = tuple(
        (name, *(format_figure(figures[key]) for key in _STRUCTURE.values()))
        for name, figures in lines
    )
    return FigureTable("Structure", ("Crater", *_STRUCTURE), rows)


def _family_table(families: Content) -> FigureTable:
    rows = tuple((name, *_cells(scores["pixel"])) for name, scores in families.items())
    return FigureTable("Each family", ("Family", *_FIGURES), rows)


def _annotator_table(agreement: Content) -> FigureTable:
    """Pixel figures of the second annotator, and of the map, on the craters that both annotators drew."""
    rows = (
        ("Second annotator, pixel", *_cells(agreement["annotators"]["pixel"])),
        ("Map, pixel", *_cells(agreement["map"]["pixel"])),
    )
    return FigureTable(
        "Agreement of two annotators", ("Against the first annotator", *_FIGURES), rows
    )


def _crater_table(craters: Sequence[Content]) -> FigureTable:
    """Pixel figures and areas of the craters that have ejecta in the labels or on the map."""
    rows = []
    for row in craters:
        area = row["area_km2"]
        if area["tp"] + area["fp"] + area["fn"] > 0:
            areas = f"{area['tp'] + area['fn']:,.0f}", f"{area['tp'] + area['fp']:,.0f}"
            rows.append((_name(row), *_cells(row["pixel"]), *areas))
    return FigureTable("Each crater", ("Crater", *_FIGURES, "True km²", "Mapped km²"), tuple(rows))


def _names(content: Content) -> dict[int, str]:
    return {row["crater_id"]: _name(row) for row in content["craters"]}


def _name(row: Content) -> str:
    return f"{row['name']} ({row['crater_id']})"


def _cells(counts: Content) -> list[str]:
    return [format_figure(counts[figure]) for figure in _FIGURES.values()]
