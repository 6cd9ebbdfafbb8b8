"""Backends say what the network itself says, and the best is chosen."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ejectamap.errors import SettingsError
from ejectamap.networks.backends import choose, choose_backend, get_backend
from ejectamap.networks.backends.eager import Eager
from ejectamap.networks.backends.registry import BACKENDS
from ejectamap.networks.segmentation import build_segmentation

HALF = {"eager-bf16", "cuda"}


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_says_what_the_network_says(name: str) -> None:
    lacking = BACKENDS[name].missing()
    if lacking:
        pytest.skip(f"needs {lacking}")
    torch.manual_seed(0)
    network = build_segmentation("Unet", "tu-test_resnet", 3, 2, False, (32, 16, 16, 8, 8)).eval()
    pictures, metadata = torch.randn(3, 3, 64, 64), torch.randn(3, 2)
    with torch.inference_mode():
        expected = network(pictures, metadata).sigmoid()
        ready = get_backend(name).load(network)
        first, again = (ready(pictures, metadata) for _ in range(2))
        alone = ready(pictures[:1], metadata[:1]).sigmoid()
        larger = ready(torch.randn(1, 3, 96, 64), metadata[:1])
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    tolerance = 0.02 if name in HALF else 1e-5
    assert (first.sigmoid() - expected).abs().max() < tolerance
    assert (alone - expected[:1]).abs().max() < tolerance
    assert larger.shape == (1, 96, 64)


def answers(**said: list[float]) -> Callable[[str], Callable[[], Tensor]]:
    return lambda name: lambda: torch.tensor(said[name])


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ([10, 8, 6, 1], "better"),
        ([10, 7, 6, 1], "good"),
        ([10, 9, 8.5, 1], "eager"),
        ([1, 2, 3, 1], "eager"),
    ],
)
def test_the_fastest_that_agrees(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float], best: str
) -> None:
    """Another backend must be faster by a quarter; the one that differs in two of a thousand is never taken."""
    names = ["eager", "good", "better", "wrong"]
    runs = iter([second for second in seconds for _ in range(3)])
    monkeypatch.setattr(choose, "_seconds", lambda _: next(runs))
    sure = [0.9] * 1000
    wrong = [0.9] * 998 + [0.1] * 2
    load = answers(eager=sure, good=[0.8] * 1000, better=[0.1, *sure[1:]], wrong=wrong)
    name, trials = choose_backend(names, load)
    assert name == best
    assert [trial.seconds for trial in trials.values()] == seconds
    assert trials["wrong"].agreement == pytest.approx(0.998)


def test_a_backend_that_this_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Eager, "missing", lambda _: "a GPU")
    with pytest.raises(SettingsError, match=r"map\.backend cuda needs a GPU; or set"):
        get_backend("cuda")
