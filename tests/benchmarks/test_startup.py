"""What is said of compiling is what numba did, and a later command compiles nothing."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from benchmarks import startup
from benchmarks.bench import LEFT_OUT, Bench
from benchmarks.client import SideFailed

SQUARE = """
from graphforget._core.compiled import njit
import numpy as np

@njit(cache=True)
def inner(x):
    return x * x

@njit(cache=True)
def outer(values):
    total = 0.0
    for value in values:
        total += inner(value)
    return total

from benchmarks.startup import Kernels
kernels = Kernels()
kernels.watch()
outer(np.arange(3.0)); outer(np.arange(5.0)); outer(np.arange(3))
print(kernels.count, kernels.seconds > 0.01)
"""


@pytest.fixture
def bench(tmp_path):
    made = Bench(None, tmp_path, threads=1, rounds=1)
    yield made
    made.close()


def test_a_kernel_counts_once_for_each_signature_with_what_it_calls(bench):
    """A file, for numba caches nothing of code that stands in none."""
    (bench.scratch / "square.py").write_text(SQUARE)
    found = startup._python(bench, "square.py", NUMBA_CACHE_DIR=str(bench.scratch / "cache"))
    assert found.split() == ["2", "True"]


def test_first_commands_compile_and_later_ones_load(bench, monkeypatch):
    monkeypatch.setattr(startup, "COMMANDS", {"a graph": "load sample-citations"})
    told = iter([{"kernels": 9.0, "all": 11.0, "count": 3}, {"kernels": 1.5, "all": 2.0, "count": 3}])
    monkeypatch.setattr(startup, "_compiled", lambda *_: ([next(told)], [next(told)]))
    imported, everything, first, later = startup.run(bench)
    assert 0 < imported.ours < everything.ours and (imported.target, everything.target) == ("≤ 1.5 s", "")
    assert (first.ours, first.met, first.clock) == (9.0, "yes", "cpu") and "3 kernels, of 11.0 s" in first.note
    assert (later.ours, later.met) == (1.5, "no")


def test_a_quick_run_leaves_compiling_out_and_says_so(bench):
    rows = startup.run(replace(bench, quick=True))
    assert [row.note for row in rows[2:]] == [LEFT_OUT] * (2 * len(startup.COMMANDS))


def test_a_command_that_fails_is_no_figure(bench):
    with pytest.raises(SideFailed, match="(?s)load nowhere ended with 1: .*graphforget load nowhere ended with 2"):
        startup._python(bench, "-m", "benchmarks.startup", "load", "nowhere")


def test_each_first_command_has_a_cache_of_its_own(bench, monkeypatch):
    """The later one has the first's."""
    asked = []
    monkeypatch.setattr(
        startup, "_python", lambda _, *words, **env: asked.append(env["NUMBA_CACHE_DIR"]) or '{"kernels": 1}'
    )
    startup._compiled(replace(bench, rounds=3), "load x")
    assert len(asked) == 6 and asked[::2] == asked[1::2] and len(set(asked)) == 3
    assert not any(os.path.exists(folder) for folder in asked)
