"""Files of `torch.save`, read without running anything that they name.

Such a file is a zip archive: a pickle, and the bytes of each tensor beside it. A pickle is a program, which calls
functions by their names; here no name is ever looked up. Whatever a pickle names becomes a `Described`, which takes
down what it is called with and does nothing: tensors too, until `Archive.tensor` makes one of its description. So the
classes of a Lightning checkpoint's hyperparameters need not be installed, and a malicious pickle describes its crime.
"""

import io
import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ejectamap.errors import ReleaseError

_TYPES = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}


class Described(dict[Any, Any]):
    """Something that a pickle names, and what it is called with; as a dictionary, the items that were put into it.

    It can be called, filled and given a state, as pickles do with what they name, and does nothing.

    Attributes
    ----------
    name : str
        Module and name, of the class.
    args : tuple
        Of the first call.
    """

    __slots__ = ("args",)
    name: ClassVar[str] = ""
    args: tuple[Any, ...]

    def __new__(cls, *args: Any, **_: Any) -> "Described":  # noqa: D102
        made = super().__new__(cls)
        made.args = args
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> "Described":  # noqa: D102
        return self

    def __setstate__(*_: Any) -> None:  # of an instance, or of the class itself
        pass

    def _ignore(self, *_: Any) -> None:
        pass

    append = extend = add = _ignore
    # A key of dictionaries and an element of sets, as what it stands for may have been.
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


class _Unpickler(pickle.Unpickler):
    """Reads a pickle into plain containers, numbers, strings and `Described`."""

    def find_class(self, module: str, name: str) -> type[Described]:
        """A class of its own for each name, which is not looked up."""
        return type("Described", (Described,), {"__slots__": (), "name": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Described:
        """What stands for the bytes of a tensor."""
        return _Stored(pid)


class _Stored(Described):
    """A tensor's bytes: `args` holds one tuple of "storage", type, key, device, number of elements."""

    __slots__ = ()
    name = "storage"


class Archive:
    """What `torch.save` has written.

    Attributes
    ----------
    content : object
        What was saved: plain containers, numbers, strings, and `Described` in place of everything else.
    """

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        (pickled,) = (name for name in file.namelist() if name.endswith("/data.pkl"))
        self._folder = pickled.removesuffix("data.pkl")
        order = f"{self._folder}byteorder"
        if order in file.namelist() and file.read(order) != b"little":
            raise ValueError("written by a machine of another byte order")
        self._storages: dict[str, Tensor] = {}
        self.content = _Unpickler(io.BytesIO(file.read(pickled))).load()

    def tensor(self, described: Any) -> Tensor | None:
        """The tensor that a description is of; None if it is of something else."""
        name = described.name if isinstance(described, Described) else ""
        if name == "torch._utils._rebuild_parameter":
            return self.tensor(described.args[0])
        if name != "torch._utils._rebuild_tensor_v2":
            return None
        stored, offset, size, stride = described.args[:4]
        # Torch checks the bounds.
        return self._storage(stored).as_strided(size, stride, offset)

    def _storage(self, stored: Described) -> Tensor:
        """All numbers that are kept together, in one dimension."""
        _, kind, key, _, count = stored.args[0]
        if key not in self._storages:
            dtype, name = _TYPES[kind.name], f"{self._folder}data/{key}"
            if self._file.getinfo(name).file_size != count * dtype.itemsize:
                raise ValueError(f"{name} is not {count} numbers")
            content = bytearray(self._file.read(name))
            self._storages[key] = (
                torch.frombuffer(content, dtype=dtype) if count else torch.empty(0, dtype=dtype)
            )
        return self._storages[key]


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a file of `torch.save` for reading, in a `with` statement.

    Raises
    ------
    ReleaseError
        If it is no such file, or anything in it turns out to be damaged while it is open.
    """
    try:
        with zipfile.ZipFile(path) as file:
            yield Archive(file)
    except ReleaseError:
        raise
    except (
        Exception
    ) as problem:  # there is no end to what a damaged or malicious pickle can do wrong
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
        raise ReleaseError(
            f"{path}: is not a checkpoint as PyTorch writes them since 2020, or is damaged ({reason}): copy it again"
        ) from None
