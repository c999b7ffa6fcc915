"""Memory of the process: its peak in a block of code, and whether what is freed stays at hand."""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt(3)


def keep_freed_memory() -> None:
    """Let the C library keep freed blocks, large ones, too, for the next allocation; glibc only, elsewhere nothing.

    By default every array of some megabytes is mapped anew and zeroed page by page, which costs a training step on
    Gowalla 45 % of its time. The price: memory that training freed stays with the process.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        # Older versions refuse more than 32 MiB; setting the others without it would make things worse.
        if not any(library.mallopt(_MMAP_THRESHOLD, size) for size in (1 << 30, 32 << 20)):
            return
        for option, value in ((_TRIM_THRESHOLD, (1 << 31) - 1), (_TOP_PAD, 1 << 26)):
            library.mallopt(option, value)


def return_freed_memory() -> None:
    """Give back to the system what is freed and kept; glibc only, elsewhere nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class PeakMemory:
    """Measure the largest resident size of the process inside a `with` block.

    `peak` is bytes above nothing (the whole process, libraries included), or None where the system keeps no
    resettable peak (it needs Linux's /proc).
    """

    peak: int | None = None

    def __enter__(self) -> PeakMemory:
        return_freed_memory()
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
