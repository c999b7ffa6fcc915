"""Any module with `forward(x, edge_index)` as a model: the user's own network, trained elsewhere."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.models.base import Hook, Model


class Adapter(Model[Graph]):
    """A user's module behind the interface of the zoo.

    Parameters
    ----------
    module: called as `module(x, edge_index)` with dense (n_nodes, F) features and (2, 2E) edges in both directions;
        returns (n_nodes, width). Features arrive row-normalised unless the task was made with `normalise=False`.
    layers: names of the submodules whose outputs are the layers, in order, "" being the module itself; by default all
        PyG `MessagePassing` modules in the order they were registered. Hooks (GNNDelete) act on their outputs.

    Deviation: PyG's scatter-based layers add in edge order on one thread here, so results are repeatable but slower
    than the zoo's. A module with dropout is deterministic only in evaluation mode.
    """

    name = "adapter"

    def __init__(self, module: nn.Module, layers: Sequence[str] | None = None) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise UsageError(f"Adapter: a torch.nn.Module is expected; got {type(module).__name__}.")
        if isinstance(module, Model):
            raise UsageError(f"Adapter: {type(module).__name__} is a model of the zoo already; use it as it is.")
        _refuse_caches(module)
        self.module = module
        self.layer_names = list(layers) if layers is not None else _message_passing(module)
        known = dict(module.named_modules())
        missing = [name for name in self.layer_names if name not in known]
        if missing or not self.layer_names:
            names = ", ".join([*(name for name in known if name), "'' (itself)"])
            raise UsageError(
                f"Adapter: {type(module).__name__} has no submodule {missing or 'of type MessagePassing'}; "
                f"name its layers, of {names}, in layers=[...]."
            )

    def layers(self, graph: Graph, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the outputs of the named layers, and the module's own output as the last."""
        found: list[Tensor] = []

        def through(number: int) -> Callable[[nn.Module, tuple, Tensor], Tensor]:
            def replace(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
                del module, inputs  # the output is all that counts
                h = first if number == 1 and first is not None else output
                found.append(hook(number, h) if hook else h)
                return found[-1]

            return replace

        modules = dict(self.module.named_modules())
        handles = [
            modules[name].register_forward_hook(through(number)) for number, name in enumerate(self.layer_names, 1)
        ]
        try:
            found_last = self.module(*pyg_inputs(graph, next(self.module.parameters()).device))
        finally:
            for handle in handles:
                handle.remove()
        if len(found) != len(self.layer_names):
            raise UsageError(f"Adapter: {len(self.layer_names)} layers are named, but {len(found)} were called.")
        if hook and found_last is not found[-1]:
            raise UnsupportedError(
                f"Adapter: {type(self.module).__name__} goes on after its layer '{self.layer_names[-1]}', so an "
                "operator behind that layer would not act on what the module returns. Return that layer's output "
                "as it is, or name the last submodule in 'layers'."
            )
        return [*found[:-1], found_last]

    def fresh(self, streams: Streams) -> Self:
        """Return a copy whose submodules were reset through their `reset_parameters`."""
        model = copy.deepcopy(self)
        before = torch.random.get_rng_state()
        try:
            torch.random.set_rng_state(streams("init").torch().get_state())
            _reset(model.module)
        finally:
            torch.random.set_rng_state(before)
        return model.requires_grad_(True)

    def flops(self, graph: Graph) -> int:
        """Refuse: the operations of a foreign module are not known."""
        raise UnsupportedError("The operations of an adapted module are not known; FLOPs are counted for the zoo only.")


def _refuse_caches(module: nn.Module) -> None:
    """Raise UnsupportedError for layers that keep the first adjacency they see: a deletion would never reach them."""
    cached = [name for name, child in module.named_modules() if getattr(child, "cached", False) is True]
    if cached:
        raise UnsupportedError(
            f"Adapter: {type(module).__name__} caches the adjacency in {', '.join(cached)}, so deleted edges would "
            "stay in use. Build these layers with cached=False."
        )


def _message_passing(module: nn.Module) -> list[str]:
    from torch_geometric.nn import MessagePassing

    return [name for name, child in module.named_modules() if isinstance(child, MessagePassing)]


def _reset(module: nn.Module) -> None:
    """Reset `module` if it can, else its children; a module with parameters of its own must know how."""
    reset = getattr(module, "reset_parameters", None)
    if reset is not None:
        reset()
        return
    own = [name for name, _ in module.named_parameters(recurse=False)]
    if own:
        raise UnsupportedError(
            f"{type(module).__name__} has parameters {', '.join(own)} but no reset_parameters(); "
            "add that method, so that gold models can start from fresh weights."
        )
    for child in module.children():
        _reset(child)


def pyg_inputs(graph: Graph, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return dense features and both directions of every edge as tensors."""
    return graph.memo(f"pyg-{device}", lambda: _pyg_inputs(graph, device))


def _pyg_inputs(graph: Graph, device: torch.device) -> tuple[Tensor, Tensor]:
    found = graph.features
    assert found is not None
    x = found if isinstance(found, np.ndarray) else found.toarray()
    rows = np.repeat(np.arange(graph.n_nodes), graph.degrees)
    edge_index = np.stack([graph.csr.indices.astype(np.int64), rows])
    return torch.from_numpy(np.array(x)).to(device), torch.from_numpy(edge_index).to(device)
