"""An SQLite index of a folder of runs, for questions over many of them. The files are the truth: it is made from them.

The index is one file, `index.sqlite`, replaced whole; a run that appeared or went since is added or dropped when the
index is opened, and an index that is missing or damaged is made anew. Tables: `runs` (a line for each run; `original`
is the run it was made from) and `numbers` (run, row, kind, seed, metric, value).
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import atomic_write
from graphforget.experiments.run_folder import RESULT, Run, read_run, run_folders

FILE = "index.sqlite"
RUNS = (
    "id",
    "unit",
    "data",
    "backbone",
    "task",
    "deletion",
    "kind",
    "method",
    "seed",
    "error",
    "weights",
    "original",
    "fields",
)
SCHEMA = f"""
create table runs ({", ".join(RUNS)}, stamp integer, primary key (id));
create table numbers (run, row, kind, seed integer, metric, value real);
create index by_run on numbers (run);
"""


def open_index(root: Path) -> sqlite3.Connection:
    """Return the index of a folder of runs, brought up to date in memory and on disk; close it after use.

    Raises UsageError for a folder that holds no runs, DataError for one that holds a copy of a run.
    """
    folders = {folder.name: (folder / RESULT).stat().st_mtime_ns for folder in run_folders(root)}
    if not folders:
        raise UsageError(f"{root}: no folder of runs. Name one that 'graphforget reproduce' writes to.")
    index = _read(root / FILE)
    known = dict(index.execute("select id, stamp from runs"))
    gone = [name for name in known if folders.get(name) != known[name]]
    new = [name for name in folders if known.get(name) != folders[name]]
    for name in gone:
        index.execute("delete from runs where id = ?", (name,))
        index.execute("delete from numbers where run = ?", (name,))
    for name in new:
        _add(index, _named_run(root / name), folders[name])
    index.commit()
    if gone or new:
        with suppress(DataError):  # the file only spares reading: a folder that cannot be written to answers as well
            atomic_write(root / FILE, index.serialize())
    return index


def _read(file: Path) -> sqlite3.Connection:
    """Return what the index file holds, or an empty index where it is missing, damaged or of another form."""
    data = file.read_bytes() if file.is_file() else b""
    if data:
        index = sqlite3.connect(":memory:")
        try:
            index.deserialize(data)
            columns = [row[1] for row in index.execute("pragma table_info(runs)")]
            if columns == [*RUNS, "stamp"] and index.execute("pragma integrity_check").fetchone() == ("ok",):
                return index
        except sqlite3.DatabaseError:
            index.close()
    fresh = sqlite3.connect(":memory:")
    fresh.executescript(SCHEMA)
    return fresh


def _named_run(folder: Path) -> Run:
    """Return the run in a folder; raises DataError for a copy under another name, whose numbers would count twice."""
    run = read_run(folder)
    if run.id != folder.name:
        raise DataError(
            f"{folder}: holds the run {run.id}, and the folder of a run has its name. Move this copy to another place."
        )
    return run


def _add(index: sqlite3.Connection, run: Run, stamp: int) -> None:
    known: dict[str, Any] = {name: run.fields.get(name, "") for name in RUNS}
    known |= {"id": run.id, "unit": run.unit, "error": run.error, "weights": run.weights}
    known["original"] = run.needs.get("original", "")
    known["fields"] = json.dumps(dict(run.fields), sort_keys=True)
    index.execute(f"insert into runs values ({', '.join('?' * (len(RUNS) + 1))})", (*known.values(), stamp))
    rows = [(run.id, r.row, r.kind, r.seed, name, value) for r in run.records for name, value in r.values.items()]
    index.executemany("insert into numbers values (?, ?, ?, ?, ?, ?)", rows)


def ask(root: Path, question: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows that an SQL question over the index gives.

    Example: ask(root, "select row, avg(value) from numbers where metric = 'test_auc' group by row")
    """
    with closing(open_index(root)) as index:
        return index.execute(question, values).fetchall()
