"""The command line that runs a comparison, or an unlearning, again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphforget._core.errors import GraphforgetError
from graphforget.cli.amounts import RENAMED as AMOUNTS
from graphforget.cli.places import RENAMED as PLACES

if TYPE_CHECKING:
    from graphforget.experiments.plan import Plan
    from graphforget.experiments.request import Request
    from graphforget.experiments.setup import Setup
    from graphforget.experiments.sources import Found

OWN_DEFAULTS = {"edges": "link", "nodes": "node", "features": "node"}
"""Command that takes --task -> what it takes for granted."""
AGAIN = "Add --out FOLDER to keep models and report. Paths are as they were given, from the folder it was started in."
NO_PLAN = "A report alone does not keep the command that made it."
PLACEHOLDERS = (
    "Replace the words in capitals: the folder keeps neither the model before nor, unless asked to, the deletion."
)


def command_of(source: Found) -> tuple[str, str]:
    """Return the command that runs a source again, and what to know of it; the command is empty where none is known."""
    if source.receipt is not None:
        gold = any(record.kind == "gold" for record in source.report.records)
        return _unlearn(source.receipt) + (" --gold" if gold else ""), PLACEHOLDERS
    if source.plan is None:
        return "", NO_PLAN
    from graphforget.experiments.plan_again import plan_again

    try:
        words = words_of(plan_again(source.plan))
    except GraphforgetError as error:
        return "", f"The command cannot be made again: {error}"
    return shlex.join(["graphforget", *words]), AGAIN


def _unlearn(receipt: Mapping[str, Any]) -> str:
    from graphforget.unlearning.specs import methods

    fields = dict(receipt["method"])
    name = fields.pop("method")
    usual = methods().find(name)[0]().config()
    changed = [f"{key}={value}" for key, value in fields.items() if value != usual.get(key)]
    method = f"{name}:{','.join(changed)}" if changed else name
    kept = " --keep-data" if receipt["data"].get("kept") else ""
    return f"graphforget unlearn --model MODEL --delete DELETION --method {shlex.quote(method)}{kept} --out FOLDER"


def words_of(plan: Plan) -> list[str]:
    """Return the words behind `graphforget` that make a plan; its device, where another would be taken here."""
    from graphforget._core.devices import AUTO, find_device
    from graphforget.experiments.request import COMMANDS

    setup, request = plan.setup, plan.request
    assert request is not None
    command = COMMANDS[request.kind]
    words = [command, setup.source.data, _backbone(setup)]
    if OWN_DEFAULTS.get(command, setup.task) != setup.task:
        words += ["--task", setup.task]
    words += [word for pair in _request(request) for word in pair]
    for label in plan.methods:
        words += ["--method", label]
    words += ["--seeds", ",".join(map(str, plan.seeds))]
    words += ["--gold-runs", str(plan.gold_runs)] if plan.gold_runs != 2 else []
    words += [] if plan.attack else ["--no-attack"]
    words += [] if setup.device == str(find_device(AUTO)) else ["--device", setup.device]
    return [*words, *_settings(setup), *_source(setup)]


def _request(request: Request) -> list[tuple[str, str]]:
    from dataclasses import fields

    options = {field: option for option, field in AMOUNTS.items()} | {"classes": "class"}
    found = []
    for field in fields(request):
        value = getattr(request, field.name)
        if field.name == "kind" or value is None or value == ():
            continue
        option = f"--{options.get(field.name, field.name).replace('_', '-')}"
        found += [(option, str(one)) for one in (value if isinstance(value, tuple) else [value])]
    return found


def _plain(setup: Setup) -> Setup:
    """Return a setup of the same data, backbone and task with nothing else said."""
    from graphforget.experiments.setup import Setup

    return Setup(setup.source, setup.name, setup.task)


def _backbone(setup: Setup) -> str:
    """Return the backbone with the options that differ from its defaults."""
    usual, mine = (one.make_backbone().config() for one in (_plain(setup), setup))
    changed = [f"{key}={_text(value)}" for key, value in mine.items() if value != usual.get(key)]
    return f"{setup.name}:{','.join(changed)}" if changed else setup.name


def _settings(setup: Setup) -> list[str]:
    """Return the options of task and recipe that differ from what is taken without them."""
    plain = _plain(setup)
    usual = {**plain.options(), **plain.make_recipe().as_dict()}
    mine = {**setup.options(), **setup.make_recipe().as_dict()}
    words = []
    for key, value in mine.items():
        if key in usual and value == usual[key] or value is None:
            continue
        option = key.replace("_", "-")
        words += [f"--{'' if value else 'no-'}{option}"] if isinstance(value, bool) else [f"--{option}", _text(value)]
    return words


def _source(setup: Setup) -> list[str]:
    """Return where the data are."""
    source, words = setup.source, []
    for option, value in (("data-dir", source.data_dir), ("features", source.features), ("labels", source.labels)):
        words += [f"--{option}", str(value)] if value is not None else []
    for key, value in source.options.items():
        if key == "parts":
            words += [word for part, path in value.items() for word in (f"--{part}-file", str(path))]
        elif key == "modalities":
            words += [word for name, path in value.items() for word in ("--modality-file", f"{name}={path}")]
        else:
            words += [f"--{PLACES.get(key, key).replace('_', '-')}", _text(value)]
    return words


def _text(value: Any) -> str:
    """Return a value as an option takes it: 64,32 for several, user=a,item=b for names."""
    if isinstance(value, Mapping):
        return ",".join(f"{key}={one}" for key, one in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
