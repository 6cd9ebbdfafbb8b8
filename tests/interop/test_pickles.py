"""Checkpoints with objects of any kind in them are read, and nothing that they name ever runs."""

import builtins
import functools
import io
import os
import pickle
import subprocess
import time
import warnings
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from torch import nn

from ejectamap.errors import ReleaseError
from ejectamap.interop.checkpoints import read_weights
from ejectamap.interop.pickles import Described, open_archive


def write_archive(path: Path, pickled: bytes, **records: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickled)
        for name, content in records.items():
            file.writestr(f"archive/{name}", content)
    return path


def read(path: Path) -> Any:
    with open_archive(path) as archive:
        return archive.content


class Choice:
    """A class that only this test knows."""

    def __init__(self, value: object) -> None:
        self.value = value


class TheirModule(L.LightningModule):
    def __init__(self, **hyperparameters: Any) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = smp.Unet("tu-test_resnet", encoder_weights=None, in_channels=4)
        self.levels = nn.Parameter(torch.tensor([0.5, 1.5], dtype=torch.bfloat16))

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.Adam(self.parameters())
        return [optimiser], [torch.optim.lr_scheduler.StepLR(optimiser, 5)]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_lightning_checkpoint_with_objects_in_it(tmp_path: Path, protocol: int) -> None:
    # Lightning warns of networks among the hyperparameters, which the release's authors may have overlooked.
    warnings.filterwarnings("ignore", message=".*is an instance of `nn.Module`.*")
    module = TheirModule(
        classifier=timm.create_model("test_resnet", num_classes=1),
        decoder=smp.Unet("tu-test_resnet", encoder_weights=None),
        loss=smp.losses.DiceLoss("binary"),
        architecture=smp.UnetPlusPlus,
        choice=Choice({1, 2}),
        activation=functools.partial(torch.clamp, min=0),
        builder=timm.create_model,
        folder=tmp_path / "data",
        number=np.float64(0.1),
        numbers=np.arange(5),
        kinds=np.dtype("float32"),
        names={"a", "b"},
        frozen=frozenset({1}),
        counts=defaultdict(list, {"a": [1]}),
        ordered=OrderedDict(b=1, a=2),
        dtype=torch.float16,
        device=torch.device("cpu"),
        shape=torch.Size([1, 2]),
        keyed={Choice: Choice(1), 3: slice(1, 2), (1, None): 2 + 3j, b"": bytearray(b"x")},
    )
    trainer = L.Trainer(logger=False, enable_checkpointing=False, enable_model_summary=False)
    trainer.strategy.connect(module)
    content = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
    assert set(content["hyper_parameters"]) >= {"classifier", "choice", "keyed"}
    path = tmp_path / "best-checkpoint.ckpt"
    torch.save(content, path, pickle_protocol=protocol)
    weights = read_weights(path)
    wanted = module.state_dict()
    assert list(weights) == list(wanted)
    for name, value in wanted.items():
        assert weights[name].dtype == value.dtype
        assert torch.equal(weights[name], value)


def test_views_of_one_storage_and_shared_parameters(tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    state = {
        "whole": whole,
        "turned": whole.T,
        "part": whole[1:3, ::2],
        "parameter": nn.Parameter(whole[0]),
        "empty": torch.zeros(0, 3),
        "flag": torch.tensor(True),
    }
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": state}, path)
    found = read_weights(path)
    for name, value in state.items():
        assert torch.equal(found[name], value.detach())
        assert type(found[name]) is torch.Tensor


class Calls:
    """Pickles as the call of a function, with a state that is set afterwards."""

    def __init__(self, function: Callable[..., Any], *args: Any, state: Any = None) -> None:
        self.call = (function, args, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def crimes(sign: Path) -> dict[str, bytes]:
    """Pickles each of which makes a file where pickles are believed."""
    command = f"touch {sign}"
    argument = f"(S{command!r}\ntR".encode()
    code = f"__import__('os').system({command!r})"
    saved = io.BytesIO()
    torch.save(Calls(os.system, command), saved)
    called = {
        "os.system": Calls(os.system, command),
        "subprocess": Calls(subprocess.call, ["touch", str(sign)]),
        "newobj": Calls(subprocess.Popen, ["touch", str(sign)]),
        "eval": Calls(builtins.eval, code),
        "exec": Calls(builtins.exec, code),
        "nested reduce": Calls(list, Calls(map, os.system, [command])),
        "a pickle in it": Calls(pickle.loads, pickle.dumps(Calls(os.system, command))),
        "a file of torch in it": Calls(torch.storage._load_from_bytes, saved.getvalue()),
    }
    written = {
        "inst": f"(S{command!r}\nios\nsystem\n.".encode(),
        "obj": f"(cos\nsystem\nS{command!r}\no.".encode(),
        "dotted name": b"\x80\x04\x8c\x07pathlib\x8c\x09os.system\x93" + argument + b".",
        "getattr chain": b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(S'os'\ntRS'system'\ntR"
        + argument
        + b".",
        "called twice": b"cfunctools\npartial\n(cos\nsystem\ntR" + argument + b".",
        # A partial takes its function from a state that is set afterwards.
        "build": b"cfunctools\npartial\n(cbuiltins\nprint\ntR(cos\nsystem\n(t(dNtb"
        + argument
        + b".",
    }
    return {what: pickle.dumps(call) for what, call in called.items()} | written


@pytest.mark.parametrize("what", list(crimes(Path("x"))))
def test_nothing_that_a_pickle_names_runs(tmp_path: Path, what: str) -> None:
    sign = tmp_path / "it-ran"
    crime = crimes(sign)[what]
    # Done first, then thrown away, before a harmless state dict.
    rest = io.BytesIO()
    torch.save({"state_dict": {"a": torch.ones(2)}}, rest)
    with zipfile.ZipFile(rest) as file:
        harmless, number = file.read("archive/data.pkl"), file.read("archive/data/0")
    path = write_archive(tmp_path / "x.ckpt", crime[:-1] + b"0" + harmless, **{"data/0": number})
    assert torch.equal(read_weights(path)["a"], torch.ones(2))
    assert isinstance(read(write_archive(tmp_path / "y.ckpt", crime)), Described)
    time.sleep(0.05)
    assert not sign.exists()
    # The crime is a real one.
    if what == "newobj":
        pickle.loads(crime).wait()
    else:
        pickle.loads(crime)
    assert sign.exists()


@pytest.mark.parametrize(
    "name", ["ejectamap.interop.pickles\nDescribed", "torch\nTensor", "os\nenviron"]
)
@pytest.mark.parametrize("made", ["", "(tR"])
def test_a_state_changes_nothing(tmp_path: Path, name: str, made: str) -> None:
    before = dict(vars(Described))
    pickled = f"c{name}\n{made}(N(S'args'\ncos\nsystem\nS'__call__'\ncos\nsystem\ndtb."
    found = read(write_archive(tmp_path / "x.ckpt", pickled.encode()))
    assert dict(vars(Described)) == before
    assert found is found() if made else issubclass(found, Described)


def rebuilt(kind: str = "FloatStorage", key: str = "0", count: int = 2, offset: int = 0) -> str:
    """A tensor of `count` numbers as opcodes."""
    stored = f"(S'storage'\nctorch\n{kind}\nS{key!r}\nS'cpu'\nI{count}\ntQ"
    return f"ctorch._utils\n_rebuild_tensor_v2\n({stored}I{offset}\n(I{count}\nt(I1\ntI00\nNtR"


def state_dict(path: Path, tensor: str) -> dict[str, torch.Tensor]:
    """Read a checkpoint of one tensor, beside which there are two numbers."""
    pickled = f"(dS'state_dict'\n(dS'a'\n{tensor}ss.".encode()
    return read_weights(write_archive(path, pickled, **{"data/0": b"\0" * 8}))


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        ("ctorch\nzeros\n(I2\ntR", "holds 'a', which is no tensor"),
        ("ctorch\nzeros\n", "holds 'a', which is no tensor"),
        (rebuilt(key="7"), "no item named 'archive/data/7'"),
        (rebuilt(count=9), "archive/data/0 is not 9 numbers"),
        (rebuilt(offset=1), "out of bounds"),
        (rebuilt(kind="QInt8Storage"), "QInt8Storage"),
        ("ctorch._utils\n_rebuild_tensor_v2\n(NI0\n(I2\nt(I1\ntI00\nNtR", "NoneType"),
        ("ctorch._utils\n_rebuild_parameter\n(tR", "tuple index"),
    ],
)
def test_tensors_that_are_none_are_refused(tmp_path: Path, tensor: str, words: str) -> None:
    path = tmp_path / "x.ckpt"
    assert torch.equal(state_dict(path, rebuilt())["a"], torch.zeros(2))
    with pytest.raises(ReleaseError, match=rf"x\.ckpt: .*{words}"):
        state_dict(path, tensor)


def test_another_byte_order_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "x.ckpt", pickle.dumps({}), byteorder=b"big")
    with pytest.raises(ReleaseError, match="byte order"):
        read(path)


def test_torchscript_and_tar_are_no_checkpoints(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "x.ckpt", b"N.", **{"constants.pkl": b")."})
    with pytest.raises(ReleaseError, match="has no state_dict"):
        read_weights(path)
    torch.save({"state_dict": {"a": torch.ones(2)}}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ReleaseError, match="since 2020"):
        read_weights(path)
