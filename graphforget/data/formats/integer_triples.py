"""KGAT's `kg_final.txt`: integer `head relation tail` on each line, plain or in a zip archive.

Items are the entities 0 .. n_items - 1; inverse relations are not in the file. The preprocessed form of KGCN and
RippleNet has the same lines.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.base import existing
from graphforget.data.formats.numbers import as_text, check_range, number_rows, number_table, read_text
from graphforget.data.triples import TripleGraph

LAYOUT = "A line is 'head relation tail', three whole numbers from 0"
LAYOUTS = ("kg_final.txt", "kg_final.txt.zip", "kg_final.zip")
MAX_UNPACKED = 2 << 30
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


def _member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """Return the one text file of an archive; folders and what macOS adds do not count."""
    files = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    if len(files) != 1:
        names = ", ".join(info.filename for info in files[:5]) or "nothing"
        raise DataError(f"{path}: holds {names}; an archive of triples holds one text file. Unpack the one you mean.")
    return files[0]


def _unpacked(path: Path) -> bytes:
    """Return the text in a zip archive: in memory, and never more than MAX_UNPACKED bytes of it."""
    try:
        with zipfile.ZipFile(existing(path)) as archive:
            info = _member(archive, path)
            with archive.open(info) as file:
                data = file.read(MAX_UNPACKED + 1)
    except _BROKEN as error:
        raise DataError(
            f"{path}: not a readable zip archive ({type(error).__name__}: {error}). Fetch it again, or unpack it "
            "yourself and name the text file."
        ) from None
    if len(data) > MAX_UNPACKED:
        raise DataError(f"{path}: unpacks to more than {MAX_UNPACKED:,} bytes, which are not read. Check the archive.")
    if not data:
        raise DataError(f"{path}: '{info.filename}' in it is empty. Fetch the archive again.")
    return data


def integer_facts(path: Path) -> np.ndarray:
    """Return (3, T) int64 heads, relations and tails in file order; raises DataError with file and line."""
    zipped = path.suffix.lower() == ".zip"
    text = as_text(_unpacked(path), str(path)) if zipped else read_text(path)
    rows = number_rows(text, str(path), LAYOUT)
    facts = number_table(rows, 3, LAYOUT)
    kind = np.arange(len(rows.values)) % 3
    check_range(rows, np.flatnonzero(kind == 1), "relation")
    check_range(rows, np.flatnonzero(kind != 1), "entity")
    return facts


def read_integer_triples(path: Path, n_items: int) -> TripleGraph:
    """Return the knowledge graph of a file of integer facts; its first entities are the `n_items` items.

    Raises DataError with file and line of the first fault.
    """
    facts = integer_facts(path)
    n_entities = max(n_items, 1 + int(facts[[0, 2]].max()))
    return TripleGraph.build(n_entities, 1 + int(facts[1].max()), facts, name=path.name)
