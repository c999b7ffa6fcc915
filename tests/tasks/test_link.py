"""Link prediction: split, negatives, items, forgotten AUC."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.tasks.link import LinkPrediction
from graphforget.unlearning.sampling import sample_deletion


@pytest.fixture(scope="module")
def task(graph):
    """The link task with seed 42: 6 edges in validation and in test, 118 to train on."""
    return LinkPrediction(graph, seed=42)


def pairs(edges) -> set[tuple[int, int]]:
    """Return undirected pairs as a set."""
    return {(min(u, v), max(u, v)) for u, v in np.asarray(edges).T.tolist()}


def embeddings(n: int, width: int = 5, seed: int = 0) -> torch.Tensor:
    """Return random embeddings."""
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", [42, 21, 13, 87, 100])
def test_the_split_is_one_permutation_of_the_sorted_edges(graph, seed):
    task = LinkPrediction(graph, seed=seed)
    order = torch.randperm(graph.n_edges, generator=torch.Generator().manual_seed(seed)).numpy()
    torch.manual_seed(seed)
    assert np.array_equal(order, torch.randperm(graph.n_edges).numpy())  # as after seed_everything
    edges = np.array(sorted(graph.edges.T.tolist())).T
    assert np.array_equal(task.split.test, edges[:, order[:6]])
    assert np.array_equal(task.split.val, edges[:, order[6:12]])
    assert pairs(task.graph.edges) == pairs(edges[:, order[12:]])
    assert np.array_equal(task.graph.edges, edges[:, np.sort(order[12:])])


def test_a_split_that_is_known_is_taken_and_nothing_is_drawn(graph, task):
    again = LinkPrediction(graph, 7, task.split)
    assert again.split is task.split and np.array_equal(again.graph.edges, task.graph.edges)
    with pytest.raises(DataError, match=r"has no edge \(.*which the split holds out"):
        LinkPrediction(task.graph, 7, task.split)


def test_planetoid_graphs_number_their_edges_by_column(random_attributed_graph):
    """As torch_geometric, whose numbering the published pools need, reads those files."""
    graph = random_attributed_graph(column_order=True)
    task = LinkPrediction(graph, seed=42)
    order = torch.randperm(graph.n_edges, generator=torch.Generator().manual_seed(42)).numpy()
    edges = np.array(sorted(graph.edges.T.tolist(), key=lambda edge: edge[::-1])).T
    assert np.array_equal(task.split.test, edges[:, order[:6]])
    assert pairs(task.graph.edges) == pairs(edges[:, order[12:]])


def test_the_held_out_count_is_rounded_down(random_attributed_graph):
    for n_edges, held in ((99, 4), (100, 5), (119, 5), (120, 6)):
        task = LinkPrediction(random_attributed_graph(n_edges=n_edges))
        assert (task.split.test.shape[1], task.split.val.shape[1], task.graph.n_edges) == (
            held,
            held,
            n_edges - 2 * held,
        )


def test_features_are_row_normalised(graph, task):
    assert np.allclose(task.graph.features.sum(axis=1), 1.0, atol=1e-6)
    assert LinkPrediction(graph, normalise=False).graph.features is graph.features


def test_published_data_get_the_published_protocol_and_others_the_sound_one(random_attributed_graph):
    ours, published = (LinkPrediction(random_attributed_graph(benchmark=flag)) for flag in (False, True))
    assert (ours.hop, ours.negatives) == ("undirected", "strict")
    assert (published.hop, published.negatives) == ("directed_compat", "released")
    assert "undirected" in repr(ours) and "released negatives" in repr(published)


def test_strict_negatives_are_no_edge_of_the_graph(graph):
    task = LinkPrediction(graph, negatives="strict")
    for negatives, positives in (
        (task.split.val_negatives, task.split.val),
        (task.split.test_negatives, task.split.test),
    ):
        assert negatives.shape == positives.shape
        assert not pairs(negatives) & pairs(graph.edges)
        assert (negatives[0] != negatives[1]).all()


def test_released_negatives_exclude_their_own_positives_only(random_attributed_graph):
    """In a dense graph most of them are edges of other parts."""
    graph = random_attributed_graph(n=20, n_edges=150)
    split = LinkPrediction(graph, negatives="released").split
    assert not pairs(split.test_negatives) & pairs(split.test)
    assert not pairs(split.val_negatives) & pairs(split.val)
    assert pairs(split.test_negatives) & pairs(graph.edges)


def test_the_stored_negatives_are_drawn_once_per_seed(graph, task):
    again, other = LinkPrediction(graph, seed=42), LinkPrediction(graph, seed=43)
    assert np.array_equal(task.split.test_negatives, again.split.test_negatives)
    assert not np.array_equal(task.split.test_negatives, other.split.test_negatives)
    assert not np.array_equal(task.split.test_negatives, task.split.val_negatives)


def test_the_training_loss_is_the_mean_over_both_directions_and_as_many_negatives(task):
    stream, z = Streams(0)("negatives", epoch=0), embeddings(40)
    items = task.training_items(stream)
    edges, negatives = ((np.stack([part.u, part.v])) for part in items.pairs)
    assert pairs(edges) == pairs(task.graph.edges)
    assert negatives.shape == (2, 2 * task.graph.n_edges)
    assert not pairs(negatives) & pairs(task.graph.edges)
    both = np.concatenate([edges, edges[::-1], negatives], axis=1)
    scores = (z[both[0]] * z[both[1]]).sum(1).double()
    targets = (torch.arange(both.shape[1]) < 2 * edges.shape[1]).double()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(scores, targets)
    assert float(task.objective(z, stream)) == pytest.approx(float(expected), rel=1e-6)


def test_training_negatives_are_fresh_in_every_epoch(task):
    drawn = [task.training_items(Streams(0)("negatives", epoch=e)).pairs[1].u.tobytes() for e in (0, 1, 0)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_the_metrics_are_those_of_sklearn(task):
    z = embeddings(40)
    split = task.split
    scores = np.concatenate([task.scores(z, split.test), task.scores(z, split.test_negatives)])
    assert task.test_auc(z) == pytest.approx(roc_auc_score([1] * 6 + [0] * 6, scores))
    scores = np.concatenate([task.scores(z, split.val), task.scores(z, split.val_negatives)])
    assert task.validate(z)["val_auc"] == pytest.approx(roc_auc_score([1] * 6 + [0] * 6, scores))


def test_scores_are_inner_products(task):
    z = embeddings(40)
    assert np.allclose(task.scores(z, np.array([[3, 5], [4, 39]])), [float(z[3] @ z[4]), float(z[5] @ z[39])])


def test_the_released_criterion_applies_the_loss_to_probabilities(task):
    z = embeddings(40)
    both = np.concatenate([task.split.val, task.split.val_negatives], axis=1)
    probability = torch.sigmoid((z[both[0]] * z[both[1]]).sum(1).double())
    targets = torch.cat([torch.ones(6), torch.zeros(6)]).double()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(probability, targets)
    assert task.validate(z)["val_loss_released"] == pytest.approx(-float(loss), rel=1e-6)


def slow_forgotten_auc(z, gone_pairs, pool_pairs, draws, seed) -> float:
    """Return the mean of sklearn's AUC over draws of as many retained pairs (label 1) as forgotten ones (label 0)."""
    gone, pool = ((z.numpy()[u] * z.numpy()[v]).sum(1) for u, v in (gone_pairs, pool_pairs))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        chosen = rng.choice(len(pool), len(gone), replace=False)
        labels = np.concatenate([np.zeros(len(gone)), np.ones(len(gone))])
        found.append(roc_auc_score(labels, np.concatenate([gone, pool[chosen]])))
    return float(np.mean(found))


def test_forgotten_auc_is_the_mean_over_500_draws(task):
    z, gone = embeddings(40), task.resolve(sample_deletion(task, edges=20))
    retained = task.without(gone)
    slow = slow_forgotten_auc(z, gone.edges, retained.graph.edges, 500, seed=1)
    spread = np.std([slow_forgotten_auc(z, gone.edges, retained.graph.edges, 1, seed=s) for s in range(40)])
    assert retained.forgotten_auc(z, gone) == pytest.approx(slow, abs=6 * spread / 500**0.5)


def test_forgotten_auc_is_exact_when_the_pool_is_taken_whole(task):
    z, half = embeddings(40), task.graph.n_edges // 2
    gone = task.resolve(sample_deletion(task, edges=half))
    retained = task.without(gone)
    assert retained.graph.n_edges == half
    labels = np.concatenate([np.zeros(half), np.ones(half)])
    scores = np.concatenate([task.scores(z, gone.edges), task.scores(z, retained.graph.edges)])
    assert retained.forgotten_auc(z, gone) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_forgotten_auc_is_one_when_forgotten_edges_score_lowest(task):
    gone = task.resolve(Deletion(edges=[tuple(task.graph.edges[:, 0].tolist())]))
    u, v = gone.edges[:, 0]
    z = torch.ones(40, 2)
    z[u], z[v] = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert task.without(gone).forgotten_auc(z, gone) == 1.0


def test_forgotten_auc_needs_as_many_retained_as_forgotten_edges(task):
    gone = task.resolve(sample_deletion(task, edges=60))
    with pytest.raises(DataError, match="larger than the retained part"):
        task.without(gone).forgotten_auc(embeddings(40), gone)


def test_selection_on_the_reported_deletion_is_available_and_marked(task):
    z, gone = embeddings(40), task.resolve(sample_deletion(task, edges=10))
    retained = task.without(gone)
    found = retained.validate(z, gone)
    assert found["val_released"] == pytest.approx(found["val_auc"] + retained.forgotten_auc(z, gone))
    assert "val_released" not in retained.validate(z)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hop": "both"}, "'hop' must be one of directed_compat, undirected; got 'both'"),
        ({"negatives": "none"}, "'negatives' must be one of"),
        ({"pool_anchor": "train"}, "'pool_anchor' must be one of"),
    ],
)
def test_a_wrong_option_is_a_sentence(graph, changes, words):
    with pytest.raises(UsageError, match=words):
        LinkPrediction(graph, **changes)


def test_graphs_it_cannot_serve(random_attributed_graph):
    with pytest.raises(DataError, match="no node features"):
        LinkPrediction(random_attributed_graph().with_features(None))
    with pytest.raises(DataError, match="too few"):
        LinkPrediction(random_attributed_graph(n=8, n_edges=10))
    complete = Graph.build(7, np.stack(np.triu_indices(7, 1)), np.ones((7, 2), dtype=np.float32))
    with pytest.raises(DataError, match="complete"):
        LinkPrediction(complete, holdout=0.1)


def test_directed_compat_walks_from_a_node_to_its_lower_neighbours_only():
    """On a path 0 - 1 - ... - 9: two steps down, or two steps both ways."""
    path = Graph.build(10, np.array([range(9), range(1, 10)]), np.ones((10, 1), dtype=np.float32))
    for hop, one, two in (
        ("directed_compat", {3, 4, 5}, {2, 3, 4, 5}),
        ("undirected", {3, 4, 5, 6}, {2, 3, 4, 5, 6, 7}),
    ):
        task = LinkPrediction(path, hop=hop, holdout=0.12)
        task.graph = path
        gone = task.resolve(Deletion(edges=[(4, 5)]))
        assert set(np.flatnonzero(task.affected(gone, 1)).tolist()) == one
        assert set(np.flatnonzero(task.affected(gone, 2)).tolist()) == two
        assert pairs(task.affected_edges(gone, 2)) == {(i, i + 1) for i in two if i + 1 in two}


@pytest.mark.parametrize("kind", ["nodes", "features"])
def test_deletions_of_nodes_and_features_walk_the_undirected_graph(kind):
    path = Graph.build(10, np.array([range(9), range(1, 10)]), np.ones((10, 1), dtype=np.float32))
    task = LinkPrediction(path, hop="directed_compat", holdout=0.12)
    task.graph = path
    reached = np.flatnonzero(task.affected(task.resolve(Deletion(**{kind: [4]})), 2)).tolist()
    assert reached == ([1, 2, 3, 4, 5, 6, 7] if kind == "nodes" else [2, 3, 4, 5, 6])


def test_scrambled_holds_non_edges_only(task):
    other = task.scrambled(Streams(1)("scrambled"))
    assert 0 < other.graph.n_edges <= task.graph.n_edges
    assert not pairs(other.graph.edges) & pairs(task.graph.edges)
    assert (other.graph.edges[0] < other.graph.edges[1]).all()


def test_the_neighbourhood_can_be_walked_another_way_than_the_pools():
    path = Graph.build(6, np.array([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]]), features=np.eye(6), benchmark=True)
    task = LinkPrediction(path, holdout=0.2)
    task.graph = path
    gone = task.resolve(Deletion(edges=[(2, 3)]))
    assert np.flatnonzero(task.affected(gone, 1, "undirected")).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(task.affected(gone, 1)).tolist() == [1, 2, 3]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_divergence_is_the_kl_of_the_edge_probabilities(task, temperature):
    teacher, student = torch.tensor([0.3, -2.0, 4.0, 1.5]), torch.tensor([1.0, 0.0, -3.0, 1.5])
    p, q = (torch.sigmoid(x.double() / temperature) for x in (teacher, student))
    expected = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    torch.testing.assert_close(task.divergence(teacher, student, temperature).double(), expected, atol=1e-6, rtol=1e-5)


def test_a_student_that_is_sure_of_the_wrong_thing_learns(task):
    student = torch.tensor([60.0, -60.0], requires_grad=True)
    task.divergence(torch.tensor([-60.0, 60.0]), student).sum().backward()
    torch.testing.assert_close(student.grad, torch.tensor([1.0, -1.0]))


def test_a_holdout_that_is_a_whole_number_of_edges_is_that_number(random_attributed_graph):
    """In floats 0.29 * 200 is 57.99999999999999."""
    task = LinkPrediction(random_attributed_graph(n=60, n_edges=200), holdout=0.29)
    n_edges = task.graph.n_edges + task.split.held_out.shape[1]
    assert (n_edges, task.split.val.shape[1], task.split.test.shape[1]) == (200, 58, 58)
