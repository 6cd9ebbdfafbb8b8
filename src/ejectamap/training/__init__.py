"""From labels to trained networks."""

from ejectamap.training.run import train

__all__ = ["train"]
