"""The one way to write a file: whole or not at all, whatever stops the program."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, UsageError


def _temporary(path: Path) -> Path:
    return path.parent / f".graphforget-{secrets.token_hex(8)}.tmp"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path, error: OSError) -> DataError:
    reason = error.strerror or error.__class__.__name__
    return DataError(f"{path}: cannot be written ({reason}). Choose another place, or make room there.")


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def _write_synced(path: Path, data: bytes, mode: int | None) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _encoded(path: Path, text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        around = text[max(error.start - 20, 0) : error.end + 20]
        raise DataError(
            f"{path}: cannot be written: UTF-8 has no form for {text[error.start]!a}, which stands in {around!a}, as "
            "in the name of a file that is not UTF-8. Name the file or the id otherwise."
        ) from error


def atomic_write(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write `data` (text as UTF-8) to `path`, replacing what was there in one step.

    A reader sees the old file or the new one, never a part; after a crash the same. The folder is made when
    missing, a symbolic link is followed, and the permissions of a replaced file stay.

    Raises
    ------
    DataError
        When the system refuses (no permission, no space, `path` is a folder), or UTF-8 has no form for the text.
    """
    target = Path(os.path.realpath(path))
    temporary = _temporary(target)
    payload = _encoded(Path(path), data) if isinstance(data, str) else data
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(temporary, payload, _mode(target))
        os.replace(temporary, target)
        _sync(target.parent)
    except OSError as error:
        raise _cannot_write(Path(path), error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _check_free(target: Path, replace: bool) -> None:
    if target.exists() and not target.is_dir():
        raise DataError(f"{target}: is a file where a folder must go. Move it, or choose another name.")
    if not replace and target.is_dir() and any(target.iterdir()):
        raise DataError(f"{target}: the folder exists and is not empty. Move it, or choose another name.")


def _sync_tree(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _put_in_place(built: Path, target: Path, replace: bool) -> None:
    if not (replace and target.is_dir() and any(target.iterdir())):
        os.rename(built, target)
        return
    old = _temporary(target)
    os.rename(target, old)
    try:
        os.rename(built, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str], replace: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill; it appears as `path` when the block ends, and not at all when it fails.

    Everything in it reaches the disk before it gets its name. With `replace`, a folder that is there already
    is moved aside first: a crash between the two renames leaves none, never a mixture.

    Raises
    ------
    DataError
        When `path` is a file, or a folder with something in it (without `replace`), or the system refuses.
    """
    target = Path(os.path.realpath(path))
    _check_free(target, replace)
    built = _temporary(target)
    try:
        try:
            built.mkdir(parents=True)
        except OSError as error:
            raise _cannot_write(Path(path), error) from error
        yield built
        _check_free(target, replace)
        try:
            _sync_tree(built)
            _put_in_place(built, target, replace)
            _sync(target.parent)
        except OSError as error:
            raise _cannot_write(Path(path), error) from error
    finally:
        shutil.rmtree(built, ignore_errors=True)


@contextlib.contextmanager
def file_lock(path: str | os.PathLike[str], timeout: float = 10.0, shared: bool = False) -> Iterator[None]:
    """Hold `path` for this process alone; others wait. The lock is on `<path>.lock` and ends with its holder.

    The operating system keeps the lock, so that no kill, clock, host or number of a process can make it stale.

    Parameters
    ----------
    path : the file or folder to protect; it need not exist.
    timeout : seconds to wait for another holder; 0 tries once.
    shared : hold it together with others that share it; nobody holds it alone meanwhile.

    Raises
    ------
    UsageError
        When another process still holds it after `timeout`.
    DataError
        When the system refuses, as a file system without locks does.
    """
    lock = Path(f"{os.path.realpath(path)}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _cannot_write(lock, error) from error
    try:
        _wait_for(descriptor, Path(path), timeout, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_held(path: str | os.PathLike[str]) -> bool:
    """Return whether a process holds `path` for itself alone. Nothing is written, so that a look needs no right to.

    Raises DataError when the lock is there and the system refuses a look at it.
    """
    lock = Path(f"{os.path.realpath(path)}.lock")
    try:
        descriptor = os.open(lock, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise DataError(f"{lock}: cannot be looked at ({error.strerror or error}). Check its permissions.") from error
    return False


def _wait_for(descriptor: int, path: Path, timeout: float, kind: int) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise UsageError(
                    f"{path}: another process is using it (waited {timeout:g} s). Try again when it ended."
                ) from None
            time.sleep(0.02)
        except OSError as error:
            raise DataError(
                f"{path}: cannot be locked ({error.strerror or error}), and without locks two processes could do the "
                "same work. Choose a folder on a file system that has them."
            ) from error


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def write_json(path: str | os.PathLike[str], obj: Any) -> None:
    """Write `obj` as JSON: sorted keys, a newline at the end; numpy scalars and arrays become plain.

    Raises
    ------
    DataError
        When `obj` holds what JSON has no form for (NaN and infinity included), or the system refuses.
    """
    try:
        text = json.dumps(obj, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: the value cannot be written as JSON ({error}).") from error
    atomic_write(path, text + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Return the value that the JSON file `path` holds; a byte order mark before it is passed over.

    Raises
    ------
    DataError
        When the file cannot be read, is not JSON (the message names line and column), or names a key of an object
        twice: the first value would be lost without a word.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"{path}: the key '{twice}' stands twice in one object. Join the two, or take one out.")
        return found

    try:
        return json.loads(Path(path).read_bytes().decode("utf-8-sig"), object_pairs_hook=once)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). Check the path.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8 text. Write the file as UTF-8.") from error
    except RecursionError as error:
        raise DataError(f"{path}: is nested too deeply to be one of our files. Name another.") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} line {error.lineno}, column {error.colno}: not JSON ({error.msg}). Correct that place."
        ) from error
    except ValueError as error:  # a number of thousands of digits
        raise DataError(f"{path}: cannot be read ({error}). Name another file.") from error
