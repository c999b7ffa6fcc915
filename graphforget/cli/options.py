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


def given(options: object, *names: str, **renamed: str) -> dict[str, Any]:
    """Return the options that were given (are not None); `renamed` maps a new name to the option's own."""
    wanted = {name: name for name in names} | renamed
    if not wanted:
        wanted = {field.name: field.name for field in fields(options)}
    found = {name: getattr(options, own) for name, own in wanted.items()}
    return {name: value for name, value in found.items() if value is not None}


@Parameter(name="*", group="Data")
@dataclass(frozen=True)
class DataOptions:
    """Where the graph is."""

    data_dir: Annotated[
        Path | None, Parameter(help="Folder of the named sets; else $GRAPHFORGET_DATA, else a download.")
    ] = None
    features: Annotated[
        Path | None, Parameter(help="Node features beside your own edges: .npy, .npz, or .csv with an id column.")
    ] = None
    labels: Annotated[Path | None, Parameter(help="Node labels: .npy, or .csv with the columns id,label.")] = None


@Parameter(name="*", group="Deletion")
@dataclass(frozen=True)
class Amount:
    """How much is deleted, drawn at random, or a file that names it."""

    fraction: Annotated[float | None, Parameter(help="Share to delete, above 0 and below 1.")] = None
    count: Annotated[SomeWhole, Parameter(help="Number to delete.")] = None
    delete: Annotated[
        Path | None, Parameter(help="File that names what must go, in your own ids: .csv, .tsv or .json.")
    ] = None
    on_small_pool: Annotated[
        Literal["error", "cap"] | None, Parameter(help="A pool too small is an error (default) or is taken whole.")
    ] = None


@Parameter(name="*", group="Task")
@dataclass(frozen=True)
class LinkOptions:
    """Options of link prediction."""

    hop: Annotated[
        Literal["directed_compat", "undirected"] | None,
        Parameter(help="How neighbourhoods are walked; named sets default to the published protocol."),
    ] = None
    negatives: Annotated[
        Literal["released", "strict"] | None, Parameter(help="What held-out negatives must not hit.")
    ] = None
    pool_anchor: Annotated[
        Literal["test", "val"] | None, Parameter(help="Edges that the pools in and out are drawn around.")
    ] = None


@Parameter(name="*", group="Task")
@dataclass(frozen=True)
class NodeOptions:
    """Options of node classification."""

    split: Annotated[
        Literal["public", "random"] | None, Parameter(help="The published node split, or a random one (default).")
    ] = None


@Parameter(name="*", group="Model and training")
@dataclass(frozen=True)
class ModelOptions:
    """Backbone and recipe of the original and the gold model; what is left out has the task's default."""

    hidden: Annotated[SomeWhole, Parameter(help="Width of the layers but the last (128).")] = None
    out_width: Annotated[SomeWhole, Parameter(help="Width of the embeddings (64; node tasks: the classes).")] = None
    layers: Annotated[SomeWhole, Parameter(help="Number of convolutions (2).")] = None
    epochs: Annotated[SomeWhole, Parameter(help="Epochs (link 2000, node 300).")] = None
    lr: Annotated[float | None, Parameter(help="Learning rate of Adam.")] = None
    weight_decay: Annotated[float | None, Parameter(help="l2 penalty of Adam.")] = None
    validate_every: Annotated[SomeWhole, Parameter(help="Epochs between validations and checkpoints.")] = None
    selection: Annotated[str | None, Parameter(help="Validation metric that picks the epoch, or 'last'.")] = None
    patience: Annotated[SomeWhole, Parameter(help="Validations without progress before training stops.")] = None

    def architecture(self) -> dict[str, Any]:
        """Return the given arguments of the backbone."""
        return given(self, "hidden", "layers", out="out_width")

    def recipe(self) -> dict[str, Any]:
        """Return the given fields of the recipe."""
        return given(self, "epochs", "lr", "weight_decay", "validate_every", "selection", "patience")


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
            help="Method or preset, as d2dgn or d2dgn:alpha=0.9,epochs=400; may repeat; 'all' for every method.",
        ),
    ] = ("d2dgn",)
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
