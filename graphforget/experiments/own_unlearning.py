"""Make the model in a folder forget, and write what it became with a receipt and a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from graphforget._core.devices import AUTO, device_key
from graphforget._core.environment import ENVIRONMENT, environment
from graphforget._core.errors import UsageError
from graphforget._core.files import write_json
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.evaluation.metrics import SHARES
from graphforget.evaluation.recommend_case import deleted_share
from graphforget.evaluation.report import Report, evaluate
from graphforget.experiments.events import Event, Listen, epochs_to, silent
from graphforget.experiments.evidence import beside_original
from graphforget.experiments.own_history import Standing, data_without, deletion_file, standing
from graphforget.experiments.own_task import Place, read_made_for, source_of
from graphforget.experiments.own_training import check_new_folder, checkpoint_beside
from graphforget.experiments.prepare import check_selects, deletion_notes, things
from graphforget.experiments.retained_data import Arrays, restored, write_retained
from graphforget.experiments.setup import task_digest
from graphforget.experiments.single import REPORT
from graphforget.experiments.specs import default_method
from graphforget.experiments.store import Clock, drop_checkpoint, write_model
from graphforget.experiments.warmup import warm_up
from graphforget.experiments.workers import check_threads, limited_threads, suited_threads
from graphforget.models.base import Model
from graphforget.models.ensemble import backbone_of
from graphforget.tasks.base import Forgotten, Task
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model
from graphforget.training.train import digest_of, weights_digest
from graphforget.unlearning.embedding_rows import rows_change
from graphforget.unlearning.run import Result, unlearn
from graphforget.unlearning.served import check_reads, check_supported
from graphforget.unlearning.specs import parse_method


@dataclass(frozen=True)
class Case:
    """A trained model, its task and what it must forget: all known before unlearning starts.

    before: data and task without what the model has forgotten earlier. method: the method or preset, as text.
    made_for: what the model's folder says of its task.
    keep_data: the new folder keeps the data that are left.
    """

    model: Model
    before: Standing
    deletion: Deletion
    gone: Forgotten
    method: str
    made_for: dict[str, Any]
    keep_data: bool = False

    @property
    def task(self) -> Task:
        """The task that still holds what must be forgotten now."""
        return self.before.task

    @property
    def deletions(self) -> tuple[Deletion, ...]:
        """All that the model has forgotten in the end, the first deletion first."""
        return (*self.before.deletions, self.deletion)

    @cached_property
    def retained(self) -> Arrays | None:
        """What the new folder keeps of the data, or None where it keeps nothing."""
        return self.before.after(self.deletion, {}).retained() if self.keep_data else None

    @cached_property
    def kept(self) -> tuple[Graph | Interactions, Task] | None:
        """Data and task as they are made again from what the new folder keeps."""
        return None if self.retained is None else restored(self.retained, self.made_for)


def prepare_unlearning(
    folder: Path,
    place: Place,
    file: Path,
    method: str | None,
    out: Path | None,
    forgotten: Sequence[Path] = (),
    keep_data: bool = False,
    device: str = AUTO,
) -> Case:
    """Return the model, its task and the deletion; whatever is wrong is raised before anything is written.

    Parameters
    ----------
    folder: of a trained model, or of one that has forgotten something already: its retained part is the data then.
    method: None takes the task's usual one.
    forgotten: what the model has forgotten already, unless its folder holds it.
    keep_data: also keep the data that are left in the new folder. What comes from a folder that keeps data does so in
        any case: there may be no others.
    device: where the model is made to forget, as `train` names it.
    """
    if out is not None:
        check_new_folder(out)
    if method is not None:
        parse_method(method)
    model = load_model(folder, device)
    source = source_of(folder, place)
    before, deletion = standing(folder, place, forgotten), Deletion.read(file, columns=source.columns)
    before.check_named(deletion, file)
    with before.looked_up():
        gone = before.task.resolve(deletion)
    before.check_new(gone, file)
    method = method or default_method(before.task.name, gone.kind)
    check_supported(parse_method(method).method, before.task, gone)
    check_reads(model, gone)
    check_selects(before.task.without(gone))
    made_for = {**read_made_for(folder), "source": asdict(source)}
    return Case(model, before, deletion, gone, method, made_for, keep_data or before.lost is not None)


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
    keep_deletion: also write what was deleted, now and before, in the user's ids; else the folder holds digests and
        counts alone.

    Raises UsageError for a deletion that is to be kept beside data that hold nothing of it.
    """
    check_threads(threads)
    if keep_deletion and case.keep_data:
        raise UsageError(
            "--keep-deletion: the folder keeps the data that are left, which hold nothing of the deletion, so that it "
            "needs no deletion beside them. Leave --keep-deletion out."
        )
    for note in deletion_notes(case.task, case.deletion, case.gone):
        listen(Event(case.task.seed, f"seed {case.task.seed}: deletion", "told", note=note))
    with limited_threads(suited_threads(threads, case.before.data)):
        result, checkpoint = _unlearned(case, out, listen)
        report = _evidence(result, gold, attack, listen)
    done = receipt(case, result)
    record = {**_record(done), **({} if case.before.lost is None else {"from_retained": True})}
    extra = {"made_for": case.made_for, "unlearned": [*case.before.records, record]}
    if case.kept is not None:
        extra["retained"] = {"task_digest": task_digest(case.kept[1])}

    def more(folder: Path) -> None:
        report.save(folder / REPORT)
        if case.retained is not None:
            write_retained(folder, case.retained)
        write_json(folder / ENVIRONMENT, environment())
        for number, deletion in enumerate(case.deletions if keep_deletion else ()):
            deletion.write(folder / deletion_file(number))

    write_model(out, result.model, done, extra, more)
    drop_checkpoint(checkpoint)
    return result, report


def _record(done: dict[str, Any]) -> dict[str, Any]:
    """Return what model.json, and the receipts of later deletions, say of a deletion."""
    asked = done["deletion"]
    return {
        "deletion": asked["digest"],
        "kind": asked["kind"],
        "what": asked["what"],
        "method": done["method"],
        "data_digest": done["data"]["after"],
    }


def _unlearned(case: Case, out: Path, listen: Listen) -> tuple[Result, Path]:
    """Return the result, and the checkpoint that stays until the result is written."""
    spec, seed = parse_method(case.method), case.task.seed
    warm_up(case.task.name, backbone_of(case.model).name, case.gone.kind, (spec.label,), str(case.model.device))
    listen(Event(seed, spec.label, "started"))
    parts = [case.gone.digest, spec.method.config(), case.task.graph.digest, seed, weights_digest(case.model)]
    parts += device_key(case.model.device)
    checkpoint = checkpoint_beside(out, digest_of("own", *parts))
    clock = Clock(checkpoint, epochs_to(listen, seed, spec.label))
    result = unlearn(
        case.model,
        case.task,
        case.deletion,
        spec.method,
        seed=seed,
        checkpoint=checkpoint,
        progress=clock.progress,
        device=str(case.model.device),
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
    """Return what was asked and done, now and earlier, with the digests of the data before and after.

    It names no deleted thing but by a digest, which those who can list the ids can try out. "kept" is the digest of the
    data that the folder keeps, without the ids of what is forgotten: the "before" of a next deletion from them.
    """
    before = case.before.data
    after = data_without(before, case.deletion, case.gone)
    data = {"name": before.name, "before": before.digest, "after": after.digest, "edges_after": after.n_edges}
    data |= {} if case.kept is None else {"kept": case.kept[0].digest}
    rows = forgotten_rows_change(result)
    moved = {} if rows is None else {"forgotten_rows_change": rows}
    counts = _counts(case, result)
    return {**result.receipt(), **moved, "counts": counts, "data": data, "earlier": list(case.before.records)}


def forgotten_rows_change(result: Result) -> float | None:
    """Return how far the embedding rows of deleted users and items moved, over their norm; None without any."""
    if not isinstance(result.task, Recommendation) or not len(result.gone.nodes):
        return None
    return rows_change(result.original, result.model, result.gone.nodes, result.task.graph.n_users)


def _counts(case: Case, result: Result) -> dict[str, Any]:
    """Return how much went: what was named, and what went with it."""
    gone = case.gone
    name = things(case.task)
    both = {f"training_{name}": int(gone.edges.shape[1]), f"held_out_{name}": int(gone.held_out.shape[1])}
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
        "triples": _n_triples(result.task) - _n_triples(result.retained),
        "modalities": _rows_gone(result),
        **{f"share_of_{SHARES[name].replace(' ', '_')}": v for name, v in deleted_share(case.task, gone).items()},
    }


def _n_triples(task: Task) -> int:
    return 0 if task.graph.triples is None else task.graph.triples.n_triples


def _rows_gone(result: Result) -> dict[str, int]:
    """Return how many items lost their features of a modality, for those that lost any."""
    before, after = result.task.graph.missing, result.retained.graph.missing
    lost = {name: int(after[name].sum() - before[name].sum()) for name in after}
    return {name: count for name, count in lost.items() if count}
