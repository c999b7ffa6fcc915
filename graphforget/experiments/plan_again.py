"""A plan made again from what its folder says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphforget._core.errors import DataError, GraphforgetError
from graphforget.experiments.plan import Plan
from graphforget.experiments.request import Request
from graphforget.experiments.setup import Setup, Source


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with the lists of JSON as tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}


def plan_again(facts: Mapping[str, Any], methods: tuple[str, ...] | None = None) -> Plan:
    """Return the plan that `Plan.as_dict` described, with no folder of its own.

    The backbone's whole architecture is taken, whatever of it was written behind the backbone's name.

    Parameters
    ----------
    methods: take these in place of its own.

    Raises DataError where the description is not whole, or holds what this version does not know.
    """
    try:
        fields = facts["setup"]
        setup = Setup(
            Source.from_dict(fields["source"]),
            fields["backbone"].partition(":")[0].strip(),
            fields["task"],
            _tuples(fields["task_options"]),
            _tuples(fields["architecture"]),
            _tuples(fields["recipe"]),
            fields.get("device", "cpu"),
        )
        request = Request(**_tuples(facts["request"]))
        chosen = tuple(facts["methods"]) if methods is None else methods
        return Plan(setup, request, chosen, tuple(facts["seeds"]), facts["gold_runs"], facts["attack"])
    except (KeyError, TypeError, AttributeError, GraphforgetError) as error:
        raise DataError(f"The plan of this run cannot be made again ({error}). Repeat the comparison.") from error
