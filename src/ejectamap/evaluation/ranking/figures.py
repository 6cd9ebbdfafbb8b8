"""Figures of several maps, crater by crater, for the craters that people judged."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from ejectamap.evaluation.pixels import ReadMask, evaluate
from ejectamap.evaluation.structure import LOWER_IS_BETTER, evaluate_structure
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels

ReadMap = Callable[[int], Labels]

_UNITS = ("pixel", "outside_km2")
_FIGURES = ("f1", "iou", "precision", "recall")
_STRUCTURE = "structure"


def map_figures(
    labels: Labels, craters: Sequence[Crater], maps: Mapping[str, ReadMap], tile_px: int
) -> pd.DataFrame:
    """Evaluate several maps of the same craters against their labels.

    Parameters
    ----------
    labels : Labels
    craters : sequence of Crater
        Those that are not labelled, or have no ejecta within reach, are left out.
    maps : mapping of str to callable
        By the map's name: function from a crater's id to its map, as labels.
    tile_px : int
        As of `pixels.evaluate`.

    Returns
    -------
    DataFrame
        crater_id, map, and one column per figure, named as in evaluation.json: pixel.f1, ..., structure.cldice, ...
    """
    labelled = [crater for crater in craters if crater.crater_id in labels.masks]
    rows = []
    for name, read in maps.items():
        evaluation = evaluate(labels, labelled, _mask_reader(read), None, tile_px=tile_px)
        pixels = {row.crater_id: row.scores for row in evaluation.craters}
        structure = evaluate_structure(labels, labelled, read).craters
        for crater_id in pixels.keys() & structure.keys():
            row: dict[str, object] = {"crater_id": crater_id, "map": name}
            for unit in _UNITS:
                counts = getattr(pixels[crater_id], unit)
                row |= {f"{unit}.{figure}": getattr(counts, figure) for figure in _FIGURES}
            rows.append(
                row | {f"{_STRUCTURE}.{key}": value for key, value in structure[crater_id].items()}
            )
    return pd.DataFrame(rows).sort_values(["crater_id", "map"], ignore_index=True)


def higher_is_better(figures: pd.DataFrame) -> pd.DataFrame:
    """The same figures, with the opposite sign where less is better."""
    signs = {f"{_STRUCTURE}.{name}": -1 for name in LOWER_IS_BETTER}
    return figures.assign(**{name: sign * figures[name] for name, sign in signs.items()})


def objective(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights under the names that `scores.value_of` and a search for settings use; the sum is to be maximised."""
    terms = {}
    for name, weight in weights.items():
        part, figure = name.split(".", 1)
        sign = -1 if figure in LOWER_IS_BETTER else 1
        terms[f"structure.mean.{figure}" if part == _STRUCTURE else f"all.{name}"] = sign * weight
    return terms


def _mask_reader(read: ReadMap) -> ReadMask:
    """Adapt a reader of maps to the signature that `pixels.evaluate` takes."""
    return lambda crater_id, window: read(crater_id).read(crater_id, window)
