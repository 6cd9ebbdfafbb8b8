"""How much each pair counts in the loss."""

from collections.abc import Sequence

import numpy as np

from ejectamap.project.fitting import Connection
from ejectamap.training.pairs import Pair


def share_weight(share: float) -> float:
    """Weight of a chip, larger where this crater's part of the tile's ejecta is small (published: 0.95 at 10)."""
    return float(1.0 / (1.0 + np.exp(-0.294 * share)))


def connection_weights(pairs: Sequence[Pair], settings: Connection) -> list[float]:
    """Weight of each corridor: by the size of its class, and by its distance, as far as the settings say so.

    `balance_weights`: all pairs of a class over twice its number, so that both classes count the same.
    `distance_weight` w: 1 at the crater, 1 + w at the longest distance of any pair, linear between.
    """
    weights = np.ones(len(pairs))
    if settings.balance_weights:
        connected = np.array([pair.connected for pair in pairs], bool)
        counts = np.where(connected, connected.sum(), (~connected).sum())
        weights *= len(pairs) / (2 * counts)
    if settings.distance_weight > 0 and len(pairs):
        distances_m = np.array([pair.distance_m for pair in pairs])
        weights *= 1 + settings.distance_weight * distances_m / distances_m.max()
    return [float(weight) for weight in weights]
