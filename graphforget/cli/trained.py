"""Options of tasks, backbones and recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from graphforget.cli.options import SomeWhole, given

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
Sampler = Annotated[
    Literal["edges", "users", "kgat"] | None,
    Parameter(help="An epoch takes every interaction (edges, the default), draws users, or draws as KGAT does."),
]
Mask = Annotated[
    Literal["train+valid", "train"] | None, Parameter(help="What is left out of rankings on test (train+valid).")
]
Ndcg = Annotated[
    Literal["standard", "kgat", "full_truth"] | None,
    Parameter(help="Convention of ndcg: what the ideal list is."),
]
MapAt = Annotated[Literal["min_mk", "m", "full"] | None, Parameter(help="Convention of map: what it is divided by.")]
SelectOn = Annotated[
    Literal["valid", "test"] | None,
    Parameter(help="Part that selects the epoch (valid); test as published numbers were, and nothing is held out."),
]


@Parameter(name="*", group="Task")
@dataclass(frozen=True)
class GraphTask:
    """Options of link prediction and node classification."""

    hop: Hop = None
    negatives: Annotated[
        Literal["released", "strict"] | None, Parameter(help="What held-out negatives must not hit.")
    ] = None
    pool_anchor: Anchor = None
    holdout: Holdout = None
    split: Annotated[
        Literal["public", "random"] | None, Parameter(help="The published node split, or a random one (default).")
    ] = None
    normalise: Normalise = None

    def options(self) -> dict[str, Any]:
        """Return the arguments of the task that were given."""
        return given(self)


@Parameter(name="*", group="Task")
@dataclass(frozen=True)
class NodeTask:
    """Options of node classification."""

    split: Annotated[
        Literal["public", "random"] | None, Parameter(help="The published node split, or a random one (default).")
    ] = None
    class_mode: ClassMode = None
    normalise: Normalise = None

    def options(self) -> dict[str, Any]:
        """Return the arguments of the task that were given."""
        return given(self)


@Parameter(name="*", group="Task")
@dataclass(frozen=True)
class RecommendTask:
    """Options of recommendation."""

    sampler: Sampler = None
    negatives: Annotated[
        Literal["uniform", "popularity"] | None, Parameter(help="How items that were not chosen are drawn.")
    ] = None
    holdout: Holdout = None
    mask: Mask = None
    ndcg: Ndcg = None
    map_at: MapAt = None
    select_on: SelectOn = None

    def options(self) -> dict[str, Any]:
        """Return the arguments of the task that were given."""
        return given(self)


@Parameter(name="*", group="Task")
@dataclass(frozen=True)
class AnyTask:
    """Options of every task; one that the task at hand does not have is refused."""

    hop: Hop = None
    negatives: Annotated[
        Literal["released", "strict", "uniform", "popularity"] | None,
        Parameter(help="Links: what held-out negatives must not hit. Recommenders: how other items are drawn."),
    ] = None
    pool_anchor: Anchor = None
    holdout: Holdout = None
    class_mode: ClassMode = None
    normalise: Normalise = None
    sampler: Sampler = None
    mask: Mask = None
    ndcg: Ndcg = None
    map_at: MapAt = None
    select_on: SelectOn = None

    def options(self) -> dict[str, Any]:
        """Return the arguments of the task that were given."""
        return given(self)


@Parameter(name="*", group="Model and training")
@dataclass(frozen=True)
class RecipeOptions:
    """Recipe of the original and the gold model; what is left out has the task's default."""

    epochs: Annotated[SomeWhole, Parameter(help="Epochs (link 2000, node 300, recommend 200).")] = None
    lr: Annotated[float | None, Parameter(help="Learning rate of Adam.")] = None
    weight_decay: Annotated[float | None, Parameter(help="l2 penalty of Adam.")] = None
    validate_every: Annotated[SomeWhole, Parameter(help="Epochs between validations and checkpoints.")] = None
    selection: Annotated[str | None, Parameter(help="Validation metric that picks the epoch, or 'last'.")] = None
    patience: Annotated[SomeWhole, Parameter(help="Validations without progress before training stops.")] = None

    def recipe(self) -> dict[str, Any]:
        """Return the given fields of the recipe."""
        return given(self, "epochs", "lr", "weight_decay", "validate_every", "selection", "patience")


@Parameter(name="*", group="Model and training")
@dataclass(frozen=True)
class GraphModel(RecipeOptions):
    """Backbone and recipe of a graph network."""

    hidden: Annotated[SomeWhole, Parameter(help="Width of the layers but the last (128).")] = None
    out_width: Annotated[SomeWhole, Parameter(help="Width of the embeddings (64; node tasks: the classes).")] = None
    layers: Annotated[SomeWhole, Parameter(help="Number of convolutions (2).")] = None

    def architecture(self) -> dict[str, Any]:
        """Return the given arguments of the backbone."""
        return given(self, "hidden", "layers", out="out_width")


Layers = Annotated[
    str | None, Parameter(help="Number of layers, or their widths where the backbone asks for these, as 64,32,16.")
]
Batch = Annotated[SomeWhole, Parameter(help="Interactions in one step (2048).")]
Decay = Annotated[float | None, Parameter(help="Factor on the learning rate from epoch to epoch (1).")]
Dim = Annotated[SomeWhole, Parameter(help="Width of the learned embeddings (64).")]
Reg = Annotated[float | None, Parameter(help="Weight of the l2 regulariser in the loss (by backbone).")]


@Parameter(name="*", group="Model and training")
@dataclass(frozen=True)
class RecommenderModel(RecipeOptions):
    """Backbone and recipe of a recommender."""

    batch: Batch = None
    lr_decay: Decay = None
    dim: Dim = None
    layers: Layers = None
    reg: Reg = None

    def architecture(self) -> dict[str, Any]:
        """Return the given arguments of the backbone."""
        return given(self, "dim", "layers", "reg")

    def recipe(self) -> dict[str, Any]:
        """Return the given fields of the recipe."""
        return {**super().recipe(), **given(self, "batch", "lr_decay")}


@Parameter(name="*", group="Model and training")
@dataclass(frozen=True)
class AnyModel(RecommenderModel):
    """Backbone and recipe of any model."""

    hidden: Annotated[SomeWhole, Parameter(help="Width of the layers but the last of a graph network (128).")] = None
    out_width: Annotated[SomeWhole, Parameter(help="Width of its embeddings (64; node tasks: the classes).")] = None

    def architecture(self) -> dict[str, Any]:
        """Return the given arguments of the backbone."""
        return {**super().architecture(), **given(self, "hidden", out="out_width")}
