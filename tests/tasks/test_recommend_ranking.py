"""Recommendation: lists and metrics of every part beside lists sorted in Python, in every convention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_lists import list_length

N_USERS, N_ITEMS = 14, 18
KS = (1, 3, 5, 10)
TOOLKITS = {
    "RecBole": {},
    "MMRec": {"mask": "train", "negatives": "trained"},
    "LightGCN": {"mask": "train", "sampler": "users", "select_on": "test"},
    "KGAT": {"mask": "train", "sampler": "kgat", "ndcg": "kgat", "select_on": "test"},
    "RecEraser": {"mask": "train", "map_at": "m"},
    "CURE4Rec": {"mask": "train", "ndcg": "full_truth"},
    "Cornac": {"map_at": "full"},
}
"""What other codes compute, as options of a task."""


@pytest.fixture(scope="module")
def z(store):
    """Embeddings whose scores have many ties: small whole numbers."""
    drawn = torch.randint(-1, 2, (store.n_nodes, 4), generator=torch.Generator().manual_seed(5))
    return drawn.float()


def pairs_of(data, *parts) -> dict[int, set[int]]:
    """Return the items of every user in some parts."""
    found: dict[int, set[int]] = {user: set() for user in range(data.n_users)}
    for part in parts:
        for user, item in data.pairs(part).T.tolist():
            found[user].add(item)
    return found


def sorted_items(z, user, hidden, offered=None) -> list[int]:
    """Return all items that may be shown to a user, best first, ties to the lower item."""
    table = z.double().numpy()
    allowed = [i for i in range(N_ITEMS) if i not in hidden and (offered is None or offered[i])]
    return sorted(allowed, key=lambda item: (-float(table[user] @ table[N_USERS + item]), item))


def one_user(order, wanted, k, ndcg, map_at) -> dict[str, float]:
    """Return the measures of one list, from their definitions in section 6.1."""
    hits = [item in wanted for item in order]
    m, found = len(wanted), sum(hits[:k])

    def gain(flags) -> float:
        return sum(1 / np.log2(place + 2) for place, flag in enumerate(flags) if flag)

    ideal = {"standard": [1] * min(m, k), "full_truth": [1] * m, "kgat": sorted(hits[:100], reverse=True)[:k]}[ndcg]
    upto = len(hits) if map_at == "full" else k
    precisions = sum(sum(hits[: j + 1]) / (j + 1) for j in range(min(upto, len(hits))) if hits[j])
    first = next((place for place, hit in enumerate(hits[:k], start=1) if hit), 0)
    return {
        "recall": found / m,
        "precision": found / k,
        "hit": float(found > 0),
        "ndcg": gain(hits[:k]) / gain(ideal) if gain(ideal) else 0.0,
        "map": precisions / (min(m, k) if map_at == "min_mk" else m),
        "mrr": 1 / first if first else 0.0,
    }


def naive(z, truth, hidden, ndcg="standard", map_at="min_mk", offered=None) -> dict[str, float]:
    """Return the means over users with something to find, and coverage."""
    users = [user for user, wanted in truth.items() if wanted]
    orders = {user: sorted_items(z, user, hidden[user], offered) for user in users}
    found = {}
    for k in KS:
        each = [one_user(orders[user], truth[user], k, ndcg, map_at) for user in users]
        found |= {f"{name}@{k}": float(np.mean([one[name] for one in each])) for name in each[0]}
        found[f"coverage@{k}"] = len({item for user in users for item in orders[user][:k]}) / N_ITEMS
    return found


@pytest.mark.parametrize("toolkit", TOOLKITS)
@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_metrics_of_a_part_in_every_convention(store, z, toolkit, part):
    """Training pairs are found with nothing hidden; validation hides training; test hides what the mask says."""
    task = Recommendation(store, **TOOLKITS[toolkit])
    masked = ("train", "valid") if task.mask == "train+valid" else ("train",)
    hidden = {"train": pairs_of(store), "valid": pairs_of(store, "train"), "test": pairs_of(store, *masked)}[part]
    wanted = naive(z, pairs_of(store, part), hidden, task.ndcg, task.map_at)
    assert task.metrics(z, part, ks=KS) == pytest.approx(wanted, abs=1e-9)


def test_conventions_give_different_numbers(store, z):
    """None of the options is without effect."""
    values = {name: Recommendation(store, **options).metrics(z, "test", ks=KS) for name, options in TOOLKITS.items()}
    assert values["RecBole"] != values["MMRec"]
    assert values["MMRec"] == values["LightGCN"]
    fond = z.clone()
    for user, items in pairs_of(store, "test").items():
        fond[user] = sum(z[N_USERS + item] for item in items)
    each = [
        Recommendation(store, ndcg=one).metrics(fond, "test", ks=KS)["ndcg@1"] for one in ("standard", "full_truth")
    ]
    assert each[0] > each[1] > 0
    maps = [Recommendation(store, map_at=at).metrics(fond, "test", ks=KS)["map@1"] for at in ("min_mk", "m", "full")]
    assert len(set(maps)) == 3


@pytest.mark.parametrize("ndcg", ["standard", "kgat"])
def test_kgats_ndcg_reads_a_hundred_places(ndcg):
    """Only with more items than that does it differ: a hit behind place 100 is not part of its ideal."""
    rng = np.random.default_rng(3)
    pairs = np.array([[user, item] for user in range(6) for item in rng.permutation(300)[:20]]).T
    train, test = pairs[:, ::5], np.delete(pairs, np.arange(0, 120, 5), axis=1)
    task = Recommendation(Interactions.build(6, 300, train, test=test), holdout=0, ndcg=ndcg)
    z = torch.randn(306, 4, generator=torch.Generator().manual_seed(1))
    table, truth, own = z.double().numpy(), pairs_of(task.graph, "test"), pairs_of(task.graph, "train")
    scores = table[:6] @ table[6:].T
    wanted = []
    for user in range(6):
        order = [int(item) for item in np.argsort(-scores[user]) if int(item) not in own[user]]
        wanted.append([one_user(order, truth[user], k, ndcg, "min_mk")["ndcg"] for k in KS])
        assert sum(item in truth[user] for item in order[:100]) < 10  # at the last cutoff they differ
    found = task.metrics(z, "test", ks=KS)
    assert [found[f"ndcg@{k}"] for k in KS] == pytest.approx(np.mean(wanted, axis=0).tolist())


def test_kgats_ndcg_and_a_map_over_all_items_are_refused_together(store, z):
    """Lists of all items would make KGAT's ndcg the standard one."""
    both = {"ndcg": "kgat", "map_at": "full"}
    with pytest.raises(UsageError, match="reads lists of 100 items .* Use map_at='m' or 'min_mk', or another ndcg"):
        Recommendation(store, **both)
    with pytest.raises(UsageError, match="no list that serves both"):
        Recommendation(store, ndcg="kgat").metrics(z, "test", map_at="full")
    with pytest.raises(UsageError, match="no list that serves both"):
        Recommendation(store).metrics(z, "test", **both)


def test_a_convention_given_to_a_call_goes_before_the_tasks(store, z):
    for option in ({"ndcg": "kgat"}, {"map_at": "full"}, {"ndcg": "full_truth", "map_at": "m"}):
        wanted = Recommendation(store, **option).metrics(z, "test", ks=(1, 3))
        assert Recommendation(store).metrics(z, "test", ks=(1, 3), **option) == wanted


def test_forgotten_pairs_are_the_truth_and_never_hidden(store, z):
    """On the retained task retained training pairs alone are hidden, whatever the mask."""
    for mask in ("train", "train+valid"):
        task = Recommendation(store, mask=mask)
        for deletion in (Deletion(users=[3, 4]), Deletion(items=[1, 2]), Deletion(interactions=[first_pair(store)])):
            gone = task.resolve(deletion)
            retained = task.without(gone)
            before, after = pairs_of(store, "train"), pairs_of(retained.graph, "train")
            truth = {user: before[user] - after[user] for user in before}
            found = retained.metrics(z, "forgotten", gone, ks=KS)
            assert found == pytest.approx(naive(z, truth, after), abs=1e-9)


def first_pair(data) -> tuple[int, int]:
    """Return the first training pair."""
    user, item = data.pairs("train")[:, 0].tolist()
    return user, item


def test_the_retained_part_hides_what_is_retained(store, z):
    task = Recommendation(store)
    retained = task.without(task.resolve(Deletion(users=[3], items=[1])))
    data = retained.graph
    assert not pairs_of(data, "test")[3] and not any(1 in items for items in pairs_of(data, "test").values())
    retained.holes = {}
    wanted = naive(z, pairs_of(data, "test"), pairs_of(data, "train", "valid"))
    assert retained.metrics(z, "test", ks=KS) == pytest.approx(wanted, abs=1e-9)


def test_deleted_items_are_no_candidates_where_epochs_are_selected(store, z):
    """Also those of an earlier deletion; a forgotten pair is looked for among all items, else it could not be found."""
    z = z.clone()
    z[N_USERS + 5] = 100 * z[:N_USERS].mean(dim=0)  # item 5 would stand in front of many lists
    task = Recommendation(store, mask="train")
    once = task.without(task.resolve(Deletion(items=[5])))
    gone = once.resolve(Deletion(items=[2]))
    twice = once.without(gone)
    assert task.offered is None and np.flatnonzero(~twice.offered).tolist() == [2, 5]
    data = twice.graph
    barred = pairs_of(data, "train")
    offered = twice.offered
    for part in ("valid", "test"):
        found = twice.metrics(z, part, ks=KS)
        wanted = naive(z, pairs_of(data, part), barred, offered=offered)
        coverages = {key: value * N_ITEMS / (N_ITEMS - 2) for key, value in wanted.items() if "coverage" in key}
        assert found == pytest.approx(wanted | coverages, abs=1e-9)
    assert twice.validate(z)["val_recall"] == pytest.approx(twice.metrics(z, "valid", ks=(20,))["recall@20"])
    assert twice.metrics(z, "forgotten", gone, ks=(N_ITEMS,))[f"recall@{N_ITEMS}"] == 1.0


@pytest.mark.parametrize("deleted", [[], [0, 5, 17], list(range(1, 18))])
def test_lists_with_and_without_deleted_items(store, z, deleted):
    """What is no candidate stands in no list; where too few are left, a list ends with -1 and minus infinity."""
    task, offered = Recommendation(store), np.ones(N_ITEMS, dtype=bool)
    offered[deleted] = False
    users = np.array([13, 0, 6])
    ids, scores = task.rank(z, users, 6, candidates=offered)
    hidden = pairs_of(store, "train", "valid")
    for row, user in enumerate(users.tolist()):
        wanted = sorted_items(z, user, hidden[user], offered)[:6]
        assert ids[row].tolist() == wanted + [-1] * (6 - len(wanted))
        dots = [float(z[user] @ z[N_USERS + item]) for item in wanted]
        assert scores[row].tolist() == dots + [float("-inf")] * (6 - len(wanted))
    everything = task.rank(z, users, 6, hidden=[])[0]
    assert everything[1].tolist() == sorted_items(z, 0, set())[:6]


@pytest.mark.parametrize("select_on", ["valid", "test"])
def test_validation_reads_the_part_that_selects(store, z, select_on):
    task = Recommendation(store, select_on=select_on)
    wanted = task.metrics(z, select_on, ks=(18,))
    found = task.validate(z)
    assert set(found) == set(task.selections)
    assert found["val_recall"] == pytest.approx(wanted["recall@18"])  # 18 items: the first 20 are all of them
    better = z.clone()
    for user, items in pairs_of(store, select_on).items():
        better[user] = sum(z[N_USERS + item] for item in items) if items else z[user]
    assert task.validate(better)["val_ndcg"] > found["val_ndcg"]


def test_parts_that_are_not_there_are_sentences(store, z):
    task = Recommendation(replace(store, valid=None, test=None), holdout=0)
    with pytest.raises(DataError, match="'store' has no test pairs"):
        task.metrics(z, "test")
    with pytest.raises(UsageError, match="part 'forgotten' needs the deletion; give gone="):
        task.metrics(z, "forgotten")
    with pytest.raises(UsageError, match=r"'ks' must list lengths of at least 1, as \(10, 20\); got \(3, 0\)"):
        Recommendation(store).metrics(z, "test", ks=(3, 0))
    with pytest.raises(UsageError, match="'part' must be train, valid, test or forgotten; got 'all'"):
        task.metrics(z, "all")
    empty = Recommendation(replace(store, test=store.test.__class__(0 * store.test.indptr, *empty_rows(store))))
    with pytest.raises(DataError, match="no user has pairs in the test part"):
        empty.metrics(z, "test")


def empty_rows(store) -> tuple:
    """Return what a CSR of no pairs holds."""
    return store.test.indices[:0], store.test.values[:0], store.test.n_cols


def test_how_long_lists_are(store):
    assert list_length(store, (10, 20), "standard", "min_mk") == 20
    assert list_length(store, (10, 20), "kgat", "m") == 100 and list_length(store, (200,), "kgat", "m") == 200
    assert list_length(store, (3,), "standard", "full") == N_ITEMS
    large = Interactions.build(20_000, 20_000, [[0], [0]])
    with pytest.raises(UsageError, match="map_at='full' ranks all 20,000 items for each of 20,000 users.*use map_at"):
        list_length(large, (3,), "standard", "full")
