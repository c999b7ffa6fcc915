"""`graphforget list`: what there is, from the registries themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from graphforget._core.errors import UsageError
from graphforget._core.registry import Registry
from graphforget.cli.options import Flag
from graphforget.cli.output import print_json, print_table

ONLY_JSON = ("options",)
"""Too long for a table; --json has them."""
What = Literal["methods", "backbones", "datasets", "formats", "metrics", "tables"]


def show(
    what: Annotated[What, Parameter(help="What to list.")],
    /,
    *,
    data_dir: Annotated[
        Path | None, Parameter(help="Folder of the named sets, to say which are there; else $GRAPHFORGET_DATA.")
    ] = None,
    json: Annotated[bool, Flag, Parameter(help="Print JSON.")] = False,
) -> int:
    """List methods, backbones, datasets, file formats, metrics or published tables."""
    if data_dir is not None and what != "datasets":
        raise UsageError(f"--data-dir says where data sets are, and {what} are in none. Leave it out.")
    entries = datasets(data_dir) if what == "datasets" else LISTS[what]()
    if json:
        print_json(entries)
        return 0
    columns = [column for column in entries[0] if column not in ONLY_JSON]
    print_table(what, columns, [[cell(entry[column]) for column in columns] for entry in entries])
    return 0


def cell(value: Any) -> str:
    """Return a value of an entry as the text of a table."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(value) or "–" if isinstance(value, list) else str(value) or "–"


def _first_sentence(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def methods() -> list[dict[str, Any]]:
    """Return a description of every method."""
    from graphforget.unlearning.run import methods

    return [
        {
            "name": cls.name,
            "title": cls.title,
            "source": cls.source,
            "reads": sorted(cls.reads),
            "changes": sorted(cls.changes),
            "deletions": list(cls.kinds),
            "tasks": list(cls.tasks),
            "presets": sorted(cls.presets),
            "options": cls.options(),
        }
        for cls in methods().classes()
    ]


def backbones() -> list[dict[str, Any]]:
    """Return a description of every backbone."""
    from graphforget.models.zoo import backbones

    return [
        {
            "name": cls.name,
            "tasks": list(cls.tasks),
            "presets": sorted(vars(cls).get("presets", {})),
            "what": _first_sentence(cls),
            "recipe": dict(cls.published),
            "options": cls().config(),
        }
        for cls in backbones().classes()
    ]


def datasets(data_dir: Path | None = None) -> list[dict[str, Any]]:
    """Return a description of every data set with a card.

    data_dir: folder to look for their files in; by default that of the environment, else the cache of downloads.
    """
    from graphforget.data.cards import cards
    from graphforget.data.download import cache_folder
    from graphforget.data.load import DATA_VARIABLE
    from graphforget.data.load_interactions import place_of

    folder = place_of(data_dir, DATA_VARIABLE)
    if folder is not None and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Correct --data-dir or ${DATA_VARIABLE}.")
    return [
        {
            "name": card.name,
            "title": card.title,
            "kind": card.kind,
            "holds": card.expected.summary(),
            "ships": card.bundled,
            "there": card.bundled or card.is_in(folder or cache_folder() / card.name),
            "licence": card.licence,
            "note": card.note,
        }
        for card in cards().values()
    ]


def formats() -> list[dict[str, Any]]:
    """Return a description of every file format; a name may be passed as --format where the path does not tell it."""
    from graphforget.data.load import FORMATS
    from graphforget.data.load_interactions import INTERACTION_FORMATS

    kinds: dict[str, Registry[Any]] = {"graph": FORMATS, "interactions": INTERACTION_FORMATS}
    return [
        {
            "name": cls.name,
            "kind": kind,
            "endings": list(cls.suffixes),
            "what": _first_sentence(cls).removeprefix("Reader of "),
        }
        for kind, registry in kinds.items()
        for cls in registry.classes()
    ]


def metrics() -> list[dict[str, Any]]:
    """Return a description of every metric."""
    from graphforget.evaluation.metrics import METRICS

    return [
        {
            "name": metric.name,
            "label": metric.label,
            "direction": metric.direction,
            "group": metric.group,
            "tasks": list(metric.tasks),
            "meaning": metric.meaning,
        }
        for metric in METRICS.values()
    ]


def tables() -> list[dict[str, Any]]:
    """Return a description of every published table that can be reproduced by its name."""
    from graphforget.experiments.published import presets

    return [
        {
            "name": preset.name,
            "title": preset.title,
            "published": sum(len(values) for block in preset.published for values in block.rows.values()),
            "data": list(dict.fromkeys(name for grid in preset.grids for name in grid.data)),
            "paper": preset.paper,
        }
        for preset in presets().values()
    ]


LISTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "methods": methods,
    "backbones": backbones,
    "formats": formats,
    "metrics": metrics,
    "tables": tables,
}
