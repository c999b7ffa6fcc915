"""What the tests of tasks share: a small graph, and a small shop with every kind of user and item."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph

N_USERS, N_ITEMS, N_ENTITIES = 14, 18, 20


@pytest.fixture(scope="module")
def graph(random_attributed_graph):
    """40 nodes of 3 classes, 130 edges."""
    return random_attributed_graph()


@pytest.fixture(scope="module")
def store() -> Interactions:
    """14 users (the last without training pairs), 18 items (the last two without), two further entities, all parts."""
    rng = np.random.default_rng(11)
    parts: dict[str, list[tuple[int, int]]] = {"train": [], "valid": [], "test": []}
    for user in range(N_USERS - 1):
        items = rng.permutation(N_ITEMS - 2)[: int(rng.integers(4, 11))]
        cut = len(items) - 3
        parts["train"] += [(user, int(item)) for item in items[:cut]]
        parts["valid"] += [(user, int(items[cut]))] if user % 3 else []
        parts["test"] += [(user, int(item)) for item in items[cut + 1 :]] + ([(user, 17)] if user % 4 == 0 else [])
    parts["test"].append((N_USERS - 1, 2))
    given = {name: np.array(pairs).T for name, pairs in parts.items()}
    facts = TripleGraph.build(N_ENTITIES, 1, np.array([[0, 1, 2], [0, 0, 0], [18, 19, 18]]))
    return Interactions.build(N_USERS, N_ITEMS, **given, name="store", triples=facts)
