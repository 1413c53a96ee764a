"""A TorchScript archive, such as OpenAI's own checkpoints: its weights, and nothing of its program.

`torch.jit.load` would load the program too, and run parts of it.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_NUMBERS = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "BoolStorage": torch.bool,
}
_MASK = "attn_mask"  # what follows from the context's length is no weight


def is_archive(path: Path) -> bool:
    """Tell whether a file is a TorchScript archive."""
    return zipfile.is_zipfile(path) and _root(path) is not None


def weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of an archive, by the names that its `state_dict()` would have.

    Raises:
        pickle.UnpicklingError: it holds anything but modules, numbers and tensors of numbers.
    """
    with zipfile.ZipFile(path) as file, file.open(f"{_root(path)}/data.pkl") as pickled:
        return dict(_named(_Reader(pickled, file, f"{_root(path)}/data").load()))


def _root(path: Path) -> str | None:
    """The folder in an archive that holds everything; None for a zip file of another kind."""
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            root, _, rest = name.partition("/")
            if rest == "constants.pkl":  # which `torch.save` never writes
                return root
    return None


class _Module:
    """Stands for every class of the program: the fields of a module, without its methods."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}

    def __setstate__(self, fields: dict[str, Any]) -> None:
        self.fields = fields


class _Reader(pickle.Unpickler):
    """Reads an archive's modules; no name in it leads to code but to what is here."""

    def __init__(self, pickled: Any, file: zipfile.ZipFile, data: str) -> None:
        super().__init__(pickled)
        self._file, self._data = file, data

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "__torch__":
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle":  # lists of numbers and the like
            return _as_it_is
        if module == "torch" and name in _NUMBERS:
            return _NUMBERS[name]
        raise pickle.UnpicklingError(f"GLOBAL {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, key, _, count = pid
        if not count:
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(bytearray(self._file.read(f"{self._data}/{key}")), dtype=dtype)


def _tensor(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _as_it_is(value: Any, *_: Any) -> Any:
    return value


def _named(module: Any, lead: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(module).get("fields", {}).items():
        if isinstance(value, _Module):
            yield from _named(value, f"{lead}{name}.")
        elif isinstance(value, Tensor) and name != _MASK:
            yield lead + name, value
