"""What a process of ours said last, however it ended, is a message or a sentence."""

from __future__ import annotations

import os
import struct
from multiprocessing.connection import Connection
from types import SimpleNamespace

import pytest

from graphforget._core.errors import GraphforgetError
from graphforget.experiments.workers import Worker, received


@pytest.mark.parametrize("said", [b"", b"\0\0", struct.pack("!i", 100), struct.pack("!i", 100) + b"half of it"])
def test_a_process_killed_while_it_speaks_is_a_sentence(said):
    ours, theirs = os.pipe()
    os.write(theirs, said)
    os.close(theirs)
    ended = SimpleNamespace(exitcode=-9, join=lambda: None)
    with Connection(ours, writable=False) as pipe:
        answer = received(Worker("job 1", ended, pipe))
    assert isinstance(answer, GraphforgetError) and "'job 1' ended with code -9" in str(answer)
