"""Rounds, rows, tables, processes and environments of the benchmarks."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import environments
from benchmarks.__main__ import main
from benchmarks.bench import Bench, Bound, Part, Peer, Work, WrongAnswer, require, times
from benchmarks.client import OutOfTime, Side, SideFailed
from benchmarks.environments import EnvironmentFailed, environment
from benchmarks.rounds import interleaved
from benchmarks.rows import Row, Target, from_csv, number, save, to_csv, to_markdown

ROW = Row(
    "sampling", "draws", "M/s", 81.25, "PyG", 0.9, 90.3, 85.0, 95.0, rounds=5, discarded=2, threads=2, machine="M"
)


class Scripted:
    """A side whose measurements are given, and that writes down when it is asked."""

    def __init__(self, name, measurements, log):
        self.name, self.measurements, self.log = name, iter(measurements), log

    def ask(self, *, do):
        self.log.append(self.name)
        wall, foreign = next(self.measurements)
        return {"wall": wall, "cpu": 10 * wall, "foreign": foreign}


def scripted(log, ours, theirs):
    return {"": Scripted("A", ours, log), "peer": Scripted("B", theirs, log)}


def test_rounds_take_turns_and_leave_out_disturbed_ones():
    log = []
    ours = [(1.0, 0.0), (9.0, 0.5), (2.0, 0.08), (3.0, 0.0)]
    theirs = [(4.0, 0.0), (9.0, 0.0), (6.0, 0.0), (15.0, 0.0)]
    rounds = interleaved(scripted(log, ours, theirs), wanted=3, attempts=9)
    assert "".join(log) == "ABABABAB"
    assert (len(rounds.clean), len(rounds.disturbed), rounds.contended) == (3, 1, False)
    assert rounds.seconds("") == 2.0
    assert rounds.ratio("peer", "") == (4.0, 3.0, 5.0)


def test_too_few_clean_rounds_are_said():
    rounds = interleaved(scripted([], [(1.0, 1.0)] * 4, [(2.0, 0.0)] * 4), wanted=3, attempts=4, clock="cpu")
    assert rounds.contended and len(rounds.used) == 4
    assert rounds.seconds("") == 10.0


@pytest.mark.parametrize(
    ("target", "words", "met"),
    [
        (Target("ratio", ">=", 80.0), "≥ 80x", "yes"),
        (Target("ratio", ">=", 91.0), "≥ 91x", "no"),
        (Target("value", ">=", 81.25), "≥ 81.25 M/s", "yes"),
        (Target("value", "<=", 80.0), "≤ 80 M/s", "no"),
        (Target("share", ">=", 0.9), "≥ 90 % of the limit", "no"),
    ],
)
def test_targets(target, words, met):
    row = replace(ROW, share=0.85).promised(target)
    assert (row.target, row.met) == (words, met)
    assert target.what != "share" or ROW.promised(target).met == "not measured"


def test_rows_survive_the_csv(tmp_path):
    rows = [ROW.promised(Target("ratio", ">=", 80.0)), replace(ROW, peer="", theirs=None, ratio=None, note='a, "b"')]
    rows = [*rows, replace(ROW, benchmark="scale", contended=True, share=0.5, bound="gather")]
    assert from_csv(to_csv(rows)) == rows
    save(tmp_path, rows)
    assert from_csv((tmp_path / "sampling.csv").read_text()) == rows[:2]
    assert from_csv((tmp_path / "scale.csv").read_text()) == rows[2:]


def test_the_table():
    rows = [
        replace(ROW, share=0.915, bound="gather", contended=True).promised(Target("ratio", ">=", 80.0)),
        replace(ROW, peer="DGL", theirs=None, ratio=None, note="not measured (no wheel)"),
    ]
    lines = to_markdown(rows).splitlines()
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == [
        *("draws", "M/s", "81.2 ‡", "PyG", "0.900", "90.3x (85.0 to 95.0)", "≥ 80x", "yes", "gather: 92 %")
    ]
    assert "- draws, DGL: not measured (no wheel)." in lines
    assert any(line.startswith("- ‡ fewer clean rounds") for line in lines)
    assert any(line.startswith("- M; 2 threads; commit") for line in lines)


def test_numbers_have_three_digits():
    shown = [number(value) for value in (None, 0.0612, 0.5, 5.678, 46.25, 812.4, 71234.5)]
    assert shown == ["–", "0.0612", "0.500", "5.68", "46.2", "812", "71,200"]


def test_a_side_in_a_process_of_its_own(tmp_path):
    arrays = tmp_path / "in.npz"
    np.savez(arrays, indptr=np.array([0, 1, 2]), indices=np.array([1, 0], np.int32))
    with Side(Path(sys.executable), "benchmarks.limits:gather", tmp_path / "log", 1) as side:
        side.load(arrays, {"width": 8}, least=1e-4, answer=tmp_path / "out.npz")
        with np.load(tmp_path / "out.npz") as answer:
            assert np.count_nonzero(answer["sums"]) == 2  # each of two rows was read, by a task of its own
        assert side.seconds > 0
        measurement = side.ask(do="time")
        assert measurement["wall"] > 0 and measurement["foreign"] >= 0
        assert side.ask(do="memory")["bytes"] > 10**7
        assert "numpy" in side.versions
        with pytest.raises(SideFailed, match="TypeError.*depth_of"):
            side.load(arrays, {"depth_of": 3}, least=1e-4)
    with pytest.raises(SideFailed, match="ended"):
        side.ask(do="time")


def test_a_comparison_makes_rows_and_says_what_does_not_run(tmp_path):
    bench = Bench(None, tmp_path, 1, rounds=1, least=1e-3, without=frozenset({"dgl"}), scratch=tmp_path)
    part = Part("benchmarks.limits:stream", {"numbers": 1000})
    peers = {
        "itself": Peer(part, Target("ratio", ">=", 1e6), note="twice", factor=2.0),
        "DGL": Peer(replace(part, environment="dgl"), Target("ratio", ">=", 2.0)),
        "missing": Peer(Part("benchmarks.limits:nothing")),
    }
    limit = Bound("stream", part, 3.0)
    rows = bench.run("propagation", Work("sum", "ms", part, times(1e3), peers, None, limit, Target("value", "<=", 9.0)))
    own, itself, dgl, missing, memory = rows
    assert own.share > 0 and own.bound == "stream" and own.ours > 0
    assert (itself.met, dgl.met, missing.met, memory.met) == ("no", "not measured", "", "yes")
    assert itself.low <= itself.ratio <= itself.high
    assert "left out" in dgl.note and dgl.ratio is None
    assert "nothing" in missing.note
    assert memory.unit == "GB" and memory.work == "sum, peak memory"


def test_a_wrong_answer_stops_the_comparison(tmp_path):
    bench = Bench(None, tmp_path, threads=1, rounds=1, least=1e-3, scratch=tmp_path)
    part = Part("benchmarks.limits:stream", {"numbers": 10})

    def check(ours, theirs):
        require(not len(ours["sum"]), "other sums")

    with pytest.raises(WrongAnswer, match="other sums"):
        bench.run("propagation", Work("sum", "ms", part, times(1e3), {"itself": Peer(part, check=check)}))


def quick(tmp_path, **changes):
    return Bench(None, tmp_path, 1, quick=True, rounds=1, least=1e-3, scratch=tmp_path / "scratch", **changes)


STREAM = Part("benchmarks.limits:stream", {"numbers": 1000})


def test_a_quick_run_uses_its_processes_again(tmp_path):
    (tmp_path / "scratch").mkdir()
    bench = quick(tmp_path)
    work = Work("sum", "ms", STREAM, times(1e3), bound=Bound("stream", STREAM))
    bench.run("propagation", work)
    before = {side.process.pid for side in bench.idle[None]}
    rows = bench.run("propagation", work)
    assert len(before) == 2 and {side.process.pid for side in bench.idle[None]} == before
    assert rows[0].ours > 0
    waiting = list(bench.idle[None])
    bench.close()
    assert not any(side.alive for side in waiting) and not bench.scratch.exists()


def test_what_does_not_fit_into_the_time_is_not_measured(tmp_path):
    (tmp_path / "scratch").mkdir()
    bench = quick(tmp_path, until=0.0)
    peers = {"itself": Peer(STREAM, Target("ratio", ">=", 1.0))}
    work = Work("sum", "ms", STREAM, times(1e3), peers, Target("value", "<=", 9.0), memory=Target("value", "<=", 1.0))
    own, itself, memory = bench.run("propagation", work)
    assert (own.ours, own.met, itself.met, memory.unit, memory.met) == (
        *(None, "not measured", "not measured"),
        *("GB", "not measured"),
    )
    assert own.note == "not measured (the time of the benchmark was up)"
    assert not any(bench.idle.values())


def test_a_peer_that_takes_too_long_is_left_out(tmp_path):
    (tmp_path / "scratch").mkdir()
    bench = quick(tmp_path, longest=0.0)
    own, itself = bench.run("propagation", Work("sum", "ms", STREAM, times(1e3), {"itself": Peer(STREAM)}))
    bench.close()
    assert own.ours > 0 and itself.theirs is None
    assert "a call takes 0 s, and 0 s are allowed" in itself.note


def test_a_side_without_an_answer_is_ended(tmp_path):
    with Side(Path(sys.executable), "benchmarks.limits:stream", tmp_path / "log", 1) as side:
        with pytest.raises(OutOfTime, match="gave no answer in 0 s"):
            side.load(None, {"numbers": 10}, least=1e-4, patience=1e-3)
        assert not side.alive


def test_rounds_end_when_their_time_is_up():
    sides = scripted([], [(1.0, 0.0)] * 9, [(2.0, 0.0)] * 9)
    rounds = interleaved(sides, wanted=3, attempts=9, seconds=0.0)
    assert len(rounds.used) == 1 and rounds.contended and rounds.ratio("peer", "")[0] == 2.0


def test_an_environment_is_made_once_and_a_failure_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(environments.REQUIREMENTS, "none", ())
    python = tmp_path / "none" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (tmp_path / "none" / "installed.sha256").write_text(environments.wanted("none"))
    assert environment("none", tmp_path) == python
    monkeypatch.setitem(environments.REQUIREMENTS, "none", ("no-such-thing @ file:///nowhere/no-such-thing.whl",))
    with pytest.raises(EnvironmentFailed, match="'none' could not be made"):
        environment("none", tmp_path)
    with pytest.raises(EnvironmentFailed, match="no environment 'none' .* yet; a run without --quick makes it"):
        environment("none", tmp_path, make=False)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["smapling"], "no benchmark is called 'smapling'; there are sampling, ranking"),
        (["--rounds", "0"], "must be at least 1"),
        (["--rounds", "4"], "medians of at least 5 rounds; add --quick"),
        (["scale", "--factors", "4,1"], "'4,1' are not two or more ascending numbers, such as 1,4"),
        (["scale", "--edges", "many"], "'many' are not two or more ascending numbers"),
        (["--clock", "cpu", "--threads", "2"], "add --threads 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, what, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert what in capsys.readouterr().err
