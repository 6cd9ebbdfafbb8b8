"""The poster's tables, as rows of text for a terminal or a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ejectamap.evaluation.scores import Evaluation
from ejectamap.training.splits import Leakage

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
_MOST_CLAIMS = 12


@dataclass(frozen=True)
class FigureTable:
    """A table as it is read.

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


def print_tables(evaluation: Evaluation, console: Console) -> None:
    """Print the poster's two tables, then near and far, ownership, and each crater."""
    for table in figure_tables(evaluation.to_dict()):
        printed = Table(title=table.title, title_justify="left")
        for k, name in enumerate(table.head):
            printed.add_column(name, justify="right" if k else "left")
        for row in table.rows:
            printed.add_row(*map(Text, row))
        console.print(printed)
        for note in table.notes:
            console.print(Text(note), soft_wrap=True)


def figure_tables(content: Content) -> list[FigureTable]:
    """All tables of an evaluation.

    Parameters
    ----------
    content : mapping
        Of an evaluation.json.
    """
    subsets = {"Train & test set": "all", "Test set only": "test"}
    if not content["split"]:
        subsets = {"All labels (none were held out)": "all"}
    tables = []
    for title, subset in subsets.items():
        tables.append(_main_table(title, content[subset], content["intervals"][subset]))
        tables.append(_distance_table(title, content[subset], content, subset == "test"))
    if content["families"]:
        tables.append(_family_table(content["families"]))
    if content["ceiling"] is not None:
        tables.append(_ceiling_table(content["ceiling"]))
    tables.append(_crater_table(content["craters"]))
    if content["structure"] is not None:
        tables.append(_structure_table(content))
    return tables


def claims_table(content: Content) -> FigureTable | None:
    """Whose true ejecta the map gives to whom without a right to them, most pixels first; None if there are none."""
    matrix = content["attribution"]
    if matrix is None:
        return None
    claims = [
        (pixels, row, column)
        for row, line in zip(matrix["rows"], matrix["claimed"], strict=True)
        for column, pixels in zip(matrix["columns"], line, strict=True)
        if pixels
    ]
    if not claims:
        return None
    names = _names(content)
    true_px = {c["crater_id"]: c["pixel"]["tp"] + c["pixel"]["fn"] for c in content["craters"]}
    claims.sort(key=lambda claim: (-claim[0], *claim[1:]))
    rows = tuple(
        (
            names[true],
            names.get(claimant, f"crater {claimant}"),
            f"{pixels:,}",
            f"{pixels / true_px[true]:.1%}" if true_px[true] else "–",
        )
        for pixels, true, claimant in claims[:_MOST_CLAIMS]
    )
    more = len(claims) - len(rows)
    head = ("Ejecta of", "on the map given to", "Pixels", "Share of its ejecta")
    notes = (f"{more} further pairs of craters with fewer pixels are left out.",) if more else ()
    return FigureTable("Ejecta that go to a wrong crater", head, rows, notes)


def reliability_table(content: Content) -> FigureTable | None:
    """How often pixels of a probability truly are ejecta, over all labels; None without probabilities."""
    found = content["all"]["calibration"]
    if found is None:
        return None
    rows = tuple(
        (
            f"{part['low']:.1f} to {part['high']:.1f}",
            _show(part["mean_probability"]),
            _show(part["ejecta_fraction"]),
            f"{part['pixels']:,}",
        )
        for part in found["reliability"]
    )
    head = ("Probability", "Mean probability", "Truly ejecta", "Pixels")
    return FigureTable("What a probability is worth", head, rows)


def _main_table(title: str, scores: Content, spread: Content) -> FigureTable:
    units = {
        "Pixel": "pixel",
        "Pixel, by ground area": "area_km2",
        "Ground beyond the rims": "outside_km2",
        "Tile": "tile",
    }
    rows = tuple(
        (name, *_cells(scores[unit]), _range(spread[unit]["f1"]) if unit in spread else "")
        for name, unit in units.items()
    )
    return FigureTable(title, ("", *_FIGURES, "F1, 95 % of draws of craters"), rows)


def _distance_table(title: str, scores: Content, content: Content, is_test: bool) -> FigureTable:
    """Near and far; below it what the probabilities are worth and who owns the ejecta."""
    notes = []
    if scores["owner"] is not None:
        share = _show(scores["owner"]["fraction"])
        notes.append(f"Of the true ejecta that are mapped, {share} go to a right crater.")
    found = scores["calibration"]
    if found is not None and found["best_f1"] is not None:
        notes.append(
            f"Probabilities are off by {found['ece']:.3f} (expected calibration error); pixel F1 would be best,"
            f" {found['best_f1']:.3f}, at a threshold of {found['best_threshold']:.3f}."
        )
    if is_test and content["leakage"] is not None:
        notes.append(f"Of the test set, {Leakage(**content['leakage'])}.")
    rows = tuple((name, *_cells(counts)) for name, counts in scores["distance"].items())
    head = ("Crater radii from centre", *_FIGURES)
    return FigureTable(f"{title}: near and far", head, rows, tuple(notes))


def _structure_table(content: Content) -> FigureTable:
    """The figures of docs/metrics.md that tell most."""
    structure, names = content["structure"], _names(content)
    lines = [(names[row["crater_id"]], row) for row in structure["craters"]]
    if structure["mean"]:
        lines.append(("Mean", structure["mean"]))
    rows = tuple(
        (name, *(_show(figures[key]) for key in _STRUCTURE.values())) for name, figures in lines
    )
    return FigureTable("Structure", ("Crater", *_STRUCTURE), rows)


def _family_table(families: Content) -> FigureTable:
    rows = tuple((name, *_cells(scores["pixel"])) for name, scores in families.items())
    return FigureTable("Each family", ("Family", *_FIGURES), rows)


def _ceiling_table(ceiling: Content) -> FigureTable:
    """Two people, and the map, on the craters that both people drew."""
    rows = (
        ("The second one, pixel", *_cells(ceiling["annotators"]["pixel"])),
        ("The map, pixel", *_cells(ceiling["map"]["pixel"])),
    )
    return FigureTable(
        "Two people on the same craters", ("Judged by the first one", *_FIGURES), rows
    )


def _crater_table(craters: Sequence[Content]) -> FigureTable:
    """Craters that have ejecta, in truth or on the map; the others say nothing."""
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
    return [_show(counts[figure]) for figure in _FIGURES.values()]


def _range(interval: Sequence[float | None]) -> str:
    low, high = interval
    return "–" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _show(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3f}"
