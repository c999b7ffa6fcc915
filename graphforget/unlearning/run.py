"""Unlearn: one function for every method, task and kind of deletion."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from graphforget._core.devices import AUTO, find_device, wait_for
from graphforget._core.errors import NoForgettingError, UnsupportedError, UsageError
from graphforget._core.memory import PeakMemory
from graphforget._core.threads import one_torch_thread
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.models.base import Model, require_model
from graphforget.models.edited import Edited
from graphforget.models.recommending import answer_from
from graphforget.tasks.base import Forgotten, Task, check_data, check_seed
from graphforget.tasks.recommend import Recommendation
from graphforget.training.checkpoint import file_of
from graphforget.training.loop import Progress
from graphforget.unlearning.data_alone import said_of_weights, same_graph, takes_data_alone
from graphforget.unlearning.known_layers import KnownLayers
from graphforget.unlearning.method import Method, Problem
from graphforget.unlearning.pair_batches import clear_features
from graphforget.unlearning.parameter_change import parameter_change
from graphforget.unlearning.served import check_reads, check_supported
from graphforget.unlearning.shards.training import tidy
from graphforget.unlearning.shards.work import MapShards
from graphforget.unlearning.specs import methods, parse_method

TOLERANCE = 1e-6
"""Relative change of the parameters below which a method counts as having changed nothing."""


@dataclass(eq=False, repr=False)
class Result:
    """What `unlearn` returns.

    Attributes
    ----------
    model: the unlearned model; original: the model before, unchanged.
    task: the task the original was trained on; retained: the same without the forgotten part.
    gone: the forgotten part; deletion: the same in the user's ids.
    method: the method with its hyper-parameters; label: the name it was asked for by (a preset's, if one was).
    seconds: wall time of all that a deployment does for the deletion: the retained data are made, the method runs, and
        the embeddings to answer with are computed once (where no known layers are given, which are renewed apart). Not
        in it is `preparation_seconds`: what the method does once, before any deletion; nor, of a
        run that went on from a checkpoint, what an earlier call did.
    peak_memory: bytes the process held at most meanwhile, or None where the system does not tell.
    parameter_change: ||theta_unlearned - theta_original|| / ||theta_original||.
    history: validation metrics along the way.
    details: what the method says of the run, such as the shards it trained anew.
    """

    model: Model
    original: Model
    task: Task
    retained: Task
    gone: Forgotten
    deletion: Deletion
    method: Method
    label: str
    seed: int
    seconds: float
    peak_memory: int | None
    parameter_change: float
    history: list[dict[str, float]] = field(default_factory=list)
    preparation_seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"Result({self.label}: {self.gone.describe()} forgotten in {self.seconds:.3g} s, parameters moved by "
            f"{100 * self.parameter_change:.3g} %)"
        )

    @cached_property
    def graph(self) -> Graph | Interactions:
        """The graph that the unlearned model answers from: the retained one, unless the weights alone forget."""
        return self.method.answers_from(self.task, self.retained)

    @property
    def held_nothing(self) -> bool:
        """Whether training again without the forgotten part gave the original, to 1e-6 of its norm."""
        return self.method.exact and not self.method.leaks and self.parameter_change <= TOLERANCE

    @cached_property
    def data_alone(self) -> str:
        """Why no weight had to change, in a sentence; empty where something the model was trained on is forgotten."""
        if not takes_data_alone(self.task, self.gone, self.retained):
            return ""
        return said_of_weights(self.task, self.gone, changed=self.parameter_change > 0)

    def receipt(self) -> dict[str, Any]:
        """Return what was asked and done, for JSON: deletion digest, method, seed, change, cost."""
        return {
            "deletion": {"digest": self.gone.digest, "kind": self.gone.kind, "what": self.gone.describe()},
            "method": self.method.config(),
            "seed": self.seed,
            "task": repr(self.task),
            "parameter_change": self.parameter_change,
            **({"weights": self.data_alone} if self.data_alone else {}),
            "edges_removed": int(self.gone.edges.shape[1]),
            "seconds": self.seconds,
            "preparation_seconds": self.preparation_seconds,
            "peak_memory_bytes": self.peak_memory,
            **({"details": self.details} if self.details else {}),
            **({} if self.model.device.type == "cpu" else {"device": self.model.device.type}),
        }


def unlearn(
    model: Model,
    task: Task,
    deletion: Deletion,
    method: str | Method = "d2dgn",
    *,
    seed: int | None = None,
    checkpoint: Path | str | None = None,
    progress: Progress | None = None,
    device: str = AUTO,
    map_shards: MapShards | None = None,
    known: KnownLayers | None = None,
    **changes: Any,
) -> Result:
    """Make a trained model forget; `model` and `task` stay as they are.

    Parameters
    ----------
    model: trained on `task`.
    task: with the forgotten part still in it.
    deletion: what must go, in the user's own ids.
    method: a method with its hyper-parameters, or the name of a method or preset (`methods().names()`), with or without
        some, as "d2dgn:alpha=0.9,epochs=400".
    seed: of everything random in the method; by default the one the model was trained with, which gold starts from
        (the task's, where the model does not say).
    checkpoint: file to save to along the way, and to resume from if it exists.
    progress: called after every epoch with the epoch, the number of epochs, and what is known of it.
    device: where the method computes, and where the unlearned model is then: "cpu", "cuda", "cuda:1", or "auto", see
        `train`.
    map_shards: trains the models of a sharded method in other processes; by default they are trained here. Seconds
        are counted as if they had been.
    known: the layers of the model on the task's graph, where they are kept already; methods that read them do not
        compute them again, unless what was learned of deleted features is undone first (MGCN). Renew them with the
        result.
    changes: hyper-parameters of a named method, as in `alpha=0.9`.

    A deletion of held-out data alone leaves the weights as they are with "unlink", and with "retrain" where the epoch
    stays the best: no model was trained on it, and `Result.data_alone` says so.

    Raises DataError when the deletion names what is not there, UnsupportedError when the method does not serve the
    task or the kind of deletion, or the model does not read what is deleted, NoForgettingError when the result is an
    unchanged model of other deletions.
    """
    _check_given(model, task, deletion, known)
    chosen = _chosen(method, changes)
    place, saved = find_device(device), file_of(checkpoint, "unlearn")
    gone = task.resolve(deletion)
    check_supported(chosen, task, gone)
    check_reads(model, gone)
    began = time.perf_counter()
    retained = task.without(gone)
    dividing = time.perf_counter() - began
    seed = check_seed("unlearn", starting_seed(model, task) if seed is None else seed)
    before = _original(model, chosen, task, gone, place)
    problem = Problem(before, seed, chosen.reads_now(), task, retained, gone, saved, progress)
    problem.map_shards, problem.known = map_shards, known if _still_known(known, before, task) else None
    if model.provenance is None:
        problem.details["recipe"] = f"unknown to the model; where a method needs it, the default: {problem.recipe}"
    with PeakMemory() as memory, one_torch_thread():
        start = time.perf_counter()
        unlearned = _unlearned(chosen, problem).frozen()
        answering = chosen.answers_from(task, retained)
        tidy(unlearned, retained, answering)
        if known is None:
            unlearned.embed(answering)
        wait_for(place)
        working = time.perf_counter() - start
    if unlearned.provenance is None:
        unlearned.provenance = model.provenance  # operators and shifts have no recipe; what is under them has
    answer_from(unlearned, model.answers, task, retained, answering, gone)
    unlearned.refused = model.refused if retained.graph is task.graph else (*model.refused, task.graph.token)
    result = Result(
        model=unlearned,
        original=model,
        task=task,
        retained=retained,
        gone=gone,
        deletion=deletion,
        method=chosen,
        label=method if isinstance(method, str) else chosen.name,
        seed=seed,
        seconds=dividing + working + problem.seconds_elsewhere - problem.preparation_seconds,
        peak_memory=memory.peak and max(memory.peak, problem.peak_elsewhere),
        parameter_change=parameter_change(problem.prepared or before, unlearned),
        history=problem.history,
        preparation_seconds=problem.preparation_seconds,
        details=problem.details,
    )
    check_forgetting(result)
    asked = {"deletion": gone.digest, "kind": gone.kind, "what": gone.describe(), "method": chosen.config()}
    retained.log = (*task.log, asked)
    return result


def _check_given(model: Any, task: Any, deletion: Any, known: Any) -> None:
    """Raise UsageError for arguments of another kind than `unlearn` takes, and for what does not fit together."""
    require_model(model)
    check_data("unlearn", task, Task, "is no task; give LinkPrediction(graph), Recommendation(data) or another.")
    check_data("unlearn", deletion, Deletion, "is no deletion; give Deletion(users=[12]) or another.")
    _refuse_earlier(model, task)
    if known is not None:
        check_data("unlearn", known, KnownLayers, "are no known layers; give KnownLayers.of(model, task).")
        known.check(model, task)


def _original(model: Model, method: Method, task: Task, gone: Forgotten, place: torch.device) -> Model:
    """Return the copy of a model that a method starts from."""
    before = model.frozen().to(place)
    if method.clears and isinstance(task, Recommendation):
        clear_features(before, task, gone)
    before.provenance = model.provenance
    return before


def _still_known(known: KnownLayers | None, before: Model, task: Task) -> bool:
    """Return whether known layers are those of what a method starts from: nothing learned of features was undone."""
    if known is None or not isinstance(task, Recommendation):
        return True
    pairs = zip(before.parameters(), known.model.parameters(), strict=True)
    return all(torch.equal(value, other.to(value.device)) for value, other in pairs)


def _refuse_earlier(model: Model, task: Task) -> None:
    """Raise UsageError for an unlearned model on a task from before: it would learn again what it forgot.

    A graph is known again as the value it was, a recommender's data by their digest, too: whoever reads a graph anew
    has to take care.
    """
    answers, known = model.answers, any(token is task.graph.token for token in model.refused)
    if known or (answers is not None and isinstance(task, Recommendation) and task.graph.digest in answers.before):
        raise UsageError(
            "unlearn: this model has forgotten a part of these data already, and the task still holds it, so that the "
            "model would learn it again. Give the task that was left, result.retained."
        )


def starting_seed(model: Model, task: Task) -> int:
    """Return the seed a model was trained with, or the task's where the model does not say."""
    made = model.provenance
    return made.seed if made else task.seed


def _chosen(method: str | Method, changes: dict[str, Any]) -> Method:
    """Return the method asked for; raises UsageError when its hyper-parameters are given in two ways."""
    if not isinstance(method, str | Method):
        raise UsageError(f"unlearn: 'method' must be the name of a method, or one with its settings; got {method!r}.")
    if isinstance(method, str):
        if not changes:
            return parse_method(method).method
        if ":" not in method:
            return methods().get(method, **changes)
    elif not changes:
        return method
    name = method if isinstance(method, str) else f"the {method.name} object"
    raise UsageError(f"Give hyper-parameters inside {name} or as keywords, not both.")


def _unlearned(method: Method, problem: Problem) -> Model:
    """Return the method's model; what its parts refuse is said in its name."""
    try:
        return method.unlearn(problem)
    except UnsupportedError as error:
        raise UnsupportedError(f"{method.name}: {error}") from error


def check_forgetting(result: Result) -> None:
    """Raise NoForgettingError when something the method declares to change did not change.

    A method that changes weights must move them by more than 1e-6 of their norm; learned operators must act on at
    least one node; a method that changes the graph alone needs a deletion that changes the graph. Where a deletion
    takes data alone, which no model was trained on, gold may be the original, and the graph may stay. What is trained
    again without the forgotten part may come out the same: then the original held nothing of it.
    """
    name, model = result.label, result.model
    if result.held_nothing:
        return
    if (result.method.exact or "weights" not in result.method.changes) and result.data_alone:
        return
    if "weights" in result.method.changes:
        if isinstance(model, Edited) and not any(len(nodes) for nodes in model.node_sets().values()):
            raise NoForgettingError(f"{name}: its operators act on no node at all, so the model forgot nothing.")
        if not result.parameter_change > TOLERANCE:
            way = "Train longer or with a larger learning rate."
            if result.parameter_change == 0:
                way += " Where that moves nothing either, its loss asks for no change here: take another method."
            raise NoForgettingError(
                f"{name}: the parameters moved by {result.parameter_change:.1e} of their norm; a method that changes "
                f"weights must move them by more than {TOLERANCE:.0e}. {way}"
            )
    elif same_graph(result.task, result.retained):
        raise NoForgettingError(f"{name}: it changes the graph alone, and this deletion leaves the graph as it was.")
