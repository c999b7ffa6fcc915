"""What is said of an unlearned model without a gold model beside it."""

from __future__ import annotations

import pytest

import graphforget as gf
from graphforget.evaluation.records import Record
from graphforget.experiments.evidence import NO_GOLD, beside_original, said_of_loss

LOSS = "the model answers much worse than before"


def record(**values: float) -> Record:
    return Record("x", 0, {name.replace("_at_", "@"): value for name, value in values.items()})


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"test_recall_at_20": 0.2}, {"test_recall_at_20": 0.17}, True),
        ({"test_recall_at_20": 0.2}, {"test_recall_at_20": 0.181}, False),
        ({"test_recall_at_20": 0.2}, {"test_recall_at_20": 0.3}, False),
        ({"test_recall_at_20": 0.0}, {"test_recall_at_20": 0.0}, False),
        ({"test_auc": 0.9}, {"test_auc": 0.85}, True),
        ({"test_auc": 0.9}, {"test_auc": 0.87}, False),
        (
            {"test_accuracy": 0.8, "other_test_accuracy": 0.9},
            {"test_accuracy": 0.79, "other_test_accuracy": 0.1},
            False,
        ),
        ({"valid_recall_at_20": 0.2}, {"valid_recall_at_20": 0.0}, False),
    ],
)
def test_a_loss_of_a_tenth_is_said(before, after, said):
    """Of an AUC what is above chance counts: .85 of .90 is an eighth less."""
    words = said_of_loss(record(**before), record(**after))
    assert words.startswith(LOSS) == said and (said or not words)


def test_the_note_stands_with_the_unlearned_model():
    task = gf.Recommendation(gf.load("sample-shop"), seed=42)
    model = gf.train(gf.LightGCN(dim=8, layers=1), task, epochs=20, lr=0.05)
    gone = gf.Deletion(users=[3, 4])
    ruined, fine = (
        beside_original(gf.unlearn(model, task, gone, method)) for method in ("gradient-ascent:lr=3.0", "unlink")
    )
    notes = {one.row: one.note for report in (ruined, fine) for one in report.records}
    old, new = (one.values["test_recall@20"] for one in ruined.records)
    assert f"(test recall@20 {new:.4f}, the original's {old:.4f}): more may be gone" in notes["gradient-ascent:lr=3.0"]
    assert LOSS not in notes["unlink"] + notes["Original"] and NO_GOLD in notes["gradient-ascent:lr=3.0"]
