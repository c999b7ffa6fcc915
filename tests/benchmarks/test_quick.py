"""A quick run does less, and its table names what it leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

import graphforget as gf
from benchmarks import attention, inputs, propagation, ranking, sampling, training, unlearning
from benchmarks.bench import Bench, Part, Peer, Work, times
from benchmarks.rows import Target

STREAM = Part("benchmarks.limits:stream", {"numbers": 1000})


class Recorder(Bench):
    """Writes down what is to be measured, and measures nothing."""

    def run(self, benchmark, work, arrays=None):
        self.asked = [*getattr(self, "asked", []), work]
        return []

    def named(self):
        """Return works and peers by name, whatever a quick run extrapolates them from."""
        short = lambda name: name.partition(", extrapolated")[0]  # noqa: E731
        return [(short(work.name), [short(peer) for peer in work.peers]) for work in self.asked]


@pytest.mark.parametrize("module", [sampling, ranking, propagation, attention, training, unlearning])
def test_a_quick_run_names_every_work_and_every_peer(module, tmp_path, monkeypatch):
    data = inputs.power_law(60, 300, 900)
    monkeypatch.setattr(module, "gowalla", lambda folder: data, raising=False)
    monkeypatch.setattr(module, "link_task", lambda *_: gf.LinkPrediction(gf.load("sample-citations"), seed=0), False)
    monkeypatch.setattr(module, "trained", lambda *_, **__: None, raising=False)
    monkeypatch.setattr(training, "BATCH", 32)
    full, quick = Recorder(None, tmp_path), Recorder(None, tmp_path, quick=True)
    for bench in (full, quick):
        module.run(bench)
        bench.close()
    assert quick.named() == full.named()
    assert all(work.check is not None for work in quick.asked if "autograd in float64" in work.note)


def test_memory_is_judged_in_a_process_of_its_own_alone(tmp_path):
    quick = Bench(None, tmp_path, 1, quick=True, rounds=1, least=1e-3)
    work = Work("sum", "ms", STREAM, times(1e3), memory=Target("value", "<=", 9.0))
    (_, first), (_, second) = quick.run("propagation", work), quick.run("propagation", work)
    assert (first.met, first.note) == ("yes", "")
    assert second.ours > 0 and (second.target, second.met) == ("", "") and "held other works before" in second.note
    quick.close()


def test_what_a_quick_run_leaves_out_is_said_to_be(tmp_path):
    peers = {"itself": Peer(STREAM), "slow": Peer(STREAM, Target("ratio", ">=", 2.0), slow=True)}
    work = Work("sum", "ms", STREAM, times(1e3), peers)
    quick = Bench(None, tmp_path, 1, quick=True, rounds=1, least=1e-3)
    full = replace(quick, quick=False, idle={})
    own, itself, slow = quick.run("propagation", work)
    assert own.ours > 0 and itself.ratio > 0 and slow.ratio is None
    assert (slow.note, slow.met) == ("not measured (a quick run leaves it out)", "not measured")
    assert [row.ours for row in quick.run("propagation", replace(work, slow=True))] == [None] * 3
    assert all(row.ratio for row in full.run("propagation", replace(work, slow=True))[1:])
    quick.close()
