"""The commands that delete from recommenders: users, items, users+items, interactions, triples, modality."""

from __future__ import annotations

from graphforget.cli.options import BackboneName, Data
from graphforget.cli.settings import (
    BothDeletion,
    Comparison,
    InteractionDeletion,
    ModalityDeletion,
    SampledDeletion,
    TripleDeletion,
    compare,
)

SAMPLED, BOTH, PAIRS = SampledDeletion(), BothDeletion(), InteractionDeletion()
FACTS, MODALITY, HOW = TripleDeletion(), ModalityDeletion(), Comparison()


def users(data: Data, backbone: BackboneName, /, *, asked: SampledDeletion = SAMPLED, how: Comparison = HOW) -> int:
    """Delete users with all their interactions and compare methods beside the gold model."""
    return compare(data, backbone, "users", asked, how)


def items(data: Data, backbone: BackboneName, /, *, asked: SampledDeletion = SAMPLED, how: Comparison = HOW) -> int:
    """Delete items, with interactions, facts and features, and compare methods beside the gold model."""
    return compare(data, backbone, "items", asked, how)


def users_and_items(data: Data, backbone: BackboneName, /, *, asked: BothDeletion = BOTH, how: Comparison = HOW) -> int:
    """Delete users and items together (a share or count of each) and compare methods beside the gold model."""
    return compare(data, backbone, "users+items", asked, how)


def interactions(
    data: Data, backbone: BackboneName, /, *, asked: InteractionDeletion = PAIRS, how: Comparison = HOW
) -> int:
    """Delete single interactions of users with items and compare methods beside the gold model."""
    return compare(data, backbone, "interactions", asked, how)


def triples(data: Data, backbone: BackboneName, /, *, asked: TripleDeletion = FACTS, how: Comparison = HOW) -> int:
    """Delete facts of the knowledge graph, their inverses included, and compare methods beside the gold model."""
    return compare(data, backbone, "triples", asked, how)


def modality(
    data: Data, backbone: BackboneName, /, *, asked: ModalityDeletion = MODALITY, how: Comparison = HOW
) -> int:
    """Delete one modality of some or all items and compare methods beside the gold model."""
    return compare(data, backbone, "modalities", asked, how)
