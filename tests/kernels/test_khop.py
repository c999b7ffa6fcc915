import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.utils import k_hop_subgraph

from graphforget.kernels.csr import edges_to_csr, row_ids, symmetric_csr
from graphforget.kernels.khop import k_hop_nodes


def test_path():
    csr = symmetric_csr(np.arange(5), np.arange(1, 6), 6)
    assert np.flatnonzero(k_hop_nodes(csr, np.array([2]), 0)).tolist() == [2]
    assert np.flatnonzero(k_hop_nodes(csr, np.array([2]), 1)).tolist() == [1, 2, 3]
    assert np.flatnonzero(k_hop_nodes(csr, np.array([0, 5]), 1)).tolist() == [0, 1, 4, 5]
    assert k_hop_nodes(csr, np.array([0]), 99).all()


def test_one_step_goes_from_a_row_to_its_columns():
    csr = edges_to_csr(np.array([0, 1]), np.array([1, 2]), 3, 3)
    assert k_hop_nodes(csr, np.array([1]), 1).tolist() == [False, True, True]


def test_mask_and_ids_agree_and_the_mask_is_not_changed():
    csr = symmetric_csr(np.array([0, 1]), np.array([1, 2]), 4)
    mask = np.array([True, False, False, False])
    assert k_hop_nodes(csr, mask, 1).tolist() == k_hop_nodes(csr, np.array([0]), 1).tolist()
    assert mask.tolist() == [True, False, False, False]


def test_no_seeds_reach_nothing():
    csr = symmetric_csr(np.array([0]), np.array([1]), 2)
    assert not k_hop_nodes(csr, np.empty(0, np.int64), 3).any()


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_union_of_networkx_ego_graphs(k, random_graph):
    csr = random_graph(60, 70)
    graph = nx.Graph(list(zip(row_ids(csr).tolist(), csr.indices.tolist(), strict=True)))
    graph.add_nodes_from(range(60))
    seeds = np.array([3, 17, 44])
    wanted = set().union(*(nx.ego_graph(graph, seed, radius=k).nodes for seed in seeds.tolist()))
    assert set(np.flatnonzero(k_hop_nodes(csr, seeds, k)).tolist()) == wanted


@pytest.mark.parametrize("k", [1, 2])
def test_directed_rows_agree_with_pyg(k, random_csr):
    csr = random_csr(40, 40, 80)
    edges = torch.from_numpy(np.stack((row_ids(csr), csr.indices)).astype(np.int64))
    wanted = k_hop_subgraph([1, 2], k, edges, num_nodes=40, flow="target_to_source")[0]
    assert np.flatnonzero(k_hop_nodes(csr, np.array([1, 2]), k)).tolist() == wanted.tolist()
