"""The commands for own models: `train` makes one, `unlearn` makes it forget, `recommend` asks it for items."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from graphforget._core.errors import UsageError
from graphforget.cli.options import BackboneName, Data, Device, Flag, OutputOptions, SomeWhole, Whole, text
from graphforget.cli.output import print_json, print_pairs, print_report, print_table
from graphforget.cli.places import AnyData, InteractionData, TrainingData
from graphforget.cli.progress import shown
from graphforget.cli.settings import RECOMMEND
from graphforget.cli.trained import AnyModel, AnyTask

Threads = Annotated[SomeWhole, Parameter(help="Threads; results do not depend on it.")]
ModelFolder = Annotated[Path, Parameter(help="Model folder, as 'graphforget train' or 'unlearn' writes it.")]
Forgotten = Annotated[
    tuple[Path, ...],
    Parameter(
        negative="",
        show_default=False,
        help="Deletion file of what the model has forgotten before, unless its folder holds it; may repeat.",
    ),
]
OwnData = Annotated[str | None, Parameter(help="The data that the model was trained on, if they are elsewhere now.")]
AnyTaskName = Annotated[
    Literal["link", "node", "recommend"] | None,
    Parameter(group="Task", help="What the model is trained for; by default link, or recommend for a recommender."),
]
NOT_KEPT = "The deletion itself is not kept (--keep-deletion keeps it, --keep-data the data that are left)."
DATA_KEPT = "The data that are left are in retained.npz beside the model; 'unlearn' and 'recommend' use them."
NO_DATA, NO_PAIRS, NO_SPLIT = AnyData(), InteractionData(), TrainingData()
NO_TASK, NO_MODEL, NO_OUTPUT = AnyTask(), AnyModel(), OutputOptions()


def train(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    task: AnyTaskName = None,
    seed: Annotated[Whole, Parameter(help="Decides split, initial weights and negatives.")] = 42,
    threads: Threads = None,
    device: Device = "auto",
    source: TrainingData = NO_SPLIT,
    problem: AnyTask = NO_TASK,
    model: AnyModel = NO_MODEL,
    output: OutputOptions = NO_OUTPUT,
) -> int:
    """Train a model into the folder --out."""
    from graphforget.experiments.own_training import prepare_training, train_model
    from graphforget.experiments.setup import Setup, Source
    from graphforget.models.zoo import backbones

    task_name = task or backbones().find(backbone.partition(":")[0].strip())[0].tasks[0]
    place, options = source.source(), problem.options()
    if task_name != RECOMMEND and source.split is not None:
        options["split"] = place["options"].pop("split")
    made = options, model.architecture(), model.recipe(), device
    setup = Setup(Source(data, **place), backbone, task_name, *made)
    if output.dry_run:
        graph, prepared = prepare_training(setup, seed, output.out)
        facts: dict[str, Any] = {"data": repr(graph), "notes": list(graph.notes), "task": repr(prepared)}
        facts["backbone"] = backbone
        facts |= {"architecture": setup.make_backbone().config(), "recipe": setup.make_recipe().as_dict()}
        return _say(output, {**facts, "out": text(output.out)})
    out = _needed(output.out)
    with shown(quiet=output.json, total=1) as listen:
        trained = train_model(setup, seed, out, listen, threads=threads)
    return _say(output, {"task": repr(trained.task), **trained.metrics, "seconds": trained.seconds, "out": str(out)})


def unlearn(
    *,
    model: ModelFolder,
    delete: Annotated[Path, Parameter(help="File that names what must go, in your own ids: .csv, .tsv or .json.")],
    data: OwnData = None,
    method: Annotated[
        str | None, Parameter(help="Method or preset, as d2dgn:alpha=0.9,epochs=400; by default the usual one.")
    ] = None,
    gold: Annotated[bool, Parameter(negative="", help="Also train gold models, for the evidence.")] = False,
    attack: Annotated[bool | None, Parameter(help="With --gold, also run the membership attack (done).")] = None,
    keep_deletion: Annotated[
        bool,
        Flag,
        Parameter(help="Keep the deletion itself beside the model; else only digests and counts."),
    ] = False,
    keep_data: Annotated[
        bool,
        Flag,
        Parameter(help="Keep the data that are left, with their split, beside the model: it needs your files no more."),
    ] = False,
    forgotten: Forgotten = (),
    threads: Threads = None,
    device: Device = "auto",
    source: AnyData = NO_DATA,
    output: OutputOptions = NO_OUTPUT,
) -> int:
    """Make an own trained model forget; the unlearned model, its receipt and its report go to the folder --out."""
    from graphforget.experiments.own_task import Place
    from graphforget.experiments.own_unlearning import (
        forgotten_rows_change,
        prepare_unlearning,
        receipt,
        unlearn_model,
    )
    from graphforget.experiments.page_facts import ROWS_ANEW, ROWS_MOVED

    if keep_deletion and keep_data:
        raise UsageError(
            "--keep-data writes what is left, --keep-deletion what went; a folder has one of them. Leave the other out."
        )
    if attack is not None and not gold:
        raise UsageError("--attack and --no-attack belong to the evidence of --gold. Add --gold, or leave them out.")
    out = output.out if output.dry_run else _needed(output.out)
    place = Place(data, **source.source())
    case = prepare_unlearning(model, place, delete, method, out, forgotten, keep_data, device)
    if output.dry_run:
        return _say(output, {"task": repr(case.task), "deletion": case.gone.describe(), "method": case.method})
    assert out is not None
    with shown(quiet=output.json, total=1) as listen:
        result, report = unlearn_model(
            case, out, listen, gold=gold, attack=attack is not False, threads=threads, keep_deletion=keep_deletion
        )
    if output.json:
        facts = {"out": str(out), "deletion_kept": keep_deletion, "data_kept": case.keep_data}
        print_json({"receipt": receipt(case, result), "report": json.loads(report.to_json()), **facts})
        return 0
    print_report(report)
    print(f"\nThe parameters moved by {100 * result.parameter_change:.3g} % of their norm.")
    rows = forgotten_rows_change(result)
    if rows is not None:
        print(f"The {ROWS_MOVED} {100 * rows:.3g} % of their norm ({ROWS_ANEW}).")
    print(f"Model, receipt and report are in {out}.")
    print(DATA_KEPT if case.keep_data else _kept(len(case.deletions)) if keep_deletion else NOT_KEPT)
    return 0


def recommend(
    *,
    model: ModelFolder,
    users: Annotated[str, Parameter(help="Ids of users, as 12,40; one with a comma in quotes: '\"Doe, J\",40'.")],
    k: Annotated[Whole, Parameter(name=["-k", "--k"], help="Items for each user.")] = 20,
    data: OwnData = None,
    forgotten: Annotated[Forgotten, Parameter(name=["--forgotten", "--delete"])] = (),
    device: Device = "auto",
    source: InteractionData = NO_PAIRS,
    json: Annotated[bool, Flag, Parameter(help="Print JSON on stdout and nothing else.")] = False,
) -> int:
    """Print the best items for users: none that they have already, and none that was forgotten."""
    from graphforget.experiments.own_recommending import advise, listed_users
    from graphforget.experiments.own_task import Place

    advice = advise(model, Place(data, **source.source()), listed_users(users), k, forgotten, device)
    if json:
        print_json([asdict(one) for one in advice])
        return 0
    for one in advice:
        rows = [
            [str(n), str(item), f"{score:.4f}"]
            for n, (item, score) in enumerate(zip(one.items, one.scores, strict=True), 1)
        ]
        print_table(f"user {one.user}" + (f" ({one.note})" if one.note else ""), ["rank", "item", "score"], rows)
    return 0


def _kept(count: int) -> str:
    """Return where the deletions of an unlearned model are."""
    from graphforget.experiments.own_history import deletion_file

    files = ", ".join(deletion_file(number) for number in range(count))
    return f"The deletion{'s are' if count > 1 else ' is'} in {files} beside the model."


def _needed(out: Path | None) -> Path:
    if out is None:
        raise UsageError("--out is missing: name the folder that the model is written to, as --out model.")
    return out


def _say(output: OutputOptions, facts: dict[str, Any]) -> int:
    if output.json:
        print_json(facts)
    else:
        print_pairs(facts)
    return 0
