"""Cost beside gold."""

from __future__ import annotations

import numpy as np
from torch_geometric.nn import GCNConv

from graphforget.evaluation.cost import cost
from graphforget.models.adapter import Adapter

Z = np.ones((60, 1))


def test_cost_by_hand(link_case, subject):
    gold = subject(link_case, Z, "Gold", "gold", seconds=12.0, peak_memory=3_000_000)
    found = cost(subject(link_case, Z, seconds=3.0, peak_memory=2_500_000), gold)
    edges = link_case.retained.graph.n_edges
    assert found.values == {"seconds": 3.0, "speedup": 4.0, "peak_memory": 2.5, "flops": edges}
    assert found.notes == []


def test_work_done_once_stands_apart_from_the_speed_up(link_case, subject):
    gold = subject(link_case, Z, "Gold", "gold", seconds=12.0)
    found = cost(subject(link_case, Z, seconds=3.0, known={"preparation": 100.0, "shards_touched": 0.4}), gold).values
    assert found["preparation"] == 100.0 and found["shards_touched"] == 0.4 and found["speedup"] == 4.0


def test_what_is_not_known_is_left_out(link_case, subject):
    gold = subject(link_case, Z, "Gold", "gold", seconds=12.0)
    assert set(cost(subject(link_case, Z), gold).values) == {"flops"}
    assert "speedup" not in cost(subject(link_case, Z, seconds=0.0), gold).values
    foreign = subject(link_case, Z, seconds=1.0)
    foreign.model = Adapter(GCNConv(3, 2))
    found = cost(foreign, gold)
    assert "flops" not in found.values
    assert "FLOPs are counted for the zoo only" in found.notes[0]
