"""What the commands that compare methods share, as one parameter each.

A group that inherits another stands in its file: cyclopts looks for the types of all fields there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from graphforget.cli.amounts import Classes, Edges, Gone, Nodes
from graphforget.cli.options import OutputOptions, RunOptions, option_group, seeds
from graphforget.cli.places import GraphData, InteractionData
from graphforget.cli.trained import (
    GraphModel,
    GraphTask,
    ModelOptions,
    NodeTask,
    RecommenderModel,
    RecommendTask,
    TaskOptions,
)

RECOMMEND = "recommend"
TaskName = Annotated[Literal["link", "node"], Parameter(group="Task", help="What the model is trained for.")]


@option_group()
class Setting:
    """Data, task, model, comparison and output; each kind of data has its own of the first three."""

    source: GraphData | InteractionData
    problem: TaskOptions
    model: ModelOptions
    run: RunOptions = RunOptions()
    output: OutputOptions = OutputOptions()


@option_group()
class GraphSetting(Setting):
    """Of a deletion from a graph."""

    source: GraphData = GraphData()
    problem: GraphTask = GraphTask()
    model: GraphModel = GraphModel()


@option_group()
class EdgeDeletion(GraphSetting):
    """Which edges go, and from what."""

    gone: Edges = Edges()
    task: TaskName = "link"


@option_group()
class NodeDeletion(GraphSetting):
    """Which nodes go, or lose their features, and from what."""

    gone: Nodes = Nodes()
    task: TaskName = "node"


@option_group()
class ClassDeletion(GraphSetting):
    """Which classes go, and from what; only node classification has them."""

    gone: Classes = Classes()
    problem: NodeTask = NodeTask()


@option_group()
class RecommenderSetting(Setting):
    """Of a deletion from a recommender."""

    source: InteractionData = InteractionData()
    problem: RecommendTask = RecommendTask()
    model: RecommenderModel = RecommenderModel()


def compare(data: str, backbone: str, task: str, setting: Setting, kind: str, gone: Gone) -> int:
    """Carry out the comparison that the options describe, and return the exit code."""
    from graphforget.cli.compare import carry_out
    from graphforget.experiments.plan import Plan
    from graphforget.experiments.request import Request
    from graphforget.experiments.setup import Setup, Source
    from graphforget.experiments.specs import default_method

    model, run = setting.model, setting.run
    plan = Plan(
        Setup(
            Source(data, **setting.source.source()),
            backbone,
            task,
            setting.problem.options(),
            model.architecture(),
            model.recipe(),
            run.device,
        ),
        Request(kind, **gone.request()),
        methods=run.method or (default_method(task, kind),),
        seeds=seeds(run.seeds),
        gold_runs=run.gold_runs,
        attack=run.attack,
        out=setting.output.out,
    )
    return carry_out(plan, run, setting.output)
