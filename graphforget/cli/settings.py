"""What the commands that delete share, as one parameter each: what goes and from what, and how it is compared.

A group that inherits another stands in its file: cyclopts looks for the types of all fields there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from graphforget.cli.amounts import Amount, Both, Classes, Edges, Gone, Interactions, Modality, Nodes, Sampled
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

if TYPE_CHECKING:
    from graphforget.experiments.setup import Setup

RECOMMEND = "recommend"
TaskName = Annotated[Literal["link", "node"], Parameter(group="Task", help="What the model is trained for.")]


@option_group()
class Comparison:
    """How methods are compared, and what is kept and printed."""

    run: RunOptions = RunOptions()
    output: OutputOptions = OutputOptions()


@option_group()
class Setting(ABC):
    """What goes, from which data, task and model; each kind of deletion has its own of these."""

    gone: Gone
    source: GraphData | InteractionData
    problem: TaskOptions
    model: ModelOptions

    @property
    @abstractmethod
    def task(self) -> str:
        """The name of the task."""

    def setup(self, data: str, backbone: str, device: str) -> Setup:
        """Return data, task, backbone and recipe."""
        from graphforget.experiments.setup import Setup, Source

        source, problem, model = Source(data, **self.source.source()), self.problem.options(), self.model
        return Setup(source, backbone, self.task, problem, model.architecture(), model.recipe(), device)


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
class ClassDeletion(Setting):
    """Which classes go, and from what; only node classification has them."""

    gone: Classes = Classes()
    source: GraphData = GraphData()
    problem: NodeTask = NodeTask()
    model: GraphModel = GraphModel()

    @property
    def task(self) -> str:
        """The name of the task."""
        return "node"


@option_group()
class RecommenderSetting(Setting):
    """Of a deletion from a recommender."""

    source: InteractionData = InteractionData()
    problem: RecommendTask = RecommendTask()
    model: RecommenderModel = RecommenderModel()

    @property
    def task(self) -> str:
        """The name of the task."""
        return RECOMMEND


@option_group()
class SampledDeletion(RecommenderSetting):
    """Which users or items go."""

    gone: Sampled = Sampled()


@option_group()
class BothDeletion(RecommenderSetting):
    """Which users and items go."""

    gone: Both = Both()


@option_group()
class InteractionDeletion(RecommenderSetting):
    """Which interactions go."""

    gone: Interactions = Interactions()


@option_group()
class TripleDeletion(RecommenderSetting):
    """Which facts go."""

    gone: Amount = Amount()


@option_group()
class ModalityDeletion(RecommenderSetting):
    """Which modality goes, of which items."""

    gone: Modality = Modality()


def compare(data: str, backbone: str, kind: str, asked: Setting, how: Comparison) -> int:
    """Carry out the comparison that the options describe, and return the exit code."""
    from graphforget.cli.compare import carry_out
    from graphforget.experiments.plan import Plan
    from graphforget.experiments.request import Request
    from graphforget.experiments.specs import default_method

    run = how.run
    plan = Plan(
        asked.setup(data, backbone, run.device),
        Request(kind, **asked.gone.request()),
        methods=run.method or (default_method(asked.task, kind),),
        seeds=seeds(run.seeds),
        gold_runs=run.gold_runs,
        attack=run.attack,
        out=how.output.out,
    )
    return carry_out(plan, run, how.output)
