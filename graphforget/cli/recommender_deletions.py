"""The commands that delete from recommenders: users, items, users+items, interactions, triples, modality."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from graphforget.cli.options import Amount, BackboneName, Data, DeletionFile, Drawn, given, text
from graphforget.cli.settings import RECOMMEND, RECOMMENDER, RecommenderSetting, compare

Sampling = Annotated[
    Literal["random", "core", "edge", "high-degree", "low-degree"] | None,
    Parameter(
        group="Deletion",
        help="Draw at random (default), take those with the most or fewest interactions (core, edge), or draw from the "
        "half with more or fewer (high-degree, low-degree).",
    ),
]
PairSampling = Annotated[
    Literal["random", "core", "edge", "high-degree", "low-degree", "label-flipped"] | None,
    Parameter(
        group="Deletion",
        help="The same by the user of an interaction; label-flipped puts false interactions into the training data "
        "first and deletes these.",
    ),
]
ItemList = Annotated[Path | None, Parameter(group="Deletion", help="File that lists items, under the header item.")]
NO_AMOUNT, NO_DRAW = Amount(), Drawn()


def users(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    amount: Amount = NO_AMOUNT,
    sampling: Sampling = None,
    setting: RecommenderSetting = RECOMMENDER,
) -> int:
    """Delete users with all their interactions and compare methods beside the gold model."""
    return _compare(data, backbone, setting, "users", sampling=sampling, **amount.request())


def items(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    amount: Amount = NO_AMOUNT,
    sampling: Sampling = None,
    setting: RecommenderSetting = RECOMMENDER,
) -> int:
    """Delete items, with interactions, facts and features, and compare methods beside the gold model."""
    return _compare(data, backbone, setting, "items", sampling=sampling, **amount.request())


def users_and_items(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    amount: Amount = NO_AMOUNT,
    users: Annotated[
        Path | None, Parameter(group="Deletion", help="File that lists users, under the header user; with --items.")
    ] = None,
    items: ItemList = None,
    sampling: Sampling = None,
    setting: RecommenderSetting = RECOMMENDER,
) -> int:
    """Delete users and items together (a share or count of each) and compare methods beside the gold model."""
    lists = {"users_file": text(users), "items_file": text(items)}
    return _compare(data, backbone, setting, "users+items", sampling=sampling, **lists, **amount.request())


def interactions(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    amount: Amount = NO_AMOUNT,
    sampling: PairSampling = None,
    setting: RecommenderSetting = RECOMMENDER,
) -> int:
    """Delete single interactions of users with items and compare methods beside the gold model."""
    return _compare(data, backbone, setting, "interactions", sampling=sampling, **amount.request())


def triples(
    data: Data, backbone: BackboneName, /, *, amount: Amount = NO_AMOUNT, setting: RecommenderSetting = RECOMMENDER
) -> int:
    """Delete facts of the knowledge graph, their inverses included, and compare methods beside the gold model."""
    return _compare(data, backbone, setting, "triples", **amount.request())


def modality(
    data: Data,
    backbone: BackboneName,
    /,
    *,
    modality: Annotated[
        str | None,
        Parameter(group="Deletion", help="Name of the item features that go; of every item, unless items are named."),
    ] = None,
    items: ItemList = None,
    amount: Drawn = NO_DRAW,
    delete: Annotated[DeletionFile, Parameter(group="Deletion")] = None,
    sampling: Sampling = None,
    setting: RecommenderSetting = RECOMMENDER,
) -> int:
    """Delete one modality of some or all items and compare methods beside the gold model."""
    named = {"modality": modality, "items_file": text(items), "file": text(delete), "sampling": sampling}
    return _compare(data, backbone, setting, "modalities", **named, **given(amount))


def _compare(data: str, backbone: str, setting: RecommenderSetting, kind: str, **request: Any) -> int:
    return compare(data, backbone, RECOMMEND, setting, {"kind": kind, **request})
