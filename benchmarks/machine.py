"""What a figure was measured on: processor, cores, versions, commit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.environments import ROOT
from graphforget._core.environment import processor


def machine() -> str:
    """Return processor, cores, level 3 cache and memory in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cache = Path("/sys/devices/system/cpu/cpu0/cache/index3/size")
    third = f", L3 {int(cache.read_text().strip().rstrip('K')) // 1024} MiB" if cache.exists() else ""
    return f"{processor()}, {os.cpu_count()} cores{third}, {memory:.0f} GiB"


def commit() -> str:
    """Return the commit, with "+" where what is measured has uncommitted changes."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if _git("status", "--porcelain", "--", "graphforget", "benchmarks") else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or ("" if not done.returncode else "unknown")
