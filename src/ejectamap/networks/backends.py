"""Backends: ways to run a trained network. Their results agree but for the last bits."""

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ejectamap.errors import SettingsError

_AGREEMENT = 0.999
_GAIN = 1.25  # a smaller gain may be chance, and does not justify another backend
_RUNS = 3


class Network(Protocol):
    """A network made ready by a backend."""

    def __call__(self, inputs: Tensor, *metadata: Tensor) -> Tensor:
        """Logits, float32 on the CPU, of a batch of normalised inputs and metadata."""
        ...


class Backend(Protocol):
    """A way to run a trained network on one thread: the same batch gives the same bits each time."""

    @property
    def device(self) -> str:
        """Where it computes, as torch names it; inputs may already be there, or not."""
        ...

    def missing(self) -> str | None:
        """What this machine lacks for it, in a few words; None if nothing."""
        ...

    def load(self, model: nn.Module) -> Network:
        """Make a trained network ready; the model itself stays as it is."""
        ...


@dataclass(frozen=True)
class Eager:
    """PyTorch's eager mode on a processor or a GPU, in channels-last memory order, which is faster for convolutions.

    Attributes
    ----------
    device : str
        "cpu" or "cuda".
    half : torch.dtype or None
        Precision of convolutions and matrix products; None is float32.
    """

    device: str = "cpu"
    half: torch.dtype | None = None

    def missing(self) -> str | None:
        """What this machine lacks for it."""
        if self.device == "cuda":
            return None if torch.cuda.is_available() else "a GPU"
        if self.half is not None and not _has_bfloat16():
            return "a processor made for bfloat16"
        return None

    def load(self, model: nn.Module) -> Network:
        """Make a trained network ready."""
        own = copy.deepcopy(model).to(self.device).to(memory_format=torch.channels_last).eval()

        def predict(inputs: Tensor, *metadata: Tensor) -> Tensor:
            pictures = inputs.to(self.device, memory_format=torch.channels_last)
            numbers = [part.to(self.device) for part in metadata]
            precision = torch.autocast(self.device, self.half) if self.half else nullcontext()
            with precision, torch.backends.cudnn.flags(deterministic=True):
                logits: Tensor = own(pictures, *numbers)
            return logits.float().cpu()

        return predict


# torch.compile is not among them: on these networks it was no faster than eager, after a minute of compiling.
BACKENDS: dict[str, Backend] = {
    "eager": Eager(),
    "eager-bf16": Eager(half=torch.bfloat16),
    "cuda": Eager("cuda", torch.float16),
}
"""By name, simplest first."""


def get_backend(name: str) -> Backend:
    """A backend that can be used on this machine.

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


@dataclass(frozen=True)
class Trial:
    """Speed and agreement of a backend.

    Attributes
    ----------
    seconds : float
        Processor time of the shortest of a few runs.
    agreement : float
        Fraction of its votes or pixels that are on the same side of 0.5 as those of eager float32.
    """

    seconds: float
    agreement: float


def choose_backend(
    backends: Sequence[str], load: Callable[[str], Callable[[], Tensor]]
) -> tuple[str, dict[str, Trial]]:
    """Try backends on the same inputs, and name the best.

    Parameters
    ----------
    backends : sequence of str
        Those usable on this machine. The first is the reference, and is chosen if no other is clearly faster.
    load : callable
        From a backend's name to a function without arguments that gives probabilities of the inputs, of any shape.

    Returns
    -------
    name : str
        Of a backend that agrees with the reference on 99.9 % of votes or pixels and takes less time by a quarter than
        any before it.
    trials : dict of str to Trial
    """
    trials: dict[str, Trial] = {}
    best, reference = backends[0], torch.zeros(0)
    for name in backends:
        predict = load(name)
        positive = predict() > 0.5  # this first run also compiles
        if name == backends[0]:
            reference = positive
        agreement = float((positive == reference).float().mean())
        trials[name] = Trial(min(_seconds(predict) for _ in range(_RUNS)), agreement)
        faster = trials[name].seconds * _GAIN <= trials[best].seconds
        if faster and agreement >= _AGREEMENT:
            best = name
    return best, trials


def _seconds(predict: Callable[[], Tensor]) -> float:
    # Processor time, not wall-clock time: the choice must not depend on other programs that run meanwhile.
    started = time.process_time()
    predict()
    return time.process_time() - started


def _has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
