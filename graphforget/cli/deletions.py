"""The commands that delete from graphs: edges, nodes, features, node-class. Each compares methods beside gold."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from graphforget.cli.options import Amount, BackboneName, Data, DeletionFile, text
from graphforget.cli.settings import GRAPH, NODE, GraphSetting, NodeSetting, compare

TaskName = Annotated[Literal["link", "node"], Parameter(group="Task", help="What the model is trained for.")]
Pool = Annotated[
    Literal["train", "all"] | None,
    Parameter(group="Deletion", help="Draw from training nodes (default) or from all nodes."),
]
NO_AMOUNT = Amount()


def edges(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    amount: Amount = NO_AMOUNT,
    where: Annotated[
        Literal["in", "out", "any"] | None,
        Parameter(group="Deletion", help="Draw inside or outside the 2-hop neighbourhood of the anchor edges."),
    ] = None,
    task: TaskName = "link",
    setting: GraphSetting = GRAPH,
) -> int:
    """Delete edges and compare methods beside the gold model."""
    return compare(data, backbone, task, setting, {"kind": "edges", "where": where, **amount.request()})


def nodes(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    amount: Amount = NO_AMOUNT,
    pool: Pool = None,
    task: TaskName = "node",
    setting: GraphSetting = GRAPH,
) -> int:
    """Delete nodes, with their edges, features and labels, and compare methods beside the gold model."""
    return compare(data, backbone, task, setting, {"kind": "nodes", "pool": pool, **amount.request()})


def features(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    amount: Amount = NO_AMOUNT,
    pool: Pool = None,
    task: TaskName = "node",
    setting: GraphSetting = GRAPH,
) -> int:
    """Delete the features of nodes, which stay in the graph, and compare methods beside the gold model."""
    return compare(data, backbone, task, setting, {"kind": "features", "pool": pool, **amount.request()})


def node_class(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    classes: Annotated[
        tuple[str, ...],
        Parameter(name="--class", negative="", group="Deletion", help="Name or number of a class; may repeat."),
    ] = (),
    delete: Annotated[DeletionFile, Parameter(group="Deletion")] = None,
    setting: NodeSetting = NODE,
) -> int:
    """Delete whole classes of nodes and compare methods beside the gold model."""
    return compare(data, backbone, "node", setting, {"kind": "classes", "classes": classes, "file": text(delete)})
