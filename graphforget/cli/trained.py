"""Options of tasks, backbones and recipes."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from graphforget.cli.options import SomeWhole, given, option_group
from graphforget.training.recipe import Recipe

RECIPE = {field.name for field in fields(Recipe)}
NodeSplit = Annotated[
    Literal["public", "random"] | None, Parameter(help="The published node split, or a random one (default).")
]
Hop = Annotated[
    Literal["directed_compat", "undirected"] | None,
    Parameter(help="How neighbourhoods are walked; named sets default to the published protocol."),
]
Anchor = Annotated[Literal["test", "val"] | None, Parameter(help="Edges that the pools in and out are drawn around.")]
Normalise = Annotated[bool | None, Parameter(help="Divide each row of node features by its sum (default), or not.")]
Holdout = Annotated[
    float | None,
    Parameter(help="Share held out: of the edges, twice (0.05); of a user's interactions without a valid part (0.1)."),
]
ClassMode = Annotated[
    Literal["label", "entity"] | None,
    Parameter(help="Deleting a class keeps its nodes in the graph (label, the default) or removes them (entity)."),
]
Hidden = Annotated[SomeWhole, Parameter(help="Width of the layers but the last of a graph network (128).")]
OutWidth = Annotated[SomeWhole, Parameter(help="Width of its embeddings (64; node tasks: the classes).")]


@option_group("Task")
class TaskOptions:
    """Options of a task; what is left out has the task's default."""

    def options(self) -> dict[str, Any]:
        """Return the arguments of the task that were given."""
        return given(self)


@option_group("Task")
class NodeTask(TaskOptions):
    """Options of node classification."""

    split: NodeSplit = None
    class_mode: ClassMode = None
    normalise: Normalise = None


@option_group("Task")
class GraphTask(TaskOptions):
    """Options of link prediction and node classification."""

    hop: Hop = None
    negatives: Annotated[
        Literal["released", "strict"] | None, Parameter(help="What held-out negatives must not hit.")
    ] = None
    pool_anchor: Anchor = None
    holdout: Holdout = None
    split: NodeSplit = None
    normalise: Normalise = None


@option_group("Task")
class RecommendTask(TaskOptions):
    """Options of recommendation."""

    sampler: Annotated[
        Literal["edges", "users", "each-user", "kgat"] | None,
        Parameter(
            help="An epoch takes every interaction (edges; the default, but for kgat), draws users (users), draws for "
            "every user as often (each-user), or draws as KGAT."
        ),
    ] = None
    negatives: Annotated[
        Literal["uniform", "trained", "popularity"] | None,
        Parameter(help="How items that were not chosen are drawn: all alike, those with interactions, by popularity."),
    ] = None
    holdout: Holdout = None
    mask: Annotated[
        Literal["train+valid", "train"] | None, Parameter(help="What is left out of rankings on test (train+valid).")
    ] = None
    ndcg: Annotated[
        Literal["standard", "kgat", "full_truth"] | None,
        Parameter(help="Convention of ndcg: what the ideal list is."),
    ] = None
    map_at: Annotated[
        Literal["min_mk", "m", "full"] | None, Parameter(help="Convention of map: what it is divided by.")
    ] = None
    select_on: Annotated[
        Literal["valid", "test"] | None,
        Parameter(help="Part that selects the epoch (valid); test as published numbers were, and nothing is held out."),
    ] = None


@option_group("Task")
class AnyTask(RecommendTask):
    """Options of every task; one that the task at hand does not have is refused."""

    negatives: Annotated[
        Literal["released", "strict", "uniform", "trained", "popularity"] | None,
        Parameter(help="Links: what held-out negatives must not hit. Recommenders: how other items are drawn."),
    ] = None  # type: ignore[assignment]  # the choices of every task
    hop: Hop = None
    pool_anchor: Anchor = None
    class_mode: ClassMode = None
    normalise: Normalise = None


@option_group("Model and training")
class ModelOptions:
    """Recipe of the original and the gold model; what is left out has the default of the backbone or of the task."""

    epochs: Annotated[SomeWhole, Parameter(help="Epochs (link 2000, node 300, recommend 200; or by backbone).")] = None
    lr: Annotated[
        float | None, Parameter(help="Learning rate of Adam (link 0.001, node 0.01, recommend 0.001; or by backbone).")
    ] = None
    lr_decay: Annotated[
        float | None, Parameter(help="Factor on the learning rate from epoch to epoch (1; or by backbone).")
    ] = None
    weight_decay: Annotated[float | None, Parameter(help="l2 penalty of Adam.")] = None
    max_grad_norm: Annotated[float | None, Parameter(help="Clip the norm of the gradient to this.")] = None
    validate_every: Annotated[SomeWhole, Parameter(help="Epochs between validations and checkpoints.")] = None
    batch: Annotated[
        SomeWhole, Parameter(help="Interactions in one step (2048; or by backbone); edges or nodes with --neighbours.")
    ] = None
    neighbours: Annotated[
        str | None,
        Parameter(help="Train on mini-batches: neighbours drawn at each hop, one number a layer, as 15,10 (all)."),
    ] = None
    selection: Annotated[str | None, Parameter(help="Validation metric that picks the epoch, or 'last'.")] = None
    patience: Annotated[SomeWhole, Parameter(help="Validations without progress before training stops.")] = None

    def recipe(self) -> dict[str, Any]:
        """Return the fields of the recipe that were given."""
        return {key: value for key, value in given(self).items() if key in RECIPE}

    def architecture(self) -> dict[str, Any]:
        """Return the arguments of the backbone that were given."""
        return {"out" if key == "out_width" else key: v for key, v in given(self).items() if key not in RECIPE}


@option_group("Model and training")
class GraphModel(ModelOptions):
    """Backbone and recipe of a graph network."""

    hidden: Hidden = None
    out_width: OutWidth = None
    layers: Annotated[SomeWhole, Parameter(help="Number of convolutions (2).")] = None


@option_group("Model and training")
class RecommenderModel(ModelOptions):
    """Backbone and recipe of a recommender."""

    dim: Annotated[SomeWhole, Parameter(help="Width of the learned embeddings (64).")] = None
    layers: Annotated[
        str | None, Parameter(help="Number of layers, or their widths where the backbone asks for these, as 64,32,16.")
    ] = None
    reg: Annotated[float | None, Parameter(help="Weight of the l2 regulariser in the loss (by backbone).")] = None


@option_group("Model and training")
class AnyModel(RecommenderModel):
    """Backbone and recipe of any model."""

    hidden: Hidden = None
    out_width: OutWidth = None
