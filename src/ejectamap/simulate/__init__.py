"""Planets with exactly known truth, to train on and to check measurements against."""

from ejectamap.simulate.impacts import Impact
from ejectamap.simulate.planet import Planet, simulate_planet

__all__ = ["Impact", "Planet", "simulate_planet"]
