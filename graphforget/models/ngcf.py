"""Neural graph collaborative filtering."""

from __future__ import annotations

from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import mean_normalise, with_self_loops
from graphforget.kernels.dense import product
from graphforget.kernels.propagate import Sparse, propagate
from graphforget.models.base import Hook
from graphforget.models.mf import MF, with_entities
from graphforget.models.recommender import BIASES, first_bias, joined_units, layer_widths, xavier

SLOPE = 0.2


def looped_mean(data: Interactions) -> Sparse:
    """Return D^-1 (A + I) of the bipartite graph."""
    return data.memo("looped_mean", lambda: Sparse(mean_normalise(with_self_loops(data.csr))))


class NGCF(MF):
    """NGCF (Wang et al. 2019, arXiv 1905.08108), released code's `norm` adjacency.

        side = D^-1 (A + I) E,   E' = dropout( lrelu(side W1 + b1) + lrelu((E * side) W2 + b2) )

    The un-normalised E' feeds the next layer; the final embedding joins E with the row-normalised E' of every layer.

    Parameters
    ----------
    layers: widths of the layers, as text "64,64,64".
    dropout: share of entries of E' dropped while training.
    slope: of the leaky ReLU; 0.2 is TensorFlow's default, which the published numbers come from (torch's is 0.01);
        1 leaves the non-linearity out (NGCF-n of the LightGCN paper).
    bias_init: "xavier", as TensorFlow starts biases of shape (1, d), or "zeros".
    init, std: of the learned embeddings, see `MF`. loss, temperature, candidates: likewise.
    dim, reg, reg_form, reg_on, reg_per_batch: see `Recommender`.
    """

    name = "ngcf"
    published: ClassVar[dict[str, Any]] = {"lr": 1e-4, "batch": 1024, "epochs": 400}
    weights: nn.ParameterList
    biases: nn.ParameterList

    def __init__(
        self,
        dim: int = 64,
        layers: str = "64,64,64",
        reg: float = 1e-5,
        dropout: float = 0.1,
        slope: float = SLOPE,
        bias_init: str = "xavier",
        init: str = "xavier",
        std: float = 0.1,
        reg_form: str = "half_squared",
        reg_on: str = "final",
        reg_per_batch: bool = True,
        loss: str = "bpr",
        temperature: float = 0.2,
        candidates: int = 2048,
    ) -> None:
        super().__init__(dim, reg, init, std, reg_form, reg_on, reg_per_batch, loss, temperature, candidates)
        self.widths = layer_widths(self.name, layers)
        dropout = self.check_number("dropout", dropout, below=1)
        slope = self.check_number("slope", slope)
        self.check_choice("bias_init", bias_init, BIASES)
        self.dropout, self.slope, self.bias_init = dropout, slope, bias_init

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        widths = ",".join(map(str, self.widths))
        own = {"dropout": self.dropout, "slope": self.slope, "bias_init": self.bias_init}
        return {**super().config(), "layers": widths, **own}

    def build(self, streams: Streams) -> None:
        """Create tables, weights and biases."""
        super().build(streams)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        sizes = [self.dim, *self.widths]
        for layer, (wide, narrow) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            for part in (0, 1):
                generator = streams(f"init-transform-{layer}-{part}").torch()
                self.weights.append(xavier((wide, narrow), generator))
                self.biases.append(first_bias(self.bias_init, narrow, generator))

    def propagated(self, data: Interactions, hook: Hook) -> list[Tensor]:
        """Return E and the un-normalised E' of each layer."""
        found = [hook(1, with_entities(self, data))]
        for layer in range(len(self.widths)):
            h = found[-1]
            side = propagate(looped_mean(data), h)
            total = F.leaky_relu(self._linear(2 * layer, side), self.slope)
            total = total + F.leaky_relu(self._linear(2 * layer + 1, h * side), self.slope)
            found.append(hook(layer + 2, F.dropout(total, self.dropout, self.training)))
        return found

    def _linear(self, number: int, x: Tensor) -> Tensor:
        return product(x, self.weights[number]) + self.biases[number]

    def readout(self, layers: list[Tensor]) -> Tensor:
        """Return the first embeddings beside the row-normalised ones of every layer."""
        return joined_units(layers)

    def flops(self, graph: Interactions) -> int:
        """Return the operations of propagations and products with weights."""
        sizes = [self.dim, *self.widths]
        steps = zip(sizes[:-1], sizes[1:], strict=True)
        return sum(2 * w * (2 * graph.n_edges + graph.n_nodes) + 4 * graph.n_nodes * w * n for w, n in steps)
