"""Run a plan from the command line: outline, progress, table, exit code."""

from __future__ import annotations

import json
from typing import Any

from graphforget.cli.options import OutputOptions, RunOptions
from graphforget.cli.output import print_json, print_pairs, print_report, say
from graphforget.cli.progress import shown
from graphforget.experiments.plan import Plan
from graphforget.experiments.prepare import outline
from graphforget.experiments.single import Failure, Outcome, prepare_all, run_plan


def carry_out(plan: Plan, run: RunOptions, output: OutputOptions) -> int:
    """Carry out a plan, print its report, and return the exit code: that of the first method that failed, or 0.

    A method that came with "all" and does not serve is left out, with its sentence; it has not failed.
    """
    if output.dry_run:
        return _dry_run(plan, output)
    with shown(quiet=output.json, total=len(plan.seeds) * (1 + plan.gold_runs + len(plan.specs()))) as listen:
        outcome = run_plan(plan, listen, jobs=run.jobs, threads=run.threads)
    if output.json:
        print_json({**_described(plan, outcome.failures), "report": json.loads(outcome.report.to_json())})
    else:
        _print_outcome(outcome, plan)
    failed = [failure for failure in outcome.failures if not failure.left_out]
    return failed[0].error.exit_code if failed else 0


def _described(plan: Plan, failures: tuple[Failure, ...] = ()) -> dict[str, Any]:
    failed, left_out = (
        [{"seed": f.seed, "method": f.label, "error": str(f.error)} for f in failures if f.left_out == which]
        for which in (False, True)
    )
    out = None if plan.out is None else str(plan.out)
    return {"plan": plan.as_dict(), "out": out, "failed": failed, "left_out": left_out}


def _print_outcome(outcome: Outcome, plan: Plan) -> None:
    print_report(outcome.report)
    for failure in outcome.failures:
        gave = "is left out of 'all'" if failure.left_out else "gave no model"
        say(f"{failure.label} {gave} with seed {failure.seed}: {failure.error}")
    if plan.out is not None:
        print(f"\nModels, deletion and report are in {plan.out}.")


def _dry_run(plan: Plan, output: OutputOptions) -> int:
    """Say what would be run."""
    graph = plan.setup.source.load()
    seeds = [{**outline(one), "finished": finished} for one, finished in prepare_all(plan, graph)]
    if output.json:
        print_json({**_described(plan), "graph": repr(graph), "notes": list(graph.notes), "runs": seeds})
        return 0
    assert plan.request is not None
    print_pairs(
        {
            "data": repr(graph),
            "notes": list(graph.notes),
            "backbone": plan.setup.backbone,
            "architecture": plan.setup.make_backbone().config(),
            "recipe": plan.setup.make_recipe().as_dict(),
            "deletion": plan.request.amount(),
            "methods": ", ".join(spec.label for spec in plan.specs()),
            "gold runs": plan.gold_runs,
            "membership attack": plan.attack,
        }
    )
    for facts in seeds:
        print()
        print_pairs(facts)
    print("\nA dry run: nothing was trained and nothing was written.")
    return 0
