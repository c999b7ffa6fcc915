"""Make the model in a folder forget, and write what it became with a receipt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphforget._core.errors import DataError
from graphforget._core.files import read_json
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.evaluation.report import Report, evaluate
from graphforget.experiments.events import Event, Listen, epochs_to, silent
from graphforget.experiments.evidence import beside_original
from graphforget.experiments.own_training import check_new_folder, checkpoint_beside
from graphforget.experiments.setup import TASKS, Source, task_digest
from graphforget.experiments.specs import parse_method
from graphforget.experiments.store import Clock, drop_checkpoint, read_model, write_model
from graphforget.experiments.warmup import warm_up
from graphforget.experiments.workers import check_threads, limited_threads, suited_threads
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten, Task
from graphforget.training.train import digest_of, weights_digest
from graphforget.unlearning.run import Result, check_supported, unlearn


def read_made_for(folder: Path) -> dict[str, Any]:
    """Return what the model folder says of its task; raises DataError when it does not say, or was unlearned."""
    description = read_json(folder / "model.json")
    if "unlearned" in description:
        raise DataError(
            f"{folder}: this model has forgotten something already, and its data no longer hold what its split was "
            "made of. Take the model before, and name all that must go in one deletion."
        )
    made = description.get("made_for")
    wanted = {"data", "data_digest", "task", "task_digest", "task_options", "seed"}
    if not isinstance(made, dict) or not wanted <= set(made) or made["task"] not in TASKS:
        raise DataError(
            f"{folder}/model.json does not say which data and split the model was trained on ('made_for'). Train it "
            "with 'graphforget train', or unlearn from Python, where you give the task yourself."
        )
    return made


def same_task(folder: Path, graph: Graph) -> Task:
    """Return the task that the model in `folder` was trained on; raises DataError when the data are others."""
    made = read_made_for(folder)
    if graph.digest != made["data_digest"]:
        raise DataError(
            f"--data {graph.name}: not the data that the model in {folder} was trained on ('{made['data']}', digest "
            f"{made['data_digest'][:12]}; here {graph.digest[:12]}). Give the same files, --features and --labels too."
        )
    try:
        task = TASKS[made["task"]](graph, made["seed"], **made["task_options"])
    except TypeError as error:
        raise DataError(
            f"{folder}/model.json: its task cannot be made again ({error}). Train the model anew."
        ) from error
    if task_digest(task) != made["task_digest"]:
        raise DataError(
            f"--data {graph.name}: the model's data, but its split comes out differently. Name the data as they were "
            f"named in training ('{made['data']}')."
        )
    return task


@dataclass(frozen=True)
class Case:
    """A trained model, its task and what it must forget: all known before unlearning starts."""

    model: Model
    graph: Graph
    task: Task
    deletion: Deletion
    gone: Forgotten


def prepare_unlearning(folder: Path, source: Source, file: Path, method: str, out: Path | None) -> Case:
    """Return the model, its task and the deletion; whatever is wrong is raised before anything is written."""
    if out is not None:
        check_new_folder(out)
    spec = parse_method(method)
    model, graph = read_model(folder), source.load()
    task, deletion = same_task(folder, graph), Deletion.read(file)
    gone = task.resolve(deletion)
    check_supported(spec.method, task, gone)
    return Case(model, graph, task, deletion, gone)


def unlearn_model(
    case: Case,
    method: str,
    out: Path,
    listen: Listen = silent,
    *,
    gold: bool = False,
    attack: bool = True,
    threads: int | None = None,
) -> tuple[Result, Report]:
    """Make the model of a case forget; write the unlearned model and its receipt to the folder `out`.

    Parameters
    ----------
    gold: also train two gold models, for the evidence: gold and the noise floor.
    attack: with `gold`, also run the membership attack.
    """
    check_threads(threads)
    with limited_threads(suited_threads(threads, case.graph)):
        result, checkpoint = _unlearned(case, method, out, listen)
        report = _evidence(result, gold, attack, listen)
    done = receipt(case, result)
    what = {"deletion": case.gone.digest, "method": result.method.config(), "data_digest": done["data"]["after"]}
    write_model(out, result.model, done, {"unlearned": what})
    drop_checkpoint(checkpoint)
    return result, report


def _unlearned(case: Case, method: str, out: Path, listen: Listen) -> tuple[Result, Path]:
    """Return the result, and the checkpoint that stays until the result is written."""
    spec, seed = parse_method(method), case.task.seed
    warm_up(case.task.name, case.model.name, case.gone.kind, (spec.label,))
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
    after = without_forgotten(case.graph, case.gone)
    gone = case.gone
    counts = {
        "training_edges": int(gone.edges.shape[1]),
        "held_out_edges": int(gone.held_out.shape[1]),
        "nodes": len(gone.nodes),
        "features": len(gone.features),
        "labels": len(gone.unlabelled),
    }
    data = {"name": case.graph.name, "before": case.graph.digest, "after": after.digest, "edges_after": after.n_edges}
    return {**result.receipt(), "counts": counts, "data": data}


def without_forgotten(graph: Graph, gone: Forgotten) -> Graph:
    """Return the user's data without the forgotten part: what may be kept."""
    n = np.int64(graph.n_nodes)
    dead = np.concatenate([gone.edges, gone.held_out], axis=1)
    mask = np.isin(graph.edges[0] * n + graph.edges[1], dead[0] * n + dead[1])
    return graph.without(edges=mask, nodes=gone.nodes, features=gone.features, labels=gone.unlabelled)
