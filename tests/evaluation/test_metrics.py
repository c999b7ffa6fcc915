"""The registry of metrics."""

from __future__ import annotations

import pytest

from graphforget.evaluation.metrics import ARROWS, FORMATS, METRICS, Metric


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_describes_itself(name):
    metric = METRICS[name]
    assert metric.name == name
    assert metric.arrow == ARROWS[metric.direction]
    assert metric.style in FORMATS
    assert metric.meaning.endswith(".") and metric.label
    assert set(metric.tasks) <= {"link", "node"} and metric.tasks


def test_names_and_labels_are_unique():
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


def test_scores_of_forgetting_aim_at_gold():
    for name in ("forgotten_auc", "forgotten_accuracy", "class_test_accuracy", "mi_attack_auc", "delta_p"):
        assert METRICS[name].direction == "gold"
    assert METRICS["mi_ratio"].direction == METRICS["test_auc"].direction == "higher"
    assert METRICS["seconds"].direction == METRICS["forgotten_auc_gap"].direction == "lower"


@pytest.mark.parametrize(
    ("name", "value", "spread", "text"),
    [
        ("test_auc", 0.96414, None, "0.9641"),
        ("test_auc", 0.96414, 0.0021, "0.9641 ± 0.0021"),
        ("delta_p", 0.25, 0.1, "+0.2500 ± 0.1000"),
        ("delta_p", -0.25, None, "-0.2500"),
        ("speedup", 1234.56, None, "1,234.6x"),
        ("peak_memory", 1234.5, None, "1,234"),
        ("flops", 1.74e8, None, "1.74e+08"),
    ],
)
def test_how_values_are_written(name, value, spread, text):
    assert METRICS[name].show(value, spread) == text


def test_a_metric_is_a_value():
    metric = METRICS["seconds"]
    assert metric == Metric(**{field: getattr(metric, field) for field in metric.__dataclass_fields__})
