"""Plans on small own data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphforget.experiments.plan import Plan, Request
from graphforget.experiments.setup import Setup, Source

RECIPE = {"epochs": 8, "validate_every": 2}


@pytest.fixture(scope="session")
def source(tmp_path_factory) -> Source:
    """Return a ring of 50 nodes with chords, features and two classes."""
    folder = tmp_path_factory.mktemp("ring")
    edges = [f"{i},{(i + step) % 50}" for i in range(50) for step in (1, 2, 5)]
    (folder / "edges.csv").write_text("source,target\n" + "\n".join(edges) + "\n")
    rng = np.random.default_rng(3)
    np.save(folder / "x.npy", rng.standard_normal((50, 5)).astype(np.float32))
    np.save(folder / "y.npy", np.arange(50) % 2)
    return Source(str(folder / "edges.csv"), None, str(folder / "x.npy"), str(folder / "y.npy"))


@pytest.fixture(scope="session")
def make_plan(source) -> Callable[..., Plan]:
    """Build a plan; keyword arguments are fields of Plan, and `task`, `kind`, `count`."""

    def build(task: str = "link", kind: str = "edges", count: int = 7, out: Path | None = None, **fields: Any) -> Plan:
        setup = Setup(source, "gcn", task, {}, {"hidden": 16}, RECIPE)
        given = {"methods": ("d2dgn:epochs=6,validate_every=2",), "seeds": (5,), "attack": False, **fields}
        return Plan(setup, Request(kind, count=count), out=out, **given)

    return build
