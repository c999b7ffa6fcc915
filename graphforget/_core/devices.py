"""Where tensors live: the CPU, or a CUDA device."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from graphforget._core.errors import UsageError

if TYPE_CHECKING:
    import torch

AUTO = "auto"
VARIABLE = "GRAPHFORGET_DEVICE"
"""Environment variable that says what "auto" is."""
KINDS = ("cpu", "cuda")
"""Kinds of devices that the kernels have a path for."""


def find_device(device: str | torch.device = AUTO) -> torch.device:
    """Return the device that a text names.

    "auto" is what $GRAPHFORGET_DEVICE names, and without that the first CUDA device where there is one, else the CPU.

    Raises UsageError for another text than auto, cpu, cuda or cuda:N, and for a CUDA device that is not there.
    """
    import torch

    name, what = str(device), "'device'"
    if name == AUTO and os.environ.get(VARIABLE):
        name, what = os.environ[VARIABLE], f"${VARIABLE}"
    if name == AUTO:
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    found = re.fullmatch(r"([a-z]+)(?::([0-9]+))?", name)
    kind, number = found.groups() if found else (None, None)
    if kind not in KINDS or (kind == "cpu" and number is not None):
        raise UsageError(f"{what} must be auto, cpu, cuda or cuda:N, N from 0; got {name!r}.")
    if kind != "cuda":
        return torch.device(kind)
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= there:
        raise UsageError(f"{what} is {name}, but {_found(there)}. Use device=auto, which takes what there is.")
    return torch.device("cuda", int(number or 0))


def _found(there: int) -> str:
    """Return which CUDA devices torch finds, in words."""
    import torch

    if there:
        return f"there {'is' if there == 1 else 'are'} {there}, from cuda:0 to cuda:{there - 1}"
    built = torch.version.cuda is not None
    return "torch finds no CUDA device here" if built else "this torch was built without CUDA"


def device_key(device: str | torch.device) -> list[str]:
    """Return what a digest says of a device: nothing for the CPU, its kind for any other.

    Bytes differ between kinds of devices, so what one kind computed is never taken for what another would have.
    """
    kind = find_device(device).type
    return [] if kind == "cpu" else [kind]


def wait_for(device: torch.device) -> None:
    """Return when a device has done what it was told: only then does a clock tell how long that took."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)
