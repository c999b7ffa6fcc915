import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, DivergedError, UsageError
from graphforget.kernels import topk as module
from graphforget.kernels.csr import edges_to_csr
from graphforget.kernels.score_tile import LANES, ROWS
from graphforget.kernels.topk import top_items

PRUNE = [True, False, "auto"]


def empty_mask(n, m):
    return edges_to_csr(np.empty(0, int), np.empty(0, int), n, m)


def ranked(users, items, hidden, k):
    """The oracle: sort all scores in float64, ties to the lower item."""
    scores = np.where(hidden, -np.inf, users.astype(np.float64) @ items.astype(np.float64).T)
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, ids, 1)
    pad = ((0, 0), (0, k - ids.shape[1]))
    ids, best = np.pad(ids, pad), np.pad(best, pad, constant_values=-np.inf)
    return np.where(best == -np.inf, -1, ids), best


@pytest.mark.parametrize("prune", PRUNE)
@pytest.mark.parametrize("seed", range(12))
def test_is_the_sorted_list_with_ties_to_the_lower_item(seed, prune):
    """Whole numbers: scores are exact, and most of them tie."""
    rng = np.random.default_rng(seed)
    n, m, d, k = (int(rng.integers(1, top)) for top in (70, 300, 20, 60))
    users, items = (rng.integers(-3, 4, (rows, d)).astype(np.float32) for rows in (n, m))
    hidden = rng.random((n, m)) < rng.choice([0.0, 0.1, 0.95])
    candidates = rng.random(m) < 0.7 if seed % 2 else None
    mask = edges_to_csr(*np.nonzero(hidden), n, m)
    ids, scores = top_items(users, items, [mask], k, candidates, prune)
    expected = ranked(users, items, hidden if candidates is None else hidden | ~candidates, k)
    assert ids.dtype == np.int32 and scores.dtype == np.float32
    assert np.array_equal(ids, expected[0])
    assert np.array_equal(scores, expected[1])


@pytest.mark.parametrize("prune", PRUNE)
def test_scores_that_are_rounded_up_from_below_the_smallest_number_tie(prune):
    """All products lie between 0.6 and 1.4 times the least float32: they score the same, whatever their norms."""
    items = (np.linspace(0.6, 1.4, 5 * LANES) * 2.0**-75).astype(np.float32)[:, None]
    ids, scores = top_items(np.full((3, 1), 2.0**-74, np.float32), items, [], 4, prune=prune)
    assert ids.tolist() == [[0, 1, 2, 3]] * 3 and np.unique(scores).tolist() == [2.0**-149]


@pytest.mark.parametrize("prune", PRUNE)
def test_every_mask_counts(prune):
    rng = np.random.default_rng(0)
    users, items = (rng.integers(-3, 4, (rows, 5)).astype(np.float32) for rows in (30, 90))
    hidden = rng.random((3, 30, 90)) < 0.2
    hidden[1, 4] = True
    mask = [edges_to_csr(*np.nonzero(part), 30, 90) for part in hidden]
    ids, _ = top_items(users, items, mask, 10, prune=prune)
    assert (ids[4] == -1).all()
    assert np.array_equal(ids, ranked(users, items, hidden.any(axis=0), 10)[0])


def falling(n, m, d, seed=0):
    """Vectors with a common direction and items of very different norms: what pruning is for."""
    rng = np.random.default_rng(seed)
    users = 1 + 0.3 * rng.normal(size=(n, d))
    items = (1 + 0.3 * rng.normal(size=(m, d))) * rng.pareto(1.0, (m, 1))
    return users.astype(np.float32), items.astype(np.float32)


def test_agrees_with_torch_and_prunes():
    users, items = falling(700, 5000, 24)
    ids, scores = top_items(users, items, [], 20, prune=True)
    exact = torch.from_numpy(users).double() @ torch.from_numpy(items).double().T
    expected = torch.topk(exact, 20)
    assert torch.equal(torch.from_numpy(ids).long(), expected.indices)
    assert np.allclose(scores, expected.values, rtol=1e-5)


def tiles(users, items, prune, monkeypatch):
    counted, rank = [], module._rank
    monkeypatch.setattr(module, "_rank", lambda *values: counted.append(rank(*values)) or counted[-1])
    top_items(users, items, [], 20, prune=prune)
    return sum(counted)


def test_pruning_leaves_out_scores_only_where_it_can(monkeypatch):
    every = -(-1200 // ROWS) * -(-3000 // LANES)
    assert tiles(*falling(1200, 3000, 24), False, monkeypatch) == every
    assert tiles(*falling(1200, 3000, 24), True, monkeypatch) < every / 4
    assert tiles(*falling(1200, 3000, 24), "auto", monkeypatch) < every / 4
    even = tuple(np.ones((rows, 8), np.float32) for rows in (1200, 3000))
    assert tiles(*even, True, monkeypatch) == every
    assert tiles(*even, "auto", monkeypatch) == every


@pytest.mark.parametrize("d", [1, 7, 64, 200])
def test_pruning_and_neighbours_change_no_bit(d):
    rng = np.random.default_rng(d)
    users, items = (rng.normal(size=(rows, d)).astype(np.float32) for rows in (45, 333))
    mask = edges_to_csr(*np.nonzero(rng.random((45, 333)) < 0.1), 45, 333)
    plain, pruned = (top_items(users, items, [mask], 30, prune=prune) for prune in (False, True))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(plain, pruned, strict=True))
    for user in (0, 13, 44):
        own = mask._replace(
            indptr=mask.indptr[user : user + 2] - mask.indptr[user],
            indices=mask.indices[mask.indptr[user] : mask.indptr[user + 1]],
        )
        alone = top_items(users[user : user + 1], items, [own], 30)
        assert all(a.tobytes() == b[user].tobytes() for a, b in zip(alone, plain, strict=True))


def test_equal_items_tie_wherever_they_stand():
    rng = np.random.default_rng(3)
    users, items = (rng.normal(size=(rows, 33)).astype(np.float32) for rows in (9, 40))
    twice = np.concatenate([items, items[::-1], items])
    ids, scores = top_items(users, twice, [], 120)
    assert (scores.reshape(9, 40, 3) == scores.reshape(9, 40, 3)[:, :, :1]).all()
    assert (np.diff(ids.reshape(9, 40, 3), axis=2) > 0).all()


@pytest.mark.parametrize("prune", PRUNE)
def test_dead_vectors_rank_by_number(prune):
    users, items = np.zeros((20, 6), np.float32), np.ones((200, 6), np.float32)
    mask = edges_to_csr(np.arange(20), np.zeros(20, int), 20, 200)
    ids, scores = top_items(users, items, [mask], 5, prune=prune)
    assert (ids == [1, 2, 3, 4, 5]).all()
    assert (scores == 0).all()


def test_a_bound_that_only_rounding_breaks_does_not_prune():
    """Parallel vectors: |u| |i| is the score itself, and the later item, of the same norm, has the lower number."""
    u = np.float32(0.1) * np.arange(1, 65, dtype=np.float32)[None]
    items = np.repeat(u, 3 * LANES, axis=0)
    items[LANES:] = -items[LANES:]
    items[0], items[LANES + 1] = -items[0], -items[LANES + 1]
    ids, _ = top_items(u, items, [], LANES + 5, prune=True)
    assert np.array_equal(ids, top_items(u, items, [], LANES + 5, prune=False)[0])
    assert ids[0, :LANES].tolist() == [*range(1, LANES), LANES + 1]


def test_lists_longer_than_the_catalogue_end_with_nothing():
    ids, scores = top_items(np.ones((2, 1), np.float32), np.array([[1.0], [3.0]], np.float32), [], 4)
    assert ids.tolist() == [[1, 0, -1, -1]] * 2
    assert scores.tolist() == [[3.0, 1.0, -np.inf, -np.inf]] * 2


def test_whole_catalogues_and_none():
    rng = np.random.default_rng(1)
    users, items = (rng.integers(-9, 9, (rows, 3)).astype(np.float32) for rows in (4, 150))
    assert np.array_equal(top_items(users, items, [], 150)[0], ranked(users, items, np.zeros((4, 150), bool), 150)[0])
    assert (top_items(users, items, [], 3, np.zeros(150, bool))[0] == -1).all()
    assert top_items(users[:0], items, [empty_mask(0, 150)], 3)[0].shape == (0, 3)


@pytest.mark.parametrize("prune", PRUNE)
def test_does_not_depend_on_the_threads(prune, same_for_any_threads):
    users, items = falling(900, 1500, 17)
    assert same_for_any_threads(lambda: top_items(users, items, [empty_mask(900, 1500)], 20, prune=prune)[0])
    assert same_for_any_threads(lambda: top_items(users, items, [], 20, prune=prune)[1])


def test_inputs_are_not_changed_and_may_be_strided():
    users, items = falling(20, 60, 10)
    copies = users.copy(), items.copy()
    strided = top_items(np.asfortranarray(users), np.repeat(items, 2, axis=0)[::2], [], 5)
    assert np.array_equal(strided[0], top_items(users, items, [], 5)[0])
    assert np.array_equal(users, copies[0]) and np.array_equal(items, copies[1])


def test_bad_arguments_are_refused():
    users, items = falling(5, 8, 3)
    with pytest.raises(UsageError, match="'k' must be at least 1"):
        top_items(users, items, [], 0)
    with pytest.raises(UsageError, match="got 3 and 'always'"):
        top_items(users, items, [], 3, prune="always")
    with pytest.raises(DataError, match="matrices of one width"):
        top_items(users[:, :2], items, [], 3)
    with pytest.raises(DataError, match="boolean mask of the 8 items"):
        top_items(users, items, [], 3, np.arange(8))
    for shape in ((4, 8), (5, 9)):
        with pytest.raises(DataError, match="must be 5 users by 8 items"):
            top_items(users, items, [empty_mask(*shape)], 3)


def test_diverged_embeddings_are_refused():
    users, items = falling(5, 8, 3)
    for value in (np.nan, np.inf):
        broken = items.copy()
        broken[3, 1] = value
        with pytest.raises(DivergedError, match="the items' vectors hold infinite or NaN"):
            top_items(users, broken, [], 3)
    with pytest.raises(DivergedError, match="leave the range of float32"):
        top_items(users * np.float32(1e20), items * np.float32(1e20), [], 3)
