"""Fitting one network: what is kept, when it stops, and how it goes on."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ejectamap.errors import SettingsError
from ejectamap.networks.bundle import Normalisation
from ejectamap.networks.losses import build_loss
from ejectamap.project.fitting import Fitting
from ejectamap.project.section import Named
from ejectamap.project.settings import Training
from ejectamap.training.loaders import Order, SizeBatches
from ejectamap.training.optimisers import build_optimiser, build_schedule
from ejectamap.training.task import Task
from ejectamap.training.trainer import fit, mixed_precision


class Line(nn.Module):
    """A network of two numbers: logit = slope x mean of the picture + offset."""

    def __init__(self, pause_s: float = 0.0) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)
        self.pause_s = pause_s

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.pause_s)
        logits: Tensor = self.line(x.mean(dim=(1, 2, 3))[:, None])
        return logits[:, 0]


def samples(count: int, seed: int = 0) -> list[dict[str, Tensor]]:
    """Pictures that are positive where they are bright."""
    generator = torch.Generator().manual_seed(seed)
    level = torch.rand(count, generator=generator)
    return [
        {
            "inputs": torch.full((1, 4, 4), float(x)),
            "target": torch.tensor(float(x > 0.5)),
            "weight": torch.tensor(1.0),
        }
        for x in level
    ]


def settings(**values: Any) -> Fitting:
    named = {"loss": Named(name="bce"), "optimiser": Named(name="SGD", arguments={"lr": 5.0})}
    return Fitting(**(named | {"scheduler": Named(name="constant"), "max_epochs": 5} | values))


def task_of(fitting: Fitting, pause_s: float = 0.0) -> Task:
    return Task(Line(pause_s), build_loss("bce"), fitting, Normalisation((0.5,), (0.5,)), None, 0)


class Samples(list[dict[str, Tensor]]):
    """Samples that are the same in every epoch."""

    def __getitem__(self, draw: tuple[int, int]) -> dict[str, Tensor]:  # type: ignore[override]
        return super().__getitem__(draw[1])


def loaders(count: int = 64) -> tuple[DataLoader[Any], DataLoader[Any]]:
    def load(data: Samples, shuffle: bool) -> DataLoader[Any]:
        batches = SizeBatches(Order(len(data), shuffle, 0), [None] * len(data), 8, False)
        return DataLoader(data, batch_sampler=batches)  # type: ignore[arg-type]

    return load(Samples(samples(count)), True), load(Samples(samples(32, seed=1)), False)


def test_a_network_learns_and_the_best_is_kept(tmp_path: Path) -> None:
    task = task_of(settings())
    result = fit(task, *loaders(), tmp_path, Training(), None)
    assert result.epochs == 5
    assert result.f1 > 0.9
    network = task.network
    found = torch.stack(
        [network(task.normalisation.apply(s["inputs"][None]))[0] for s in samples(32, 1)]
    )
    true = torch.stack([s["target"] for s in samples(32, 1)]) > 0.5
    hits = ((found > 0) & true).sum()
    assert 2 * hits / (2 * hits + ((found > 0) ^ true).sum()) == pytest.approx(result.f1, abs=1e-5)


def test_f1_counts_what_the_mask_shows(tmp_path: Path) -> None:
    task = task_of(settings())
    logged = {}
    task.log = lambda name, value, **_: logged.update({name: float(value)})  # type: ignore[method-assign]
    target = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    task.network = type("Fixed", (nn.Module,), {"forward": lambda self, x: x[:, 0]})()
    task.normalisation = Normalisation((0.0,), (1.0,))
    logits = torch.tensor([[[[9.0, -9.0, 9.0, 9.0]]]])
    mask = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    task.validation_step({"inputs": logits, "target": target, "mask": mask})
    task.on_validation_epoch_end()
    assert logged["val_f1"] == pytest.approx(2 / (2 + 1 + 1))


def test_patience_ends_a_training_that_gets_no_better(tmp_path: Path) -> None:
    still = Named(name="SGD", arguments={"lr": 0.0})
    result = fit(
        task_of(settings(optimiser=still, patience=2, max_epochs=50)),
        *loaders(),
        tmp_path,
        Training(),
        None,
    )
    assert result.epochs == 3


def test_an_interrupted_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = task_of(settings(max_epochs=4))
    fit(whole, *loaders(), tmp_path / "whole", Training(), None)

    class Stop(Task):
        def on_train_epoch_start(self) -> None:
            if self.current_epoch == 2:
                raise KeyboardInterrupt

    fitting = settings(max_epochs=4)
    half = Stop(Line(), build_loss("bce"), fitting, Normalisation((0.5,), (0.5,)), None, 0)
    with pytest.raises(KeyboardInterrupt):
        fit(half, *loaders(), tmp_path / "half", Training(), None)
    assert (tmp_path / "half" / "checkpoints" / "last.ckpt").exists()
    again = task_of(fitting)
    starts: list[int] = []
    again.on_train_epoch_start = lambda: starts.append(again.current_epoch)  # type: ignore[method-assign]
    result = fit(again, *loaders(), tmp_path / "half", Training(), None)
    assert starts == [2, 3]
    assert result.epochs == 4


@pytest.mark.parametrize("scheduler", ["constant", "anneal"])
def test_the_time_budget_is_kept(tmp_path: Path, scheduler: str) -> None:
    fitting = settings(max_epochs=1000, patience=1000, scheduler=Named(name=scheduler))
    task = task_of(fitting, pause_s=0.02)
    started = time.monotonic()
    result = fit(task, *loaders(), tmp_path, Training(), 1.5 / 60)
    assert 1.2 < time.monotonic() - started < 6
    assert 1 <= result.epochs < 100
    assert result.f1 > 0


def test_time_that_ends_before_the_first_epoch_still_gives_a_network(tmp_path: Path) -> None:
    task = task_of(settings(), pause_s=0.3)
    result = fit(task, *loaders(256), tmp_path, Training(), 0.5 / 60)
    assert result.epochs <= 1
    assert float(task.network.line.weight.detach().abs()) > 0


def test_annealing_starts_low_rises_and_ends_at_0(tmp_path: Path) -> None:
    anneal = Named(name="anneal")
    task = task_of(settings(max_epochs=20, patience=100, scheduler=anneal, warm_up_steps=50))
    rates: list[float] = []
    task.on_train_batch_end = lambda *_: rates.append(  # type: ignore[method-assign]
        float(task.trainer.callback_metrics["learning_rate"])
    )
    fit(task, *loaders(), tmp_path, Training(), None)
    assert len(rates) == 160
    assert rates[0] < 0.1 * 5
    assert max(rates) > 0.7 * 5
    assert rates[-1] < 0.01 * 5


@pytest.mark.parametrize(
    "scheduler",
    [
        Named(name="StepLR", arguments={"step_size": 1, "gamma": 0.5}),
        Named(name="ReduceLROnPlateau", arguments={"mode": "max", "patience": 0}),
    ],
)
def test_any_schedule_of_torch(tmp_path: Path, scheduler: Named) -> None:
    task = task_of(settings(max_epochs=4, scheduler=scheduler))
    fit(task, *loaders(), tmp_path, Training(), None)
    assert task.optimizers().param_groups[0]["lr"] < 5  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("part", "named", "words"),
    [
        ("optimiser", Named(name="AdamWW"), "unknown Optimizer 'AdamWW'.*AdamW"),
        ("optimiser", Named(name="Optimizer"), "unknown Optimizer"),
        ("optimiser", Named(name="AdamW", arguments={"learning_rate": 1}), "AdamW.*learning_rate"),
        ("optimiser", Named(name="AdamW", arguments={"lr": -1.0}), "AdamW.*-1"),
        ("scheduler", Named(name="StepLr"), "unknown LRScheduler 'StepLr'.*StepLR"),
        ("scheduler", Named(name="StepLR"), "StepLR.*step_size"),
    ],
)
def test_wrong_names_and_arguments(part: str, named: Named, words: str) -> None:
    fitting = settings(**{part: named})
    with pytest.raises(SettingsError, match=words) as caught:
        build_schedule(fitting, build_optimiser(fitting, Line()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({"strategy": "ddpp"}, r"training\.strategy.*ddpp.*ddp"),
        ({"strategy": "ddp_fork"}, r"training\.strategy.*ddp_fork.*ddp"),
        ({"accelerator": "gpuu"}, r"training\.accelerator gpuu.*not on this machine"),
        ({"accelerator": "tpu"}, r"training\.accelerator tpu.*not on this machine"),
    ],
)
def test_machines_that_are_not_there(tmp_path: Path, machine: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        fit(task_of(settings()), *loaders(), tmp_path, Training(**machine), None)


@pytest.mark.parametrize(
    ("cuda", "bfloat16_on_cuda", "avx512_bf16", "precision"),
    [
        (True, True, False, "bf16-mixed"),
        (True, False, True, "16-mixed"),
        (False, False, True, "bf16-mixed"),
        (False, False, False, "32-true"),
    ],
)
def test_half_precision_is_for_machines_made_for_it(
    monkeypatch: pytest.MonkeyPatch,
    cuda: bool,
    bfloat16_on_cuda: bool,
    avx512_bf16: bool,
    precision: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bfloat16_on_cuda)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": avx512_bf16})
    assert mixed_precision() == precision
