"""What the commands that compare methods share, as one parameter each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cyclopts import Parameter

from graphforget.cli.options import OutputOptions, RunOptions, seeds
from graphforget.cli.places import GraphData, InteractionData
from graphforget.cli.trained import GraphModel, GraphTask, NodeTask, RecommenderModel, RecommendTask

RECOMMEND = "recommend"


@Parameter(name="*")
@dataclass(frozen=True)
class GraphSetting:
    """Data, task, model, comparison and output of a deletion from a graph."""

    source: GraphData = GraphData()
    problem: GraphTask = GraphTask()
    model: GraphModel = GraphModel()
    run: RunOptions = RunOptions()
    output: OutputOptions = OutputOptions()


@Parameter(name="*")
@dataclass(frozen=True)
class NodeSetting:
    """The same for a deletion that only node classification has."""

    source: GraphData = GraphData()
    problem: NodeTask = NodeTask()
    model: GraphModel = GraphModel()
    run: RunOptions = RunOptions()
    output: OutputOptions = OutputOptions()


@Parameter(name="*")
@dataclass(frozen=True)
class RecommenderSetting:
    """The same for a deletion from a recommender."""

    source: InteractionData = InteractionData()
    problem: RecommendTask = RecommendTask()
    model: RecommenderModel = RecommenderModel()
    run: RunOptions = RunOptions()
    output: OutputOptions = OutputOptions()


GRAPH, NODE, RECOMMENDER = GraphSetting(), NodeSetting(), RecommenderSetting()


def compare(
    data: str,
    backbone: str,
    task: str,
    setting: GraphSetting | NodeSetting | RecommenderSetting,
    request: dict[str, Any],
) -> int:
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
        ),
        Request(**request),
        methods=run.method or (default_method(task, request["kind"]),),
        seeds=seeds(run.seeds),
        gold_runs=run.gold_runs,
        attack=run.attack,
        out=setting.output.out,
    )
    return carry_out(plan, run, setting.output)
