"""The options of the commands, in groups that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, dataclass_transform

from cyclopts import Parameter, Token

from graphforget._core.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Flag = Parameter(negative="")
Group = TypeVar("Group")


@dataclass_transform(frozen_default=True)
def option_group(title: str | None = None) -> Callable[[type[Group]], type[Group]]:
    """Return the decorator of a frozen dataclass whose fields are options of every command that takes it.

    title: heading of the options in --help, unless their own says another.
    """
    return lambda cls: Parameter(name="*", group=title)(dataclass(frozen=True)(cls))


def _whole(kind: type, tokens: Sequence[Token]) -> int:
    """Return a whole number; cyclopts itself would round 1.5 to 2."""
    del kind  # int, or int | None
    written = tokens[0].value
    if not re.fullmatch(r"[+-]?[0-9]+", written):
        raise ValueError(f'"{written}" is not a whole number')
    return int(written)


Whole = Annotated[int, Parameter(converter=_whole)]
SomeWhole = Annotated[int | None, Parameter(converter=_whole)]
Data = Annotated[str, Parameter(help="A named set ('graphforget list datasets'), or a file of your own.")]
BackboneName = Annotated[
    str, Parameter(help="One of 'graphforget list backbones', also with options, as lightgcn:layers=2,std=0.01.")
]

Device = Annotated[
    str, Parameter(help="Where models compute: cpu, cuda, cuda:1, or auto: $GRAPHFORGET_DEVICE, else a GPU if any.")
]


def given(options: DataclassInstance, *names: str, **renamed: str) -> dict[str, Any]:
    """Return the options that were given (are not None), of those named or of all, paths as text.

    renamed: new name of an option -> its own.
    """
    wanted = {name: name for name in names} | renamed
    if not wanted:
        wanted = {field.name: field.name for field in fields(options)}
    found = {name: getattr(options, own) for name, own in wanted.items()}
    return {k: str(v) if isinstance(v, Path) else v for k, v in found.items() if v is not None}


@option_group("Output")
class OutputOptions:
    """What a run keeps and prints."""

    out: Annotated[Path | None, Parameter(help="Folder that keeps models, report and checkpoints.")] = None
    json: Annotated[bool, Flag, Parameter(help="Print JSON on stdout and nothing else.")] = False
    dry_run: Annotated[bool, Flag, Parameter(help="Say what would be run, and stop; nothing is written.")] = False


@option_group("Output")
class FolderOptions(OutputOptions):
    """The same of a search, whose folder is always there."""

    out: Annotated[Path, Parameter(help="Folder that keeps trials, originals and gold; searches may share it.")] = Path(
        "tuning"
    )


@option_group("Comparison")
class RunOptions:
    """Methods, seeds and resources of a comparison."""

    method: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            show_default=False,
            help="Method or preset, as d2dgn or d2dgn:alpha=0.9,epochs=400; may repeat; 'all' for every method that "
            "serves. By default d2dgn; for recommenders mmrecun, for facts and modalities fine-tune.",
        ),
    ] = ()
    seeds: Annotated[str, Parameter(help="Seeds, as 42,21,13,87,100; one run each.")] = "42"
    gold_runs: Annotated[Whole, Parameter(help="Gold models of each seed; 2 or more give the noise floor.")] = 2
    attack: Annotated[bool, Parameter(help="Also run the membership attack.")] = True
    jobs: Annotated[Whole, Parameter(help="Processes that share the seeds.")] = 1
    threads: Annotated[SomeWhole, Parameter(help="Threads of each process; results do not depend on it.")] = None
    device: Device = "auto"


def seeds(text: str) -> tuple[int, ...]:
    """Return the seeds in a text like "42,21"; raises UsageError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    bad = next((part for part in parts if not (part.isascii() and part.isdigit())), None)
    if bad is not None:
        raise UsageError(f"--seeds must be integers of at least 0 with commas between, as 42,21,13; got '{text}'.")
    return tuple(int(part) for part in parts)


def text(path: Path | None) -> str | None:
    """Return a path as text."""
    return None if path is None else str(path)
