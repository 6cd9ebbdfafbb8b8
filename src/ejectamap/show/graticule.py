"""Meridians and parallels on a picture in a crater's azimuthal frame."""

import numpy as np
from matplotlib.axes import Axes

from ejectamap.show.map_elements import write_text
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import Array, azimuthal_forward

_STEPS_DEG = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
_LINES = 4  # about so many of a kind are in view
_POINTS = 721  # of a line
_FARTHEST = 0.95  # of half the circumference: the antipode is no point in this frame
_EDGE = 0.93  # labels stand this far from the centre, of half the side


def graticule_step_deg(half_m: float, radius_m: float) -> float:
    """Spacing of the parallels, in degrees, on a square of half side `half_m` (metres)."""
    wanted = np.degrees(2 * half_m / radius_m) / _LINES
    return min(_STEPS_DEG, key=lambda step: abs(np.log(step / wanted)))


def draw_graticule(axes: Axes, crater: Crater, half_m: float, radius_m: float) -> None:
    """Draw meridians and parallels, with labels at the left and the upper edge.

    Parameters
    ----------
    axes : Axes
        In metres east and north of the crater's centre.
    crater : Crater
    half_m : float
        Half the side of the square in view, in metres.
    radius_m : float
        Radius of the body, in metres.
    """
    step = graticule_step_deg(half_m, radius_m)
    height_deg = 1.5 * np.degrees(
        half_m / radius_m
    )  # of the corners of the square, from its centre
    south, north = max(crater.lat - height_deg, -89.9), min(crater.lat + height_deg, 89.9)
    farthest_lat = np.radians(max(abs(south), abs(north)))
    width_deg = min(180.0, height_deg / max(np.cos(farthest_lat), 1e-3))
    across = crater.lon + np.linspace(-width_deg, width_deg, _POINTS)
    for lat in _multiples(step, south, north):
        x, y = _line(crater, across, np.full(_POINTS, lat), half_m, radius_m)
        _draw_line(axes, x, y)
        _label(axes, -x, y, half_m, degrees(lat, "NS"), ha="left", va="center")
    up = np.linspace(south, north, _POINTS)
    for lon in _multiples(_meridian_step(crater, step), across[0], across[-1] - 1e-6):
        x, y = _line(crater, np.full(_POINTS, lon), up, half_m, radius_m)
        _draw_line(axes, x, y)
        _label(axes, y, x, half_m, degrees((lon + 180) % 360 - 180, "EW"), ha="center", va="top")


def degrees(value: float, letters: str) -> str:
    """Label of a longitude ("EW") or latitude ("NS")."""
    if value % 180 == 0:
        return f"{abs(value):g}°"
    return f"{abs(value):g}° {letters[value < 0]}"


def _meridian_step(crater: Crater, step_deg: float) -> float:
    """Spacing of the meridians that makes their distance similar to that of the parallels."""
    wanted = step_deg / max(np.cos(np.radians(crater.lat)), 0.05)
    return min((s for s in _STEPS_DEG if s >= 0.99 * wanted), default=_STEPS_DEG[-1])


def _multiples(step: float, low: float, high: float) -> list[float]:
    """Multiples of a step between two numbers."""
    return [round(k * step, 6) for k in range(int(np.ceil(low / step)), int(high // step) + 1)]


def _line(
    crater: Crater, lon: Array, lat: Array, half_m: float, radius_m: float
) -> tuple[Array, Array]:
    """A line in the crater's frame, nan where it is out of view; it does not jump across the antipode."""
    x, y = azimuthal_forward(lon, lat, crater.lon, crater.lat, radius_m)
    outside = np.maximum(np.abs(x), np.abs(y)) > 1.2 * half_m
    outside |= np.hypot(x, y) > _FARTHEST * np.pi * radius_m
    return np.where(outside, np.nan, x), np.where(outside, np.nan, y)


def _draw_line(axes: Axes, x: Array, y: Array) -> None:
    axes.plot(x, y, color="white", alpha=0.28, linewidth=0.6, zorder=3)


def _label(
    axes: Axes, towards_edge: Array, along: Array, half_m: float, text: str, *, ha: str, va: str
) -> None:
    """Label a line where it crosses the edge: the left one (ha left) or the upper one."""
    beyond = np.flatnonzero((towards_edge > half_m) & (np.abs(along) < 0.8 * half_m))
    if beyond.size == 0:
        return
    place = float(along[beyond[towards_edge[beyond].argmin()]])
    edge = _EDGE * half_m + 0.05 * half_m
    x, y = (-edge, place) if ha == "left" else (place, edge)
    write_text(axes, x, y, text, ha=ha, va=va, fontsize=6.5, alpha=0.9)
