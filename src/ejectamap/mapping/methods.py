"""What a method is: a way to get from a crater to its probabilities on the mosaic's own grid.

A method is made once per process, from a project with trained networks, and then asked for one crater after another.
To add one, write a class with this protocol and name it in `mapping.registry`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window

Floats = npt.NDArray[np.float32]
Look = Callable[[Window], Floats]
"""From a strip of a window, whole rows of it, to what is there, (height, width)."""
BATCH = 16  # pictures that a network sees at once
CONNECTION_COLUMNS = ("crater_id", "tile", "distance_m", "score", "votes", "connected")


def no_connections() -> pd.DataFrame:
    """The table of a map that no connection network had a say in."""
    return pd.DataFrame(columns=list(CONNECTION_COLUMNS))


@dataclass(frozen=True)
class CraterMap:
    """One crater's ejecta map: a function of strips, for a whole one may be as large as the mosaic.

    Attributes
    ----------
    crater : Crater
    window : Window
        Where on the mosaic's grid; it holds all ground within the crater's reach and does not wrap around.
    probability : callable
        From a strip of the window, whole rows of it, to float32 (height, width) in [0, 1]; nan beyond the reach and
        where the mosaic has no data.
    connections : DataFrame
        One row a chip that was found connected or not; see `mapping.export.write_connections`. Empty for a method
        that connects nothing.
    """

    crater: Crater
    window: Window
    probability: Look
    connections: pd.DataFrame = field(default_factory=no_connections)


class Method(Protocol):
    """A way to get from a crater to its probabilities.

    Attributes
    ----------
    settings : tuple of str
        The settings that its answers depend on once the networks are trained, such as "views.overlap".
    looks_at_rivals : bool
        Whether the answer about a crater depends on where the others are, whatever its networks see of chips.
    """

    settings: ClassVar[tuple[str, ...]]
    looks_at_rivals: ClassVar[bool]

    def __init__(self, project: Project) -> None:
        """Load the networks.

        Raises
        ------
        BundleError, ProjectError
            If a network is missing, damaged or made for another number of bands.
        """

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater."""
        ...


def hide_no_data(probability: Look, project: Project) -> Look:
    """The same with nan where the mosaic has no data."""

    def hidden(strip: Window) -> Floats:
        found = probability(strip)
        valid = project.mosaic.read_valid(strip)
        if not valid.all():
            found[~valid] = np.nan
        return found

    return hidden


def in_memory(window: Window, values: Floats) -> Look:
    """Values (height, width) of a window that are there already, as a function of its strips."""

    def cut(strip: Window) -> Floats:
        top = strip.row - window.row
        return values[top : top + strip.height]

    return cut
