"""Arrays out of .npy and .npz files: sizes are checked before memory is taken, objects are refused."""

from __future__ import annotations

import zipfile
import zlib
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.base import existing

MAX_BYTES = 4 << 30
_BROKEN_HEADER = (ValueError, EOFError, OSError, SyntaxError, TokenError, TypeError, RecursionError, MemoryError)
"""What NumPy raises for headers that are no literal of a dict, its tokeniser for Python 2's among them."""
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
)


def _header(file: IO[bytes], place: str) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type from the header of an .npy stream."""
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        if version not in read:
            raise ValueError(f"format version {version}")
        shape, _fortran, dtype = read[version](file)
    except _BROKEN_HEADER as error:
        raise DataError(f"{place}: not a NumPy array ({error}). Write it again with numpy.save.") from None
    return shape, dtype


def _check(shape: tuple[int, ...], dtype: np.dtype, held: int, place: str) -> None:
    if dtype.hasobject:
        raise DataError(
            f"{place}: holds Python objects (pickled), which are never read. Save numbers or fixed-length text."
        )
    claimed = prod(shape) * dtype.itemsize
    if any(side < 0 for side in shape) or claimed != held:
        raise DataError(
            f"{place}: the header claims shape {shape} of {dtype} ({claimed:,} bytes), but {held:,} bytes follow. The "
            "file is cut short or damaged; write it again."
        )
    if claimed > MAX_BYTES:
        raise DataError(f"{place}: {claimed:,} bytes; at most {MAX_BYTES:,} are read for one array.")


def read_npy(path: Path) -> np.ndarray:
    """Return the array of an .npy file; raises DataError when it is damaged, too large or holds objects."""
    with existing(path).open("rb") as file:
        shape, dtype = _header(file, str(path))
        _check(shape, dtype, path.stat().st_size - file.tell(), str(path))
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


def object_start(path: Path) -> int:
    """Return where the pickle begins in an .npy file that holds one Python object, as `numpy.save` wraps a dict.

    Nothing is unpickled here. Raises DataError when the file holds an array.
    """
    with existing(path).open("rb") as file:
        shape, dtype = _header(file, str(path))
        if shape != () or not dtype.hasobject or dtype.names is not None:
            raise DataError(f"{path}: holds an array of {dtype} of shape {shape}, where one Python dict is expected.")
        return file.tell()


class Archive:
    """An .npz file whose arrays are read one at a time; arrays that nobody asks for are never touched.

    Parameters
    ----------
    path: the file.

    Raises DataError when it is missing or no zip archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = existing(path)
        try:
            with zipfile.ZipFile(path) as archive:
                self._members = {info.filename: info for info in archive.infolist()}
        except _BROKEN_ZIP as error:
            raise DataError(
                f"{path}: not a readable .npz archive ({error}). It may be cut short; fetch or write it again."
            ) from None

    @property
    def keys(self) -> list[str]:
        """Names of the arrays, sorted."""
        return sorted(name.removesuffix(".npy") for name in self._members)

    def __contains__(self, key: str) -> bool:
        return f"{key}.npy" in self._members

    def array(self, key: str) -> np.ndarray:
        """Return one array; raises DataError when it is absent, damaged, too large or holds objects."""
        place = f"{self.path}, array '{key}'"
        if key not in self:
            raise DataError(f"{place}: not in the file, which holds {', '.join(self.keys) or 'nothing'}.")
        try:
            with zipfile.ZipFile(self.path) as archive:
                return self._read(archive, f"{key}.npy", place)
        except _BROKEN_ZIP as error:
            raise DataError(f"{place}: cannot be unpacked ({error}). Fetch or write the file again.") from None

    def _read(self, archive: zipfile.ZipFile, member: str, place: str) -> np.ndarray:
        with archive.open(member) as file:
            shape, dtype = _header(file, place)
            _check(shape, dtype, self._members[member].file_size - file.tell(), place)
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
