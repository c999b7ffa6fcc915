"""The commands that delete from graphs: edges, nodes, features, node-class. Each compares methods beside gold."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from graphforget.cli.amounts import Classes, Edges, Nodes
from graphforget.cli.options import BackboneName, Data
from graphforget.cli.settings import GraphSetting, NodeSetting, compare

TaskName = Annotated[Literal["link", "node"], Parameter(group="Task", help="What the model is trained for.")]
EDGES, NODES, CLASSES, GRAPH, NODE = Edges(), Nodes(), Classes(), GraphSetting(), NodeSetting()


def edges(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    gone: Edges = EDGES,
    task: TaskName = "link",
    setting: GraphSetting = GRAPH,
) -> int:
    """Delete edges and compare methods beside the gold model."""
    return compare(data, backbone, task, setting, "edges", gone)


def nodes(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    gone: Nodes = NODES,
    task: TaskName = "node",
    setting: GraphSetting = GRAPH,
) -> int:
    """Delete nodes, with their edges, features and labels, and compare methods beside the gold model."""
    return compare(data, backbone, task, setting, "nodes", gone)


def features(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    gone: Nodes = NODES,
    task: TaskName = "node",
    setting: GraphSetting = GRAPH,
) -> int:
    """Delete the features of nodes, which stay in the graph, and compare methods beside the gold model."""
    return compare(data, backbone, task, setting, "features", gone)


def node_class(data: Data, backbone: BackboneName, /, *, gone: Classes = CLASSES, setting: NodeSetting = NODE) -> int:
    """Delete whole classes of nodes and compare methods beside the gold model."""
    return compare(data, backbone, "node", setting, "classes", gone)
