"""The commands for own models: `train` makes a model folder, `unlearn` makes the model in one forget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from graphforget._core.errors import UsageError
from graphforget.cli.deletions import (
    NO_DATA,
    NO_LINK,
    NO_MODEL,
    NO_NODE,
    NO_OUTPUT,
    BackboneName,
    Data,
    TaskName,
)
from graphforget.cli.options import (
    DataOptions,
    LinkOptions,
    ModelOptions,
    NodeOptions,
    OutputOptions,
    SomeWhole,
    Whole,
    given,
    text,
)
from graphforget.cli.output import print_json, print_pairs, print_report, shown

Threads = Annotated[SomeWhole, Parameter(help="Threads; results do not depend on it.")]


def train(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    task: TaskName = "link",
    seed: Annotated[Whole, Parameter(help="Decides split, initial weights and negatives.")] = 42,
    threads: Threads = None,
    source: DataOptions = NO_DATA,
    link: LinkOptions = NO_LINK,
    node: NodeOptions = NO_NODE,
    model: ModelOptions = NO_MODEL,
    output: OutputOptions = NO_OUTPUT,
) -> int:
    """Train a model into the folder --out."""
    from graphforget.experiments.own_training import prepare_training, train_model
    from graphforget.experiments.setup import Setup, Source

    place = Source(data, text(source.data_dir), text(source.features), text(source.labels))
    options = {**given(link), **given(node)}
    setup = Setup(place, backbone, task, options, model.architecture(), model.recipe())
    if output.dry_run:
        _, made = prepare_training(setup, seed, output.out)
        return _say(output, {"task": repr(made), "recipe": setup.make_recipe().as_dict(), "out": text(output.out)})
    out = _needed(output.out)
    with shown(quiet=output.json, total=1) as listen:
        trained = train_model(setup, seed, out, listen, threads=threads)
    return _say(output, {"task": repr(trained.task), **trained.metrics, "seconds": trained.seconds, "out": str(out)})


def unlearn(
    *,
    model: Annotated[Path, Parameter(help="Model folder, as 'graphforget train' writes it.")],
    data: Annotated[str, Parameter(help="The data that the model was trained on.")],
    delete: Annotated[Path, Parameter(help="File that names what must go, in your own ids: .csv, .tsv or .json.")],
    method: Annotated[str, Parameter(help="Method or preset, as d2dgn or d2dgn:alpha=0.9,epochs=400.")] = "d2dgn",
    gold: Annotated[bool, Parameter(negative="", help="Also train gold models, for the evidence.")] = False,
    attack: Annotated[bool, Parameter(help="With --gold, also run the membership attack.")] = True,
    threads: Threads = None,
    source: DataOptions = NO_DATA,
    output: OutputOptions = NO_OUTPUT,
) -> int:
    """Make an own trained model forget; the unlearned model and its receipt go to the folder --out."""
    from graphforget.experiments.own_unlearning import prepare_unlearning, receipt, unlearn_model
    from graphforget.experiments.setup import Source

    out = output.out if output.dry_run else _needed(output.out)
    place = Source(data, text(source.data_dir), text(source.features), text(source.labels))
    case = prepare_unlearning(model, place, delete, method, out)
    if output.dry_run:
        return _say(output, {"task": repr(case.task), "deletion": case.gone.describe(), "method": method})
    with shown(quiet=output.json, total=1) as listen:
        result, report = unlearn_model(case, method, out, listen, gold=gold, attack=attack, threads=threads)
    if output.json:
        print_json({"receipt": receipt(case, result), "report": json.loads(report.to_json()), "out": str(out)})
        return 0
    print_report(report)
    print(f"\nThe parameters moved by {result.parameter_change:.2e} of their norm. Model and receipt are in {out}.")
    return 0


def _needed(out: Path | None) -> Path:
    if out is None:
        raise UsageError("--out is missing: name the folder that the model is written to, as --out model.")
    return out


def _say(output: OutputOptions, facts: dict[str, Any]) -> int:
    if output.json:
        print_json(facts)
    else:
        print_pairs({key: f"{value:.4f}" if isinstance(value, float) else value for key, value in facts.items()})
    return 0
