"""Whatever the last operation on files was before a process ended, the next one goes on to the same store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphforget.experiments.events import silent
from graphforget.experiments.farm import work_through
from graphforget.experiments.leftovers import sweep

OPERATIONS = ("open", "mkdir", "replace", "rename", "unlink", "rmdir")


class Ended(BaseException):
    """The process is no more."""


class Power:
    """Lets so many changes happen below a folder, and none after, those of cleaning up included."""

    def __init__(self, folder: Path, changes: float) -> None:
        self.folder, self.left, self.used = str(folder), changes, 0

    def on(self, monkeypatch) -> None:
        """Put this before the system's operations."""
        for name in OPERATIONS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, operation):
        def counted(path, *arguments, **options):
            if self._changes(operation.__name__, path, arguments, options):
                if self.left <= 0:
                    raise Ended
                self.left -= 1
                self.used += 1
            return operation(path, *arguments, **options)

        return counted

    def _changes(self, name: str, path, arguments, options) -> bool:
        if name == "open" and not (arguments and arguments[0] & os.O_CREAT):
            return False
        below = not isinstance(path, int) and os.path.abspath(path).startswith(self.folder)
        return below or options.get("dir_fd") is not None


@pytest.fixture(scope="module")
def grid(stores, tmp_path_factory) -> Path:
    """Five units: original, gold, references and two methods."""
    return stores.write_grid(tmp_path_factory.mktemp("grid"), 10, deletions=1, seeds=1)


@pytest.fixture(scope="module")
def units(stores, grid):
    """The units of the grid."""
    return stores.units_of(grid)


@pytest.fixture(scope="module")
def expected(stores, grid, tmp_path_factory) -> dict[str, object]:
    """What a store holds that was computed without a stop."""
    return stores.whole(grid, tmp_path_factory.mktemp("whole") / "runs")


def changes_of(units, root: Path) -> int:
    """Return how many changes to files the units take."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        power = Power(root, float("inf"))
        power.on(monkeypatch)
        work_through(units, root, silent)
    return power.used


@pytest.mark.parametrize("every", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_a_process_that_ends_before_any_change_of_a_file_leaves_what_can_be_resumed(
    stores, units, expected, tmp_path, every
):
    total = changes_of(units, tmp_path / "counted")
    for changes in range(every - 1, total, every):
        root = tmp_path / str(changes)
        with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(Ended):
            Power(root, changes).on(monkeypatch)
            work_through(units, root, silent)
        finished = stores.stamps(root)
        sweep(root)
        work_through(units, root, silent)
        assert stores.contents(root) == expected, f"stopped after {changes} changes"
        assert finished.items() <= stores.stamps(root).items() and stores.leftovers(root) == []
    print(f"stopped at each {every}th of {total} changes of files")
