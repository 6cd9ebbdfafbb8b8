"""A world: a mosaic, its fresh craters and, where people drew them, their ejecta."""

from dataclasses import dataclass

from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.mosaic import Mosaic


@dataclass(frozen=True)
class World:
    """What training and mapping look at.

    Attributes
    ----------
    mosaic : Mosaic
    craters : tuple of Crater
        The whole catalogue.
    labels : Labels or None
        None: nothing was labelled; such a world can only be mapped.
    """

    mosaic: Mosaic
    craters: tuple[Crater, ...]
    labels: Labels | None

    def labelled_craters(self) -> tuple[Crater, ...]:
        """Craters whose ejecta are known somewhere: in labelled tiles all of them are, else those with a mask."""
        if self.labels is None:
            return ()
        if self.labels.tiles is not None:
            return self.craters
        return tuple(c for c in self.craters if c.crater_id in self.labels.masks)

    @property
    def tiles(self) -> tuple[Tile, ...] | None:
        """The labelled windows; None where the labels are complete within each labelled crater's reach."""
        return None if self.labels is None else self.labels.tiles
