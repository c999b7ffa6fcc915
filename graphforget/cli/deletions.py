"""The commands that delete from graphs: edges, nodes, features, node-class. Each compares methods beside gold."""

from __future__ import annotations

from graphforget.cli.options import BackboneName, Data
from graphforget.cli.settings import ClassDeletion, Comparison, EdgeDeletion, NodeDeletion, compare

EDGES, NODES, CLASSES, HOW = EdgeDeletion(), NodeDeletion(), ClassDeletion(), Comparison()


def edges(data: Data, backbone: BackboneName, /, *, asked: EdgeDeletion = EDGES, how: Comparison = HOW) -> int:
    """Delete edges and compare methods beside the gold model."""
    return compare(data, backbone, "edges", asked, how)


def nodes(data: Data, backbone: BackboneName, /, *, asked: NodeDeletion = NODES, how: Comparison = HOW) -> int:
    """Delete nodes, with their edges, features and labels, and compare methods beside the gold model."""
    return compare(data, backbone, "nodes", asked, how)


def features(data: Data, backbone: BackboneName, /, *, asked: NodeDeletion = NODES, how: Comparison = HOW) -> int:
    """Delete the features of nodes, which stay in the graph, and compare methods beside the gold model."""
    return compare(data, backbone, "features", asked, how)


def node_class(data: Data, backbone: BackboneName, /, *, asked: ClassDeletion = CLASSES, how: Comparison = HOW) -> int:
    """Delete whole classes of nodes and compare methods beside the gold model."""
    return compare(data, backbone, "classes", asked, how)
