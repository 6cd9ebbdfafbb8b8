"""Search for better settings: many trials, each a project of its own, trained, mapped and judged."""

from ejectamap.tuning.run import Order, tune

__all__ = ["Order", "tune"]
