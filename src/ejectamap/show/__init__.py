"""Look at a map: figures."""

from ejectamap.show.card import crater_card
from ejectamap.show.globe import global_map
from ejectamap.show.run import draw_card, draw_maps

__all__ = ["crater_card", "draw_card", "draw_maps", "global_map"]
