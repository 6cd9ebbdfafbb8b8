"""Training of one network: which weights are kept, when it ends, how it is resumed."""

import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ejectamap.errors import SettingsError
from ejectamap.networks.bundle import scale_channels
from ejectamap.networks.losses import build_loss
from ejectamap.project.settings import ComponentSpec, Training, TrainingConfig
from ejectamap.training.loaders import EpochSampler, SizeBatchSampler
from ejectamap.training.optimisers import build_optimiser, build_schedule
from ejectamap.training.task import Task
from ejectamap.training.trainer import fit, mixed_precision
from ejectamap.views.scaling import ChannelScaling


class LinearNetwork(nn.Module):
    """A network of two parameters: logit = slope x mean of the picture + offset; it reports each of its steps."""

    def __init__(self, on_step: Callable[[], None]) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)
        self.on_step = on_step

    def forward(self, x: Tensor) -> Tensor:
        self.on_step()
        logits: Tensor = self.line(x.mean(dim=(1, 2, 3))[:, None])
        return logits[:, 0]


def samples(count: int, seed: int = 0) -> list[dict[str, Tensor]]:
    """Pictures whose target is 1 if they are bright."""
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


def settings(**values: Any) -> TrainingConfig:
    base = {
        "loss": ComponentSpec(name="bce"),
        "optimiser": ComponentSpec(name="SGD", arguments={"lr": 5.0}),
        "scheduler": ComponentSpec(name="constant"),
        "warm_up_steps": 0,
        "max_epochs": 5,
        "precision": "full",
    }
    return TrainingConfig(**(base | values))


def task_of(
    config: TrainingConfig,
    on_step: Callable[[], None] = lambda: None,
    task_class: type[Task] = Task,
) -> Task:
    scaling = ChannelScaling((0.5,), (0.5,))
    return task_class(LinearNetwork(on_step), build_loss("bce"), config, scaling, None, 0)


class Samples(list[dict[str, Tensor]]):
    """Samples that are the same in every epoch."""

    def __getitem__(self, draw: tuple[int, int]) -> dict[str, Tensor]:  # type: ignore[override]
        return super().__getitem__(draw[1])


def loaders(count: int = 64) -> tuple[DataLoader[Any], DataLoader[Any]]:
    def load(data: Samples, shuffle: bool) -> DataLoader[Any]:
        batches = SizeBatchSampler(
            EpochSampler(len(data), shuffle, 0), [None] * len(data), 8, False
        )
        return DataLoader(data, batch_sampler=batches)  # type: ignore[arg-type]

    return load(Samples(samples(count)), True), load(Samples(samples(32, seed=1)), False)


def test_a_network_is_trained_and_its_best_weights_are_kept(tmp_path: Path) -> None:
    task = task_of(settings())
    result = fit(task, *loaders(), tmp_path, Training(), None)
    assert result.epochs == 5
    assert result.f1 > 0.9
    inputs = torch.stack([s["inputs"] for s in samples(32, 1)])
    predicted = task.network(scale_channels(task.normalisation, inputs)) > 0
    true = torch.stack([s["target"] for s in samples(32, 1)]) > 0.5
    both, wrong = (predicted & true).sum(), (predicted ^ true).sum()
    assert float(2 * both / (2 * both + wrong)) == pytest.approx(result.f1, abs=1e-5)


def test_f1_ignores_masked_pixels() -> None:
    task = task_of(settings())
    logged = {}
    task.log = lambda name, value, **_: logged.update({name: float(value)})  # type: ignore[method-assign]
    target = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    task.network = type("Fixed", (nn.Module,), {"forward": lambda self, x: x[:, 0]})()
    task.normalisation = ChannelScaling((0.0,), (1.0,))
    logits = torch.tensor([[[[9.0, -9.0, 9.0, 9.0]]]])
    mask = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    task.validation_step({"inputs": logits, "target": target, "mask": mask})
    task.on_validation_epoch_end()
    assert logged["val_f1"] == pytest.approx(2 / (2 + 1 + 1))


def test_patience_ends_a_training_that_does_not_improve(tmp_path: Path) -> None:
    no_steps = ComponentSpec(name="SGD", arguments={"lr": 0.0})
    result = fit(
        task_of(settings(optimiser=no_steps, patience=2, max_epochs=50)),
        *loaders(),
        tmp_path,
        Training(),
        None,
    )
    assert result.epochs == 3


def test_an_interrupted_training_is_resumed(tmp_path: Path) -> None:
    whole = task_of(settings(max_epochs=4))
    fit(whole, *loaders(), tmp_path / "whole", Training(), None)

    class InterruptedTask(Task):
        def on_train_epoch_start(self) -> None:
            if self.current_epoch == 2:
                signal.raise_signal(signal.SIGINT)  # Ctrl-C

    config = settings(max_epochs=4)
    half = task_of(config, task_class=InterruptedTask)
    with pytest.raises(KeyboardInterrupt):
        fit(half, *loaders(), tmp_path / "half", Training(), None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert (tmp_path / "half" / "checkpoints" / "last.ckpt").exists()
    again = task_of(config)
    starts: list[int] = []
    again.on_train_epoch_start = lambda: starts.append(again.current_epoch)  # type: ignore[method-assign]
    result = fit(again, *loaders(), tmp_path / "half", Training(), None)
    assert starts == [2, 3]
    assert result.epochs == 4


class Clock:
    """The clock of the time budget; each step of a network takes a second."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def step(self) -> None:
        self.seconds += 1

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    timer = "lightning.pytorch.callbacks.timer.time"
    monkeypatch.setattr(timer, SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.mark.parametrize("scheduler", ["constant", "anneal"])
def test_the_time_budget_is_kept(tmp_path: Path, scheduler: str, clock: Clock) -> None:
    """An epoch has 8 steps of training and 4 of validation."""
    config = settings(max_epochs=1000, patience=1000, scheduler=ComponentSpec(name=scheduler))
    result = fit(task_of(config, clock.step), *loaders(), tmp_path, Training(), 100 / 60)
    assert 100 <= clock.seconds <= 100 + 12
    assert 100 / 12 - 1 <= result.epochs <= 100 / 12 + 1
    assert result.f1 > 0


def test_a_time_budget_shorter_than_an_epoch_gives_a_network(tmp_path: Path, clock: Clock) -> None:
    task = task_of(settings(), clock.step)
    result = fit(task, *loaders(256), tmp_path, Training(), 10 / 60)
    assert result.epochs <= 1
    assert 10 <= clock.seconds < 32  # steps of an epoch
    assert float(task.network.line.weight.detach().abs()) > 0


def test_the_learning_rate_warms_up_and_anneals_to_0(tmp_path: Path) -> None:
    anneal = ComponentSpec(name="anneal")
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
        ComponentSpec(name="StepLR", arguments={"step_size": 1, "gamma": 0.5}),
        ComponentSpec(name="ReduceLROnPlateau", arguments={"mode": "max", "patience": 0}),
    ],
)
def test_schedules_of_torch(tmp_path: Path, scheduler: ComponentSpec) -> None:
    task = task_of(settings(max_epochs=4, scheduler=scheduler))
    fit(task, *loaders(), tmp_path, Training(), None)
    assert task.optimizers().param_groups[0]["lr"] < 5  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("field", "component", "message"),
    [
        ("optimiser", ComponentSpec(name="AdamWW"), "unknown Optimizer 'AdamWW'.*AdamW"),
        ("optimiser", ComponentSpec(name="Optimizer"), "unknown Optimizer"),
        (
            "optimiser",
            ComponentSpec(name="AdamW", arguments={"learning_rate": 1}),
            "AdamW.*learning_rate",
        ),
        ("optimiser", ComponentSpec(name="AdamW", arguments={"lr": -1.0}), "AdamW.*-1"),
        ("scheduler", ComponentSpec(name="StepLr"), "unknown LRScheduler 'StepLr'.*StepLR"),
        ("scheduler", ComponentSpec(name="StepLR"), "StepLR.*step_size"),
    ],
)
def test_wrong_names_and_arguments(field: str, component: ComponentSpec, message: str) -> None:
    config = settings(**{field: component})
    with pytest.raises(SettingsError, match=message) as caught:
        build_schedule(config, build_optimiser(config, nn.Linear(1, 1)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategy": "ddpp"}, r"training\.strategy.*ddpp.*ddp"),
        ({"strategy": "ddp_fork"}, r"training\.strategy.*ddp_fork.*ddp"),
        ({"accelerator": "gpuu"}, r"training\.accelerator.*gpuu.*gpu"),
        ({"accelerator": "tpu"}, r"training\.accelerator tpu.*not on this machine"),
    ],
)
def test_accelerators_and_strategies_that_this_machine_does_not_have(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        fit(task_of(settings()), *loaders(), tmp_path, Training(**changes), None)


@pytest.mark.parametrize(
    ("cuda", "bfloat16_on_cuda", "avx512_bf16", "precision"),
    [
        (True, True, False, "bf16-mixed"),
        (True, False, True, "16-mixed"),
        (False, False, True, "bf16-mixed"),
        (False, False, False, "32-true"),
    ],
)
def test_mixed_precision_is_used_where_the_hardware_supports_it(
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
