"""Batches: complete, of one size each, and a matter of the epoch alone."""

import pytest

from ejectamap.project.settings import Training
from ejectamap.training import trainer
from ejectamap.training.loaders import Order, SizeBatches

SIZES = ["small", "large", "small", "small", "large", "small", "small"]


def batches_of(shuffle: bool = True, batch_size: int = 2, drop_single: bool = False) -> SizeBatches:
    return SizeBatches(Order(len(SIZES), shuffle, seed=1), SIZES, batch_size, drop_single)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_batches_are_of_one_size_and_complete(shuffle: bool, batch_size: int) -> None:
    batches = batches_of(shuffle, batch_size)
    drawn = list(batches)
    assert len(drawn) == len(batches)
    assert sorted(index for batch in drawn for _, index in batch) == list(range(7))
    assert all(len({SIZES[index] for _, index in batch}) == 1 for batch in drawn)
    assert max(len(batch) for batch in drawn) <= batch_size


def test_the_order_is_the_epoch_s_whatever_went_before() -> None:
    one, two = batches_of(), batches_of()
    for epoch in range(3):
        one.sampler.set_epoch(epoch)
        last = list(one)
    two.sampler.set_epoch(2)
    assert list(two) == last
    assert {epoch for batch in last for epoch, _ in batch} == {2}
    two.sampler.set_epoch(3)
    assert [[i for _, i in batch] for batch in two] != [[i for _, i in batch] for batch in last]
    still = batches_of(shuffle=False)
    before = [[i for _, i in batch] for batch in still]
    still.sampler.set_epoch(5)
    assert [[i for _, i in batch] for batch in still] == before


def test_a_last_batch_of_one_may_be_left_out() -> None:
    batches = batches_of(drop_single=True)
    assert [len(batch) for batch in batches] == [2, 2, 2]
    assert len(batches) == 3
    # With batches of one each there would be nothing left.
    assert len(list(batches_of(batch_size=1, drop_single=True))) == 7


def test_processes_share_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = "ejectamap.training.loaders.torch.distributed"
    monkeypatch.setattr(f"{distributed}.is_initialized", lambda: True)
    monkeypatch.setattr(f"{distributed}.get_world_size", lambda: 3)
    shares = []
    for rank in range(3):
        monkeypatch.setattr(f"{distributed}.get_rank", lambda rank=rank: rank)
        shares.append(list(batches_of()))
        assert len(shares[-1]) == len(batches_of()) == 2  # four batches, two of them twice
        assert len(list(batches_of(shuffle=False))) == 4  # everyone validates on everything
    seen = {index for share in shares for batch in share for _, index in batch}
    assert seen == set(range(7))


def test_a_gpu_has_pictures_made_on_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = len(trainer.psutil.Process().cpu_affinity())
    for there in (True, False):
        monkeypatch.setattr(trainer.torch.cuda, "is_available", lambda there=there: there)
        assert trainer.loader_workers(Training()) == (cores if there else 0)
        assert trainer.loader_workers(Training(accelerator="cpu")) == 0
        assert trainer.loader_workers(Training(loader_workers=3)) == 3
