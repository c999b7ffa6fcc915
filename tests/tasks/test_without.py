"""What a deletion means for each task, and that nothing of the deleted part is left behind."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.load import load
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification

NAMES = np.array([f"n{number:02d}" for number in range(40)])


@pytest.fixture(scope="module")
def graph(random_attributed_graph):
    """40 nodes called n00 to n39."""
    return random_attributed_graph(ids=NAMES)


@pytest.fixture(scope="module")
def link(graph):
    """The link task on it."""
    return LinkPrediction(graph, seed=1)


@pytest.fixture(scope="module")
def node(graph):
    """The node task on it."""
    return NodeClassification(graph, seed=1)


def named(edges) -> list[tuple[str, str]]:
    """Return edges in the user's ids."""
    return [(str(NAMES[u]), str(NAMES[v])) for u, v in np.asarray(edges).T]


def pairs(edges) -> set[tuple[int, int]]:
    """Return edges as a set of pairs."""
    return set(map(tuple, np.asarray(edges).T.tolist()))


def features(graph, nodes) -> np.ndarray:
    """Return dense feature rows."""
    return graph.features.toarray()[nodes]


def test_edges_of_a_link_task(link):
    chosen = link.graph.edges[:, [3, 50, 9]]
    gone = link.resolve(Deletion(edges=[pair[::-1] for pair in named(chosen)]))
    assert (gone.kind, gone.count) == ("edges", 3)
    assert pairs(gone.edges) == pairs(gone.items) == pairs(chosen)
    assert gone.held_out.shape == (2, 0) and not len(gone.nodes)
    retained = link.without(gone)
    assert pairs(retained.graph.edges) == pairs(link.graph.edges) - pairs(chosen)
    assert retained.split.test is link.split.test or np.array_equal(retained.split.test, link.split.test)
    assert (features(retained.graph, range(40)) == features(link.graph, range(40))).all()


def test_held_out_edges_leave_validation_and_test(link):
    chosen = np.concatenate([link.split.val[:, :2], link.split.test[:, :1], link.graph.edges[:, :1]], axis=1)
    gone = link.resolve(Deletion(edges=named(chosen)))
    assert pairs(gone.held_out) == pairs(chosen[:, :3]) and pairs(gone.edges) == pairs(chosen[:, 3:])
    retained = link.without(gone)
    assert pairs(retained.split.val) == pairs(link.split.val[:, 2:])
    assert pairs(retained.split.test) == pairs(link.split.test[:, 1:])
    assert "3 held-out edges" in gone.describe()


def test_nodes_of_a_link_task_take_their_edges_everywhere(link):
    gone = link.resolve(Deletion(nodes=["n03", "n17"]))
    assert gone.kind == "nodes" and gone.nodes.tolist() == [3, 17]
    incident = np.isin(link.graph.edges, [3, 17]).any(axis=0)
    assert pairs(gone.edges) == pairs(link.graph.edges[:, incident])
    retained = link.without(gone)
    assert not np.isin(retained.graph.edges, [3, 17]).any()
    assert not np.isin(retained.split.test, [3, 17]).any() and not np.isin(retained.split.val, [3, 17]).any()
    assert not features(retained.graph, [3, 17]).any()
    assert (retained.graph.labels[[3, 17]] == -1).all()


def test_features_of_a_link_task_keep_the_edges(link):
    gone = link.resolve(Deletion(features=["n05"]))
    assert gone.edges.shape[1] == 0 and gone.features.tolist() == [5]
    incident = link.graph.edges[:, (link.graph.edges == 5).any(axis=0)]
    assert pairs(gone.items) == pairs(incident)
    retained = link.without(gone)
    assert np.array_equal(retained.graph.edges, link.graph.edges)
    assert not features(retained.graph, [5]).any()
    others = np.delete(np.arange(40), 5)
    assert (features(retained.graph, others) == features(link.graph, others)).all()


def test_a_link_task_has_no_classes_to_delete(link):
    with pytest.raises(UsageError, match="NodeClassification"):
        link.resolve(Deletion(classes=[1]))


def test_edges_of_a_node_task(node):
    chosen = node.graph.edges[:, [3, 50]]
    gone = node.resolve(Deletion(edges=named(chosen)))
    assert pairs(gone.edges) == pairs(chosen)
    assert gone.items.tolist() == np.unique(chosen).tolist()
    retained = node.without(gone)
    assert pairs(retained.graph.edges) == pairs(node.graph.edges) - pairs(chosen)
    assert np.array_equal(retained.train_nodes, node.train_nodes)
    assert np.array_equal(retained.graph.labels, node.graph.labels)


def test_nodes_of_a_node_task_leave_the_loss_and_keep_their_rows(node):
    chosen = node.train_nodes[[0, 5]]
    gone = node.resolve(Deletion(nodes=NAMES[chosen].tolist()))
    assert gone.items.tolist() == chosen.tolist()
    retained = node.without(gone)
    assert retained.graph.n_nodes == 40 and not np.isin(retained.graph.edges, chosen).any()
    assert set(retained.train_nodes.tolist()) == set(node.train_nodes.tolist()) - set(chosen.tolist())
    assert (retained.labels[chosen] == -1).all() and not features(retained.graph, chosen).any()
    assert np.array_equal(retained.test_nodes, node.test_nodes)
    assert set(node.forgotten_items(gone).targets.tolist()) == set(node.labels[chosen].tolist())


def test_deleted_nodes_leave_validation_and_test_too(node):
    chosen = np.array([node.val_nodes[0], node.test_nodes[0]])
    retained = node.without(node.resolve(Deletion(nodes=NAMES[chosen].tolist())))
    assert not np.isin(retained.val_nodes, chosen).any() and not np.isin(retained.test_nodes, chosen).any()
    assert np.array_equal(retained.train_nodes, node.train_nodes)


def test_features_of_a_node_task(node):
    gone = node.resolve(Deletion(features=["n07", "n08"]))
    assert gone.items.tolist() == [7, 8] and gone.edges.shape[1] == 0
    retained = node.without(gone)
    assert np.array_equal(retained.graph.edges, node.graph.edges)
    assert np.array_equal(retained.graph.labels, node.graph.labels)
    assert np.array_equal(retained.train_nodes, node.train_nodes)
    assert not features(retained.graph, [7, 8]).any()


@pytest.mark.parametrize("mode", ["label", "entity"])
def test_a_class_in_both_modes(graph, mode):
    task = NodeClassification(graph, seed=1, class_mode=mode)
    members = task.train_nodes[task.labels[task.train_nodes] == 2]
    gone = task.resolve(Deletion(classes=["2"]))
    assert gone.items.tolist() == members.tolist() and gone.classes.tolist() == [2]
    retained = task.without(gone)
    assert not np.isin(retained.train_nodes, members).any()
    assert (graph.labels[retained.val_nodes] != 2).all()
    assert (retained.labels[members] == -1).all()
    assert np.array_equal(retained.test_nodes, task.test_nodes)  # its test nodes show what is forgotten
    assert retained.n_outputs == 3
    if mode == "label":
        assert np.array_equal(retained.graph.edges, task.graph.edges) and retained.graph.features is task.graph.features
    else:
        assert not np.isin(retained.graph.edges, members).any() and not features(retained.graph, members).any()


@pytest.mark.parametrize("kind", ["edges", "nodes", "features"])
@pytest.mark.parametrize("problem", ["link", "node"])
def test_nothing_derived_survives(request, problem, kind):
    """Fill every memo of the full graph first: none of them may reach the retained one."""
    task = request.getfixturevalue(problem)
    full = task.graph
    for value in (full.csr, full.degrees, full.normalised, full.feature_matrix, full.digest):
        assert value is not None
    ids = {"edges": named(full.edges[:, :2]), "nodes": ["n03"], "features": ["n03"]}
    gone = task.resolve(Deletion(**{kind: ids[kind]}))
    retained = task.without(gone).graph
    assert retained.digest != full.digest
    dense = np.zeros((40, 40))
    dense[retained.edges[0], retained.edges[1]] = dense[retained.edges[1], retained.edges[0]] = 1
    assert np.array_equal(np.diff(retained.csr.indptr), dense.sum(1)) and np.array_equal(retained.degrees, dense.sum(1))
    assert len(retained.feature_matrix.csr.values) == np.count_nonzero(retained.features.toarray())
    assert retained.ids is full.ids and retained.n_features == full.n_features


def test_ids_are_frozen(link):
    retained = link.without(link.resolve(Deletion(nodes=["n03"])))
    assert retained.graph.n_nodes == 40
    assert retained.graph.index_of(["n39", "n03"]).tolist() == [39, 3]
    assert named(retained.graph.edges[:, -1:]) == named(link.graph.edges[:, -1:])


def test_the_full_task_does_not_change(link, content):
    before = content(link)
    link.without(link.resolve(Deletion(nodes=["n03"])))
    assert content(link) == before


def test_two_deletions_in_a_row_equal_their_union(link, content):
    first, second = named(link.graph.edges[:, [1, 2]]), named(link.graph.edges[:, [2, 30]])[1:]
    once = link.without(link.resolve(Deletion(edges=first)))
    twice = once.without(once.resolve(Deletion(edges=second)))
    union = link.without(link.resolve(Deletion(edges=first + second)))
    assert content(twice) == content(union)


def test_training_items_leave_the_forgotten_out(link, node):
    stream = Streams(0)("negatives", epoch=0)
    gone = link.resolve(Deletion(features=["n05"]))
    positives = link.training_items(stream, gone).pairs[0]
    assert pairs(np.stack([positives.u, positives.v])) == pairs(link.graph.edges) - pairs(gone.items)
    chosen = node.train_nodes[:3]
    items = node.training_items(stream, node.resolve(Deletion(nodes=NAMES[chosen].tolist())))
    assert items.nodes.tolist() == node.train_nodes[3:].tolist()


@pytest.mark.parametrize(
    ("deletion", "words"),
    [
        (Deletion(nodes=["n99"]), "n99"),
        (Deletion(edges=[("n00", "n99")]), "n99"),
        (Deletion(features=["x"]), "'x'"),
    ],
)
def test_what_is_not_there_is_named(link, node, deletion, words):
    for task in (link, node):
        with pytest.raises(DataError, match=words):
            task.resolve(deletion)


def test_an_edge_that_is_not_there_is_named(link):
    u, v = next(
        (u, v)
        for u in range(40)
        for v in range(u + 1, 40)
        if not link.graph.csr.indices[link.graph.csr.indptr[u] : link.graph.csr.indptr[u + 1]].tolist().count(v)
        and (u, v) not in pairs(link.split.val) | pairs(link.split.test)
    )
    with pytest.raises(DataError, match=f"no edge between '{NAMES[u]}' and '{NAMES[v]}'"):
        link.resolve(Deletion(edges=named(np.array([[u], [v]]))))


def test_deleting_all_of_a_part_is_refused(link, node):
    with pytest.raises(DataError, match="nothing is left|names every"):
        link.without(link.resolve(Deletion(edges=named(link.graph.edges))))
    with pytest.raises(DataError, match="validation or all test"):
        link.without(link.resolve(Deletion(edges=named(link.split.val))))
    with pytest.raises(DataError, match="training node"):
        node.without(node.resolve(Deletion(nodes=NAMES[node.train_nodes].tolist())))


def test_negatives_of_deleted_nodes_leave_the_held_out_parts():
    task = LinkPrediction(load("sample-citations"), seed=1)
    nodes = np.unique(task.split.test_negatives)[:30]
    retained = task.without(task.resolve(Deletion(nodes=nodes.tolist())))
    assert np.isin(task.split.test_negatives, nodes).any()
    for part in (retained.split.val_negatives, retained.split.test_negatives):
        assert not np.isin(part, nodes).any()


def test_only_training_nodes_carry_a_label_among_the_forgotten():
    task = NodeClassification(load("sample-citations"), seed=1)
    ends = task.graph.edges[:, :40]
    gone = task.resolve(Deletion(edges=ends.T.tolist()))
    items = task.forgotten_items(gone)
    assert (items.targets.numpy() >= 0).tolist() == np.isin(gone.items, task.train_nodes).tolist()
