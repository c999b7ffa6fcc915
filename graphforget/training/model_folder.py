"""A model folder read whole: the model, and how it came to be."""

from __future__ import annotations

from pathlib import Path

from graphforget._core.devices import AUTO
from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import read_json
from graphforget.models.base import Model
from graphforget.models.zoo import read_model
from graphforget.tasks.base import check_seed
from graphforget.training.recipe import Recipe
from graphforget.training.train import Provenance


def load_model(folder: Path | str, device: str = AUTO) -> Model:
    """Return the model a folder holds, on a device as `train` names them, with its provenance where the folder has one.

    Provenance decides how gold is trained: by the recipe and from the seed of the original. The folder of an unlearned
    model does not know what was forgotten: give the model the retained task.

    Raises DataError when the folder is not a whole, readable model, UsageError for a device that is not there.
    """
    model = read_model(folder, device)
    made = read_json(Path(folder) / "model.json").get("provenance")
    if made is None:
        return model
    try:
        recipe = Recipe(**made["recipe"])
        check_seed("provenance", made["seed"])
        model.provenance = Provenance(recipe, made["seed"], made["task"], made["best_epoch"], made["history"])
    except (KeyError, TypeError, UsageError) as error:
        raise DataError(f"{folder}/model.json: its provenance is not whole ({error}). Save the model again.") from error
    return model
