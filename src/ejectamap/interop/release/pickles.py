"""Read files of `torch.save` without running anything that they name.

Such a file is a zip archive with a pickle and, beside it, the bytes of each tensor. A pickle is a program that calls
functions by their names. The reader here imports none of them: each name becomes a `Placeholder`, which records the
arguments that it is called with and does nothing. Tensors are placeholders too, until `Archive.tensor` builds them from
the recorded arguments. The classes of a Lightning checkpoint's hyperparameters therefore need not be installed, and a
malicious pickle has no effect.
"""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ejectamap.errors import ReleaseError

# Bounds on what is unpacked; PyTorch does not compress weights, and they hardly can be.
_MOST_EXPANSION = 2
_SMALL_BYTES = 1 << 20
_MOST_PICKLED_BYTES = 1 << 26

_DTYPES = {
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


class Placeholder(dict[Any, Any]):
    """Stands for an object that a pickle names; as a dictionary it holds the items that the pickle adds to the object.

    A pickle may call it, add items to it and set its state; all of that has no effect.

    Attributes
    ----------
    name : str
        Module and name of the class or function.
    args : tuple
        Arguments of the first call.
    """

    __slots__ = ("args",)
    name: ClassVar[str] = ""
    args: tuple[Any, ...]

    def __new__(cls, *args: Any, **_: Any) -> "Placeholder":  # noqa: D102
        placeholder = super().__new__(cls)
        placeholder.args = args
        return placeholder

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> "Placeholder":  # noqa: D102
        return self

    def __setstate__(*_: Any) -> None:  # called on an instance, or on the class itself
        pass

    def _ignore(self, *_: Any) -> None:
        pass

    append = extend = add = _ignore
    # Hashable, because the object it stands for may be a dictionary key or an element of a set.
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


class _Unpickler(pickle.Unpickler):
    """Reads a pickle into plain containers, numbers, strings and placeholders."""

    def find_class(self, module: str, name: str) -> type[Placeholder]:
        """Make a placeholder class for a name, without importing the name."""
        return type("Placeholder", (Placeholder,), {"__slots__": (), "name": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Placeholder:
        """Make a placeholder for the bytes of a tensor."""
        return _Storage(pid)


class _Storage(Placeholder):
    """Bytes of a tensor: `args` holds one tuple of "storage", type, key, device, number of elements."""

    __slots__ = ()
    name = "storage"


class Archive:
    """Content of a file of `torch.save`.

    Attributes
    ----------
    content : object
        What was saved: plain containers, numbers, strings, and a `Placeholder` for everything else.
    """

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        (pickled,) = (name for name in file.namelist() if name.endswith("/data.pkl"))
        self._folder = pickled.removesuffix("data.pkl")
        order = f"{self._folder}byteorder"
        if order in file.namelist() and file.read(order) != b"little":
            raise ValueError("written by a machine of another byte order")
        self._storages: dict[str, Tensor] = {}
        program = file.read(pickled)
        _check_places(program)
        self.content = _Unpickler(io.BytesIO(program)).load()

    def tensor(self, value: Any) -> Tensor | None:
        """Build the tensor that a placeholder stands for; None if the value stands for anything else."""
        name = value.name if isinstance(value, Placeholder) else ""
        if name == "torch._utils._rebuild_parameter":
            return self.tensor(value.args[0])
        if name != "torch._utils._rebuild_tensor_v2":
            return None
        storage, offset, size, stride = value.args[:4]
        # `as_strided` checks the bounds.
        return self._read_storage(storage).as_strided(size, stride, offset)

    def _read_storage(self, storage: Placeholder) -> Tensor:
        """Read the elements that one or more tensors share, as a tensor of one dimension."""
        _, kind, key, _, count = storage.args[0]
        if key not in self._storages:
            dtype, name = _DTYPES[kind.name], f"{self._folder}data/{key}"
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
        If it is no such file, or any part of it proves to be damaged while it is open.
    """
    try:
        with zipfile.ZipFile(path) as file:
            _check_sizes(file, path.stat().st_size)
            yield Archive(file)
    except ReleaseError:
        raise
    except Exception as problem:  # a damaged or malicious pickle can raise any exception
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
        raise ReleaseError(
            f"{path}: is not a checkpoint as PyTorch writes them since 2020, or is damaged ({reason}): copy it again"
        ) from None


def _check_sizes(file: zipfile.ZipFile, packed_bytes: int) -> None:
    """Check that an archive unpacks to about its own size, as weights do, and to few bytes beside the weights."""
    sizes = {part.filename: part.file_size for part in file.infolist()}
    if sum(sizes.values()) > _MOST_EXPANSION * packed_bytes + _SMALL_BYTES:
        raise ValueError(
            f"{packed_bytes} bytes that unpack to {sum(sizes.values())} are no weights"
        )
    for name, size in sizes.items():
        if name.endswith("/data.pkl") and size > _MOST_PICKLED_BYTES:
            raise ValueError(f"{name} of {size} bytes is no description of weights")


def _check_places(program: bytes) -> None:
    """Check that a pickle numbers what it remembers one by one; memory is taken for all numbers up to the largest."""
    count = 0
    for operation, argument, _ in pickletools.genops(program):
        if "PUT" in operation.name and (not isinstance(argument, int) or argument > 2 * count + 99):
            raise ValueError(f"its pickle remembers something as number {argument}")
        count += "PUT" in operation.name or operation.name == "MEMOIZE"
