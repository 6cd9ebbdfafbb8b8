"""Figures of an evaluation as data frames."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ejectamap.errors import ArgumentError

_UNITS = ("pixel", "area_km2", "outside_km2", "tile")
_PARTS = {"distance": "distance", "decile": "deciles", "sector": "sectors"}
TABLES = ("unit", "crater", *_PARTS)
"""What rows of a table may be."""


def figures_frame(content: Mapping[str, Any], by: str) -> pd.DataFrame:
    """Make one of the `TABLES` of the content of an evaluation.json; see `Evaluation.to_frame`.

    Raises
    ------
    ArgumentError
        If there is no such table.
    """
    if by == "unit":
        rows = {
            (subset, unit): {**content[subset][unit], **_interval(content, subset, unit)}
            for subset in _subsets(content)
            for unit in _UNITS
        }
    elif by in _PARTS:
        rows = {
            (subset, name): counts
            for subset in _subsets(content)
            for name, counts in content[subset][_PARTS[by]].items()
        }
    elif by == "crater":
        return _craters_frame(content)
    else:
        raise ArgumentError(f"by: there is no table {by!r}: use {', '.join(TABLES)}")
    index = pd.MultiIndex.from_tuples(list(rows), names=["subset", by])
    return pd.DataFrame(list(rows.values()), index=index).astype(float)


def _subsets(content: Mapping[str, Any]) -> list[str]:
    """Which of "all", "test" and "unseen" differ."""
    subsets = ["all", "test"] if content["split"] else ["all"]
    seen = content.get("seen") or {"seen_px": 0}
    return [*subsets, "unseen"] if seen["seen_px"] else subsets


def _interval(content: Mapping[str, Any], subset: str, unit: str) -> dict[str, float | None]:
    """Both ends of the interval of F1; none where there is none."""
    low, high = content["intervals"][subset].get(unit, {}).get("f1", (None, None))
    return {"f1_low": low, "f1_high": high}


def _craters_frame(content: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each crater: its pixel figures, and its areas in the labels and on the map."""
    rows = []
    for crater in content["craters"]:
        area = crater["area_km2"]
        names = {key: crater[key] for key in ("crater_id", "name", "family", "seen_fraction")}
        areas = {"true_km2": area["tp"] + area["fn"], "mapped_km2": area["tp"] + area["fp"]}
        rows.append(names | crater["pixel"] | areas)
    columns = ["crater_id", "name", "family", "f1", "precision", "recall", "iou"]
    columns += ["tp", "fp", "fn", "tn", "true_km2", "mapped_km2", "seen_fraction"]
    numbers = dict.fromkeys(columns[3:], "float64")
    return pd.DataFrame(rows, columns=columns).astype(numbers).set_index("crater_id")
