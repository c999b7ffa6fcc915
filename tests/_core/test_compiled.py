"""What numba keeps on disk is used for the sources it was made of, callees in other files included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from numba.core.caching import FunctionCache

from graphforget._core.compiled import PACKAGE, SOURCES, njit

RUN = """
import sys
from pathlib import Path
from graphforget._core import compiled
compiled.PACKAGE, compiled.SOURCES = Path(sys.argv[1]), ("*.py",)
sys.path.insert(0, sys.argv[1])
from caller import twice
print(twice(5), sum(twice.stats.cache_hits.values()))
"""
CALLER = """
from graphforget._core.compiled import njit
from callee import more

@njit(cache=True)
def twice(x):
    return 2 * more(x)
"""
CALLEE = """
from graphforget._core.compiled import njit

@njit(cache=True)
def more(x):
    return x + {}
"""


def answer(folder: Path) -> list[int]:
    """Return what the caller answers in a process of its own, and how often it was found on disk."""
    words = [sys.executable, "-c", RUN, str(folder)]
    return [int(word) for word in subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()]


def test_a_callee_that_changed_is_compiled_into_its_callers_again(tmp_path):
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "callee.py").write_text(CALLEE.format(1))
    assert [answer(tmp_path), answer(tmp_path)] == [[12, 0], [12, 1]]
    (tmp_path / "callee.py").write_text(CALLEE.format(2))
    assert [answer(tmp_path), answer(tmp_path)] == [[14, 0], [14, 1]]


def test_every_file_with_compiled_functions_counts():
    known = {path for pattern in SOURCES for path in PACKAGE.glob(pattern)}
    compiling = {path for path in PACKAGE.rglob("*.py") if "@njit" in path.read_text(encoding="utf-8")}
    assert compiling and compiling <= known
    assert not [path.name for path in compiling if "from numba import njit" in path.read_text(encoding="utf-8")]


def test_a_numba_that_keeps_files_in_another_way_keeps_none(monkeypatch):
    """Code that cannot be told to be of today's sources is compiled each time."""
    first = FunctionCache.__init__

    def elsewhere(self, function) -> None:
        first(self, function)
        del self._cache_file

    monkeypatch.setattr(FunctionCache, "__init__", elsewhere)
    made = njit(cache=True)(lambda x: x + 1)
    assert made(1) == 2 and made.stats.cache_path is None
