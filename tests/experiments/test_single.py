"""A plan carried out: stages shared, kept, reused, resumed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import file_lock, read_json
from graphforget.evaluation.report import evaluate
from graphforget.experiments.events import Event
from graphforget.experiments.reproduce import check_store
from graphforget.experiments.single import run_plan
from graphforget.experiments.store import PLAN, WORK, Clock, Store, check_run_folder, clock_file
from graphforget.models.zoo import backbones
from graphforget.tasks.link import LinkPrediction
from graphforget.training.model_folder import load_model
from graphforget.training.train import train
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.sampling import sample_deletion

COSTS = {"seconds", "speedup", "peak_memory"}
TWO = ("d2dgn:epochs=6,validate_every=2", "unlink")


def values(report) -> list:
    """Return rows, seeds and values without costs."""
    return [(r.row, r.seed, {k: v for k, v in r.values.items() if k not in COSTS}) for r in report.records]


def stage_bytes(out) -> dict:
    """Return the bytes of every model below a folder."""
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("model.*")}


def test_a_plan_gives_what_the_functions_give_one_by_one(make_plan):
    plan = make_plan()
    task = LinkPrediction(plan.setup.source.load(), 5)
    model = train(backbones().get("gcn", hidden=16), task, epochs=8, validate_every=2)
    gone = sample_deletion(task, edges=7)
    result = unlearn(model, task, gone, "d2dgn", epochs=6, validate_every=2)
    by_hand = evaluate(result, attack=False)
    report = run_plan(plan).report
    strip = [(row.replace(":epochs=6,validate_every=2", ""), seed, found) for row, seed, found in values(report)]
    assert strip == values(by_hand)


def test_what_a_killed_run_half_wrote_goes_with_the_next(make_plan, tmp_path):
    plan = make_plan(methods=("unlink",), out=tmp_path / "out")
    run_plan(plan)
    before = sorted(plan.out.rglob("*"))
    for folder in (plan.out, plan.out / "seed-5"):
        (folder / ".graphforget-1.tmp").mkdir()
        (folder / ".graphforget-1.tmp/model.safetensors").write_text("half")
        (folder / ".graphforget-2.tmp").write_text("half")
    with file_lock(plan.out / PLAN), pytest.raises(UsageError, match="another process is using it"):
        run_plan(plan)
    assert len(sorted(plan.out.rglob("*"))) == len(before) + 6, "somebody may be writing these"
    run_plan(plan)
    assert sorted(plan.out.rglob("*")) == before


def test_original_and_gold_are_made_once_for_all_methods(make_plan):
    told: list[Event] = []
    report = run_plan(make_plan(methods=TWO, seeds=(1, 2)), told.append).report
    done = Counter((event.seed, event.stage) for event in told if event.state == "done")
    stages = ["compiling", "original", "gold-1", "gold-2", *TWO, "evaluation"]
    assert done == Counter((seed, stage) for seed in (1, 2) for stage in stages)
    assert [row.name for row in report.rows] == ["Original", "Gold", "Noise floor", *TWO]
    assert report.seeds == (1, 2)


def test_the_first_gold_has_the_seed_of_the_run_and_the_others_do_not(make_plan, tmp_path):
    run_plan(make_plan(gold_runs=3, out=tmp_path / "out"))
    golds = [load_model(tmp_path / f"out/seed-5/gold-{n}") for n in (1, 2, 3)]
    assert [gold.provenance.seed for gold in golds] == [5, 6, 7]
    first, second = (next(gold.parameters()).numpy() for gold in golds[:2])
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("stop", ["original", "gold-1", "d2dgn:epochs=6,validate_every=2"])
def test_an_interrupted_run_goes_on_to_the_same_bytes(make_plan, tmp_path, stop):
    def interrupt(event: Event) -> None:
        if (event.stage, event.state) == (stop, "running") and event.epoch == 5:
            raise KeyboardInterrupt

    whole = run_plan(make_plan(out=tmp_path / "whole")).report
    with pytest.raises(KeyboardInterrupt):
        run_plan(make_plan(out=tmp_path / "cut"), interrupt)
    assert len(list((tmp_path / "cut/seed-5").glob("*.checkpoint"))) == 1
    told: list[Event] = []
    resumed = run_plan(make_plan(out=tmp_path / "cut"), told.append).report
    first = min(event.epoch for event in told if event.stage == stop and event.state == "running")
    assert first == 5  # epochs 1 to 4 were in the checkpoint
    assert stage_bytes(tmp_path / "cut") == stage_bytes(tmp_path / "whole")
    assert values(resumed) == values(whole)


def test_reused_stages_give_the_same_report(make_plan, tmp_path):
    plan = make_plan(methods=TWO, out=tmp_path / "out")
    first = run_plan(plan).report
    for file in (tmp_path / "out/seed-5").glob("report-*.json"):
        file.unlink()
    told: list[Event] = []
    second = run_plan(plan, told.append).report
    assert {event.state for event in told if event.stage != "evaluation"} - {"told"} == {"reused"}
    assert values(second) == values(first)


def test_more_seeds_reuse_the_seeds_that_are_there(make_plan, tmp_path):
    run_plan(make_plan(out=tmp_path / "out"))
    told: list[Event] = []
    report = run_plan(make_plan(out=tmp_path / "out", seeds=(5, 6)), told.append).report
    assert {event.state for event in told if event.seed == 5} == {"reused"}
    assert report.seeds == (5, 6)


@pytest.mark.parametrize("kind", ["nodes", "features"])
def test_node_tasks_run_too(make_plan, kind):
    report = run_plan(make_plan("node", kind, count=4)).report
    assert report.task == "node"
    assert [row.name for row in report.rows][:3] == ["Original", "Gold", "Noise floor"]


def test_nothing_is_written_when_a_later_seed_cannot_be(make_plan, tmp_path):
    plan = make_plan("node", "nodes", count=4, out=tmp_path / "out", seeds=(5, 6))
    broken = replace(plan, request=replace(plan.request, count=41))
    with pytest.raises(DataError, match="41 are wanted"):
        run_plan(broken)
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_refused(make_plan, tmp_path):
    out = tmp_path / "out"
    run_plan(make_plan(out=out))
    with file_lock(out / PLAN), pytest.raises(UsageError, match="another process is using it"):
        run_plan(make_plan(out=out))


def test_the_plan_is_kept_with_every_hyper_parameter(make_plan, tmp_path):
    run_plan(make_plan(out=tmp_path / "out"))
    kept = read_json(tmp_path / "out" / PLAN)
    assert kept["methods"]["d2dgn:epochs=6,validate_every=2"]["knowledge"] == "response"
    recipe = kept["setup"]["recipe"]
    assert (recipe["epochs"], recipe["validate_every"], recipe["lr"]) == (8, 2, 1e-3)
    assert kept["setup"]["architecture"]["layers"] == 2
    deletion = json.loads((tmp_path / "out/seed-5/deletion.json").read_text())
    assert len(deletion["edges"]) == 7


def test_the_clock_adds_the_time_before_an_interruption(tmp_path):
    checkpoint = tmp_path / "a.checkpoint"
    checkpoint.write_bytes(b"x")
    clock_file(checkpoint).write_text("120.0\n")
    clock = Clock(checkpoint, lambda *_: None)
    assert clock.before == 120.0
    clock.progress(1, 2, {})
    assert 120.0 <= read_json(clock_file(checkpoint)) < 180.0
    checkpoint.unlink()
    assert Clock(checkpoint, lambda *_: None).before == 0.0


def test_a_store_without_a_folder_keeps_nothing():
    store = Store(None)
    assert not store.finished("original", "digest")
    assert store.checkpoint("original", "digest") is None


def test_a_folder_that_holds_a_lock_alone_is_taken_up(tmp_path):
    """It is all that a command leaves that is stopped, or finds the disk full, at its first file."""
    with file_lock(tmp_path / "run" / PLAN), file_lock(tmp_path / "store" / WORK / "store"):
        pass
    check_run_folder(tmp_path / "run")
    check_store(tmp_path / "store")
    for folder, check in (("run", check_run_folder), ("store", check_store)):
        (tmp_path / folder / "notes.txt").write_text("mine")
        with pytest.raises(UsageError, match="holds other things"):
            check(tmp_path / folder)
