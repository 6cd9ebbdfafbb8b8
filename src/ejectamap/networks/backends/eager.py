"""PyTorch itself, layer by layer, in channels-last order of memory, which is faster than the usual one."""

import copy
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ejectamap.networks.backends.backend import Network


@dataclass(frozen=True)
class Eager:
    """PyTorch on a processor or a GPU.

    Attributes
    ----------
    device : str
        "cpu" or "cuda".
    half : torch.dtype or None
        What convolutions and products are computed in; None is float32.
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

        def answer(inputs: Tensor, *metadata: Tensor) -> Tensor:
            pictures = inputs.to(self.device, memory_format=torch.channels_last)
            about = [part.to(self.device) for part in metadata]
            precision = torch.autocast(self.device, self.half) if self.half else nullcontext()
            with precision, torch.backends.cudnn.flags(deterministic=True):
                logits: Tensor = own(pictures, *about)
            return logits.float().cpu()

        return answer


def _has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
