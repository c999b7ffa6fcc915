"""Arrays out of a pickle without running it: a restricted unpickler for numbers, NumPy and SciPy arrays alone.

No class or function named in the file is ever imported. Each admitted name is answered with an inert stand-in
that only collects numbers, so a file can at most describe an array wrongly; anything else in it is refused by
name.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError

MAX_BYTES = 1 << 30
_MAX_MEMO = 1 << 24
_OBJECTS = "O8"
_DTYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")
_BROKEN = (
    pickle.UnpicklingError,
    struct.error,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    OverflowError,
    RecursionError,
    MemoryError,
)


class _Sealed(type):
    """Metaclass of the stand-ins: a pickle cannot set an attribute on one of them."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise TypeError(f"{cls.__name__} is sealed")


class _Dtype(metaclass=_Sealed):
    """Stands in for numpy.dtype; keeps the type code and the byte order."""

    def __init__(self, code: str, *_flags: Any) -> None:
        if code not in (*_DTYPES, _OBJECTS):
            raise TypeError(f"arrays of type {code!r} are not numbers")
        self.code, self.order = code, "<"

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise TypeError(f"unknown byte order {state[1]!r}")
        self.order = state[1]

    @property
    def numpy(self) -> np.dtype:
        return np.dtype(self.order + self.code)


class _ArrayType(metaclass=_Sealed):
    """Stands in for numpy.ndarray where it is only named."""


def _only(shape: tuple, values: Any) -> Any:
    """Return what an array without axes holds: `numpy.save` wraps a dict so. Other arrays of objects are refused."""
    if shape != () or not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], dict):
        raise TypeError("an array of Python objects that are not numbers")
    return values[0]


class _Array(metaclass=_Sealed):
    """Stands in for one array; its state is (version, shape, dtype, Fortran order, bytes)."""

    array: Any

    def __init__(self) -> None:
        self.array = None

    def __setstate__(self, state: tuple) -> None:
        _version, shape, dtype, fortran, raw = state
        if dtype.code == _OBJECTS:
            self.array = _only(shape, raw)
            return
        data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        flat = np.frombuffer(data, dtype=dtype.numpy)
        if any(side < 0 for side in shape) or prod(shape) != flat.size:
            raise ValueError(f"an array claims shape {shape} and holds {flat.size} values")
        native = flat.astype(flat.dtype.newbyteorder("="))
        self.array = native.reshape(shape, order="F" if fortran else "C")


class _Scalar(metaclass=_Sealed):
    """Stands in for numpy's constructor of single numbers: becomes a plain one."""

    def __new__(cls, dtype: _Dtype, raw: bytes | str) -> Any:
        data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        (value,) = np.frombuffer(data, dtype=dtype.numpy).tolist()
        return value


class _Reconstruct(metaclass=_Sealed):
    """Stands in for numpy's array constructor."""

    def __new__(cls, *_arguments: Any) -> Any:
        return _Array()


class _FromBuffer(metaclass=_Sealed):
    """Stands in for numpy's constructor of arrays in pickles of protocol 5."""

    def __new__(cls, data: bytes, dtype: _Dtype, shape: tuple, order: str) -> Any:
        array = _Array()
        array.__setstate__((1, shape, dtype, order == "F", data))
        return array


def _parts(state: dict, *names: str) -> tuple[tuple[int, int], list[np.ndarray]]:
    """Return the shape and the flat arrays of a sparse matrix; raises ValueError when one is not there."""
    shape = state.get("_shape", state.get("shape"))
    parts = [state[name].array for name in names]
    if shape is None or any(not isinstance(part, np.ndarray) or part.ndim != 1 for part in parts):
        raise ValueError("a sparse matrix lacks its shape or one of its arrays")
    rows, columns = shape
    return (rows, columns), parts


class _Matrix(metaclass=_Sealed):
    """A sparse matrix; `_Csr` and `_Coo` say how its state is read."""

    matrix: sp.csr_array | sp.coo_array


class _Csr(_Matrix):
    """Stands in for scipy.sparse.csr_matrix; keeps the three arrays and the shape."""

    def __setstate__(self, state: dict) -> None:
        shape, parts = _parts(state, "data", "indices", "indptr")
        matrix = sp.csr_array(tuple(parts), shape=shape)
        matrix.check_format(full_check=True)
        self.matrix = matrix


class _Coo(_Matrix):
    """Stands in for scipy.sparse.coo_matrix; keeps values, rows, columns and the shape."""

    def __setstate__(self, state: dict) -> None:
        if "coords" in state:  # SciPy from 1.11 on
            state = state | dict(zip(("row", "col"), state["coords"], strict=True))
        shape, (values, *ends) = _parts(state, "data", "row", "col")
        self.matrix = sp.coo_array((values, tuple(ends)), shape=shape)


class _ListType(metaclass=_Sealed):
    """Stands in for the builtin list, the default of a defaultdict; calling it with contents is refused."""

    def __new__(cls) -> Any:
        return []


class _Defaultdict(metaclass=_Sealed):
    """Stands in for collections.defaultdict: becomes a plain dict."""

    def __new__(cls, _factory: Any = None) -> Any:
        return {}


class _Encode(metaclass=_Sealed):
    """Stands in for _codecs.encode, by which Python 3 writes bytes into an old pickle."""

    def __new__(cls, text: str, encoding: str = "latin1") -> Any:
        if encoding != "latin1":
            raise ValueError(f"bytes in encoding {encoding!r}")
        return text.encode("latin1")


_ADMITTED: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct,
    ("scipy.sparse.csr", "csr_matrix"): _Csr,
    ("scipy.sparse._csr", "csr_matrix"): _Csr,
    ("scipy.sparse._csr", "csr_array"): _Csr,
    ("scipy.sparse.coo", "coo_matrix"): _Coo,
    ("scipy.sparse._coo", "coo_matrix"): _Coo,
    ("scipy.sparse._coo", "coo_array"): _Coo,
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy._core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy._core.multiarray", "scalar"): _Scalar,
    ("collections", "defaultdict"): _Defaultdict,
    ("__builtin__", "list"): _ListType,
    ("builtins", "list"): _ListType,
    ("_codecs", "encode"): _Encode,
}


class _Refused(Exception):
    """The file names something that is not admitted."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return the stand-in of an admitted name; raises _Refused for any other."""
        if (module_name, global_name) not in _ADMITTED:
            raise _Refused(f"{module_name}.{global_name}")
        return _ADMITTED[module_name, global_name]


def _scan(data: bytes) -> None:
    """Walk the opcodes without running one; refuses foreign names and absurd memo numbers."""
    for opcode, argument, _position in pickletools.genops(data):
        if opcode.name in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
            if (module, name) not in _ADMITTED:
                raise _Refused(f"{module}.{name}")
        if opcode.name in ("PUT", "LONG_BINPUT") and argument > _MAX_MEMO:
            raise ValueError(f"memo number {argument}")


def _plain(value: Any) -> Any:
    """Return what a stand-in collected."""
    if isinstance(value, _Array):
        if value.array is None:
            raise ValueError("an array without contents")
        return _plain(value.array) if isinstance(value.array, dict) else value.array
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value.matrix if isinstance(value, _Matrix) else value


def _unpickle(data: bytes) -> Any:
    _scan(data)
    return _plain(_Unpickler(io.BytesIO(data), encoding="latin1").load())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _guarded(build: Callable[[bytes], Any], data: bytes, path: Path) -> Any:
    try:
        return build(data)
    except _Refused as refused:
        raise DataError(
            f"{path}: the file asks for '{refused}', which is not an array. Only NumPy arrays, SciPy matrices (CSR, "
            "COO) and plain dicts and lists of numbers are read from a pickle. Nothing was run; fetch the file again, "
            "or have its publisher save the matrix with scipy.sparse.save_npz."
        ) from None
    except _BROKEN as error:
        raise DataError(
            f"{path}: not a readable array file, a pickle of arrays ({type(error).__name__}: {_one_line(error)}). It "
            "may be cut short; fetch it again."
        ) from None


def read_pickled(path: Path, start: int = 0) -> Any:
    """Return the array, sparse matrix or dict in a pickle file, without running anything the file names.

    Parameters
    ----------
    path: a pickle of at most 1 GiB, of protocol 2 to 5.
    start: where the pickle begins in the file.

    Raises DataError when the file names anything but arrays, or is broken or too large.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{path}: {size:,} bytes; at most {MAX_BYTES:,} are read from this format.")
    return _guarded(_unpickle, path.read_bytes()[start:], path)
