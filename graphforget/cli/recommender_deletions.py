"""The commands that delete from recommenders: users, items, users+items, interactions, triples, modality."""

from __future__ import annotations

from graphforget.cli.amounts import Amount, Both, Interactions, Modality, Sampled
from graphforget.cli.options import BackboneName, Data
from graphforget.cli.settings import RECOMMEND, RecommenderSetting, compare

ANY, SAMPLED, PAIRS, BOTH, MODALITY = Amount(), Sampled(), Interactions(), Both(), Modality()
SETTING = RecommenderSetting()


def users(
    data: Data, backbone: BackboneName, /, *, gone: Sampled = SAMPLED, setting: RecommenderSetting = SETTING
) -> int:
    """Delete users with all their interactions and compare methods beside the gold model."""
    return compare(data, backbone, RECOMMEND, setting, "users", gone)


def items(
    data: Data, backbone: BackboneName, /, *, gone: Sampled = SAMPLED, setting: RecommenderSetting = SETTING
) -> int:
    """Delete items, with interactions, facts and features, and compare methods beside the gold model."""
    return compare(data, backbone, RECOMMEND, setting, "items", gone)


def users_and_items(
    data: Data, backbone: BackboneName, /, *, gone: Both = BOTH, setting: RecommenderSetting = SETTING
) -> int:
    """Delete users and items together (a share or count of each) and compare methods beside the gold model."""
    return compare(data, backbone, RECOMMEND, setting, "users+items", gone)


def interactions(
    data: Data, backbone: BackboneName, /, *, gone: Interactions = PAIRS, setting: RecommenderSetting = SETTING
) -> int:
    """Delete single interactions of users with items and compare methods beside the gold model."""
    return compare(data, backbone, RECOMMEND, setting, "interactions", gone)


def triples(data: Data, backbone: BackboneName, /, *, gone: Amount = ANY, setting: RecommenderSetting = SETTING) -> int:
    """Delete facts of the knowledge graph, their inverses included, and compare methods beside the gold model."""
    return compare(data, backbone, RECOMMEND, setting, "triples", gone)


def modality(
    data: Data, backbone: BackboneName, /, *, gone: Modality = MODALITY, setting: RecommenderSetting = SETTING
) -> int:
    """Delete one modality of some or all items and compare methods beside the gold model."""
    return compare(data, backbone, RECOMMEND, setting, "modalities", gone)
