"""What stands in for the classes and functions that a pickle of arrays names: they collect numbers and do nothing.

Arrays and matrices are made when they are asked for (`made`), not while the file is read: a file can name one block
of bytes any number of times, see `pickled_arrays`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import scipy.sparse as sp

_OBJECTS = "O8"
_DTYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")
_MAX_AXES = 32


class _Sealed(type):
    """Metaclass of the stand-ins: a pickle cannot set an attribute on one of them."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise TypeError(f"{cls.__name__} is sealed")


class _Dtype(metaclass=_Sealed):
    """Stands in for numpy.dtype; keeps the type code and the byte order."""

    def __init__(self, code: str, *_flags: Any) -> None:
        if not isinstance(code, str) or code not in (*_DTYPES, _OBJECTS):
            raise TypeError(f"arrays of type {_word(code)} are not numbers")
        self.code, self.order = code, "<"

    def __setstate__(self, state: tuple) -> None:
        if not isinstance(state[1], str) or state[1] not in ("<", ">", "|", "="):
            raise TypeError(f"unknown byte order {_word(state[1])}")
        self.order = state[1]

    @property
    def numpy(self) -> np.dtype:
        return np.dtype(self.order + self.code)


class _ArrayType(metaclass=_Sealed):
    """Stands in for numpy.ndarray where it is only named; there are no such objects."""

    def __new__(cls, *_arguments: Any) -> Any:
        raise TypeError("an array without contents")


def _word(value: Any) -> str:
    """Return a value for a message: a short text as it is, of anything else its type (it may be huge when printed)."""
    return repr(value[:20]) if isinstance(value, str) else f"'{type(value).__name__}'"


def _raw(value: Any) -> bytes | bytearray:
    """Return the bytes of an array; old pickles hold them as text. A number is no bytes, `bytes(9**9)` would be."""
    if isinstance(value, str):
        return value.encode("latin1")
    if not isinstance(value, bytes | bytearray):
        raise TypeError(f"the contents of an array are a {type(value).__name__}, not bytes")
    return value


def _only(shape: tuple, values: Any) -> Any:
    """Return what an array without axes holds: `numpy.save` wraps a dict so. Other arrays of objects are refused."""
    if shape != () or not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], dict):
        raise TypeError("an array of Python objects that are not numbers")
    return values[0]


class Array(metaclass=_Sealed):
    """Stands in for one array; its state is (version, shape, dtype, Fortran order, bytes)."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def made(self) -> Any:
        """Return the array, or the dict that an array of objects wraps; raises for a state that is none."""
        if self.state is None:
            raise ValueError("an array without contents")
        _version, shape, dtype, fortran, raw = self.state
        if dtype.code == _OBJECTS:
            return _only(shape, raw)
        flat = np.frombuffer(_raw(raw), dtype=dtype.numpy)
        if len(shape) > _MAX_AXES or any(side < 0 for side in shape) or prod(shape) != flat.size:
            raise ValueError(f"an array claims shape {str(shape[:_MAX_AXES]):.200} and holds {flat.size} values")
        native = flat.astype(flat.dtype.newbyteorder("="))
        return native.reshape(shape, order="F" if fortran else "C")


class _Scalar(metaclass=_Sealed):
    """Stands in for numpy's constructor of single numbers: becomes a plain one."""

    def __new__(cls, dtype: _Dtype, raw: bytes | str) -> Any:
        if len(raw) > 8:
            raise ValueError(f"a single number of {len(raw)} bytes")
        (value,) = np.frombuffer(_raw(raw), dtype=dtype.numpy).tolist()
        return value


class _Reconstruct(metaclass=_Sealed):
    """Stands in for numpy's array constructor."""

    def __new__(cls, *_arguments: Any) -> Any:
        return Array()


class _FromBuffer(metaclass=_Sealed):
    """Stands in for numpy's constructor of arrays in pickles of protocol 5."""

    def __new__(cls, data: bytes, dtype: _Dtype, shape: tuple, order: str) -> Any:
        array = Array()
        array.__setstate__((1, shape, dtype, order == "F", data))
        return array


def _parts(state: dict, *names: str) -> tuple[tuple[int, int], list[np.ndarray]]:
    """Return the shape and the flat arrays of a sparse matrix; raises ValueError when one is not there."""
    shape = state.get("_shape", state.get("shape"))
    parts = [state[name].made() for name in names]
    if shape is None or any(not isinstance(part, np.ndarray) or part.ndim != 1 for part in parts):
        raise ValueError("a sparse matrix lacks its shape or one of its arrays")
    rows, columns = shape
    return (rows, columns), parts


class Matrix(metaclass=_Sealed):
    """A sparse matrix; `_Csr` and `_Coo` say by `made` how its state is read."""

    made: Callable[[], Any]

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: dict) -> None:
        self.state = state


class _Csr(Matrix):
    """Stands in for scipy.sparse.csr_matrix; keeps the three arrays and the shape."""

    def made(self) -> sp.csr_array:
        """Return the matrix; raises for a state that is none."""
        shape, parts = _parts(self.state, "data", "indices", "indptr")
        matrix = sp.csr_array(tuple(parts), shape=shape)
        matrix.check_format(full_check=True)
        return matrix


class _Coo(Matrix):
    """Stands in for scipy.sparse.coo_matrix; keeps values, rows, columns and the shape."""

    def made(self) -> sp.coo_array:
        """Return the matrix; raises for a state that is none."""
        state = self.state
        if "coords" in state:  # SciPy from 1.11 on
            state = state | dict(zip(("row", "col"), state["coords"], strict=True))
        shape, (values, *ends) = _parts(state, "data", "row", "col")
        return sp.coo_array((values, tuple(ends)), shape=shape)


class _ListType(metaclass=_Sealed):
    """Stands in for the builtin list, the default of a defaultdict; calling it with contents is refused."""

    def __new__(cls) -> Any:
        return []


class _Defaultdict(metaclass=_Sealed):
    """Stands in for collections.defaultdict: becomes a plain dict."""

    def __new__(cls, _factory: Any = None) -> Any:
        return {}


class _Encode(metaclass=_Sealed):
    """Stands in for _codecs.encode, by which Python 3 writes bytes into an old pickle; they stay text here."""

    def __new__(cls, text: str, encoding: str = "latin1") -> Any:
        if encoding != "latin1":
            raise ValueError(f"bytes in encoding {_word(encoding)}")
        return text


ADMITTED: dict[tuple[str, str], type] = {
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
