"""Planets with exactly known truth, to train on and to check measurements against."""

from ejectamap.simulate.files import write_planet
from ejectamap.simulate.impacts import Impact
from ejectamap.simulate.planet import Planet, simulate_planet
from ejectamap.simulate.tiles import choose_tiles

__all__ = ["Impact", "Planet", "choose_tiles", "simulate_planet", "write_planet"]
