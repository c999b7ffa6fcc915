import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, P, R, Success, nDCG

from graphforget._core.errors import DataError, UsageError
from graphforget.data.formats.adjacency_list import read_lists
from graphforget.kernels.csr import edges_to_csr
from graphforget.kernels.ranked_metrics import MEASURES, NDCG, ranking_metrics, user_metrics
from graphforget.kernels.topk import top_items

KS = (1, 3, 10, 20)


def random_lists(seed, n_users=60, n_items=50, width=20):
    """Lists ranked by scores with many ties, some of them short or empty, and truths, some of them empty."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (n_users, n_items))
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :width]
    lengths = rng.choice([0, 1, 7, width, width], n_users)
    ids[np.arange(width) >= lengths[:, None]] = -1
    sizes = rng.choice([0, 1, 2, 5, 30], n_users)
    truth = [np.sort(rng.choice(n_items, size, replace=False)) for size in sizes]
    return ids, edges_to_csr(np.repeat(np.arange(n_users), sizes), np.concatenate(truth), n_users, n_items)


def rows(csr):
    return [csr.indices[a:b] for a, b in zip(csr.indptr[:-1], csr.indptr[1:], strict=True)]


def judged(ids, truth, measures, cut=None):
    """Means of ir-measures over the users with truth; ranks become strictly falling scores."""
    qrels = [ir_measures.Qrel(str(u), str(i), 1) for u, row in enumerate(rows(truth)) for i in row]
    run = [
        ir_measures.ScoredDoc(str(u), str(i), float(-j))
        for u, row in enumerate(ids)
        for j, i in enumerate(row[:cut])
        if i >= 0
    ]
    return ir_measures.calc_aggregate(measures, qrels, run)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_ir_measures(seed):
    ids, truth = random_lists(seed)
    found = ranking_metrics(ids, truth, KS, map_at="m")
    for k in KS:
        others = {"recall": R @ k, "precision": P @ k, "hit": Success @ k, "ndcg": nDCG @ k, "map": AP @ k}
        expected = judged(ids, truth, others.values())
        for name, measure in others.items():
            assert found[f"{name}@{k}"] == pytest.approx(expected[measure], abs=1e-9)
        assert found[f"mrr@{k}"] == pytest.approx(judged(ids, truth, [RR], cut=k)[RR], abs=1e-9)


def test_the_full_map_is_the_average_precision_of_the_whole_list():
    ids, truth = random_lists(9)
    found = ranking_metrics(ids, truth, (1, 5), map_at="full")
    assert found["map@1"] == found["map@5"] == pytest.approx(judged(ids, truth, [AP])[AP], abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_map_over_the_smaller_of_m_and_k(seed):
    ids, truth = random_lists(seed)
    users, by_m = user_metrics(ids, truth, KS, map_at="m")
    measures = user_metrics(ids, truth, KS)[1]
    m = np.diff(truth.indptr)[users]
    for k in KS:
        assert np.allclose(measures[f"map@{k}"], by_m[f"map@{k}"] * m / np.minimum(m, k), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("ndcg", "m", "width", "expected"),
    [
        ("kgat", 2, 100, 0.2641),
        ("kgat", 40, 100, 0.2641),
        ("kgat", 2, 20, 0.4307),
        ("standard", 2, 100, 0.2641),
        ("standard", 10, 100, 0.0948),
        ("standard", 40, 100, 0.0612),
        ("full_truth", 40, 100, 0.0388),
    ],
)
def test_conventions_of_ndcg(ndcg, m, width, expected):
    """Hits at ranks 4 and 61 of 100: what each code in use would report at 20."""
    chosen = np.concatenate([[3, 60], np.arange(100, 98 + m)])
    truth = edges_to_csr(np.zeros(m, int), chosen, 1, 200)
    found = ranking_metrics(np.arange(100)[None, :width], truth, [20], ndcg=ndcg)
    assert found["ndcg@20"] == pytest.approx(expected, abs=5e-5)


def test_kgats_ideal_list_ends_at_k():
    """All three hits of a list of four stand behind a miss; an ideal list of one or two holds no more than that."""
    truth = edges_to_csr(np.zeros(3, int), np.array([1, 2, 3]), 1, 5)
    found = ranking_metrics(np.array([[0, 1, 2, 3]]), truth, [1, 2, 4], ndcg="kgat")
    gain = 1 / np.log2(np.arange(2, 6))
    expected = [0.0, gain[1] / gain[:2].sum(), gain[1:].sum() / gain[:3].sum()]
    assert [found[f"ndcg@{k}"] for k in (1, 2, 4)] == pytest.approx(expected)


def test_the_ideal_list_of_the_full_truth_may_be_longer_than_the_lists():
    truth = edges_to_csr(np.zeros(6, int), np.arange(6), 1, 9)
    gain = 1 / np.log2(np.arange(2, 8))
    found = ranking_metrics(np.array([[5, 8]]), truth, [2], ndcg="full_truth")
    assert found["ndcg@2"] == pytest.approx(gain[0] / gain.sum())


def test_small_lists_by_hand():
    truth = edges_to_csr(np.array([0, 0, 0, 2]), np.array([1, 4, 5, 0]), 3, 8)
    ids = np.array([[7, 4, 1, -1], [0, 1, 2, 3], [1, 2, 3, 4]])
    users, found = user_metrics(ids, truth, [2, 4])
    assert users.tolist() == [0, 2]
    assert found["recall@4"].tolist() == [2 / 3, 0]
    assert found["precision@4"].tolist() == [0.5, 0]
    assert found["hit@2"].tolist() == [1, 0]
    assert found["mrr@4"].tolist() == [0.5, 0]
    assert found["map@2"].tolist() == [0.25, 0]
    assert found["map@4"] == pytest.approx([(1 / 2 + 2 / 3) / 3, 0])
    assert found["ndcg@2"] == pytest.approx([(1 / np.log2(3)) / (1 + 1 / np.log2(3)), 0])
    means = ranking_metrics(ids, truth, [2, 4], n_items=10)
    assert means["recall@4"] == pytest.approx(1 / 3)
    assert means["coverage@2"] == pytest.approx(4 / 10)  # 7, 4 and 1, 2: user 1 has no truth
    assert means["coverage@4"] == pytest.approx(5 / 10)
    assert ranking_metrics(ids, truth, [4])["coverage@4"] == pytest.approx(5 / 8)


def test_a_perfect_list_scores_one():
    truth = edges_to_csr(np.repeat(np.arange(3), 4), np.tile([1, 3, 5, 7], 3), 3, 9)
    ids = np.tile([7, 1, 5, 3], (3, 1))
    for ndcg in NDCG:
        found = ranking_metrics(ids, truth, [4], ndcg=ndcg)
        assert [found[f"{name}@4"] for name in MEASURES] == [1.0] * 6


def test_cutoffs_come_out_in_order_whatever_their_order():
    ids, truth = random_lists(1)
    assert ranking_metrics(ids, truth, [10, 3, 3]) == ranking_metrics(ids, truth, [3, 10])


def test_a_cutoff_does_not_depend_on_the_other_cutoffs():
    ids, truth = random_lists(2)
    together = ranking_metrics(ids, truth, KS)
    assert ranking_metrics(ids, truth, [3]) == {name: together[name] for name in together if name.endswith("@3")}


def test_does_not_depend_on_the_threads(same_for_any_threads):
    ids, truth = random_lists(3, n_users=2000)
    assert same_for_any_threads(lambda: np.stack(list(user_metrics(ids, truth, KS)[1].values())))


@pytest.mark.parametrize("options", [{"ndcg": "best"}, {"map_at": "k"}])
def test_an_unknown_convention_is_refused(options):
    ids, truth = random_lists(0)
    with pytest.raises(UsageError, match=f"must be one of .*; got '{next(iter(options.values()))}'"):
        ranking_metrics(ids, truth, KS, **options)


@pytest.mark.parametrize("ks", [[], [0], [21]])
def test_cutoffs_beyond_the_lists_are_refused(ks):
    ids, truth = random_lists(0)
    with pytest.raises(UsageError, match="'ks' must be from 1 to 20"):
        ranking_metrics(ids, truth, ks)


def test_arrays_that_do_not_fit_are_refused():
    ids, truth = random_lists(0)
    with pytest.raises(DataError, match="59 lists and 60 rows"):
        ranking_metrics(ids[:59], truth, [5])
    with pytest.raises(DataError, match="from 0 to 49, or -1"):
        ranking_metrics(ids + 1, truth, [5])
    nothing = edges_to_csr(np.empty(0, int), np.empty(0, int), 60, 50)
    with pytest.raises(DataError, match="none of the 60 users"):
        ranking_metrics(ids, nothing, [5])


POPULARITY = {
    "lightgcn/gowalla": (0.041631, 0.031690),
    "lightgcn/yelp2018": (0.012451, 0.010114),
    "lightgcn/ml-1m": (0.109538, 0.176721),
    "kgrec/amazon-book": (0.028741, 0.012273),
    "multimodal/tiktok": (0.059706, 0.025488),
}


@pytest.mark.parametrize("name", POPULARITY)
def test_popularity_rows_of_the_public_data(name, data_dir):
    """Items by training count, ties to the lower item, training items left out: numbers counted independently."""
    train, test = (read_lists(data_dir / name / f"{part}.txt")[0] for part in ("train", "test"))
    n_users, n_items = np.concatenate([train, test], axis=1).max(axis=1) + 1
    popularity = np.bincount(train[1], minlength=n_items).astype(np.float32)
    mask = edges_to_csr(*train, n_users, n_items)
    ids = top_items(np.ones((n_users, 1), np.float32), popularity[:, None], [mask], 20)[0]
    found = ranking_metrics(ids, edges_to_csr(*test, n_users, n_items), [20])
    assert (found["recall@20"], found["ndcg@20"]) == pytest.approx(POPULARITY[name], abs=1e-6)
