"""The commands that delete: edges, nodes, features, node-class. Each compares methods beside the gold model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from graphforget.cli.options import (
    Amount,
    DataOptions,
    LinkOptions,
    ModelOptions,
    NodeOptions,
    OutputOptions,
    RunOptions,
    given,
    seeds,
    text,
)

Data = Annotated[str, Parameter(help="A named set ('graphforget list datasets'), or a file of edges.")]
BackboneName = Annotated[str, Parameter(help="One of 'graphforget list backbones'.")]
TaskName = Annotated[Literal["link", "node"], Parameter(group="Task", help="What the model is trained for.")]
Pool = Annotated[
    Literal["train", "all"] | None,
    Parameter(group="Deletion", help="Draw from training nodes (default) or from all nodes."),
]
NO_DATA, NO_AMOUNT, NO_LINK, NO_NODE = DataOptions(), Amount(), LinkOptions(), NodeOptions()
NO_MODEL, NO_RUN, NO_OUTPUT = ModelOptions(), RunOptions(), OutputOptions()


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
    source: DataOptions = NO_DATA,
    link: LinkOptions = NO_LINK,
    node: NodeOptions = NO_NODE,
    model: ModelOptions = NO_MODEL,
    run: RunOptions = NO_RUN,
    output: OutputOptions = NO_OUTPUT,
) -> int:
    """Delete edges and compare methods beside the gold model."""
    request = {"kind": "edges", "where": where, **_amount(amount)}
    setup = _setup(data, backbone, task, source, model, {**given(link), **given(node)})
    return _compare(setup, request, run, output)


def nodes(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    amount: Amount = NO_AMOUNT,
    pool: Pool = None,
    task: TaskName = "node",
    source: DataOptions = NO_DATA,
    link: LinkOptions = NO_LINK,
    node: NodeOptions = NO_NODE,
    model: ModelOptions = NO_MODEL,
    run: RunOptions = NO_RUN,
    output: OutputOptions = NO_OUTPUT,
) -> int:
    """Delete nodes, with their edges, features and labels, and compare methods beside the gold model."""
    request = {"kind": "nodes", "pool": pool, **_amount(amount)}
    setup = _setup(data, backbone, task, source, model, {**given(link), **given(node)})
    return _compare(setup, request, run, output)


def features(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    amount: Amount = NO_AMOUNT,
    pool: Pool = None,
    task: TaskName = "node",
    source: DataOptions = NO_DATA,
    link: LinkOptions = NO_LINK,
    node: NodeOptions = NO_NODE,
    model: ModelOptions = NO_MODEL,
    run: RunOptions = NO_RUN,
    output: OutputOptions = NO_OUTPUT,
) -> int:
    """Delete the features of nodes, which stay in the graph, and compare methods beside the gold model."""
    request = {"kind": "features", "pool": pool, **_amount(amount)}
    setup = _setup(data, backbone, task, source, model, {**given(link), **given(node)})
    return _compare(setup, request, run, output)


def node_class(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    classes: Annotated[
        tuple[str, ...],
        Parameter(name="--class", negative="", group="Deletion", help="Name or number of a class; may repeat."),
    ] = (),
    delete: Annotated[
        Path | None, Parameter(group="Deletion", help="File that names the classes: .csv, .tsv or .json.")
    ] = None,
    class_mode: Annotated[
        Literal["label", "entity"],
        Parameter(group="Deletion", help="'label' keeps the nodes in the graph, 'entity' removes them."),
    ] = "label",
    source: DataOptions = NO_DATA,
    node: NodeOptions = NO_NODE,
    model: ModelOptions = NO_MODEL,
    run: RunOptions = NO_RUN,
    output: OutputOptions = NO_OUTPUT,
) -> int:
    """Delete whole classes of nodes and compare methods beside the gold model."""
    request = {"kind": "classes", "classes": classes, "file": text(delete)}
    setup = _setup(data, backbone, "node", source, model, {"class_mode": class_mode, **given(node)})
    return _compare(setup, request, run, output)


def _amount(amount: Amount) -> dict[str, Any]:
    return {**given(amount, "fraction", "count", "on_small_pool"), "file": text(amount.delete)}


def _setup(
    data: str, backbone: str, task: str, source: DataOptions, model: ModelOptions, options: dict[str, Any]
) -> dict[str, Any]:
    return {
        "source": (data, text(source.data_dir), text(source.features), text(source.labels)),
        "backbone": backbone,
        "task": task,
        "task_options": options,
        "architecture": model.architecture(),
        "recipe": model.recipe(),
    }


def _compare(setup: dict[str, Any], request: dict[str, Any], run: RunOptions, output: OutputOptions) -> int:
    from graphforget.cli.compare import compare
    from graphforget.experiments.plan import Plan, Request
    from graphforget.experiments.setup import Setup, Source

    plan = Plan(
        Setup(**{**setup, "source": Source(*setup["source"])}),
        Request(**request),
        methods=run.method,
        seeds=seeds(run.seeds),
        gold_runs=run.gold_runs,
        attack=run.attack,
        out=output.out,
    )
    return compare(plan, run, output)
