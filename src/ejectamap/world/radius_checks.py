"""Radii of a catalogue that may be in the wrong unit: smaller than the mosaic shows, or unlike all the others."""

from collections.abc import Iterator, Sequence

import numpy as np

from ejectamap.world.craters import Crater

_UNLIKE = 100.0  # times smaller or larger than the median of the others
_LIKE = 20.0
_LEAST_PX = 0.5
_FEWEST = 3  # craters, to tell which one is unlike the others


def doubtful_radii(craters: Sequence[Crater], pixel_m: float) -> Iterator[str]:
    """Say which radii are doubtful, each with its row of the catalogue, the reason, and what to write instead.

    Parameters
    ----------
    craters : sequence of Crater
    pixel_m : float
        Size of the mosaic's pixels, in metres.
    """
    radii_m = np.array([crater.radius_m for crater in craters])
    for k, crater in enumerate(craters):
        others = np.delete(radii_m, k)
        usual_m = float(np.median(others)) if len(craters) >= _FEWEST else crater.radius_m
        reasons = []
        if crater.radius_m < _LEAST_PX * pixel_m:
            reasons.append(f"is less than half a pixel of the mosaic ({pixel_m:,.0f} m)")
        ratio = crater.radius_m / usual_m
        if not 1 / _UNLIKE < ratio < _UNLIKE:
            reasons.append(f"is unlike the others, whose median is {usual_m:,.0f} m")
        if reasons:
            yield (
                f"crater_id {crater.crater_id} ({crater.name}): its radius of {crater.radius_m:,.6g} m"
                f" {' and '.join(reasons)}: {_remedy(crater.radius_m, usual_m, pixel_m)}"
            )


def _remedy(radius_m: float, usual_m: float, pixel_m: float) -> str:
    """What to write in the catalogue: a thousandfold or thousandth if that makes the radius like the others."""
    larger_m, smaller_m = 1000 * radius_m, radius_m / 1000
    alone = usual_m == radius_m
    if usual_m / _LIKE < larger_m < usual_m * _LIKE or (alone and larger_m > pixel_m):
        return f"if it is in kilometres, write {larger_m:.6g} metres in this row"
    if usual_m / _LIKE < smaller_m < usual_m * _LIKE:
        return f"if it is a thousand times too large, write {smaller_m:.6g} metres in this row"
    return "check this row's radius and its unit, or remove the row"
