"""The options of the commands, in groups that several commands share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from graphforget._core.errors import UsageError

Flag = Parameter(negative="")


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
DeletionFile = Annotated[
    Path | None, Parameter(help="File that names what must go, in your own ids: .csv, .tsv or .json.")
]


def given(options: object, *names: str, **renamed: str) -> dict[str, Any]:
    """Return the options that were given (are not None); `renamed` maps a new name to the option's own."""
    wanted = {name: name for name in names} | renamed
    if not wanted:
        wanted = {field.name: field.name for field in fields(options)}
    found = {name: getattr(options, own) for name, own in wanted.items()}
    return {name: value for name, value in found.items() if value is not None}


@Parameter(name="*", group="Deletion")
@dataclass(frozen=True)
class Drawn:
    """How much is deleted, drawn at random."""

    fraction: Annotated[float | None, Parameter(help="Share to delete, above 0 and below 1.")] = None
    count: Annotated[SomeWhole, Parameter(help="Number to delete.")] = None
    on_small_pool: Annotated[
        Literal["error", "cap"] | None, Parameter(help="A pool too small is an error (default) or is taken whole.")
    ] = None


@Parameter(name="*", group="Deletion")
@dataclass(frozen=True)
class Amount(Drawn):
    """How much is deleted, drawn at random, or a file that names it."""

    delete: DeletionFile = None

    def request(self) -> dict[str, Any]:
        """Return the fields of a request."""
        return {**given(self, "fraction", "count", "on_small_pool"), "file": text(self.delete)}


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class OutputOptions:
    """What a run keeps and prints."""

    out: Annotated[Path | None, Parameter(help="Folder that keeps models, report and checkpoints.")] = None
    json: Annotated[bool, Flag, Parameter(help="Print JSON on stdout and nothing else.")] = False
    dry_run: Annotated[bool, Flag, Parameter(help="Say what would be run, and stop; nothing is written.")] = False


@Parameter(name="*", group="Comparison")
@dataclass(frozen=True)
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
