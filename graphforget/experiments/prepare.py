"""Everything about a seed's run that can be known, and checked, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from graphforget._core.devices import device_key
from graphforget._core.errors import DataError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.resolve_interactions import resolve_interactions
from graphforget.evaluation.metrics import SHARES
from graphforget.evaluation.recommend_case import deleted_share
from graphforget.experiments.plan import Plan
from graphforget.experiments.setup import Setup, resolved_options, task_digest
from graphforget.experiments.specs import Spec
from graphforget.experiments.store import Store
from graphforget.models.recommender import Recommender
from graphforget.tasks.base import Forgotten, Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.recommend import Recommendation
from graphforget.training.sampled import check_sampling
from graphforget.training.train import REVISION, digest_of
from graphforget.unlearning.served import check_reads, check_supported

ORIGINAL = "original"
WITHOUT_ITEMS = 1
"""Raised when the code changes what models learn from data that items, or features of items, were taken out of."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """The task and the deletion of one seed, and the digests of its stages.

    Where nothing is to be deleted, `deletion` and `gone` are None and everything is retained.
    """

    seed: int
    task: Task
    deletion: Deletion | None
    gone: Forgotten | None
    retained: Task
    digests: dict[str, str]


def prepare_training(setup: Setup, data: Graph | Interactions, seed: int) -> Prepared:
    """Return the task and the digest of a seed that trains the original alone; raises what `prepare` raises of it."""
    task = setup.make_task(data, seed)
    check_backbone(setup, task)
    check_recipe(setup, task)
    return Prepared(seed, task, None, None, task, {ORIGINAL: original_digest(setup, task, seed)})


def gold_stage(number: int) -> str:
    """Return the name of the gold run `number` (from 0)."""
    return f"gold-{number + 1}"


def method_stage(spec: Spec) -> str:
    """Return the folder name of a method's stage."""
    return "method-" + "".join(letter if letter.isalnum() or letter in "-=.+" else "_" for letter in spec.label)


def prepare(plan: Plan, graph: Graph | Interactions, seed: int) -> Prepared:
    """Return the task, the deletion and the stage digests of a seed.

    Raises what a run would raise later: a pool too small, a deletion of what is not there or of everything, a method
    that does not serve the task, a selection metric that does not exist.
    """
    if plan.request is None:
        return prepare_training(plan.setup, graph, seed)
    task = plan.setup.make_task(graph, seed)
    check_backbone(plan.setup, task)
    task, deletion = plan.request.carried_out(task, seed, plan.setup.source.columns)
    gone = task.resolve(deletion)
    retained = task.without(gone)
    for spec in plan.specs():
        check_supported(spec.method, task, gone)
    check_reads(plan.setup.make_backbone(), gone)
    check_recipe(plan.setup, task)
    check_selects(retained)
    return Prepared(seed, task, deletion, gone, retained, stage_digests(plan, task, gone, seed))


def check_backbone(setup: Setup, task: Task) -> None:
    """Raise UsageError when the backbone's width cannot serve the task, DataError when the data lack what it reads."""
    backbone = setup.make_backbone()
    if isinstance(backbone, Recommender):
        backbone.sizes_of(task.graph)
        return
    out = backbone.out
    if task.n_outputs is not None and out not in (None, task.n_outputs):
        raise UsageError(f"--out-width is {out}, but the task has {task.n_outputs} classes. Leave --out-width out.")


def check_selects(task: Task) -> None:
    """Raise DataError when the part of a recommendation that selects the epoch is there, but holds no pair."""
    if not isinstance(task, Recommendation):
        return
    part = getattr(task.graph, task.select_on)
    if part is not None and not part.nnz:
        raise DataError(
            f"'{task.graph.name}': the {task.select_on} part, which selects the epoch, holds no pair. Hold out more "
            "(--valid-share, --holdout), or delete less."
        )


def check_recipe(setup: Setup, task: Task) -> None:
    """Raise UsageError unless the recipe selects by a validation metric of the task, or takes the last epoch.

    Raises it for batches of a task that has none and for neighbours that do not fit the backbone, too, and DataError
    when there is nothing to select on.
    """
    check_selects(task)
    recipe = setup.make_recipe()
    if recipe.neighbours is not None:
        check_sampling(setup.make_backbone(), recipe)
    elif recipe.batch is not None and not isinstance(task, Recommendation):
        raise UsageError(
            f"--batch is {recipe.batch}, but a {task.name} task trains on full batches. Leave it out, or draw "
            "neighbours (--neighbours 15,10)."
        )
    known, chosen = ["last", *_measured(task)], recipe.selection
    if chosen != "last" and not task.validates:
        raise UsageError(
            f"'{task.graph.name}' has no validation part, so no epoch can be selected on it ({chosen}). Hold some out "
            "(--holdout, or --valid-share where the data are divided), or train to the last with --selection last."
        )
    if chosen not in known:
        raise UsageError(f"--selection must be one of {', '.join(known)} for the {setup.task} task; got '{chosen}'.")


def _measured(task: Task) -> list[str]:
    """Return the validation metrics that a task measures; ranking is not tried out, for it may take a minute."""
    if isinstance(task, Recommendation):
        return list(task.selections) if task.validates else []
    return list(task.validate(torch.zeros(task.graph.n_nodes, task.n_outputs or 1)))


def stage_digests(plan: Plan, task: Task, gone: Forgotten, seed: int) -> dict[str, str]:
    """Return stage -> digest of all that decides the stage's model."""
    original = original_digest(plan.setup, task, seed)
    digests = {ORIGINAL: original}
    case: list[str | int] = [original, gone.digest]
    if isinstance(task, Recommendation) and (len(task.parted(gone.nodes)[1]) or gone.modalities):
        case.append(WITHOUT_ITEMS)
    for number in range(plan.gold_runs):
        digests[gold_stage(number)] = digest_of("gold", *case, number)
    backbone = plan.setup.make_backbone()
    for spec in plan.specs():
        how = spec.method.config(), spec.method.revision_on(backbone, task, gone)
        digests[method_stage(spec)] = digest_of("method", *case, *how)
    return digests


def original_digest(setup: Setup, task: Task, seed: int) -> str:
    """Return the digest of data, split, backbone, recipe, seed, kind of device, and of the code that trains."""
    options = resolved_options(setup, task)
    architecture = [setup.name, setup.make_backbone().config()]
    code = REVISION, torch.__version__
    made = task_digest(task), options, architecture, setup.make_recipe().as_dict(), seed
    return digest_of("original", code, *made, *device_key(setup.device))


def check_store(prepared: Prepared, store: Store) -> list[str]:
    """Return the stages that are finished; raises UsageError when one was made from something else."""
    return [stage for stage, digest in prepared.digests.items() if store.finished(stage, digest)]


def outline(prepared: Prepared) -> dict[str, Any]:
    """Return what is known of a seed's run before it starts: sizes, pools, what is deleted."""
    task, deletion, gone = prepared.task, prepared.deletion, prepared.gone
    assert deletion is not None and gone is not None
    facts: dict[str, Any] = {
        "seed": prepared.seed,
        "task": repr(task),
        "deletion": gone.describe(),
        "items": int(gone.count),
        f"training_{things(task)}": task.graph.n_edges,
        f"retained_{things(task)}": prepared.retained.graph.n_edges,
    }
    if isinstance(task, LinkPrediction):
        facts["pool_in"], facts["pool_out"] = (len(task.pool(where)) for where in ("in", "out"))
    if isinstance(task, Recommendation):
        facts |= deleted_share(task, gone)
        facts["notes"] = deletion_notes(task, deletion, gone)
    return facts


def things(task: Task) -> str:
    """Return what the training pairs of a task are called."""
    return "interactions" if isinstance(task, Recommendation) else "edges"


def deletion_notes(task: Task, deletion: Deletion, gone: Forgotten) -> list[str]:
    """Return what is worth knowing of a deletion from interactions: the share that goes, repeats, emptied users."""
    if not isinstance(task, Recommendation):
        return []
    shares = [f"{100 * share:.3g} % of the {SHARES[name]} go" for name, share in deleted_share(task, gone).items()]
    return [*shares, *resolve_interactions(deletion, task.graph).notes]
