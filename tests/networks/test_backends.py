"""Backends compute what the network computes, and the fastest that agrees is chosen."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ejectamap.errors import SettingsError
from ejectamap.networks import backends
from ejectamap.networks.backends import BACKENDS, Eager, choose_backend, get_backend
from ejectamap.networks.segmentation import build_segmentation

HALF_PRECISION = {"eager-bf16", "cuda"}


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_computes_what_the_network_computes(name: str) -> None:
    backend = BACKENDS[name]
    if backend.missing() == "a GPU":
        pytest.skip("needs a GPU")
    torch.manual_seed(0)
    network = build_segmentation("Unet", "tu-test_resnet", 3, 2, False, (32, 16, 16, 8, 8)).eval()
    pictures, metadata = torch.randn(3, 3, 64, 64), torch.randn(3, 2)
    with torch.inference_mode():
        expected = network(pictures, metadata).sigmoid()
        loaded = backend.load(network)
        first, again = (loaded(pictures, metadata) for _ in range(2))
        single = loaded(pictures[:1], metadata[:1]).sigmoid()
        larger = loaded(torch.randn(1, 3, 96, 64), metadata[:1])
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    tolerance = 0.02 if name in HALF_PRECISION else 1e-5
    assert (first.sigmoid() - expected).abs().max() < tolerance
    assert (single - expected[:1]).abs().max() < tolerance
    assert larger.shape == (1, 96, 64)


def fixed_predictions(**probabilities: list[float]) -> Callable[[str], Callable[[], Tensor]]:
    return lambda name: lambda: torch.tensor(probabilities[name])


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ([10, 8, 6, 1], "better"),
        ([10, 7, 6, 1], "good"),
        ([10, 9, 8.5, 1], "eager"),
        ([1, 2, 3, 1], "eager"),
    ],
)
def test_the_fastest_that_agrees_is_chosen(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float], best: str
) -> None:
    """Another backend must be 1.25 times as fast; one that differs in two of a thousand pixels is never chosen."""
    names = ["eager", "good", "better", "wrong"]
    runs = iter([second for second in seconds for _ in range(3)])
    monkeypatch.setattr(backends, "_seconds", lambda _: next(runs))
    high = [0.9] * 1000
    wrong = [0.9] * 998 + [0.1] * 2
    load = fixed_predictions(eager=high, good=[0.8] * 1000, better=[0.1, *high[1:]], wrong=wrong)
    name, trials = choose_backend(names, load)
    assert name == best
    assert [trial.seconds for trial in trials.values()] == seconds
    assert trials["wrong"].agreement == pytest.approx(0.998)


def test_a_backend_that_this_machine_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Eager, "missing", lambda _: "a GPU")
    with pytest.raises(SettingsError, match=r"map\.backend cuda needs a GPU; or set"):
        get_backend("cuda")
