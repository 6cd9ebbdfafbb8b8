"""Backends: implementations that run a trained network. Their results agree within rounding errors."""

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ejectamap.errors import SettingsError

_MIN_AGREEMENT = 0.999
_MIN_SPEEDUP = 1.25  # a smaller one may be due to chance
_RUNS = 3


class Network(Protocol):
    """A network loaded by a backend."""

    def __call__(self, inputs: Tensor, *metadata: Tensor) -> Tensor:
        """Compute logits, float32 on the CPU, of a batch of normalised inputs and metadata."""
        ...


class Backend(Protocol):
    """An implementation that runs a trained network. On one thread, equal batches give equal bits."""

    @property
    def device(self) -> str:
        """The device that it uses, as torch names it; inputs may be on this device or another."""
        ...

    def missing(self) -> str | None:
        """Name what the backend needs and this machine does not have, as in "a GPU"; None if it can be used."""
        ...

    def load(self, model: nn.Module) -> Network:
        """Load a copy of a trained network."""
        ...


@dataclass(frozen=True)
class Eager:
    """PyTorch's eager mode on a CPU or a GPU, in channels-last memory format, which is faster for convolutions.

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
        """Name what it needs and this machine does not have."""
        if self.device == "cuda":
            return None if torch.cuda.is_available() else "a GPU"
        if self.half is not None and not _has_bfloat16():
            return "a processor with bfloat16 instructions"
        return None

    def load(self, model: nn.Module) -> Network:
        """Load a copy of a trained network."""
        network = copy.deepcopy(model).to(self.device).to(memory_format=torch.channels_last).eval()

        def predict(inputs: Tensor, *metadata: Tensor) -> Tensor:
            inputs = inputs.to(self.device, memory_format=torch.channels_last)
            extra = [part.to(self.device) for part in metadata]
            precision = torch.autocast(self.device, self.half) if self.half else nullcontext()
            with precision, torch.backends.cudnn.flags(deterministic=True):
                logits: Tensor = network(inputs, *extra)
            return logits.float().cpu()

        return predict


# torch.compile is not among them: with these networks it was no faster than eager, after a minute of compiling.
BACKENDS: dict[str, Backend] = {
    "eager": Eager(),
    "eager-bf16": Eager(half=torch.bfloat16),
    "cuda": Eager("cuda", torch.float16),
}
"""Backends by name; the first is the reference of trials."""


def get_backend(name: str) -> Backend:
    """Get a backend by its name.

    Raises
    ------
    SettingsError
        If this machine cannot run it.
    """
    missing = BACKENDS[name].missing()
    if missing:
        raise SettingsError(
            f"map.backend {name} needs {missing}; or set map.backend to auto or eager"
        )
    return BACKENDS[name]


def usable_backends() -> list[str]:
    """Names of the backends that this machine can run, in the order of `BACKENDS`."""
    return [name for name, backend in BACKENDS.items() if backend.missing() is None]


@dataclass(frozen=True)
class Trial:
    """Speed and agreement of a backend.

    Attributes
    ----------
    seconds : float
        Processor time of the fastest of three runs.
    agreement : float
        Fraction of the probabilities that are on the same side of 0.5 as those of the reference.
    """

    seconds: float
    agreement: float


def choose_backend(
    backends: Sequence[str], load: Callable[[str], Callable[[], Tensor]]
) -> tuple[str, dict[str, Trial]]:
    """Run backends on the same inputs and choose the best.

    Parameters
    ----------
    backends : sequence of str
        Those usable on this machine. The first is the reference, and is chosen if no other is clearly faster.
    load : callable
        From a backend's name to a function without arguments that predicts probabilities of the inputs, of any shape.

    Returns
    -------
    name : str
        The last backend that agrees with the reference in 99.9 % of the probabilities and is at least 1.25 times as
        fast as the backend chosen before it.
    trials : dict of str to Trial
        By the backend's name.
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
        faster = trials[name].seconds * _MIN_SPEEDUP <= trials[best].seconds
        if faster and agreement >= _MIN_AGREEMENT:
            best = name
    return best, trials


def _seconds(predict: Callable[[], Tensor]) -> float:
    """Processor time of one prediction; unlike wall-clock time it hardly depends on other programs."""
    started = time.process_time()
    predict()
    return time.process_time() - started


def _has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
