"""Make the model in a folder forget, and write what it became with a receipt and a report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.resolve_interactions import resolve_interactions
from graphforget.evaluation.recommend_case import deleted_share
from graphforget.evaluation.report import Report, evaluate
from graphforget.experiments.events import Event, Listen, epochs_to, silent
from graphforget.experiments.evidence import beside_original
from graphforget.experiments.own_task import Place, read_made_for, read_unlearned, same_task, source_of
from graphforget.experiments.own_training import check_new_folder, checkpoint_beside
from graphforget.experiments.prepare import deletion_notes
from graphforget.experiments.single import REPORT
from graphforget.experiments.specs import default_method
from graphforget.experiments.store import Clock, drop_checkpoint, read_model, write_model
from graphforget.experiments.warmup import warm_up
from graphforget.experiments.workers import check_threads, limited_threads, suited_threads
from graphforget.models.base import Model
from graphforget.models.edited import under_operators
from graphforget.tasks.base import Forgotten, Task
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import digest_of, weights_digest
from graphforget.unlearning.run import Result, check_supported, unlearn
from graphforget.unlearning.specs import parse_method

DELETION = "deletion.json"


@dataclass(frozen=True)
class Case:
    """A trained model, its task and what it must forget: all known before unlearning starts.

    method: the method or preset, as text. made_for: what the model's folder says of its task.
    """

    model: Model
    graph: Graph | Interactions
    task: Task
    deletion: Deletion
    gone: Forgotten
    method: str
    made_for: dict[str, Any]


def prepare_unlearning(folder: Path, place: Place, file: Path, method: str | None, out: Path | None) -> Case:
    """Return the model, its task and the deletion; whatever is wrong is raised before anything is written.

    method: None takes the task's usual one.
    """
    if out is not None:
        check_new_folder(out)
    if method is not None:
        parse_method(method)
    model = read_model(folder)
    if read_unlearned(folder) is not None:
        raise DataError(
            f"{folder}: this model has forgotten something already, and its data no longer hold what its split was "
            "made of. Take the model before, and name all that must go in one deletion."
        )
    source = source_of(folder, place)
    graph = source.load()
    task, deletion = same_task(folder, graph), Deletion.read(file, columns=source.columns)
    gone = task.resolve(deletion)
    method = method or default_method(task.name, gone.kind)
    check_supported(parse_method(method).method, task, gone)
    task.without(gone)
    made_for = {**read_made_for(folder), "source": asdict(source)}
    return Case(model, graph, task, deletion, gone, method, made_for)


def unlearn_model(
    case: Case,
    out: Path,
    listen: Listen = silent,
    *,
    gold: bool = False,
    attack: bool = True,
    threads: int | None = None,
    keep_deletion: bool = False,
) -> tuple[Result, Report]:
    """Make the model of a case forget; write the unlearned model, its receipt and its report to the folder `out`.

    Parameters
    ----------
    gold: also train two gold models, for the evidence: gold and the noise floor.
    attack: with `gold`, also run the membership attack.
    keep_deletion: also write what was deleted, in the user's ids; else the folder holds digests and counts alone.
    """
    check_threads(threads)
    for note in deletion_notes(case.task, case.deletion):
        listen(Event(case.task.seed, f"seed {case.task.seed}: deletion", "told", note=note))
    with limited_threads(suited_threads(threads, case.graph)):
        result, checkpoint = _unlearned(case, out, listen)
        report = _evidence(result, gold, attack, listen)
    done = receipt(case, result)
    extra = {"made_for": case.made_for, "unlearned": _unlearned_facts(case, result, done)}

    def more(folder: Path) -> None:
        report.save(folder / REPORT)
        if keep_deletion:
            case.deletion.write(folder / DELETION)

    write_model(out, result.model, done, extra, more)
    drop_checkpoint(checkpoint)
    return result, report


def _unlearned_facts(case: Case, result: Result, done: dict[str, Any]) -> dict[str, Any]:
    """Return what model.json says of the deletion."""
    method, after = result.method.config(), done["data"]["after"]
    return {"deletion": case.gone.digest, "method": method, "data_digest": after}


def _unlearned(case: Case, out: Path, listen: Listen) -> tuple[Result, Path]:
    """Return the result, and the checkpoint that stays until the result is written."""
    spec, seed = parse_method(case.method), case.task.seed
    warm_up(case.task.name, under_operators(case.model).name, case.gone.kind, (spec.label,))
    listen(Event(seed, spec.label, "started"))
    parts = [case.gone.digest, spec.method.config(), case.task.graph.digest, seed, weights_digest(case.model)]
    checkpoint = checkpoint_beside(out, digest_of("own", *parts))
    clock = Clock(checkpoint, epochs_to(listen, seed, spec.label))
    result = unlearn(
        case.model, case.task, case.deletion, spec.method, seed=seed, checkpoint=checkpoint, progress=clock.progress
    )
    result = replace(result, label=spec.label, seconds=clock.before + result.seconds)
    listen(Event(seed, spec.label, "done", seconds=result.seconds))
    return result, checkpoint


def _evidence(result: Result, gold: bool, attack: bool, listen: Listen) -> Report:
    if not gold:
        return beside_original(result)
    listen(Event(result.seed, "evaluation", "started"))
    report = evaluate(result, attack=attack, progress=epochs_to(listen, result.seed, "evaluation"))
    listen(Event(result.seed, "evaluation", "done"))
    return report


def receipt(case: Case, result: Result) -> dict[str, Any]:
    """Return what was asked and done, with the digests of the data before and after; it names no deleted thing."""
    after = without_forgotten(case)
    data = {"name": case.graph.name, "before": case.graph.digest, "after": after.digest, "edges_after": after.n_edges}
    return {**result.receipt(), "counts": _counts(case), "data": data}


def _counts(case: Case) -> dict[str, Any]:
    gone = case.gone
    both = {"training_edges": int(gone.edges.shape[1]), "held_out_edges": int(gone.held_out.shape[1])}
    if not isinstance(case.task, Recommendation):
        return {
            **both,
            "nodes": len(gone.nodes),
            "features": len(gone.features),
            "labels": len(gone.unlabelled),
        }
    users, items = case.task.parted(gone.nodes)
    return {
        **both,
        "users": len(users),
        "items": len(items),
        "triples": len(gone.triples),
        "modalities": {name: len(rows) for name, rows in gone.modalities.items()},
        "share_of_interactions": deleted_share(case.task, gone),
    }


def without_forgotten(case: Case) -> Graph | Interactions:
    """Return the user's data without the forgotten part: what may be kept."""
    graph, gone = case.graph, case.gone
    if isinstance(graph, Interactions):
        return resolve_interactions(case.deletion, graph).removed_from(graph)
    n = np.int64(graph.n_nodes)
    dead = np.concatenate([gone.edges, gone.held_out], axis=1)
    mask = np.isin(graph.edges[0] * n + graph.edges[1], dead[0] * n + dead[1])
    return graph.without(edges=mask, nodes=gone.nodes, features=gone.features, labels=gone.unlabelled)
