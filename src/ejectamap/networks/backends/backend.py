"""What a backend is: a way to run a trained network."""

from typing import Protocol

from torch import Tensor, nn


class Network(Protocol):
    """A network, ready to answer."""

    def __call__(self, inputs: Tensor, *metadata: Tensor) -> Tensor:
        """Logits, float32 on the CPU, of a batch of normalised inputs and metadata."""
        ...


class Backend(Protocol):
    """A way to run a trained network on one thread: the same batch gives the same bits each time."""

    @property
    def device(self) -> str:
        """Where it computes, as torch names it; pictures may be there already, or not."""
        ...

    def missing(self) -> str | None:
        """What this machine lacks for it, in a few words; None if nothing."""
        ...

    def load(self, model: nn.Module) -> Network:
        """Make a trained network ready; the model itself stays as it is."""
        ...
