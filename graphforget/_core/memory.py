"""Peak memory of a block of code."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class PeakMemory:
    """Measure the largest resident size of the process inside a `with` block.

    `peak` is bytes above nothing (the whole process, libraries included), or None where the system keeps no
    resettable peak (it needs Linux's /proc).
    """

    peak: int | None = None

    def __enter__(self) -> PeakMemory:
        self._resettable = _reset()
        return self

    def __exit__(self, *exception: object) -> None:
        self.peak = _high_water() if self._resettable else None


def _reset() -> bool:
    with suppress(OSError), _CLEAR.open("r+") as file:
        file.write("5")
        return True
    return False


def _high_water() -> int | None:
    found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    return int(found.group(1)) * 1024 if found else None
