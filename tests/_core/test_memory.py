"""Freed memory that stays, and the peak that does not count it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SIZE = 256 << 20
SCRIPT = f"""
import re, sys
from pathlib import Path
import numpy as np
from graphforget._core.memory import PeakMemory, keep_freed_memory

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

if sys.argv[1] == "keep":
    keep_freed_memory()
before = resident()
block = np.ones({SIZE}, np.uint8)
del block
kept = resident() - before
with PeakMemory() as memory:
    small = np.ones({SIZE} // 8, np.uint8)
print(kept, memory.peak - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="The C library is not glibc.")
@pytest.mark.parametrize(("how", "low", "high"), [("keep", 0.9, 1.1), ("return", -0.1, 0.1)])
def test_a_freed_block_stays_at_hand_and_is_not_counted_as_peak(how, low, high):
    run = subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True)
    kept, peak = (int(word) / SIZE for word in run.stdout.split())
    assert low < kept < high
    assert 0.1 < peak < 0.4
