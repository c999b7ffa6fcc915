"""Options that say where data are: graphs, interactions, or either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from graphforget._core.errors import UsageError
from graphforget.cli.options import SomeWhole, given, option_group

DataDir = Annotated[Path | None, Parameter(help="Folder of the named sets; else $GRAPHFORGET_DATA, else a download.")]
Features = Annotated[
    Path | None,
    Parameter(help="Node features beside your own edges: .npy, .npz, or .csv with an id column; or one-hot."),
]
Labels = Annotated[Path | None, Parameter(help="Node labels: .npy, or .csv with the columns id,label.")]
Pairs = Annotated[tuple[str, ...], Parameter(negative="", show_default=False)]
RENAMED = {
    "format": "format",
    "ids": "ids",
    "n_users": "n_users",
    "min_rating": "min_rating",
    "split": "split",
    "valid": "valid_share",
    "test": "test_share",
    "seed": "split_seed",
    "triples": "triples_file",
}
"""Argument of `load` -> option."""
Rule = Literal["random", "user", "user-time", "global-time", "leave-one-out", "leave-one-out-random", "mmrec"]
NodeSplit = Literal["public", "random"]
SPLIT_HELP = (
    "How interactions are divided: shares of all pairs (random) or of every user's (user, the default), the latest "
    "for test (user-time, global-time), one of each user (leave-one-out, leave-one-out-random), or MMRec's rule."
)


@option_group("Data")
class GraphData:
    """Where a graph is."""

    data_dir: DataDir = None
    features: Features = None
    labels: Labels = None

    def source(self) -> dict[str, Any]:
        """Return the fields of a source that were given."""
        return given(self, "data_dir", "features", "labels")


@option_group("Data")
class InteractionData:
    """Where interactions are, and how files of your own are read and divided."""

    data_dir: DataDir = None
    columns: Annotated[
        str | None, Parameter(help="What your file calls its columns, as user=userId,item=movieId,rating=rating.")
    ] = None
    format: Annotated[str | None, Parameter(help="File format, where the path does not tell it.")] = None
    ids: Annotated[
        Literal["text", "original"] | None,
        Parameter(help="Keep ids as text, or take the original ones beside the files (user_list.txt, item_list.txt)."),
    ] = None
    n_users: Annotated[SomeWhole, Parameter(help="Rows that are users, in a square matrix.")] = None
    valid_file: Annotated[Path | None, Parameter(help="File of the validation part; the data are the train part.")] = (
        None
    )
    test_file: Annotated[Path | None, Parameter(help="File of the test part; the data are the train part.")] = None
    min_rating: Annotated[float | None, Parameter(help="Only records rated so or higher count.")] = None
    core: Annotated[
        str | None, Parameter(help="Users and items keep at least so many pairs: 5, or 5,10 for users,items.")
    ] = None
    split: Annotated[Rule | None, Parameter(help=SPLIT_HELP)] = None
    valid_share: Annotated[float | None, Parameter(help="Share for validation (0.1).")] = None
    test_share: Annotated[float | None, Parameter(help="Share for test (0.1).")] = None
    split_seed: Annotated[
        SomeWhole, Parameter(help="Seed of the random rules, and of ties in time (0); one split for all seeds.")
    ] = None
    modality_file: Annotated[
        Pairs, Parameter(help="Item features of your own, as image=image.npy or text=text.csv; may repeat.")
    ] = ()
    triples_file: Annotated[Path | None, Parameter(help="File of facts about items: head, relation, tail.")] = None

    def source(self) -> dict[str, Any]:
        """Return the fields of a source that were given; raises UsageError for text that cannot be read."""
        options = {
            **given(self, **RENAMED),
            "columns": columns(self.columns),
            "core": core(self.core),
            "parts": given(self, valid="valid_file", test="test_file") or None,
            "modalities": pairs("--modality-file", self.modality_file, "image=image.npy") or None,
        }
        return {
            **given(self, "data_dir"),
            "options": {key: value for key, value in options.items() if value is not None},
        }


@option_group("Data")
class AnyData(InteractionData):
    """Where a graph or interactions are."""

    features: Features = None
    labels: Labels = None

    def source(self) -> dict[str, Any]:
        """Return the fields of a source that were given."""
        return {**super().source(), **given(self, "features", "labels")}


@option_group("Data")
class TrainingData(AnyData):
    """The same for a task that is divided now: a model that is trained already keeps its division."""

    split: Annotated[
        Rule | NodeSplit | None, Parameter(help=f"{SPLIT_HELP} For node tasks: the public split, or a random one.")
    ] = None  # type: ignore[assignment]  # the choices of every task


def pairs(option: str, pieces: Sequence[str], example: str) -> dict[str, str]:
    """Return the names and values in pieces like "user=userId"; raises UsageError for others and for repeats."""
    found: dict[str, str] = {}
    for piece in pieces:
        key, equals, value = (part.strip() for part in piece.partition("="))
        if not equals or not key or not value or key in found:
            why = f"'{key}' stands twice" if key in found else f"'{piece}' is no name=value"
            raise UsageError(f"{option}: {why}. Write it as {option} {example}.")
        found[key] = value
    return found


def columns(written: str | None) -> dict[str, str] | None:
    """Return the columns in a text like "user=userId,item=movieId"; raises UsageError for other text."""
    return None if written is None else pairs("--columns", written.split(","), "user=userId,item=movieId")


def core(written: str | None) -> int | tuple[int, int] | None:
    """Return the core asked for: one number, or one for users and one for items; raises UsageError for other text."""
    if written is None:
        return None
    parts = [part.strip() for part in written.split(",")]
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"--core must be a number, or two for users and items, as 5 or 5,10; got '{written}'.")
    numbers = [int(part) for part in parts]
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])
