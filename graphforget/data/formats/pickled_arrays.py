"""Arrays out of a pickle without running it: a restricted unpickler for numbers, NumPy and SciPy arrays alone.

No class or function named in the file is ever imported. Each admitted name is answered with an inert stand-in
that only collects numbers, so a file can at most describe an array wrongly; anything else in it is refused by
name. Arrays are made after the whole file was read and weighed: a pickle can name one list, or one block of bytes,
any number of times, and what it describes may not be much larger than itself.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError
from graphforget.data.formats.pickle_stand_ins import ADMITTED, Array, Matrix

MAX_BYTES = 1 << 30
_MAX_MEMO = 1 << 24
_MAX_GROWTH = 8
"""Numbers and bytes that a file may describe for each byte of its own; 1 unless it names something repeatedly."""
_MAX_TUPLES = 20
"""Tuples that may stand in each other."""
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


class _Refused(Exception):
    """The file names something that is not admitted."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return the stand-in of an admitted name; raises _Refused for any other."""
        if (module_name, global_name) not in ADMITTED:
            raise _Refused(f"{module_name}.{global_name}")
        return ADMITTED[module_name, global_name]


class _Tuples:
    """The stack of a pickle with the depth of the tuples on it in place of values; 0 stands for everything else.

    A tuple of two that are one and the same, in a tuple of two ..., is small, but to hash it as the key of a dict takes
    twice as long with every floor. Arrays and matrices need three floors.
    """

    def __init__(self) -> None:
        self.stack: list[int | None] = []  # None is a mark
        self.memo: dict[int, int] = {}

    def follow(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Take one step; raises ValueError or IndexError where the stack does not have what it needs."""
        name, before = opcode.name, opcode.stack_before
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = self.stack[-1] or 0
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo.get(argument, 0))
        elif name == "DUP":
            self.stack.append(self.stack[-1])
        else:
            marked = pickletools.markobject in before
            taken = self._marked(before.index(pickletools.markobject)) if marked else self._taken(len(before))
            depth = 1 + max(taken, default=0) if name.startswith("TUPLE") else 0
            if depth > _MAX_TUPLES:
                raise ValueError(f"more than {_MAX_TUPLES} tuples in each other")
            self.stack += [None if one is pickletools.markobject else depth for one in opcode.stack_after]

    def _taken(self, count: int) -> list[int]:
        return [self.stack.pop() or 0 for _ in range(count)]

    def _marked(self, below: int) -> list[int]:
        """Take and return all down to the mark, and take so many below it."""
        found = []
        while (top := self.stack.pop()) is not None:
            found.append(top)
        self._taken(below)
        return found


def _scan(data: bytes) -> None:
    """Walk the opcodes without running one; refuses foreign names, absurd memo numbers and towers of tuples."""
    tuples = _Tuples()
    for opcode, argument, _position in pickletools.genops(data):
        tuples.follow(opcode, argument)
        if opcode.name in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
            if (module, name) not in ADMITTED:
                raise _Refused(f"{module}.{name}")
        if opcode.name in ("PUT", "LONG_BINPUT") and argument is not None and argument > _MAX_MEMO:
            raise ValueError(f"memo number {argument}")


_NESTED = frozenset((list, tuple, set, frozenset, dict, Array, *Matrix.__subclasses__()))


def _contents(value: Any) -> Iterable[Any]:
    """Return what stands in a list, dict or stand-in."""
    if isinstance(value, dict):
        return chain(value, value.values())
    return (value.state,) if isinstance(value, Array | Matrix) else value


def _size(value: Any) -> int:
    """Return how many values and bytes a pickle describes, those it names several times counted every time.

    Raises ValueError for a list or dict that holds itself.
    """
    sizes: dict[int, int] = {}
    opened: set[int] = set()
    stack = [[value]]  # in a list of its own, so that there is an outermost one
    while stack:
        top = stack[-1]
        if id(top) in sizes:
            stack.pop()
            continue
        nested = [one for one in _contents(top) if type(one) in _NESTED]
        waiting = [one for one in nested if id(one) not in sizes]
        if waiting and id(top) in opened:
            raise ValueError("a list or dict holds itself")
        if waiting:
            opened.add(id(top))
            stack.extend(waiting)
            continue
        leaves = sum(len(one) if type(one) in (str, bytes, bytearray) else 1 for one in _contents(top))
        sizes[id(top)] = 1 + leaves + sum(sizes[id(one)] for one in nested)
        stack.pop()
    return sizes[id(top)]


def _plain(value: Any) -> Any:
    """Return what a stand-in collected."""
    if isinstance(value, Array | Matrix):
        found = value.made()
        return _plain(found) if isinstance(found, dict) else found
    return {key: _plain(entry) for key, entry in value.items()} if isinstance(value, dict) else value


def _unpickle(data: bytes) -> Any:
    _scan(data)
    found = _Unpickler(io.BytesIO(data), encoding="latin1").load()
    size = _size(found)
    if size > _MAX_GROWTH * len(data):
        raise ValueError(f"{len(data):,} bytes that describe more than {_MAX_GROWTH} times as much")
    return _plain(found)


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
