"""A device that stands in for a GPU: its tensors are computed here, but no operation takes them beside the CPU's.

torch has the device "meta", whose tensors hold no numbers. Inside the mode below they do: an operation on them is done
on the CPU, on the same numbers, and its result is on "meta" again. As on a GPU, `.numpy()` fails, and so does every
operation on tensors of both devices (but for a copy, and for single numbers of the CPU). Stricter than a GPU, an index
of the CPU fails as well: a GPU would wait for its copy. All `if device.type != "cpu"` paths are so taken, and their
numbers can be compared with those of the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from graphforget._core import devices
from graphforget.training import loop

COPIES = ("aten::copy_", "aten::_to_copy")


class Far(Tensor):
    """A tensor of the stand-in device; `inner` holds its numbers."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Far:
        strides = inner.stride() if inner.layout == torch.strided else None
        out = Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, device="meta", strides=strides)
        out.inner = inner
        return out

    def __repr__(self) -> str:
        return f"Far({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return compute(func, args, kwargs or {})


def compute(func: Any, args: tuple, kwargs: dict) -> Any:
    """Do an operation on the CPU; its tensors are on the stand-in device when its inputs, or `device`, are."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    far, near = ([one for one in tensors if isinstance(one, Far) == kind] for kind in (True, False))
    name, asked = func._schema.name, kwargs.get("device")
    if far and any(one.dim() for one in near) and name not in COPIES:
        shapes = [(type(one).__name__, tuple(one.shape)) for one in tensors]
        raise RuntimeError(f"{name}: tensors of two devices: {shapes}")
    there = bool(far) if asked is None else torch.device(asked).type == "meta"
    known = {id(one.inner): one for one in far}
    args, kwargs = tree_map(lambda leaf: leaf.inner if isinstance(leaf, Far) else leaf, (args, kwargs))
    if asked is not None:
        kwargs["device"] = torch.device("cpu")

    def wrapped(value: Any) -> Any:
        if not isinstance(value, Tensor) or not there:
            return value
        return known[id(value)] if id(value) in known else Far(value)

    return tree_map(wrapped, func(*args, **kwargs))


class Elsewhere(TorchDispatchMode):
    """Sends what is asked for on "meta", too, through `compute`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return compute(func, args, kwargs or {})


def _plain_adam(model: torch.nn.Module, recipe: Any) -> torch.optim.Optimizer:
    parameters = [value for value in model.parameters() if value.requires_grad]
    return torch.optim.Adam(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of the stand-in device; it is there while the test runs. Adam is not fused: "meta" has no such one."""
    monkeypatch.setattr(devices, "KINDS", ("cpu", "cuda", "meta"))
    monkeypatch.setattr(loop, "_adam", _plain_adam)
    with Elsewhere():
        yield "meta"
