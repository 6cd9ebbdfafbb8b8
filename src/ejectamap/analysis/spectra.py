"""Means of a mosaic's bands over some pixels of it, weighted by ground area."""

import numpy as np
import pandas as pd

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Window
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import distance


def band_means(mosaic: Mosaic, crater: Crater, window: Window, chosen: Bools) -> pd.DataFrame:
    """Mean and standard deviation of each band over pixels beyond a crater's rim.

    The bands of a strip of the window at a time are held in memory.

    Parameters
    ----------
    mosaic : Mosaic
    crater : Crater
    window : Window
    chosen : bool array (height, width)
        Which pixels of the window count, where the mosaic has data.

    Returns
    -------
    DataFrame
        A row for each band, by name: `mean` and `std` in the mosaic's units, `area_km2` of the ground that counted.
    """
    grid = mosaic.grid
    # Sums of weights, and of weighted values and squares about a value that is near the mean.
    offset = mosaic.mean_and_std[0]
    area_m2, sums, squares = 0.0, np.zeros(mosaic.bands), np.zeros(mosaic.bands)
    for strip in grid.strips(window):
        rows = slice(strip.row - window.row, strip.row - window.row + strip.height)
        values, valid = mosaic.read(strip)
        beyond = distance(crater.lon, crater.lat, *grid.centres(strip), grid.radius_m)
        counted = chosen[rows] & valid & (beyond > crater.radius_m)
        row, _ = np.nonzero(counted)
        weights = grid.row_area_m2[strip.row + row]
        departures = values[:, counted].astype(np.float64) - offset[:, None]
        area_m2 += float(weights.sum())
        sums += departures @ weights
        squares += departures**2 @ weights
    mean, square = (np.divide(part, area_m2 or np.nan) for part in (sums, squares))
    return pd.DataFrame(
        {
            "mean": offset + mean,
            "std": np.sqrt(np.maximum(square - mean**2, 0)),
            "area_km2": area_m2 / 1e6,
        },
        index=pd.Index(mosaic.band_names, name="band"),
    )
