"""Scale: time and memory against size, for interactions of a power law, graphs, and deletions from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

import graphforget as gf
from benchmarks.bench import Answer, Bench, Part, Work, require, times
from benchmarks.inputs import WIDTH, matrix, normal, pairs, power_law
from benchmarks.rows import Row, Target
from benchmarks.training import BATCH, LAYERS, RATE, REG, batches_of, link_epoch_on, stepped
from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.kernels.csr import symmetric_normalise
from graphforget.training.recipe import Recipe
from graphforget.training.sampled import sampled_steps
from graphforget.training.train import start

LIBRARIES = ("torch", "numba", "numpy")

USERS, ITEMS, PAIRS = 29_858, 40_981, 1_000_000
"""One time Gowalla, drawn with repeats."""

LINEAR = Target("value", "<=", 1.2)
"""What counts as near-linear: the largest exponent of time or memory in the number of edges."""

FEATURES, HIDDEN, OUT = 32, 32, 16
"""Widths of the GCN on graphs."""

MOST = {"interactions": Target("value", "<=", 12.0), "graph": Target("value", "<=", 8.0)}
"""Memory in GB that every work may take, whatever the size."""

DRAWN = Recipe(neighbours="15,10", batch=4096)
"""Mini-batches on graphs."""

DELETED = 100
METHODS = {"unlink": None, "gnndelete-local": 10, "d2dgn-operators": 10}
"""Methods whose cost should not grow with the graph -> epochs they run for."""
FLAT = Target("value", "<=", 2.0)


Found = dict[str, list[tuple[int, Row]]]
"""What was measured of every work, with the number of edges."""


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
    found: Found = {}
    for factor in bench.factors:
        data = power_law(*(round(factor * count) for count in (USERS, ITEMS, PAIRS)))
        edges = 2 * data.n_edges
        for name, (part, inputs) in works(data).items():
            work = Work(f"{name}, {edges:,} edges", "s", part, times(1.0), memory=MOST["interactions"])
            found.setdefault(name, []).extend((edges, row) for row in bench.run("scale", work, inputs))
    return _with_exponents(found)


def graph_rows(bench: Bench) -> list[Row]:
    """Measure training, on full and mini-batches, and evaluation on graphs of every size, and the exponents."""
    found: Found = {}
    weights = {"weight1": 0.05 * normal("scale-1", FEATURES, HIDDEN), "weight2": 0.05 * normal("scale-2", HIDDEN, OUT)}
    for edges in bench.edges:
        for name, function in GRAPH_WORKS.items():
            part = Part(f"benchmarks.scale:{function}", {"edges": edges})
            work = Work(f"{name}, {edges:,} edges", "s", part, times(1.0), memory=MOST["graph"])
            found.setdefault(name, []).extend((edges, row) for row in bench.run("scale", work, weights))
    return _with_exponents(found)


def _with_exponents(found: Found) -> list[Row]:
    """Return the rows of every work, each followed by the exponents of its time and of its memory."""
    rows: list[Row] = []
    for name, measured in found.items():
        rows += [row for _, row in measured]
        for unit, what in (("s", "time"), ("GB", "peak memory")):
            of_unit = [(edges, row) for edges, row in measured if row.unit == unit]
            rows.append(fitted(f"{name}: {what} against edges", of_unit))
    return rows


def fitted(name: str, measured: Sequence[tuple[int, Row]]) -> Row:
    """Return the row of the exponent of what rows measure at growing sizes; without one where a size is missing."""
    sizes, rows = zip(*measured, strict=True)
    missing = [row.note for row in rows if row.ours is None]
    value = None if missing else exponent(sizes, [row.ours for row in rows])
    like = replace(rows[-1], work=name, unit="exponent", ours=value, contended=any(row.contended for row in rows))
    return replace(like, note=missing[0] if missing else "").promised(LINEAR)


def big_graph(n_edges: int) -> gf.LinkPrediction:
    """Return link prediction on a random graph of a power law, with a tenth as many nodes and `FEATURES` features."""
    n_nodes = max(n_edges // 10, 40)
    rng = Streams(n_edges)("bench-graph").numpy()
    weights = np.cumsum(1.0 / np.arange(1, n_nodes + 1) ** 0.5)
    ends = np.searchsorted(weights, rng.random((2, int(1.02 * n_edges))) * weights[-1])
    ends = rng.permutation(n_nodes)[ends]
    graph = Graph.build(
        n_nodes, ends[:, ends[0] != ends[1]], features=normal("graph", n_nodes, FEATURES), name=f"{n_edges:,}"
    )
    return gf.LinkPrediction(graph, seed=0, normalise=False)


GRAPH_WORKS = {
    "GCN link-prediction epoch": "graph_epoch",
    f"GCN step, {DRAWN.batch:,} edges a batch, {DRAWN.neighbours} neighbours": "graph_step",
    "GCN embedding and test AUC": "graph_evaluation",
}
"""What is measured on graphs -> the side that does it."""


def graph_epoch(inputs: Answer, edges: int) -> Callable[[], Answer]:
    """One full-batch epoch on a graph of `edges` edges."""
    return link_epoch_on(big_graph(edges), inputs, RATE)


def graph_step(inputs: Answer, edges: int) -> Callable[[], Answer]:
    """One step on a mini-batch whose nodes see drawn neighbours; the batches take turns."""
    del inputs
    task = big_graph(edges)
    model = start(gf.GCN(hidden=HIDDEN, out=OUT), task, Streams(0))
    losses = sampled_steps(model, task, DRAWN, Streams(0), 0)
    step, steps = stepped(model, losses, RATE), np.array(len(losses))

    def call() -> Answer:
        step()
        return {"steps": steps}

    return call


def graph_evaluation(inputs: Answer, edges: int) -> Callable[[], Answer]:
    """Embed all nodes and score the test edges."""
    del inputs
    task = big_graph(edges)
    model = start(gf.GCN(hidden=HIDDEN, out=OUT), task, Streams(0))
    return lambda: {"auc": np.array(task.test_auc(model.embed(task.graph)))}


def thin_graph(n_edges: int) -> gf.LinkPrediction:
    """Return link prediction on a random graph with two edges a node, as citation graphs have, however large it is.

    The neighbourhood of a deletion is then the same in every size. Where nodes have 20 edges and some have thousands,
    two hops from 100 edges are the whole of a small graph, and what they cost grows until they are not.
    """
    n_nodes = max(n_edges // 2, 40)
    ends = Streams(n_edges)("bench-thin").numpy().integers(0, n_nodes, (2, int(1.02 * n_edges)))
    graph = Graph.build(
        n_nodes, ends[:, ends[0] != ends[1]], features=normal("graph", n_nodes, FEATURES), name=f"{n_edges:,}"
    )
    return gf.LinkPrediction(graph, seed=0, normalise=False)


def deletion(inputs: Answer, edges: int, method: str, epochs: int | None) -> Callable[[], Answer]:
    """Unlearn 100 edges of a graph of `edges` edges, and renew the embeddings that are served.

    Weights are those training would start from: time does not depend on them.
    """
    del inputs
    task = thin_graph(edges)
    model = start(gf.GCN(hidden=HIDDEN, out=OUT), task, Streams(0))
    gone = gf.sample_deletion(task, edges=DELETED, where="any", seed=0)
    changes = {} if epochs is None else {"epochs": epochs}
    layers = gf.KnownLayers.of(model, task).layers
    before: list[tuple[torch.Tensor, list[torch.Tensor]]] = []

    def call() -> Answer:
        for rows, kept in before:
            for layer, old in zip(layers, kept, strict=True):
                layer.index_copy_(0, rows, old)
        known = gf.KnownLayers(model, task.graph, layers)
        result = gf.unlearn(model, task, gone, method=method, known=known, **changes)
        if not before:
            kept = [layer.clone() for layer in layers]
        renewed = torch.from_numpy(known.renew(result))
        if not before:
            before.append((renewed, [layer.index_select(0, renewed) for layer in kept]))
        return {"gone": np.array(result.gone.count), "rows": np.array(len(renewed)), "nodes": np.array(len(layers[0]))}

    return call


def all_gone(answer: Answer) -> None:
    """Raise WrongAnswer unless the deletion had its size and a neighbourhood was renewed, not everything."""
    require(int(answer["gone"]) == DELETED, f"{answer['gone']} edges were deleted")
    require(0 < answer["rows"] < answer["nodes"] / 2, f"{answer['rows']} of {answer['nodes']} embeddings were renewed")


def deletion_rows(bench: Bench) -> list[Row]:
    """Measure a fixed deletion from graphs of growing size, and how much more the largest costs than the smallest."""
    rows: list[Row] = []
    for method, epochs in METHODS.items():
        found: list[Row] = []
        for edges in bench.edges:
            part = Part("benchmarks.scale:deletion", {"edges": edges, "method": method, "epochs": epochs})
            name = f"{method}, {DELETED} of {edges:,} edges" + ("" if epochs is None else f", {epochs} epochs")
            work = Work(name, "s", part, times(1.0), check=all_gone, memory=MOST["graph"])
            found += bench.run("scale", work)
        timed = [row for row in found if row.unit == "s"]
        rows += [*found, growth(f"{method}, {DELETED} edges: {bench.edges[-1]:,} over {bench.edges[0]:,}", timed)]
    return rows


def growth(name: str, rows: Sequence[Row]) -> Row:
    """Return the row of how often the last measurement is the first."""
    first, last = rows[0], rows[-1]
    value = None if None in (first.ours, last.ours) else last.ours / first.ours
    contended = first.contended or last.contended
    return replace(last, work=name, unit="x", ours=value, contended=contended).promised(FLAT)


def run(bench: Bench) -> list[Row]:
    """Measure."""
    return interaction_rows(bench) + graph_rows(bench) + deletion_rows(bench)
