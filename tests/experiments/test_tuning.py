"""A search: the same trials again, original and gold once, going on where it stopped, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from graphforget._core.errors import DataError, Interrupted, UsageError
from graphforget._core.files import is_held
from graphforget.experiments.tuning import Search, run_search
from graphforget.tasks.link import LinkPrediction
from graphforget.unlearning.specs import parse_method

pytestmark = pytest.mark.usefixtures("uniform_trials")
METHOD = "d2dgn:epochs=4"
DECIDED = ("number", "label", "fields", "utility", "forgotten", "gap", "score", "error")


@pytest.fixture
def search(make_plan, tmp_path):
    """A search of two fields in a folder of its own."""

    def build(trials: int = 4, method: str = METHOD, out=tmp_path / "out", **fields) -> Search:
        plan = make_plan(methods=(method,), gold_runs=1, out=out, **fields)
        return Search.of(plan, {"lr": "0.001,0.05"}, trials)

    return build


def decided(journal) -> list[tuple]:
    """Return the trials without their seconds."""
    return [tuple(getattr(one, name) for name in DECIDED) for one in journal.trials]


def test_trials_are_ranked_by_what_is_written_of_them(search):
    told = []
    journal = run_search(search(), told.append)
    written = json.loads(journal.file.read_text())
    assert [one["number"] for one in written["trials"]] == [0, 1, 2, 3, 4]
    assert not any("test" in key for one in written["trials"] for key in one)
    for one in journal.trials:
        method = parse_method(one.label).method
        assert method.epochs == 4 and all(getattr(method, key) == value for key, value in one.fields.items())
        assert one.score == pytest.approx(one.utility - one.gap)
        assert one.gap == pytest.approx(abs(one.forgotten - journal.references[1].forgotten))
    assert [one.score for one in journal.ranked()] == sorted((one.score for one in journal.trials), reverse=True)
    assert [event.stage for event in told if event.state == "done"][:3] == ["original", "gold-1", "trial 0"]


def test_a_search_again_gives_the_same_and_one_that_is_longer_goes_on(search, tmp_path):
    first = run_search(search(3))
    elsewhere = run_search(search(5, out=tmp_path / "other"))
    told = []
    again = run_search(search(3), told.append)
    assert {event.state for event in told} == {"told"} and decided(again) == decided(first)
    longer = run_search(search(5), told.append)
    assert decided(longer) == decided(elsewhere) and decided(longer)[:4] == decided(first)
    started = [event.stage for event in told if event.state == "started"]
    assert started == ["trial 4", "trial 5"], "original and gold are not trained again"
    assert not list((tmp_path / "out/models").rglob("*.checkpoint"))


def test_a_search_that_was_stopped_goes_on_with_the_same_trials(search, tmp_path):
    def stop(event) -> None:
        if (event.stage, event.state) == ("trial 2", "running"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="Interrupted: 1 of 4 trials are kept in .*Repeat the same command"):
        run_search(search(), stop)
    assert decided(run_search(search())) == decided(run_search(search(out=tmp_path / "other")))


def test_other_searches_share_the_original_and_gold(search):
    told = []
    one = run_search(search(1))
    other = run_search(search(1, method="fine-tune:epochs=4"), told.append)
    assert one.file != other.file and one.file.parent == other.file.parent
    assert [event.stage for event in told if event.state == "reused"] == ["original", "gold-1"]


def test_a_trial_holds_its_place(search, tmp_path):
    """Two searches may try the same; they would write one checkpoint."""
    held = []

    def listen(event) -> None:
        if (event.stage, event.state) == ("trial 1", "running"):
            held.append([lock for lock in places.glob("*.lock") if is_held(lock.with_suffix(""))])

    places = tmp_path / "out/models/work"
    run_search(search(1), listen)
    assert held and all(len(locks) == 1 for locks in held)
    assert not any(is_held(lock.with_suffix("")) for lock in places.glob("*.lock"))


def test_a_trial_counts_by_its_mean_over_the_seeds(search, tmp_path):
    both = run_search(search(1, seeds=(5, 6)))
    alone = [run_search(search(1, out=tmp_path / str(seed), seeds=(seed,))).trials[0] for seed in (5, 6)]
    assert both.trials[0].score == pytest.approx(np.mean([one.score for one in alone]))
    assert both.trials[0].forgotten == pytest.approx(np.mean([one.forgotten for one in alone]))


def test_a_trial_without_a_model_is_written_and_the_search_goes_on(search, monkeypatch):
    def fields(axes, told, stream):
        del axes, told, stream
        return {"alpha": 0.5, "lr": 1e30}

    monkeypatch.setattr("graphforget.experiments.tuning.suggested", fields)
    told = []
    journal = run_search(search(2), told.append)
    assert journal.trials[1].score is None and "Lower the learning rate" in journal.trials[1].error
    assert journal.trials[2] == replace(journal.trials[1], number=2), "the same fields are not tried twice"
    assert [one.number for one in journal.ranked()] == [0]
    assert [event.stage for event in told if event.state == "failed"] == ["trial 1"]


def test_nothing_is_measured_on_test(search, monkeypatch):
    def never(*_: object) -> None:
        raise AssertionError("the test part was measured")

    monkeypatch.setattr(LinkPrediction, "test_auc", never)
    scores = LinkPrediction.scores

    def watched(task, z, pairs):
        assert pairs is not task.split.test and pairs is not task.split.test_negatives
        return scores(task, z, pairs)

    monkeypatch.setattr(LinkPrediction, "scores", watched)
    assert len(run_search(search(1)).trials) == 2


def test_what_cannot_be_is_refused_before_anything_is_written(search, tmp_path):
    for fields, phrase in (({"trials": 0}, "--trials must be at least 1"), ({"weight": -1.0}, "--weight must be")):
        with pytest.raises(UsageError, match=phrase):
            replace(search(), **fields)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other things"):
        run_search(search(out=tmp_path / "full"))
    assert not (tmp_path / "out").exists()


def test_a_journal_of_something_else_is_refused(search):
    journal = run_search(search(1))
    found = json.loads(journal.file.read_text())
    first, second = found["trials"]
    edited = [
        {**found, "trials": [first, second | change]} for change in ({"score": "x"}, {"fields": [1]}, {"label": 3})
    ]
    for broken in ({**found, "digest": "x"}, {**found, "trials": found["trials"][1:]}, {"trials": []}, [], *edited):
        journal.file.write_text(json.dumps(broken))
        with pytest.raises(DataError, match="not the journal of this search"):
            run_search(search(1))
