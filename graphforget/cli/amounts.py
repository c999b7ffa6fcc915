"""Options that say what must go: a share or a number drawn at random, or what a file names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from graphforget.cli.options import SomeWhole, given, option_group

RENAMED = {"delete": "file", "users": "users_file", "items": "items_file"}
"""Option -> field of the request, where they differ."""
DeletionFile = Annotated[
    Path | None, Parameter(help="File that names what must go, in your own ids: .csv, .tsv or .json.")
]
ItemList = Annotated[Path | None, Parameter(help="File that lists items, under the header item.")]
Sampling = Annotated[
    Literal["random", "core", "edge", "high-degree", "low-degree"] | None,
    Parameter(
        help="Draw at random (default), take those with the most or fewest interactions (core, edge), or draw from the "
        "half with more or fewer (high-degree, low-degree)."
    ),
]
PairSampling = Annotated[
    Literal["random", "core", "edge", "high-degree", "low-degree", "label-flipped"] | None,
    Parameter(
        help="The same by the user of an interaction; label-flipped puts false interactions into the training data "
        "first and deletes these."
    ),
]


@option_group("Deletion")
class Gone:
    """What must go."""

    delete: DeletionFile = None

    def request(self) -> dict[str, Any]:
        """Return the fields of a request that were given."""
        return {RENAMED.get(key, key): value for key, value in given(self).items()}


@option_group("Deletion")
class Classes(Gone):
    """Classes that go, by name or number, or a file that names them."""

    classes: Annotated[
        tuple[str, ...], Parameter(name="--class", negative="", help="Name or number of a class; may repeat.")
    ] = ()


@option_group("Deletion")
class Amount(Gone):
    """How much goes, drawn at random, or a file that names it."""

    fraction: Annotated[float | None, Parameter(help="Share to delete, above 0 and below 1.")] = None
    count: Annotated[SomeWhole, Parameter(help="Number to delete.")] = None
    on_small_pool: Annotated[
        Literal["error", "cap"] | None, Parameter(help="A pool too small is an error (default) or is taken whole.")
    ] = None


@option_group("Deletion")
class Edges(Amount):
    """The same for edges."""

    where: Annotated[
        Literal["in", "out", "any"] | None,
        Parameter(help="Draw inside or outside the 2-hop neighbourhood of the anchor edges."),
    ] = None


@option_group("Deletion")
class Nodes(Amount):
    """The same for nodes."""

    pool: Annotated[
        Literal["train", "all"] | None,
        Parameter(help="Draw from training nodes (node tasks; the default) or from all nodes."),
    ] = None


@option_group("Deletion")
class Interactions(Amount):
    """The same for interactions."""

    sampling: PairSampling = None


@option_group("Deletion")
class Sampled(Amount):
    """The same for users or items."""

    sampling: Sampling = None


@option_group("Deletion")
class Both(Sampled):
    """The same for users and items together."""

    users: Annotated[Path | None, Parameter(help="File that lists users, under the header user; with --items.")] = None
    items: ItemList = None


@option_group("Deletion")
class Modality(Sampled):
    """The same for the items that lose a modality."""

    modality: Annotated[
        str | None, Parameter(help="Name of the item features that go; of every item, unless items are named.")
    ] = None
    items: ItemList = None
