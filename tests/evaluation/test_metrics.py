"""The registry of metrics."""

from __future__ import annotations

import pytest

from graphforget.evaluation.forgetting import GAPS
from graphforget.evaluation.metrics import ARROWS, FORMATS, METRICS, RANKING, Metric
from graphforget.evaluation.ranking import FAMILY


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_describes_itself(name):
    metric = METRICS[name]
    assert metric.name == name
    assert metric.arrow == ARROWS[metric.direction]
    assert metric.style in FORMATS
    assert metric.meaning.endswith(".") and metric.label
    assert set(metric.headline) <= set(metric.tasks) <= {"link", "node", "recommend"} and metric.tasks
    assert "{" not in metric.meaning


def test_names_and_labels_are_unique():
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


def test_scores_of_forgetting_aim_at_gold():
    aims = ("forgotten_auc", "forgotten_accuracy", "class_test_accuracy", "mi_attack_auc", "delta_p")
    for name in (*aims, "forgotten_recall@20", "forgotten_ndcg@20", "pair_mi_auc", "exposure@20"):
        assert METRICS[name].direction == "gold"
    assert METRICS["mi_ratio"].direction == METRICS["test_auc"].direction == "higher"
    assert [metric.name for metric in METRICS.values() if metric.aim != metric.direction] == ["mi_ratio"]
    assert METRICS["seconds"].direction == METRICS["forgotten_auc_gap"].direction == "lower"


COSTS = ("seconds", "preparation", "shards_touched", "peak_memory", "flops")
OF_THE_CASE = ("named_", "deleted_", "test_coverage", "pair_mi_quality")
AT_GOLD = ("forgotten_", "expos", "train_", "class_", "mi_attack_auc", "pair_mi_auc", "update_auc", "delta_p")


def direction_by_name(name: str) -> str:
    """Return which way a metric is better: distances are small, what is forgotten or seen is as with gold."""
    if name.endswith("_gap") or name.startswith(("score_", "logit_", "kl_", "js_", "parameter_", "mi_clamped", *COSTS)):
        return "lower"
    return "none" if name.startswith(OF_THE_CASE) else "gold" if name.startswith(AT_GOLD) else "higher"


def test_every_arrow_points_where_the_name_says():
    assert {name: metric.direction for name, metric in METRICS.items()} == {n: direction_by_name(n) for n in METRICS}


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
        ("exposure@20", 12345.6, 7.2, "12,346 ± 7"),
    ],
)
def test_how_values_are_written(name, value, spread, text):
    assert METRICS[name].show(value, spread) == text


def test_every_ranking_of_a_part_is_a_metric():
    for part in ("test", "valid", "forgotten"):
        assert {f"{part}_{name}" for name in FAMILY} <= set(METRICS)
    assert tuple(RANKING) == FAMILY


def test_every_gap_is_a_metric_that_should_be_small():
    for name in GAPS:
        assert METRICS[f"{name}_gap"].direction == "lower"
        assert METRICS[name].direction == ("higher" if name == "test_recall@20" else "gold")


def test_a_metric_is_a_value():
    metric = METRICS["seconds"]
    assert metric == Metric(**{field: getattr(metric, field) for field in metric.__dataclass_fields__})
