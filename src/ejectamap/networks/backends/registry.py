"""The backends by name, simplest first."""

import torch

from ejectamap.errors import SettingsError
from ejectamap.networks.backends.backend import Backend
from ejectamap.networks.backends.eager import Eager

# torch.compile is not among them: on these networks it was no faster than eager, after a minute of compiling.
BACKENDS: dict[str, Backend] = {
    "eager": Eager(),
    "eager-bf16": Eager(half=torch.bfloat16),
    "cuda": Eager("cuda", torch.float16),
}


def get_backend(name: str) -> Backend:
    """A backend that can be used here.

    Raises
    ------
    SettingsError
        If this machine lacks something for it.
    """
    lacking = BACKENDS[name].missing()
    if lacking:
        raise SettingsError(
            f"map.backend {name} needs {lacking}; or set map.backend to auto or eager"
        )
    return BACKENDS[name]


def usable_backends() -> list[str]:
    """Names of the backends that this machine has all that is needed for, simplest first."""
    return [name for name, backend in BACKENDS.items() if backend.missing() is None]
