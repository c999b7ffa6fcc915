"""Any module with `forward(x, edge_index)` as a model: the user's own network, trained elsewhere."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.models.base import Hook, Model
from graphforget.models.reset import buffers_of, check_kept, refuse_old_weight_norm, reset


class Adapter(Model[Graph]):
    """A user's module behind the interface of the zoo.

    Parameters
    ----------
    module: called as `module(x, edge_index)` with dense (n_nodes, F) features and (2, 2E) edges in both directions;
        returns (n_nodes, width). Features arrive row-normalised unless the task was made with `normalise=False`.
    layers: names of the submodules whose (n_nodes, width) outputs are the layers, in the order they are called, each
        once, "" being the module itself; by default all PyG `MessagePassing` modules in the order they were registered.
        Hooks (GNNDelete) act on their outputs.

    Raises UsageError here for a module or names that do not fit, and in every pass for what the module then does with a
    graph: another order of its layers, an output of another shape.

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
        _refuse_layouts(module)
        _refuse_signature(module)
        self.module = module
        self._made, self._kept = buffers_of(module), dict[str, Tensor]()
        self.layer_names = list(layers) if layers is not None else _message_passing(module)
        known = dict(module.named_modules())
        missing = [name for name in self.layer_names if name not in known]
        if missing or not self.layer_names:
            names = ", ".join([*(name for name in known if name), "'' (itself)"])
            raise UsageError(
                f"Adapter: {type(module).__name__} has no submodule {missing or 'of type MessagePassing'}; "
                f"name its layers, of {names}, in layers=[...]."
            )
        if len(set(self.layer_names)) < len(self.layer_names):
            raise UsageError(f"Adapter: layers={self.layer_names} names a layer twice; name every layer once.")

    def layers(self, graph: Graph, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the outputs of the named layers, and the module's own output as the last."""
        found: list[Tensor] = []
        called: list[str] = []

        def changed(number: int, h: Tensor) -> Tensor:
            h = first if number == 1 and first is not None else h
            return hook(number, h) if hook else h

        def through(name: str) -> Callable[[nn.Module, tuple, Any], Tensor]:
            def replace(module: nn.Module, inputs: tuple, output: Any) -> Tensor:
                del module, inputs  # the output is all that counts
                called.append(name)
                h, number = self._checked(output, graph, name), len(called)
                # The hook is made for the layers as named; for the last one it waits until the module has returned it.
                acts = called == self.layer_names[:number] and number < len(self.layer_names)
                found.append(changed(number, h) if acts else h)
                return found[-1]

            return replace

        modules = dict(self.module.named_modules())
        handles = [modules[name].register_forward_hook(through(name)) for name in self.layer_names]
        try:
            returned = self._called(graph, explain=hook is None)
        finally:
            for handle in handles:
                handle.remove()
        last = self._checked(returned, graph)
        _check_order(type(self.module).__name__, self.layer_names, called)
        if last is not found[-1] and (hook or (first is not None and len(found) == 1)):
            raise UnsupportedError(
                f"Adapter: {type(self.module).__name__} goes on after its layer '{self.layer_names[-1]}', so an "
                "operator behind that layer would not act on what the module returns. Return that layer's output "
                "as it is, or name the last submodule in 'layers'."
            )
        return [*found[:-1], last if last is not found[-1] else changed(len(found), last)]

    def _called(self, graph: Graph, explain: bool) -> Any:
        """Return what the module returns; where it fails, say on what (unless a hook may have failed in it)."""
        x, edge_index = pyg_inputs(graph, self.device)
        try:
            found = self.module(x, edge_index)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            if not explain or isinstance(error, torch.OutOfMemoryError):
                raise
            raise UsageError(
                f"Adapter: the forward of {type(self.module).__name__} failed on graph '{graph.name}', given x of "
                f"shape {tuple(x.shape)} and edge_index of shape {tuple(edge_index.shape)}: "
                f"{str(error).strip().rstrip('.')}. The module must take {x.shape[1]} features a node."
            ) from error
        if self.training and self._kept:
            check_kept(self.module, self._kept)
        return found

    def _checked(self, output: Any, graph: Graph, layer: str = "") -> Tensor:
        """Return the output of a layer ("" is the module); raises UsageError unless it has a row for every node."""
        n = graph.n_nodes
        if not isinstance(output, Tensor):
            what = f"a value of type {type(output).__name__}"
        elif output.dim() != 2 or output.shape[0] != n:
            what = f"a tensor of shape {tuple(output.shape)}"
        elif output.dtype not in (torch.float32, torch.float64):
            what = f"a tensor of {output.dtype}"
        else:
            return output
        where = f"layer '{layer}' of {type(self.module).__name__}" if layer else "the module's forward"
        other = " Name other layers, or the module itself, layers=['']." if layer else ""
        raise UsageError(
            f"Adapter: {where} returned {what}; the graph has {n} nodes, so a tensor of shape ({n}, width), of float32 "
            f"or float64, is needed.{other}"
        )

    def fresh(self, streams: Streams) -> Self:
        """Return a copy whose submodules were reset through their `reset_parameters`.

        Raises UnsupportedError for a parameter, or a buffer that training changes, that this leaves as it was (buffers
        of a module trained elsewhere are watched while the copy is trained); other attributes are out of sight.
        """
        refuse_old_weight_norm(self.module)
        model = copy.deepcopy(self)
        before = torch.random.get_rng_state()
        try:
            torch.random.set_rng_state(streams("init").torch().get_state())
            model._kept = reset(model.module, self._made)
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


def _refuse_layouts(module: nn.Module) -> None:
    """Raise UnsupportedError for buffers in a layout that torch cannot copy: every method works on a copy."""
    for name, value in module.named_buffers():
        if value.layout not in (torch.strided, torch.sparse_coo):
            raise UnsupportedError(
                f"Adapter: the buffer '{name}' of {type(module).__name__} has the layout {value.layout}, which torch "
                "cannot copy. Keep it dense, or as a sparse COO tensor."
            )


def _refuse_signature(module: nn.Module) -> None:
    """Raise UsageError for a forward that does not take (x, edge_index), as far as it says what it takes."""
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):  # compiled: its first call will tell
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise UsageError(
            f"Adapter: the forward of {type(module).__name__} takes {signature}, but is called as "
            f"forward(x, edge_index): {error}. Give it these two arguments, and defaults to all others."
        ) from error


def _check_order(name: str, named: list[str], called: list[str]) -> None:
    """Raise UsageError unless the layers were called once each, in the order they are named in."""
    if called == named:
        return
    again = sorted({layer for layer in called if called.count(layer) > 1})
    unused = [layer for layer in named if layer not in called]
    right = [layer for layer in called if layer not in again]
    if again:
        found = f"calls {_quoted(again)} more than once, where one operator would have to act in several places"
    elif unused:
        found = f"does not call {_quoted(unused)}"
    else:
        found = f"calls its layers in the order {_quoted(called)}, but they are named in the order {_quoted(named)}"
    use = f"layers={right}" if right else "other layers, or the module itself, layers=['']"
    raise UsageError(f"Adapter: {name} {found}. Use {use}.")


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _message_passing(module: nn.Module) -> list[str]:
    from torch_geometric.nn import MessagePassing

    return [name for name, child in module.named_modules() if isinstance(child, MessagePassing)]


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
