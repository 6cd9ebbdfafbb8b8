"""Planets with exactly known truth, to train on and to check measurements against."""

from ejectamap.simulate.files import write_planet
from ejectamap.simulate.impacts import Impact
from ejectamap.simulate.planet import Planet, simulate_planet
from ejectamap.simulate.plant import plant_craters
from ejectamap.simulate.tiles import choose_tiles

__all__ = ["Impact", "Planet", "choose_tiles", "plant_craters", "simulate_planet", "write_planet"]
