"""Final embeddings plus a constant row for every node."""

from __future__ import annotations

import pytest
import torch

from graphforget._core.errors import DataError
from graphforget._core.streams import Streams
from graphforget.models.edited import under_operators
from graphforget.models.lightgcn import LightGCN
from graphforget.models.shifted import Shifted
from graphforget.models.zoo import save_model
from graphforget.training.model_folder import load_model


@pytest.fixture(scope="module")
def base(shop):
    """A LightGCN of the small shop."""
    return LightGCN(dim=4).initialised_for(shop, Streams(3)).frozen()


@pytest.fixture
def shift(shop):
    """A row for every node."""
    return torch.randn(shop.n_nodes, 4, generator=torch.Generator().manual_seed(1))


def test_answers_are_shifted_on_every_graph(shop, base, shift):
    model = Shifted(base, shift)
    for graph in (shop, shop.without(interactions=[0, 3])):
        torch.testing.assert_close(model.embed(graph), base.embed(graph) + shift)
    assert model.size() == pytest.approx(float(shift.norm()))
    assert model.flops(shop) == base.flops(shop) + shift.numel()


def test_the_base_is_a_frozen_copy_and_a_fresh_start_has_no_shift(base, shift, weights):
    before = weights(base)
    model = Shifted(base, shift)
    assert [key for key, value in model.named_parameters() if value.requires_grad] == ["shift"]
    with torch.no_grad():
        model.base.users += 1
    assert weights(base) == before
    assert under_operators(model) is model.base and isinstance(model.fresh(Streams(1)), LightGCN)


def test_it_survives_a_folder(shop, base, shift, tmp_path):
    model = Shifted(Shifted(base, shift), 2 * shift)
    save_model(model, tmp_path / "m")
    assert load_model(tmp_path / "m").embed(shop).equal(model.embed(shop))


def test_other_data_is_refused(base, shift, shop):
    with pytest.raises(DataError, match="nodes"):
        Shifted(base, shift[:-1]).embed(shop)
