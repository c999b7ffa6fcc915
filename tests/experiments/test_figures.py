"""What a map of embeddings shows: which models, on which graphs, and which nodes are marked."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from graphforget.experiments import figures
from graphforget.tasks.base import Forgotten


class Shown:
    """A model that answers with its name and that of the graph."""

    def __init__(self, name: str) -> None:
        self.name = name

    def embed(self, graph: str) -> torch.Tensor:
        """Return the letters of both as one row."""
        return torch.tensor([[float(ord(letter)) for letter in self.name + graph]])


def test_the_panels_are_the_original_the_method_and_gold_each_on_its_own_graph(monkeypatch):
    gone = Forgotten("nodes", np.array([4]), nodes=np.array([4]))
    made = [SimpleNamespace(model=Shown(name), graph=graph) for name, graph in (("u", "b"), ("g", "c"))]
    prepared = SimpleNamespace(task=SimpleNamespace(graph="a"), gone=gone)
    kept = SimpleNamespace(original=Shown("o"), prepared=prepared, result=made[0], gold=made[1])
    monkeypatch.setattr(figures, "chosen", lambda source, row, seed: ("method", 5))
    monkeypatch.setattr(figures, "kept_models", lambda source, label, seed: kept)
    monkeypatch.setattr(figures, "mapped", lambda *given: given)
    monkeypatch.setattr(figures, "draw_map", lambda drawn, pairs, *rest: (drawn, pairs, rest))
    source = SimpleNamespace(report=SimpleNamespace(title="a title"))
    (titles, embeddings, marked, seed), pairs, (what, title, _) = figures.map_of(source)
    letters = ["".join(chr(int(number)) for number in one.ravel()) for one in embeddings]
    assert titles == ["before (original)", "after (method)", "gold (trained without)"]
    assert (letters, marked.tolist(), pairs.shape, seed) == (["oa", "ub", "gc"], [4], (2, 0), 5)
    assert (what, title) == (f"forgotten: {gone.describe()}", "a title, seed 5")


@pytest.mark.parametrize(
    ("given", "nodes"),
    [
        ({"nodes": np.array([3, 1])}, [1, 3]),
        ({"features": np.array([2])}, [2]),
        ({"unlabelled": np.array([5, 4])}, [4, 5]),
        ({"edges": np.array([[1, 2], [2, 6]])}, [1, 2, 6]),
    ],
)
def test_what_is_named_is_marked(given, nodes):
    (kind,) = given
    kind = "classes" if kind == "unlabelled" else kind
    marked, pairs = figures._marked(Forgotten(kind, np.array(nodes), **given))
    assert marked.tolist() == nodes and pairs.shape[1] == (2 if kind == "edges" else 0)
