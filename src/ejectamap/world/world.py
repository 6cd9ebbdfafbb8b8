"""A world: a mosaic, its fresh craters and the labels of their ejecta."""

from dataclasses import dataclass

from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.mosaic import Mosaic


@dataclass(frozen=True)
class World:
    """The input data of training and mapping.

    Attributes
    ----------
    mosaic : Mosaic
    craters : tuple of Crater
        The whole catalogue.
    labels : Labels or None
        None if there are no labels; such a world can be mapped but not trained on.
    """

    mosaic: Mosaic
    craters: tuple[Crater, ...]
    labels: Labels | None

    def labelled_craters(self) -> tuple[Crater, ...]:
        """Craters with known ejecta."""
        return labelled_craters(self.craters, self.labels)

    @property
    def tiles(self) -> tuple[Tile, ...] | None:
        """The labelled tiles; None if the labels are complete within each labelled crater's reach."""
        return None if self.labels is None else self.labels.tiles


def labelled_craters(craters: tuple[Crater, ...], labels: Labels | None) -> tuple[Crater, ...]:
    """Craters with known ejecta: all craters if there are labelled tiles, else those with a mask."""
    if labels is None:
        return ()
    if labels.tiles is not None:
        return craters
    return tuple(crater for crater in craters if crater.crater_id in labels.masks)
