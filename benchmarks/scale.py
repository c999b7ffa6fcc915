"""Scale: time against size, for interactions of a power law and for deletions from larger and larger graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

import graphforget as gf
from benchmarks.bench import Answer, Bench, Part, Work, require, times
from benchmarks.inputs import WIDTH, matrix, normal, pairs, power_law
from benchmarks.rows import Row, Target
from benchmarks.training import BATCH, LAYERS, RATE, REG, batches_of
from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.kernels.csr import symmetric_normalise

LIBRARIES = ("torch", "numba", "numpy")

USERS, ITEMS, PAIRS = 29_858, 40_981, 1_000_000
"""One time Gowalla, drawn with repeats."""

FACTORS = (1, 4, 16)
LINEAR = Target("value", "<=", 1.2)
"""What counts as near-linear: the largest exponent of time in the number of edges."""

GRAPH_EDGES = (100_000, 1_000_000, 10_000_000)
DELETED = 100
METHODS = ("unlink", "gnndelete", "d2dgn")
FLAT = Target("value", "<=", 2.0)


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return b of seconds = a size^b, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def works(data: gf.Interactions) -> dict[str, tuple[Part, Answer]]:
    """Return the sides whose cost is followed, with their inputs."""
    csr = symmetric_normalise(data.csr)
    task = gf.Recommendation(data, holdout=0)
    batches = batches_of(task.graph, task.chosen, 4)
    embeddings = 0.1 * normal("scale", data.n_nodes, WIDTH)
    step = {**pairs(data), "embeddings": embeddings, "batches": batches}
    few = {**_some_users(data, 2048), "users": embeddings[:2048], "items": embeddings[data.n_users :]}
    edges = {"u": data.edges[0], "v": data.edges[1], "n": np.array(data.n_nodes)}
    return {
        "normalised adjacency": (Part("benchmarks.propagation:adjacency"), edges),
        "adjacency x 64 columns": (Part("benchmarks.propagation:product"), {**matrix(csr), "x": embeddings}),
        f"epoch of triples, batches of {BATCH:,}": (Part("benchmarks.sampling:epoch"), pairs(data)),
        f"LightGCN step, {LAYERS} layers": (
            Part("benchmarks.training:lightgcn", {"layers": LAYERS, "reg": REG, "lr": RATE}),
            step,
        ),
        "full ranking of 2,048 users": (Part("benchmarks.ranking:ranked"), few),
    }


def _some_users(data: gf.Interactions, count: int) -> Answer:
    found = pairs(data)
    for name in ("train", "test"):
        indptr = found[f"{name}_indptr"][: count + 1]
        found[f"{name}_indptr"], found[f"{name}_indices"] = indptr, found[f"{name}_indices"][: indptr[-1]]
    return {**found, "sizes": np.array([count, data.n_items])}


def interaction_rows(bench: Bench) -> list[Row]:
    """Measure each work at every size, and the exponents."""
    factors = FACTORS[:2] if bench.quick else FACTORS
    rows: list[Row] = []
    edges = []
    for factor in factors:
        data = power_law(factor * USERS, factor * ITEMS, factor * PAIRS)
        edges.append(2 * data.n_edges)
        for name, (part, inputs) in works(data).items():
            work = Work(
                f"{name}, {2 * data.n_edges:,} edges", "s", part, times(1.0), memory=Target("value", "<=", 12.0)
            )
            rows += bench.run("scale", work, inputs)
    names = list(works(power_law(60, 40, 1_000)))
    return rows + [_fitted(name, edges, [row for row in rows if row.work.startswith(f"{name}, ")]) for name in names]


def _fitted(name: str, edges: Sequence[int], rows: Sequence[Row]) -> Row:
    timed = [row for row in rows if row.unit == "s"]
    value = exponent(edges, [row.ours for row in timed])
    return replace(timed[-1], work=f"{name}, time against edges", unit="exponent", ours=value).promised(LINEAR)


def big_graph(n_edges: int) -> gf.LinkPrediction:
    """Return link prediction on a random graph of a power law, a tenth as many nodes, 32 features."""
    n_nodes = max(n_edges // 10, 40)
    rng = Streams(n_edges)("bench-graph").numpy()
    weights = np.cumsum(1.0 / np.arange(1, n_nodes + 1) ** 0.5)
    ends = np.searchsorted(weights, rng.random((2, int(1.02 * n_edges))) * weights[-1])
    ends = rng.permutation(n_nodes)[ends]
    graph = Graph.build(
        n_nodes, ends[:, ends[0] != ends[1]], features=normal("graph", n_nodes, 32), name=f"{n_edges:,}"
    )
    return gf.LinkPrediction(graph, seed=0, normalise=False)


def deletion(inputs: Answer, edges: int, method: str, epochs: int) -> Callable[[], Answer]:
    """Unlearn 100 edges of a graph of `edges` edges."""
    del inputs
    task = big_graph(edges)
    model = gf.train(gf.GCN(hidden=32, out=32), task, seed=0, epochs=1)
    gone = gf.sample_deletion(task, edges=DELETED, where="any", seed=0)
    changes = {} if method == "unlink" else {"epochs": epochs}

    def call() -> Answer:
        result = gf.unlearn(model, task, gone, method=method, **changes)
        return {"gone": np.array(result.gone.count)}

    return call


def all_gone(answer: Answer) -> None:
    """Raise WrongAnswer unless the deletion had its size."""
    require(int(answer["gone"]) == DELETED, f"{answer['gone']} edges were deleted")


def deletion_rows(bench: Bench) -> list[Row]:
    """Measure a fixed deletion from graphs of growing size, and how much more the largest costs than the smallest."""
    rows: list[Row] = []
    sizes = GRAPH_EDGES[:2] if bench.quick else GRAPH_EDGES
    for method in METHODS:
        found: list[Row] = []
        for edges in sizes:
            part = Part("benchmarks.scale:deletion", {"edges": edges, "method": method, "epochs": 10})
            work = Work(f"{method}, {DELETED} of {edges:,} edges, 10 epochs", "s", part, times(1.0), check=all_gone)
            found += bench.run("scale", work)
        growth = found[-1].ours / found[0].ours
        name = f"{method}, {DELETED} edges: {sizes[-1]:,} edges over {sizes[0]:,}"
        rows += [*found, replace(found[-1], work=name, unit="x", ours=growth).promised(FLAT)]
    return rows


def run(bench: Bench) -> list[Row]:
    """Measure."""
    return interaction_rows(bench) + deletion_rows(bench)
