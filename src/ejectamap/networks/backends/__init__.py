"""Ways to run a trained network; see `backend.Backend`. The answers of all agree, their last bits do not."""

from ejectamap.networks.backends.backend import Backend, Network
from ejectamap.networks.backends.choose import choose_backend
from ejectamap.networks.backends.registry import get_backend, usable_backends

__all__ = [
    "Backend",
    "Network",
    "choose_backend",
    "get_backend",
    "usable_backends",
]
