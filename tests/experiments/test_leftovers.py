"""What killed processes left goes with the next command, and never what somebody writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphforget._core.files import atomic_folder, atomic_write
from graphforget.experiments.events import silent
from graphforget.experiments.farm import run_units
from graphforget.experiments.leftovers import at_work, sweep
from graphforget.experiments.run_folder import run_folders

LEFT = ("runs/.graphforget-1.tmp/result.json", "runs/.graphforget-2.tmp", "runs/work/.graphforget-3.tmp")
LEFT += ("runs/grids/.graphforget-4.tmp", "runs/tables/.graphforget-5.tmp", "runs/work/done.checkpoint")
LEFT += ("runs/work/done.checkpoint.part-0", "runs/work/done.seconds.json", "runs/work/done.log.json")
KEPT = ("runs/done/result.json", "runs/work/begun.checkpoint", "runs/work/begun.log.json", "runs/work/done.lock")
KEPT += ("runs/grids/mine.json", "runs/index.sqlite", ".graphforget-of-others.tmp")


@pytest.fixture
def root(tmp_path) -> Path:
    """A store after kills: one unit is finished, one was begun."""
    for name in (*LEFT, *KEPT):
        atomic_write(tmp_path / name, "x")
    return tmp_path / "runs"


def files(root: Path) -> set[str]:
    """Return the files in and beside a store, without the lock of those at work."""
    found = {path.relative_to(root.parent).as_posix() for path in root.parent.rglob("*") if path.is_file()}
    return found - {"runs/work/store.lock"}


def test_what_is_half_written_is_no_run_and_goes(root):
    assert [path.name for path in run_folders(root)] == ["done"]
    sweep(root)
    assert files(root) == set(KEPT)


def test_while_somebody_is_at_work_nothing_goes(root):
    with at_work(root), at_work(root):
        with atomic_folder(root / "new") as folder:
            atomic_write(folder / "a", "a")
            sweep(root)
            atomic_write(folder / "b", "b")
    assert {path.name for path in (root / "new").iterdir()} == {"a", "b"}
    assert set(LEFT) <= files(root)
    sweep(root)
    assert not set(LEFT) & files(root)


def test_a_command_with_nothing_left_to_do_removes_them_too(root):
    run_units((), root, silent)
    assert files(root) == set(KEPT)


def test_where_there_is_no_store_none_is_made(tmp_path):
    sweep(tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []
