"""What the crash tests start and kill: `python child.py WHAT FOLDER HOLD` trains or unlearns with a checkpoint."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from graphforget.data.graph import Graph
from graphforget.models.gcn import GCN
from graphforget.models.zoo import save_model
from graphforget.tasks.link import LinkPrediction
from graphforget.training.loop import Progress
from graphforget.training.train import train
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.sampling import sample_deletion

EPOCHS = 60


def small_task() -> LinkPrediction:
    """Return a link task on a random graph of 200 nodes."""
    rng = np.random.default_rng(0)
    features = rng.random((200, 12)).astype(np.float32)
    return LinkPrediction(Graph.build(200, rng.integers(0, 200, (2, 700)), features), seed=1)


def reporter(hold: int) -> Progress:
    """Return a function that tells which epoch has ended, and waits to be killed after epoch `hold`."""

    def report(epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        del epochs, metrics
        sys.stdout.write(f"{epoch}\n")
        sys.stdout.flush()
        if epoch == hold:
            time.sleep(600)

    return report


def main(what: str, folder: Path, progress: Progress) -> None:
    """Train or unlearn with a checkpoint in the folder, and save the model there."""
    task, options = small_task(), {"checkpoint": folder / "run.safetensors", "progress": progress}
    if what == "train":
        model = train(GCN(hidden=16), task, epochs=EPOCHS, validate_every=1, **options)
    else:
        original = train(GCN(hidden=16), task, epochs=3)
        few = {"epochs": EPOCHS, "validate_every": 1}
        model = unlearn(original, task, sample_deletion(task, edges=10), what, **few, **options).model
    save_model(model, folder / "model")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), reporter(int(sys.argv[3])))
