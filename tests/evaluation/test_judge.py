"""What every row is measured against: gold, and for the update the original."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DivergedError
from graphforget.evaluation.case import Case, Subject
from graphforget.evaluation.distance import distances
from graphforget.evaluation.forgetting import delta_p, update_auc
from graphforget.evaluation.judge import Bench, judge, judge_all, judge_method
from graphforget.evaluation.list_distance import list_distances

ROWS = {"Original": "original", "Gold": "gold", "method": "method"}


@pytest.fixture
def bench(subject):
    """A bench of a case and a method: three models with other embeddings, of which gold took four times as long."""

    def build(case: Case, n_nodes: int) -> tuple[Bench, Subject]:
        rng = np.random.default_rng(0)
        original, gold, method = (
            subject(case, rng.normal(size=(n_nodes, 4)), row, kind, seconds=8.0 if kind == "gold" else 2.0)
            for row, kind in ROWS.items()
        )
        return Bench(case, original, gold, attack=False, attacker=None), method

    return build


def test_a_method_on_edges_is_measured_against_gold_and_its_update_against_the_original(link_case, bench):
    table, method = bench(link_case, 60)
    gold = judge(table, table.gold, {}).values
    found = judge(table, method, gold).values
    apart = abs(found["forgotten_auc"] - gold["forgotten_auc"])
    assert found["forgotten_auc_gap"] == apart > 0.01
    expected = {**distances(link_case, method, table.gold).values, **delta_p(link_case, method, table.gold).values}
    assert {name: found[name] for name in expected} == expected
    assert found["update_auc"] == update_auc(link_case, method, table.original) != 0.5
    assert (found["seconds"], found["speedup"], gold["speedup"]) == (2.0, 4.0, 1.0)
    assert dict(judge_method(table, method, gold).values) == found


def test_the_lists_of_every_row_are_compared_with_golds(shop, shop_case, bench):
    case = shop_case(shop, users=[2], items=[10])
    table, method = bench(case, 84)
    records = {record.row: record.values for record in judge_all(table, [], [method])}
    assert {"Original", "Gold", "Noise floor", "Popularity", "method"} == set(records)
    for one in (table.original, method):
        expected = list_distances(case, one, table.gold).values
        assert {name: records[one.row][name] for name in expected} == expected and 0 < expected["overlap_test"] < 1
    assert "overlap_test" not in records["Gold"]


def test_popularity_counts_in_the_graph_that_gold_answers_from(shop, shop_case, bench):
    case = shop_case(shop, users=list(range(8)))
    table, _ = bench(case, 84)
    table.original.graph = case.task.graph
    popularity = next(record for record in judge_all(table, [], []) if record.kind == "baseline")
    users, items = case.retained.graph.pairs("test")
    degrees, recalls = case.retained.graph.item_degrees, []
    for user in np.unique(users):
        own = [known[1][known[0] == user] for known in map(case.retained.graph.pairs, ("train", "valid"))]
        order = [item for item in np.argsort(-degrees, kind="stable") if item not in np.concatenate(own)]
        recalls.append(np.isin(items[users == user], order[:20]).mean())
    assert popularity.values["test_recall@20"] == pytest.approx(np.mean(recalls))


def test_an_infinite_number_is_an_error(link_case, bench):
    table, method = bench(link_case, 60)
    method.seconds = np.inf
    with pytest.raises(DivergedError, match="'seconds' of 'method' is inf"):
        judge(table, method, {})
