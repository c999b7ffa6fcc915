"""Download of a data set into the user's cache: whole and counted, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pooch
import requests

from graphforget._core.errors import DataError
from graphforget._core.files import atomic_folder, file_lock
from graphforget.data.cards import AnyCard, CardFile

T = TypeVar("T")
_LOCK_SECONDS = 600.0


def cache_folder() -> Path:
    """Return the user's cache folder of this package (it need not exist)."""
    return Path(pooch.os_cache("graphforget"))


def _failed(file: CardFile, reason: str) -> DataError:
    return DataError(
        f"{file.url}: the download failed ({reason}). Nothing was kept. Try again, or put the file at '{file.path}' "
        "below a folder and name that folder by data_dir or $GRAPHFORGET_DATA."
    )


def fetch(file: CardFile, folder: Path) -> Path:
    """Download one file of a card into `folder` and return its path.

    Raises DataError when the server does not give it, it is cut short, or its sha256 is not that of the card.
    """
    if file.url is None:
        raise DataError(f"{file.path}: the card names no url; put the file there and name its folder by data_dir.")
    target = folder / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel(logging.ERROR)
    known = None if file.sha256 is None else f"sha256:{file.sha256}"
    try:
        pooch.retrieve(file.url, known_hash=known, fname=target.name, path=target.parent, progressbar=False)
    except requests.RequestException as error:
        raise _failed(file, f"{type(error).__name__}: {error}") from error
    except ValueError as error:
        raise _failed(file, f"its sha256 is not {file.sha256}; the published file changed or was damaged") from error
    except OSError as error:
        raise _failed(file, error.strerror or str(error)) from error
    return target


def cached(card: AnyCard, read: Callable[[Path], T], cache: Path | None = None) -> T:
    """Return `read(folder)` of the data set's folder in the cache, downloading it when it is not there.

    Optional files without a url are left out.

    The download is read, and so counted, before it gets its place: what fails leaves nothing behind.

    Parameters
    ----------
    card: the data set.
    read: called with the folder that holds the card's files; raises when they are not what the card says.
    cache: the cache folder; the user's by default.
    """
    home = (cache or cache_folder()) / card.name
    if home.is_dir():
        return read(home)
    with file_lock(home, timeout=_LOCK_SECONDS):
        if home.is_dir():
            return read(home)
        with atomic_folder(home) as staging:
            for file in card.files:
                if file.url is not None or not file.optional:
                    fetch(file, staging)
            return read(staging)
