"""Checkpoints with arbitrary objects can be read, and nothing that they name is run."""

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
from ejectamap.interop.release.checkpoints import read_normalisation, read_weights
from ejectamap.interop.release.pickles import Placeholder, open_archive


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
    """A class that is defined in this test only."""

    def __init__(self, value: object) -> None:
        self.value = value


class ReleasedModule(L.LightningModule):
    def __init__(self, **hyperparameters: Any) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = smp.Unet("tu-test_resnet", encoder_weights=None, in_channels=4)
        self.levels = nn.Parameter(torch.tensor([0.5, 1.5], dtype=torch.bfloat16))

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.Adam(self.parameters())
        return [optimiser], [torch.optim.lr_scheduler.StepLR(optimiser, 5)]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_reads_a_lightning_checkpoint_with_objects(tmp_path: Path, protocol: int) -> None:
    # Lightning warns of networks among the hyperparameters; a checkpoint may contain them all the same.
    warnings.filterwarnings("ignore", message=".*is an instance of `nn.Module`.*")
    module = ReleasedModule(
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
    expected = module.state_dict()
    assert list(weights) == list(expected)
    for name, value in expected.items():
        assert weights[name].dtype == value.dtype
        assert torch.equal(weights[name], value)


def test_reads_tensors_that_share_a_storage(tmp_path: Path) -> None:
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
    weights = read_weights(path)
    for name, value in state.items():
        assert torch.equal(weights[name], value.detach())
        assert type(weights[name]) is torch.Tensor


class Calls:
    """An object whose pickle calls a function and then sets a state."""

    def __init__(self, function: Callable[..., Any], *args: Any, state: Any = None) -> None:
        self.call = (function, args, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def malicious_pickles(marker: Path) -> dict[str, bytes]:
    """Pickles that create a file when an ordinary unpickler reads them, by name."""
    command = f"touch {marker}"
    argument = f"(S{command!r}\ntR".encode()
    code = f"__import__('os').system({command!r})"
    saved = io.BytesIO()
    torch.save(Calls(os.system, command), saved)
    called = {
        "os.system": Calls(os.system, command),
        "subprocess": Calls(subprocess.call, ["touch", str(marker)]),
        "newobj": Calls(subprocess.Popen, ["touch", str(marker)]),
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
        # A partial gets its function from a state that is set after it was created.
        "build": b"cfunctools\npartial\n(cbuiltins\nprint\ntR(cos\nsystem\n(t(dNtb"
        + argument
        + b".",
    }
    return {what: pickle.dumps(call) for what, call in called.items()} | written


@pytest.mark.parametrize("what", list(malicious_pickles(Path("x"))))
def test_functions_that_a_pickle_names_do_not_run(tmp_path: Path, what: str) -> None:
    marker = tmp_path / "it-ran"
    malicious = malicious_pickles(marker)[what]
    # The call comes first, its result is discarded, and a harmless state dict follows.
    rest = io.BytesIO()
    torch.save({"state_dict": {"a": torch.ones(2)}}, rest)
    with zipfile.ZipFile(rest) as file:
        harmless, number = file.read("archive/data.pkl"), file.read("archive/data/0")
    path = write_archive(
        tmp_path / "x.ckpt", malicious[:-1] + b"0" + harmless, **{"data/0": number}
    )
    assert torch.equal(read_weights(path)["a"], torch.ones(2))
    assert isinstance(read(write_archive(tmp_path / "y.ckpt", malicious)), Placeholder)
    time.sleep(0.05)
    assert not marker.exists()
    # An ordinary unpickler runs it.
    if what == "newobj":
        pickle.loads(malicious).wait()
    else:
        pickle.loads(malicious)
    assert marker.exists()


@pytest.mark.parametrize(
    "name", ["ejectamap.interop.release.pickles\nPlaceholder", "torch\nTensor", "os\nenviron"]
)
@pytest.mark.parametrize("call", ["", "(tR"])
def test_setting_a_state_has_no_effect(tmp_path: Path, name: str, call: str) -> None:
    before = dict(vars(Placeholder))
    pickled = f"c{name}\n{call}(N(S'args'\ncos\nsystem\nS'__call__'\ncos\nsystem\ndtb."
    content = read(write_archive(tmp_path / "x.ckpt", pickled.encode()))
    assert dict(vars(Placeholder)) == before
    assert content is content() if call else issubclass(content, Placeholder)


def tensor_opcodes(
    kind: str = "FloatStorage", key: str = "0", count: int = 2, offset: int = 0
) -> str:
    """Pickle opcodes of a tensor of `count` numbers."""
    storage = f"(S'storage'\nctorch\n{kind}\nS{key!r}\nS'cpu'\nI{count}\ntQ"
    return f"ctorch._utils\n_rebuild_tensor_v2\n({storage}I{offset}\n(I{count}\nt(I1\ntI00\nNtR"


def state_dict(path: Path, tensor: str) -> dict[str, torch.Tensor]:
    """Read a checkpoint of one tensor and a storage of two numbers."""
    pickled = f"(dS'state_dict'\n(dS'a'\n{tensor}ss.".encode()
    return read_weights(write_archive(path, pickled, **{"data/0": b"\0" * 8}))


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        ("ctorch\nzeros\n(I2\ntR", "holds 'a', which is no tensor"),
        ("ctorch\nzeros\n", "holds 'a', which is no tensor"),
        (tensor_opcodes(key="7"), "no item named 'archive/data/7'"),
        (tensor_opcodes(count=9), "archive/data/0 is not 9 numbers"),
        (tensor_opcodes(offset=1), "out of bounds"),
        (tensor_opcodes(kind="QInt8Storage"), "QInt8Storage"),
        ("ctorch._utils\n_rebuild_tensor_v2\n(NI0\n(I2\nt(I1\ntI00\nNtR", "NoneType"),
        ("ctorch._utils\n_rebuild_parameter\n(tR", "tuple index"),
    ],
)
def test_refuses_invalid_tensors(tmp_path: Path, tensor: str, words: str) -> None:
    path = tmp_path / "x.ckpt"
    assert torch.equal(state_dict(path, tensor_opcodes())["a"], torch.zeros(2))
    with pytest.raises(ReleaseError, match=rf"x\.ckpt: .*{words}"):
        state_dict(path, tensor)


def test_refuses_another_byte_order(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "x.ckpt", pickle.dumps({}), byteorder=b"big")
    with pytest.raises(ReleaseError, match="byte order"):
        read(path)


def test_refuses_torchscript_and_old_files(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "x.ckpt", b"N.", **{"constants.pkl": b")."})
    with pytest.raises(ReleaseError, match="has no state_dict"):
        read_weights(path)
    torch.save({"state_dict": {"a": torch.ones(2)}}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ReleaseError, match="since 2020"):
        read_weights(path)


def test_what_would_take_more_memory_than_the_file_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", pickle.dumps({"state_dict": {}}))
        file.writestr("archive/data/0", bytes(50_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(ReleaseError, match=r"bomb\.ckpt: .*unpack to 50\d* are no weights"):
        read(path)
    # LONG_BINPUT: remember None as number 2**31, for which pickle would make a list of as many places.
    numbered = b"\x80\x02Nr\x00\x00\x00\x80."
    with pytest.raises(ReleaseError, match="remembers something as number 2147483648"):
        read(write_archive(path, numbered))


def test_an_array_is_not_larger_than_its_file(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 999999999999), }"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "best-norm_1.npy").write_bytes(content)
    with pytest.raises(ReleaseError, match=r"best-norm_1\.npy: is not an array of numbers"):
        read_normalisation(tmp_path / "best-checkpoint_1.ckpt", 3)
