"""A small own data set with text ids, and the command line run in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from graphforget.cli.main import main

N_NODES = 60
CLASSES = ("red", "green", "blue")


class Done(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def own(tmp_path_factory) -> Path:
    """Return a folder with edges.csv, features.csv, labels.csv and deletion files, ids u0 to u59."""
    folder = tmp_path_factory.mktemp("own")
    ring = [(i, (i + step) % N_NODES) for i in range(N_NODES) for step in (1, 2, 3)]
    rng = np.random.default_rng(0)
    rows = [[f"u{i}", *(f"{x:.3f}" for x in rng.random(6))] for i in range(N_NODES)]
    write(folder / "edges.csv", ["source,target", *(f"u{a},u{b}" for a, b in ring)])
    write(folder / "features.csv", ["id,a,b,c,d,e,f", *(",".join(row) for row in rows)])
    write(folder / "labels.csv", ["id,label", *(f"u{i},{CLASSES[i % 3]}" for i in range(N_NODES))])
    write(folder / "delete_edges.csv", ["source,target", "u0,u1", "u10,u12", "u31,u30"])
    write(folder / "delete_nodes.csv", ["node", "u5", "u6"])
    return folder


def write(path: Path, lines: list[str]) -> None:
    """Write lines of text."""
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def run(capsys) -> Callable[..., Done]:
    """Run a command line in this process."""

    def call(*argv: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in argv])
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def data(own) -> list[str]:
    """Return the options that name the own features and labels."""
    return ["--features", str(own / "features.csv"), "--labels", str(own / "labels.csv")]


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Path:
    """Return a folder with ratings.csv of people p0 to p49 and things t0 to t29 in two tastes, and deletion files."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(7)
    chosen = [(p, t) for p in range(50) for t in rng.permutation(np.arange(p % 2, 30, 2))[:10]]
    rows = [f"p{p},t{t},{rng.integers(4, 6)},{1000 + n}" for n, (p, t) in enumerate(chosen)]
    rows += [f"p{p},t{(p + 1) % 2},1,{9000 + p}" for p in range(50)]
    write(folder / "ratings.csv", ["person,thing,stars,when", *rows])
    write(folder / "people.csv", ["person", "p3", "p4"])
    write(folder / "things.csv", ["thing", "t5"])
    write(folder / "pairs.csv", ["person,thing,stars,when", *rows[:4]])
    return folder


@pytest.fixture
def ratings(shop) -> list[str]:
    """Return the options that name the columns of the ratings."""
    return ["--columns", "user=person,item=thing,rating=stars,time=when", "--min-rating", "4"]
