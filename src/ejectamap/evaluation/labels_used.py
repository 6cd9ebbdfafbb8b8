"""What an evaluation says of the labels that it compares with: where they come from; and of edits of the map."""

from collections.abc import Mapping, Sequence
from typing import Any

from ejectamap.world.label_sources import SourceAreas, describe_all, format_fraction

Content = Mapping[str, Any]

HEAD = ("Crater", "Label, km²", "Drawn", "Corrected", "Accepted", "Imported")


def describe_labels(areas: Mapping[int, SourceAreas]) -> list[dict[str, Any]]:
    """Where each crater's label comes from, under the names of evaluation.json."""
    return [{"crater_id": k, **part.to_dict()} for k, part in areas.items()]


def read_labels(content: Content) -> dict[int, SourceAreas]:
    """The same from an evaluation.json, by crater id; empty in those of earlier versions."""
    rows = [dict(row) for row in content.get("labels", [])]
    return {row.pop("crater_id"): SourceAreas(**row) for row in rows}


def label_rows(content: Content, names: Mapping[int, str]) -> tuple[tuple[str, ...], ...]:
    """Cells of the sources of each label that was not just drawn by hand, under `HEAD`."""
    return tuple(
        (
            names.get(k, f"crater {k}"),
            f"{part.ejecta_km2:,.0f}",
            *(format_fraction(fraction) for fraction in part.fractions.values()),
        )
        for k, part in read_labels(content).items()
        if not part.is_drawn
    )


def notes(content: Content) -> Sequence[str]:
    """Sentences on the labels' sources, and on edits of the map."""
    labels, edited_km2 = read_labels(content), content.get("edited_km2", {})
    found = [f"Labels of {describe_all(labels)}."] if labels else []
    if any(part.accepted_km2 for part in labels.values()):
        found.append("Labels that were accepted from a map are no independent test of it.")
    if edited_km2:
        km2, craters = sum(edited_km2.values()), len(edited_km2)
        found.append(
            f"People edited {km2:,.0f} km² of the maps of {craters} {'crater' if craters == 1 else 'craters'}:"
            " there the networks' own map is evaluated."
        )
    return found
