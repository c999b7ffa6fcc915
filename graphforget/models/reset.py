"""A user's module reset to new weights, and the proof that nothing of the trained ones is left in it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.nn.utils.weight_norm import WeightNorm

from graphforget._core.errors import UnsupportedError


def buffers_of(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of the buffers by name."""
    return {name: value.detach().clone() for name, value in module.named_buffers() if not is_lazy(value)}


def refuse_old_weight_norm(module: nn.Module) -> None:
    """Raise UnsupportedError for layers under the weight_norm of old, which can be neither copied nor reset."""
    hooks = {name: child._forward_pre_hooks.values() for name, child in module.named_modules()}
    old = [name for name, found in hooks.items() if any(isinstance(hook, WeightNorm) for hook in found)]
    if old:
        raise UnsupportedError(
            f"Adapter: {type(module).__name__} has torch.nn.utils.weight_norm on {', '.join(old)}, which can "
            "be neither copied nor reset after training. Use torch.nn.utils.parametrizations.weight_norm."
        )


def reset(module: nn.Module, made: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Reset a module, in place, through its submodules' `reset_parameters`.

    Every parameter is NaN before, so one that is NaN after was not reset, or was computed from the trained one.
    Parametrized weights (`torch.nn.utils.parametrizations`) are reset, then written back through the parametrization.

    made: the buffers when the module came, as `buffers_of` gives them.

    Returns the buffers that were left alone and hold other values than 0 or 1 alone: a table that is always the same,
    or what a training elsewhere has put there; `check_kept` tells which. Raises UnsupportedError for parameters that
    were not reset, and for buffers that were not although they have changed since the module came.
    """
    modes = [(child, child.training) for child in module.modules()]
    module.eval()  # computing a parametrized weight in training may change its buffers
    with torch.no_grad(), parametrize.cached():
        weights = [
            (child, name, getattr(child, name))
            for child in module.modules()
            for name in getattr(child, "parametrizations", ())
            if parametrize.is_parametrized(child, name)
        ]
        for value in [*module.parameters(), *(weight for _, _, weight in weights)]:
            if not is_lazy(value):
                value.fill_(torch.nan)
        before = {name: (id(value), value._version) for name, value in module.named_buffers()}
        _reset(module)
        for child, name, weight in weights:
            if not weight.isnan().any():
                with suppress(RuntimeError, NotImplementedError):  # no way back: its parameters stay NaN
                    setattr(child, name, weight.clone())
    for child, mode in modes:
        child.training = mode
    _check_parameters(module)
    left = {
        name: value
        for name, value in module.named_buffers()
        if not is_lazy(value) and before.get(name) == (id(value), value._version)
    }
    for name, value in left.items():
        if name in made and not same(value, made[name]):
            raise UnsupportedError(_sentence(module, name, "buffer"))
    return {name: value.detach().clone() for name, value in left.items() if not _is_flags(_dense(value))}


def check_kept(module: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Raise UnsupportedError for a buffer, of those that a reset left alone, that training changes."""
    for name, value in module.named_buffers():
        if name in kept and not same(value, kept[name]):
            raise UnsupportedError(_sentence(module, name, "buffer"))


def same(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same bytes, whatever device they are on."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    first, second = (_dense(value).cpu() for value in (one, other))
    return torch.equal(*(value.contiguous().view(-1).view(torch.uint8) for value in (first, second)))


def _dense(value: Tensor) -> Tensor:
    return value.detach().to_dense() if value.is_sparse else value.detach()


def _is_flags(value: Tensor) -> bool:
    return bool(((value == 0) | (value == 1)).all())


def _reset(module: nn.Module) -> None:
    """Reset `module` if it can, else its children; a module with parameters of its own must know how."""
    reset_parameters = getattr(module, "reset_parameters", None)
    if reset_parameters is not None:
        reset_parameters()
        return
    own = [name for name, _ in module.named_parameters(recurse=False)]
    if own:
        raise UnsupportedError(
            f"{type(module).__name__} has parameters {', '.join(own)} but no reset_parameters(); "
            "add that method, so that gold models can start from fresh weights."
        )
    for name, child in module.named_children():
        if not (name == "parametrizations" and parametrize.is_parametrized(module)):
            _reset(child)


def _check_parameters(module: nn.Module) -> None:
    """Raise UnsupportedError for the first parameter that is still NaN."""
    for name, value in module.named_parameters():
        if not is_lazy(value) and value.isnan().any():
            raise UnsupportedError(_sentence(module, name, "parameter"))


def _sentence(module: nn.Module, name: str, what: str) -> str:
    """Return why a module cannot start afresh, and what to do."""
    owner = type(module.get_submodule(name.rpartition(".")[0])).__name__
    return (
        f"Adapter: training changes the {what} '{name}' (of {owner}), but nothing resets it, so a gold model would "
        f"start from what was learned of the forgotten part. Write a reset_parameters() that sets it anew, in {owner} "
        "or in a module around it."
    )
