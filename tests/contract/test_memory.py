"""Memory grows with edges and nodes times width, never with nodes squared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 3 * 2**30

PROGRAM = """
import re, sys
from pathlib import Path
import numpy as np, scipy.sparse as sp
import graphforget as gf

n, n_edges, n_features = 34493, 247962, 8415
rng = np.random.default_rng(0)
words = sp.coo_array(
    (np.ones(30 * n, dtype=np.float32), (np.repeat(np.arange(n), 30), rng.integers(0, n_features, 30 * n))),
    shape=(n, n_features),
)
graph = gf.Graph.build(n, rng.integers(0, n, (2, n_edges)), sp.csr_array(words))
task = gf.LinkPrediction(graph, seed=0)
model = gf.train(gf.GCN(), task, epochs=2)
gone = gf.sample_deletion(task, edges=0.05, where="in")
result = gf.unlearn(model, task, gone, sys.argv[1], epochs=2)
assert 0 <= result.retained.test_auc(result.model.embed(result.retained.graph)) <= 1
assert 0 <= result.retained.forgotten_auc(result.model.embed(result.retained.graph), result.gone) <= 1
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()).group(1)))
"""


def peak(method: str) -> int:
    """Return the most memory, in bytes, of a process that trains and unlearns on a graph as large as Physics."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", PROGRAM, method]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to read a process's peak")
@pytest.mark.parametrize(
    "method",
    [
        "d2dgn",
        pytest.param("gnndelete", marks=pytest.mark.slow),
        pytest.param("d2dgn-feature", marks=pytest.mark.slow),
        pytest.param("gnndelete-edgeprob", marks=pytest.mark.slow),
    ],
)
def test_a_graph_as_large_as_physics_fits_into_three_gigabytes(method):
    assert peak(method) < LIMIT
