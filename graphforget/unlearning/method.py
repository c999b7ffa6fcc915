"""What an unlearning method is, and what it may ask of a problem."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from graphforget._core.devices import device_key
from graphforget._core.errors import UsageError
from graphforget._core.numeric import is_integer, is_number, plain
from graphforget._core.streams import Streams
from graphforget.data.deletion_files import GRAPH_KINDS
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.models.edited import under_operators
from graphforget.tasks.base import Forgotten, Task
from graphforget.training.checkpoint import Checkpoint
from graphforget.training.loop import Enough, Objective, Phase, Progress, State, Validate, fit
from graphforget.training.recipe import Recipe, default_recipe
from graphforget.training.train import digest_of, validator, weights_digest
from graphforget.unlearning.shards.work import MapShards

if TYPE_CHECKING:
    from graphforget.unlearning.known_layers import KnownLayers

PAIR_KINDS = ("users", "items", "users+items", "interactions")
"""Deletions of a recommender that take training pairs."""

SIDE_KINDS = ("triples", "modalities")
"""Deletions of a recommender that take what is known of the items."""

KINDS = (*GRAPH_KINDS, *PAIR_KINDS, *SIDE_KINDS)

T = TypeVar("T", bound=Task)
Rule = Callable[[Any], bool] | tuple[Any, ...]
"""What a field of a method may be: a predicate, or a tuple of allowed values."""


class UndeclaredRead(RuntimeError):
    """A method touched data that its `reads` does not declare: a defect of the method, not of the input."""


@dataclass(eq=False)
class Problem(Generic[T]):
    """One deletion to carry out. Reading `full`, `retained` or `gone` without declaring it in `reads` is an error.

    Attributes
    ----------
    original: the trained model, frozen.
    seed: decides everything random in the method.
    checkpoint: where the method's run is saved and resumed from, or None.
    prepared: what a method needs in place of the original (models of shards), before it forgot; or None.
    preparation_seconds: time of `preparation`.
    details: what the receipt should say of the run beside the common numbers, for JSON.
    map_shards: trains the models of shards in other processes; None trains them here, one after the other.
    known: the layers of the original on the full graph, where the caller keeps them.
    seconds_elsewhere, peak_elsewhere: what these processes worked, less what this one waited for them, and the most
        bytes one of them held.
    """

    original: Model
    seed: int
    reads: frozenset[str]
    _full: T
    _retained: T
    _gone: Forgotten
    checkpoint: Path | None = None
    progress: Progress | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    prepared: Model | None = None
    preparation_seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)
    map_shards: MapShards | None = None
    known: KnownLayers | None = None
    seconds_elsewhere: float = 0.0
    peak_elsewhere: int = 0

    @property
    def full(self) -> T:
        """The task the original was trained on, whole (declare "forgotten" and "retained")."""
        self._declared("forgotten")
        self._declared("retained")
        return self._full

    @property
    def gone(self) -> Forgotten:
        """The forgotten part (declare "forgotten")."""
        self._declared("forgotten")
        return self._gone

    @property
    def retained(self) -> T:
        """The retained task (declare "retained")."""
        self._declared("retained")
        return self._retained

    def layers_before(self) -> list[Tensor]:
        """Return the embeddings after each layer of the original on the full graph: known ones, or computed now."""
        if self.known is not None:
            return [layer.to(self.original.device) for layer in self.known.layers]
        with torch.no_grad():
            return self.original.layers(self.full.graph)

    @property
    def streams(self) -> Streams:
        """Random streams of the method's seed."""
        return Streams(self.seed)

    @property
    def recipe(self) -> Recipe:
        """The original's recipe (`Provenance.again`), or the default of task and backbone where that is unknown."""
        made = self.original.provenance
        return made.again if made else default_recipe(self._full.name, under_operators(self.original).published)

    def recipe_for(self, method: Any, validate_every: int, **more: Any) -> Recipe:
        """Return the recipe of a method's fields `epochs`, `lr` and `selection`; `more` adds or replaces fields.

        An `lr` of None is the original's; the selection "auto" is the task's own validation metric.
        """
        lr = self.recipe.lr if method.lr is None else method.lr
        selection = self._full.selection if method.selection == "auto" else method.selection
        own = {"epochs": method.epochs, "lr": lr, "validate_every": validate_every, "selection": selection}
        return Recipe(**{**own, **more})

    @contextmanager
    def preparation(self) -> Iterator[None]:
        """Count the time inside apart: work that is done once, before any deletion is asked for."""
        start, elsewhere = time.perf_counter(), self.seconds_elsewhere
        try:
            yield
        finally:
            self.preparation_seconds += time.perf_counter() - start + self.seconds_elsewhere - elsewhere

    def selection_deletion(self, recipe: Recipe) -> Forgotten | None:
        """Return the deletion where the released checkpoint criterion, which reads it, was asked for; else None."""
        return self.gone if recipe.selection == "val_released" else None

    def _declared(self, what: str) -> None:
        if what not in self.reads:
            raise UndeclaredRead(f"The method reads the {what} part, but declares only {sorted(self.reads)}.")

    def fit(
        self,
        model: Model,
        work: Objective | Sequence[Phase],
        recipe: Recipe,
        method: Method,
        *,
        validate: Validate | None = None,
        enough: Enough | None = None,
    ) -> State:
        """Train `model` in place with the one training loop, by default validating on the retained validation split.

        Parameters
        ----------
        work: the loss of an epoch, or the phases of an epoch, see `training.loop.fit`.
        validate: other metrics, from data that the method declares to read.
        enough: says of the metrics of a validation whether training may end there.
        """
        path = self.checkpoint
        saved = None if path is None else Checkpoint(path, self._run_digest(model, method))
        state = fit(
            model,
            work,
            validate or validator(model, self._retained, self.selection_deletion(recipe)),
            recipe,
            noise=self.streams.child(method.name),
            checkpoint=saved,
            progress=self.progress,
            enough=enough,
        )
        self.history += state.history
        return state

    def _run_digest(self, model: Model, method: Method) -> str:
        models = weights_digest(self.original), weights_digest(model)
        data = self._full.graph.digest, self._gone.digest, *self._full.key()
        how = method.revision_on(model, self._full, self._gone), method.config()
        return digest_of("unlearn", data, models, *how, self.seed, *device_key(model.device))


@dataclass(frozen=True)
class Method(ABC, Generic[T]):
    """An unlearning method: a frozen value of hyper-parameters with one function.

    Class attributes
    ----------------
    name: what the command line calls it. title: what tables call it. source: paper, or "reconstructed".
    reads: "forgotten" and/or "retained". changes: "weights" and/or "graph" (UtU changes the graph alone).
    kinds: deletions it serves, as far as a task has them. tasks: tasks it serves.
    exact: the result is independent of the deleted content.
    clears: before it starts, what the original learned about the features of deleted items, and about deleted features,
        is undone (`pair_batches.clear_features`); False where a method trains anew, keeps the weights or has a switch.
    revision: raised when the code changes what the method returns, so that no stored result of the older code is used.
    presets: named settings.
    search: hyper-parameters to tune, each with numbers of one type; all between the smallest and the largest are tried.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    reads: ClassVar[frozenset[str]]
    changes: ClassVar[frozenset[str]] = frozenset({"weights", "graph"})
    kinds: ClassVar[tuple[str, ...]] = (*GRAPH_KINDS, *PAIR_KINDS)
    tasks: ClassVar[tuple[str, ...]] = ("link", "node", "recommend")
    revision: ClassVar[int] = 1
    exact: ClassVar[bool] = False
    clears: ClassVar[bool] = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    search: ClassVar[dict[str, tuple[Any, ...]]] = {}

    @property
    def leaks(self) -> bool:
        """Whether the epoch is chosen by the released checkpoint criterion, which reads the forgotten part."""
        return getattr(self, "selection", None) == "val_released"

    def revision_on(self, model: Model, task: T, gone: Forgotten) -> int:
        """Return the latest revision that changed what the method returns; the model may have no weights yet."""
        del model, task, gone
        return self.revision

    def reads_now(self) -> frozenset[str]:
        """Return what these settings read, the choice of the epoch included."""
        return self.reads | {"forgotten"} if self.leaks else self.reads

    def answers_from(self, task: T, retained: T) -> Graph | Interactions:
        """Return the graph that the unlearned model answers from: the retained one, unless the weights alone forget."""
        del task  # the graph before the deletion
        return retained.graph

    @abstractmethod
    def unlearn(self, problem: Problem[T]) -> Model:
        """Return a model that has forgotten; `problem.original` stays as it is."""

    def refusal(self, task: T, gone: Forgotten) -> str | None:
        """Return why these settings cannot serve this deletion on this task, in a sentence, or None if they can."""
        del task, gone
        return None

    def config(self) -> dict[str, Any]:
        """Return name and hyper-parameters, for JSON, digests and receipts."""
        return {"method": self.name, **asdict(self)}

    def check(self, **rules: Rule) -> None:
        """Raise UsageError for the first field that breaks its rule: a predicate, or a tuple of allowed values.

        Numbers of NumPy become Python's. Every field has a rule; a TypeError says which has none.
        """
        for key in self.options():
            object.__setattr__(self, key, plain(getattr(self, key)))
        if unchecked := self.options().keys() - rules:
            raise TypeError(f"{type(self).__name__}: the field '{min(unchecked)}' has no rule in `check`.")
        for key, rule in rules.items():
            value = getattr(self, key)
            if isinstance(rule, tuple) and value not in rule:
                allowed = ", ".join(str(choice) for choice in rule)
                raise UsageError(f"{self.name}: '{key}' must be one of {allowed}; got {value!r}.")
            if not isinstance(rule, tuple) and not rule(value):
                raise UsageError(f"{self.name}: '{key}' must be {rule.__doc__}; got {value!r}.")

    def refuse_idle(self, because: str, *keys: str) -> None:
        """Raise UsageError for the first of these fields that was set although, for a reason, it has no effect."""
        for key in keys:
            if getattr(self, key) != self.options()[key]:
                raise UsageError(f"{self.name}: '{key}' has no effect {because}; leave it out.")

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Return the hyper-parameters and their defaults."""
        return {item.name: item.default for item in fields(cls)}


def flag(value: Any) -> bool:
    """True or False"""
    return isinstance(value, bool)


def metric_name(value: Any) -> bool:
    """the name of a validation metric, or last, or auto"""
    return isinstance(value, str) and bool(value)


def finite(value: Any) -> bool:
    """a finite number"""
    return is_number(value)


def share(value: Any) -> bool:
    """a number in [0, 1]"""
    return is_number(value) and 0 <= value <= 1


def share_or_none(value: Any) -> bool:
    """a number in [0, 1], or left out"""
    return value is None or share(value)


def positive(value: Any) -> bool:
    """a number above 0"""
    return is_number(value) and value > 0


def positive_or_none(value: Any) -> bool:
    """a number above 0, or left out"""
    return value is None or positive(value)


def not_negative(value: Any) -> bool:
    """a number of at least 0"""
    return is_number(value) and value >= 0


def count(value: Any) -> bool:
    """an integer of at least 1"""
    return is_integer(value, 1)


def count_or_none(value: Any) -> bool:
    """an integer of at least 1, or left out"""
    return value is None or count(value)


def count_or_zero(value: Any) -> bool:
    """an integer of at least 0"""
    return is_integer(value, 0)


def several(value: Any) -> bool:
    """an integer of at least 2"""
    return is_integer(value, 2)


def at_least_one(value: Any) -> bool:
    """a number of at least 1"""
    return is_number(value) and value >= 1


def positive_share(value: Any) -> bool:
    """a number above 0 and at most 1"""
    return share(value) and value > 0
