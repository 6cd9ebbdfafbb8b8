"""One crater's map before it is written: a window, and a function that gives its probabilities strip by strip."""

from dataclasses import dataclass, field

import pandas as pd

from ejectamap.maps.connections import no_connections
from ejectamap.maps.rasters import StripReader
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.mosaic import Floats


@dataclass(frozen=True)
class CraterMap:
    """One crater's ejecta map: a function of strips, because the whole may be as large as the mosaic.

    Attributes
    ----------
    crater : Crater
    window : Window
        Where on the mosaic's grid; it holds all ground within the crater's reach and does not wrap around.
    probability : callable
        From a strip of the window, whole rows of it, to float32 (height, width) in [0, 1]; nan beyond the reach and
        where the mosaic has no data.
    connections : DataFrame
        One row a chip; see `maps.connections.write_connections`. Empty for a method that connects nothing.
    """

    crater: Crater
    window: Window
    probability: StripReader
    connections: pd.DataFrame = field(default_factory=no_connections)


def in_memory(window: Window, values: Floats) -> StripReader:
    """Values (height, width) of a window that are in memory, as a function of its strips."""

    def read_strip(strip: Window) -> Floats:
        top = strip.row - window.row
        return values[top : top + strip.height]

    return read_strip
