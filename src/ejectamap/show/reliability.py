"""Reliability diagram: how often pixels of similar probability are ejecta, by distance from the crater."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ejectamap.evaluation.reliability import FAINT
from ejectamap.show.map_elements import save_figure

_COLOURS = ("#0072B2", "#E69F00", "#CC3311")  # of the distance classes, from the crater outwards
_FEWEST_PIXELS = 100  # in a bin; fractions of fewer say nothing


def plot_reliability(path: Path, calibration: Mapping[str, Any]) -> None:
    """Draw the fraction of true ejecta against the mean probability, and the pixels, in bins above 0.1.

    Parameters
    ----------
    path : Path
        A PNG.
    calibration : mapping
        The part `calibration` of one subset in an evaluation.json; it must have figures by distance.
    """
    figure = Figure(figsize=(5.6, 6.4), dpi=130, layout="constrained")
    curve, bars = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curve.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle="--", label="calibrated")
    _draw_curve(curve, calibration["reliability"], "black", "all distances", 2.0)
    for colour, (name, figures) in zip(_COLOURS, calibration["distance"].items(), strict=True):
        _draw_curve(curve, figures["reliability"], colour, f"{name} radii", 1.2)
    curve.set(ylabel="Fraction of true ejecta", xlim=(FAINT, 1), ylim=(0, 1))
    curve.legend(frameon=False, loc="upper left")
    bins = [part for part in calibration["reliability"] if part["low"] >= FAINT]
    width = bins[0]["high"] - bins[0]["low"]
    lows, pixels = [part["low"] for part in bins], [part["pixels"] for part in bins]
    bars.bar(lows, pixels, width, align="edge", color="#BBBBBB", edgecolor="white")
    bars.set(xlabel="Probability", ylabel="Pixels")
    bars.set_yscale("symlog", linthresh=1)
    save_figure(figure, path)


def _draw_curve(
    axes: Axes, bins: list[dict[str, Any]], colour: str, name: str, width: float
) -> None:
    """Draw one curve through the bins above 0.1 that hold enough pixels."""
    used = [part for part in bins if part["low"] >= FAINT and part["pixels"] >= _FEWEST_PIXELS]
    x, y = ([part[key] for part in used] for key in ("mean_probability", "ejecta_fraction"))
    axes.plot(x, y, color=colour, linewidth=width, marker="o", markersize=3 + width, label=name)
