"""The commands that delete from graphs: edges, nodes, features, node-class. Each compares methods beside gold."""

from __future__ import annotations

from graphforget.cli.options import BackboneName, Data
from graphforget.cli.settings import ClassDeletion, EdgeDeletion, NodeDeletion, compare

EDGES, NODES, CLASSES = EdgeDeletion(), NodeDeletion(), ClassDeletion()


def edges(data: Data, backbone: BackboneName, /, *, asked: EdgeDeletion = EDGES) -> int:
    """Delete edges and compare methods beside the gold model."""
    return compare(data, backbone, asked.task, asked, "edges", asked.gone)


def nodes(data: Data, backbone: BackboneName, /, *, asked: NodeDeletion = NODES) -> int:
    """Delete nodes, with their edges, features and labels, and compare methods beside the gold model."""
    return compare(data, backbone, asked.task, asked, "nodes", asked.gone)


def features(data: Data, backbone: BackboneName, /, *, asked: NodeDeletion = NODES) -> int:
    """Delete the features of nodes, which stay in the graph, and compare methods beside the gold model."""
    return compare(data, backbone, asked.task, asked, "features", asked.gone)


def node_class(data: Data, backbone: BackboneName, /, *, asked: ClassDeletion = CLASSES) -> int:
    """Delete whole classes of nodes and compare methods beside the gold model."""
    return compare(data, backbone, "node", asked, "classes", asked.gone)
