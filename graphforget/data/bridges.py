"""Graphs to and from PyTorch Geometric, NetworkX, SciPy and DGL.

Each `from_*` reads an undirected graph: a pair counts once whatever directions the other library stores. Each
`to_*` gives what that library's users expect (both directions of every edge). A round trip gives back the
same edges, features, labels, masks and node ids.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError, UnsupportedError
from graphforget.data.graph import Graph

_MASKS = ("train", "val", "test")


def _both_directions(graph: Graph) -> np.ndarray:
    """Return (2, 2E) edges, both directions, in lexicographic order."""
    both = np.concatenate([graph.edges, graph.edges[::-1]], axis=1)
    return both[:, np.lexsort((both[1], both[0]))]


def _dense(graph: Graph) -> np.ndarray | None:
    """Return a fresh dense copy of the features."""
    x = graph.features
    return None if x is None else np.array(x) if isinstance(x, np.ndarray) else x.toarray()


def _array(value: Any) -> np.ndarray:
    """Return a tensor or array as a NumPy array."""
    if isinstance(value, np.ndarray):
        return value
    value = value.to_dense() if getattr(value, "is_sparse", False) or "sparse" in str(value.layout) else value
    value = value.float() if str(value.dtype) == "torch.bfloat16" else value  # which NumPy does not have
    return value.detach().cpu().numpy()


def _if_given(value: Any) -> np.ndarray | None:
    return None if value is None else _array(value)


def _labels(value: Any) -> np.ndarray | None:
    labels = _if_given(value)
    return labels[:, 0] if labels is not None and labels.ndim == 2 and labels.shape[1] == 1 else labels


def _masks(get: Any) -> dict[str, np.ndarray]:
    found = {name: _if_given(get(f"{name}_mask")) for name in _MASKS}
    wrong = next((name for name, mask in found.items() if mask is not None and mask.ndim != 1), None)
    if wrong is not None:
        raise DataError(f"'{wrong}_mask' must have one entry per node; choose one split, as mask[:, 0].")
    return {name: mask for name, mask in found.items() if mask is not None}


def from_pyg(data: Any, name: str = "graph") -> Graph:
    """Return the graph in a `torch_geometric.data.Data`.

    Reads `edge_index`, `num_nodes`, `x`, `y`, `train_mask` / `val_mask` / `test_mask` and `ids` (as `to_pyg`
    writes them); edge weights and edge features are not read and become a note.

    Raises UnsupportedError for another class (HeteroData), DataError for shapes that do not fit.
    """
    if not hasattr(data, "edge_index") or data.edge_index is None or hasattr(data, "node_types"):
        raise UnsupportedError(
            f"A {type(data).__name__} cannot become a Graph: a torch_geometric Data with an edge_index is needed. "
            "Build one from the node and edge type you want."
        )
    weights = [key for key in ("edge_attr", "edge_weight") if getattr(data, key, None) is not None]
    ids = getattr(data, "ids", None)
    return Graph.build(
        n_nodes=int(data.num_nodes),
        edges=_array(data.edge_index),
        features=_if_given(data.x),
        labels=_labels(data.y),
        ids=np.array(ids) if isinstance(ids, list) else _if_given(ids),
        masks=_masks(lambda key: getattr(data, key, None)),
        name=name,
        notes=[f"'{key}' was not read" for key in weights],
    )


def to_pyg(graph: Graph) -> Any:
    """Return the graph as a `torch_geometric.data.Data`: dense `x` (n, F), both directions of every edge.

    Masks go to `train_mask` and so on, the user's own ids to `ids` (a tensor of integers, or a list of text).
    """
    import torch
    from torch_geometric.data import Data

    data = Data(edge_index=torch.from_numpy(_both_directions(graph)), num_nodes=graph.n_nodes)
    x = _dense(graph)
    if x is not None:
        data.x = torch.from_numpy(x)
    if graph.labels is not None:
        data.y = torch.from_numpy(graph.labels.copy())
    for key, mask in graph.masks.items():
        data[f"{key}_mask"] = torch.from_numpy(mask.copy())
    if graph.ids is not None:
        data.ids = torch.from_numpy(graph.ids.copy()) if graph.ids.dtype.kind == "i" else graph.ids.tolist()
    return data


def _node_ids(nodes: list[Any]) -> np.ndarray | None:
    """Return the keys of a NetworkX graph as ids (beyond 64 bits as text); None when they are 0 .. n - 1 in order."""
    nodes = [node.item() if isinstance(node, np.generic) else node for node in nodes]
    if all(isinstance(node, int) for node in nodes):
        fits = all(abs(node) < 1 << 63 for node in nodes)
        return None if nodes == list(range(len(nodes))) else np.array(nodes, dtype=np.int64 if fits else np.str_)
    if all(isinstance(node, str) for node in nodes):
        return np.array(nodes, dtype=np.str_)
    kinds = sorted({type(node).__name__ for node in nodes})
    raise DataError(
        f"The nodes of a NetworkX graph must be all integers or all text; got {' and '.join(kinds)}. Rename them with "
        "networkx.relabel_nodes."
    )


def _attribute(nodes: Mapping[Any, Mapping[str, Any]], key: str) -> list[Any] | None:
    """Return one attribute of every node, or None when no node has it."""
    values = [attributes.get(key) for attributes in nodes.values()]
    missing = [node for node, value in zip(nodes, values, strict=True) if value is None]
    if len(missing) == len(values):
        return None
    if missing:
        raise DataError(
            f"Node '{missing[0]}' has no attribute '{key}' while others have it; give it to all or to none."
        )
    return values


def from_networkx(graph: Any, features: str = "x", labels: str = "y", name: str = "graph") -> Graph:
    """Return the graph in a `networkx.Graph` (directions and parallel edges are merged).

    Parameters
    ----------
    graph: its nodes, integers or text, become the ids, in their order.
    features: node attribute that holds a vector of numbers, if nodes have it.
    labels: node attribute that holds an integer class, if nodes have it.
    """
    nodes = dict(graph.nodes(data=True))
    number = {node: position for position, node in enumerate(nodes)}
    edges = np.array([(number[u], number[v]) for u, v in graph.edges()], dtype=np.int64).reshape(-1, 2).T
    x, y = _attribute(nodes, features), _attribute(nodes, labels)
    try:
        matrix = None if x is None else np.array([np.asarray(row, dtype=np.float32) for row in x])
    except ValueError as error:
        raise DataError(f"Node attribute '{features}' must be vectors of numbers of one length ({error}).") from None
    classes = None if y is None else np.array(y)
    masks = {key: np.array(found) for key in _MASKS if (found := _attribute(nodes, f"{key}_mask")) is not None}
    return Graph.build(len(nodes), edges, matrix, classes, _node_ids(list(nodes)), masks=masks, name=name)


def to_networkx(graph: Graph) -> Any:
    """Return the graph as a `networkx.Graph` on the user's own ids, with node attributes x, y and *_mask."""
    import networkx

    ids = graph.user_ids(np.arange(graph.n_nodes))
    x = _dense(graph)
    columns: dict[str, Any] = {} if x is None else {"x": list(x)}
    if graph.labels is not None:
        columns["y"] = graph.labels.tolist()
    columns |= {f"{key}_mask": mask.tolist() for key, mask in graph.masks.items()}
    result = networkx.Graph(name=graph.name)
    result.add_nodes_from((node, {key: column[row] for key, column in columns.items()}) for row, node in enumerate(ids))
    result.add_edges_from((ids[u], ids[v]) for u, v in graph.edges.T.tolist())
    return result


def from_scipy(adjacency: Any, features: Any = None, labels: Any = None, name: str = "graph") -> Graph:
    """Return the graph whose edges are the non-zero entries of a square sparse matrix."""
    if not sp.issparse(adjacency) or adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        found = getattr(adjacency, "shape", type(adjacency).__name__)
        raise DataError(f"The adjacency must be a square SciPy sparse matrix; got {found}.")
    entries = sp.coo_array(adjacency)
    kept = entries.data != 0
    edges = np.stack([entries.row[kept], entries.col[kept]]).astype(np.int64)
    return Graph.build(adjacency.shape[0], edges, features, labels, name=name)


def to_scipy(graph: Graph) -> sp.csr_array:
    """Return the symmetric adjacency, (n, n) float32 with ones, in CSR form."""
    u, v = _both_directions(graph)
    ones = np.ones(len(u), dtype=np.float32)
    return sp.csr_array((ones, (u, v)), shape=(graph.n_nodes, graph.n_nodes))


def _dgl() -> ModuleType:
    """Import DGL on torch; raises UnsupportedError that says which version works."""
    os.environ.setdefault("DGLBACKEND", "pytorch")  # without it DGL prints, and writes a file in the user's home
    try:
        import dgl
    except (ImportError, OSError) as error:
        raise UnsupportedError(
            f"DGL cannot be imported ({type(error).__name__}: {error}). dgl 1.1.3 works, and needs packaging; install "
            "both with: pip install graphforget[dgl]. dgl 2.1.0 stops on a missing graphbolt library."
        ) from None
    return dgl


def from_dgl(graph: Any, ids: Any = None, name: str = "graph") -> Graph:
    """Return the graph in a homogeneous `dgl.DGLGraph`.

    Reads node data `feat`, `label`, `train_mask` / `val_mask` / `test_mask`, and `id` (integers) unless `ids`
    is given.
    """
    if len(graph.ntypes) != 1 or len(graph.etypes) != 1:
        raise UnsupportedError(
            "A DGL graph with several node or edge types cannot become a Graph; take one type of it."
        )
    source, target = graph.edges()
    return Graph.build(
        n_nodes=graph.num_nodes(),
        edges=np.stack([_array(source), _array(target)]),
        features=_if_given(graph.ndata.get("feat")),
        labels=_labels(graph.ndata.get("label")),
        ids=_if_given(graph.ndata.get("id")) if ids is None else ids,
        masks=_masks(graph.ndata.get),
        name=name,
    )


def to_dgl(graph: Graph) -> Any:
    """Return the graph as a `dgl.DGLGraph`: both directions of every edge, node data feat, label, *_mask, id.

    DGL holds numbers alone: text ids stay behind; pass them back as `from_dgl(result, ids=graph.ids)`.

    Raises UnsupportedError when DGL is missing or does not start.
    """
    dgl = _dgl()
    import torch

    u, v = (torch.from_numpy(side.copy()) for side in _both_directions(graph))
    result = dgl.graph((u, v), num_nodes=graph.n_nodes)
    x = _dense(graph)
    if x is not None:
        result.ndata["feat"] = torch.from_numpy(x)
    if graph.labels is not None:
        result.ndata["label"] = torch.from_numpy(graph.labels.copy())
    for key, mask in graph.masks.items():
        result.ndata[f"{key}_mask"] = torch.from_numpy(mask.copy())
    if graph.ids is not None and graph.ids.dtype.kind == "i":
        result.ndata["id"] = torch.from_numpy(graph.ids.copy())
    return result
