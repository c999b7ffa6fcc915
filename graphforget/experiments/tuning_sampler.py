"""Which fields to try next: optuna's tree-structured Parzen estimator, with named randomness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphforget._core.errors import UsageError
from graphforget._core.streams import Stream
from graphforget.unlearning.search import Axis


def optuna() -> Any:
    """Return the library, silent about each trial; raises UsageError where it is missing."""
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            f"Tuning needs optuna, which cannot be imported ({error}). Install the extra: pip install "
            "'graphforget[tune]'."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def suggested(
    axes: Sequence[Axis], told: Sequence[tuple[Mapping[str, Any], float]], stream: Stream
) -> dict[str, int | float]:
    """Return the fields to try after trials whose fields and scores are told; larger scores are better.

    Source: Bergstra et al. 2011 (NeurIPS), as optuna's TPESampler with its defaults: the first ten are drawn uniformly.
    The search is made anew from what is told every time, so that it does not matter whether it was interrupted.

    Parameters
    ----------
    stream: of this one trial; everything random in the answer.
    """
    library = optuna()
    sampler = library.samplers.TPESampler(seed=stream.key % 2**32)
    study = library.create_study(direction="maximize", sampler=sampler)
    ranges = {axis.name: library.distributions.FloatDistribution(0.0, 1.0) for axis in axes}
    for fields, score in told:
        places = {axis.name: axis.position(fields[axis.name]) for axis in axes}
        study.add_trial(library.trial.create_trial(params=places, distributions=ranges, value=score))
    asked = study.ask(ranges)
    return {axis.name: axis.value(asked.params[axis.name]) for axis in axes}
