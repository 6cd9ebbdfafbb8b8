"""Batches: complete, of pictures of equal size, in an order that depends only on the epoch."""

import pytest

from ejectamap.project.settings import Training
from ejectamap.training import trainer
from ejectamap.training.loaders import EpochSampler, SizeBatchSampler

SIZES = ["small", "large", "small", "small", "large", "small", "small"]


def make_batches(
    shuffle: bool = True, batch_size: int = 2, drop_single: bool = False
) -> SizeBatchSampler:
    sampler = EpochSampler(len(SIZES), shuffle, seed=1)
    return SizeBatchSampler(sampler, SIZES, batch_size, drop_single)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_batches_have_pictures_of_equal_size_and_are_complete(
    shuffle: bool, batch_size: int
) -> None:
    batches = make_batches(shuffle, batch_size)
    drawn = list(batches)
    assert len(drawn) == len(batches)
    assert sorted(index for batch in drawn for _, index in batch) == list(range(7))
    assert all(len({SIZES[index] for _, index in batch}) == 1 for batch in drawn)
    assert max(len(batch) for batch in drawn) <= batch_size


def test_the_order_depends_only_on_the_epoch() -> None:
    one, two = make_batches(), make_batches()
    for epoch in range(3):
        one.sampler.set_epoch(epoch)
        last = list(one)
    two.sampler.set_epoch(2)
    assert list(two) == last
    assert {epoch for batch in last for epoch, _ in batch} == {2}
    two.sampler.set_epoch(3)
    assert [[i for _, i in batch] for batch in two] != [[i for _, i in batch] for batch in last]
    fixed = make_batches(shuffle=False)
    before = [[i for _, i in batch] for batch in fixed]
    fixed.sampler.set_epoch(5)
    assert [[i for _, i in batch] for batch in fixed] == before


def test_a_last_batch_of_one_can_be_left_out() -> None:
    batches = make_batches(drop_single=True)
    assert [len(batch) for batch in batches] == [2, 2, 2]
    assert len(batches) == 3
    # With a batch size of 1 all batches are kept.
    assert len(list(make_batches(batch_size=1, drop_single=True))) == 7


def test_batches_are_distributed_over_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = "ejectamap.training.loaders.torch.distributed"
    monkeypatch.setattr(f"{distributed}.is_initialized", lambda: True)
    monkeypatch.setattr(f"{distributed}.get_world_size", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(f"{distributed}.get_rank", lambda rank=rank: rank)
        parts.append(list(make_batches()))
        assert len(parts[-1]) == len(make_batches()) == 2  # four batches, two of them twice
        assert len(list(make_batches(shuffle=False))) == 4  # all processes get all validation data
    indices = {index for part in parts for batch in part for _, index in batch}
    assert indices == set(range(7))


def test_a_gpu_has_a_loader_worker_on_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = len(trainer.psutil.Process().cpu_affinity())
    for cuda in (True, False):
        monkeypatch.setattr(trainer.torch.cuda, "is_available", lambda cuda=cuda: cuda)
        assert trainer.loader_workers(Training()) == (cores if cuda else 0)
        assert trainer.loader_workers(Training(accelerator="cpu")) == 0
        assert trainer.loader_workers(Training(loader_workers=3)) == 3
