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
        """Craters with known ejecta: all craters if there are labelled tiles, else those with a mask."""
        if self.labels is None:
            return ()
        if self.labels.tiles is not None:
            return self.craters
        return tuple(c for c in self.craters if c.crater_id in self.labels.masks)

    @property
    def tiles(self) -> tuple[Tile, ...] | None:
        """The labelled tiles; None if the labels are complete within each labelled crater's reach."""
        return None if self.labels is None else self.labels.tiles
