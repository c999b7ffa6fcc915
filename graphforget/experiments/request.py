"""What is to be deleted: drawn at random by share or count, or named by a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphforget._core.errors import DataError, UnsupportedError, UsageError, unknown
from graphforget.data.deletion import Deletion
from graphforget.data.deletion_files import header_of
from graphforget.tasks.base import Task
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.sampling import sample_deletion
from graphforget.unlearning.sampling_recommend import FLIPPED, flip_labels

COMMANDS = {
    **{"edges": "edges", "nodes": "nodes", "features": "features", "classes": "node-class"},
    **{"users": "users", "items": "items", "users+items": "users+items", "interactions": "interactions"},
    **{"triples": "triples", "modalities": "modality"},
}
"""The command that deletes each kind."""
DRAWN = ("where", "pool", "sampling", "on_small_pool")
OWN = {
    "classes": ("classes",),
    "users_file": ("users+items",),
    "items_file": ("users+items", "modalities"),
    "modality": ("modalities",),
}
"""Field -> the kinds of deletion that read it; all of them read the others."""


@dataclass(frozen=True)
class Request:
    """What is to be deleted: a share, a count, classes, a modality, or what files name.

    Parameters
    ----------
    kind: "edges", "nodes", "features", "classes", "users", "items", "users+items", "interactions", "triples" or
        "modalities".
    fraction, count: of what is drawn at random. A share of edges is one of all training edges; of users and items
        together, it is a share of each.
    classes: names or numbers of the classes that go.
    file: a deletion file in the user's own ids.
    users_file, items_file: for users and items together, a list of each; for a modality, the items that lose it.
    modality: name of the item features that go; without any amount, those of every item.
    where, pool, sampling, on_small_pool: see `sample_deletion`; None leaves its default.

    Raises UsageError for an unknown kind, and for amounts that cannot be or do not go together.
    """

    kind: str
    fraction: float | None = None
    count: int | None = None
    classes: tuple[str, ...] = ()
    file: str | None = None
    users_file: str | None = None
    items_file: str | None = None
    modality: str | None = None
    where: str | None = None
    pool: str | None = None
    sampling: str | None = None
    on_small_pool: str | None = None

    def __post_init__(self) -> None:
        self._check_kind()
        given = [self.fraction is not None, self.count is not None, bool(self.classes), self.file is not None]
        given.append(self.users_file is not None or self.items_file is not None)
        least = 0 if self.modality is not None else 1
        if not least <= sum(given) <= 1 or (self.modality is not None and self.file is not None):
            found = "none of them is" if not any(given) else "more than one is"
            raise UsageError(f"What must go is named once, by {self._ways()}; here {found} given.")
        if self.kind == "modalities" and self.modality is None and self.file is None:
            raise UsageError("--modality is missing: name the item features that go, as --modality image.")
        if self.kind == "users+items" and (self.users_file is None) != (self.items_file is None):
            raise UsageError("--users and --items go together: give both lists, or use the command for the one.")
        if self.fraction is not None and not 0 < self.fraction < 1:
            raise UsageError(f"--fraction must be above 0 and below 1 (5 % is 0.05); got {self.fraction:g}.")
        if self.count is not None and self.count < 1:
            raise UsageError(f"--count must be at least 1; got {self.count}.")
        stray = [key for key in DRAWN if getattr(self, key) is not None]
        if stray and not self.is_drawn:
            option = stray[0].replace("_", "-")
            raise UsageError(f"--{option} belongs to a deletion drawn at random (--fraction or --count). Leave it out.")

    def _check_kind(self) -> None:
        if self.kind not in COMMANDS:
            raise UsageError(unknown("kind of deletion", self.kind, COMMANDS))
        stray = next((key for key, kinds in OWN.items() if getattr(self, key) and self.kind not in kinds), None)
        if stray is not None:
            raise UsageError(f"'{stray}' belongs to deletions of {' or '.join(OWN[stray])}, not of {self.kind}.")

    def _ways(self) -> str:
        ways = {
            "classes": "--class or --delete FILE",
            "users+items": "--fraction, --count, --users FILE with --items FILE, or --delete FILE",
            "modalities": "--modality (with --items FILE, --fraction, --count, or for every item) or --delete FILE",
        }
        return ways.get(self.kind, "--fraction or --count or --delete FILE")

    @property
    def is_drawn(self) -> bool:
        """Whether the deletion is drawn at random."""
        return self.fraction is not None or self.count is not None

    def carried_out(self, task: Task, seed: int, columns: Mapping[str, str] | None = None) -> tuple[Task, Deletion]:
        """Return the task to train on and what must go, in the user's ids; a random deletion is the seed's.

        The task is the one given, unless labels are flipped: then it holds the false interactions, too.

        columns: what the user's files call their columns.
        """
        amount = self.fraction if self.fraction is not None else self.count
        if self.sampling == FLIPPED and amount is not None:
            if self.on_small_pool is not None:
                raise UsageError(
                    f"--on-small-pool: --sampling {FLIPPED} makes what it draws, without a pool. Leave it out."
                )
            if self.kind != "interactions" or not isinstance(task, Recommendation):
                raise UsageError(f"--sampling {FLIPPED} draws interactions; use the command 'interactions'.")
            return flip_labels(task, amount, seed)
        return task, self._deletion(task, seed, columns)

    def _deletion(self, task: Task, seed: int, columns: Mapping[str, str] | None) -> Deletion:
        if self.file is not None:
            return read_deletion(self.file, self.kind, columns)
        if self.classes:
            return Deletion(classes=self.classes)
        if self.items_file is not None:
            return self._listed(task, columns)
        amount = self.fraction if self.fraction is not None else self.count
        options = {key: getattr(self, key) for key in (*DRAWN, "modality") if getattr(self, key)}
        return sample_deletion(task, **dict.fromkeys(drawn_kinds(self.kind), amount), **options, seed=seed)

    def _listed(self, task: Task, columns: Mapping[str, str] | None) -> Deletion:
        assert self.items_file is not None
        items = read_deletion(self.items_file, "items", columns).items
        if self.users_file is not None:
            return Deletion(users=read_deletion(self.users_file, "users", columns).users, items=items)
        if not isinstance(task, Recommendation):
            raise UnsupportedError(f"A {task.name} task has no modalities to delete.")
        assert self.modality is not None
        return Deletion(modalities=[(self.modality, item) for item in items])

    def amount(self) -> str:
        """Return one phrase for what is asked."""
        if self.file is not None:
            return f"the {self.kind} in {self.file}"
        if self.classes:
            return f"class {', '.join(self.classes)}"
        if self.items_file is not None:
            users = f"the users in {self.users_file} and " if self.users_file is not None else ""
            return f"{self._whose()}{users}the items in {self.items_file}"
        if not self.is_drawn:
            return f"{self._whose()}every item"
        wanted = f"{self.fraction:.4g} of the" if self.fraction is not None else f"{self.count:,}"
        kind = {"users+items": "users and of the items", "modalities": "items"}.get(self.kind, self.kind)
        how = self.where or self.sampling
        return f"{self._whose()}{wanted} {kind}" + (f" ({how})" if how else "")

    def _whose(self) -> str:
        return f"modality {self.modality} of " if self.modality is not None else ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON; those of recommenders only where given."""
        later = ("users_file", "items_file", "modality", "sampling")
        return {key: value for key, value in vars(self).items() if key not in later or value is not None}


def drawn_kinds(kind: str) -> tuple[str, ...]:
    """Return what `sample_deletion` draws for a deletion of one kind."""
    return {"users+items": ("users", "items"), "modalities": ("items",)}.get(kind, (kind,))


def read_deletion(file: str, kind: str, columns: Mapping[str, str] | None = None) -> Deletion:
    """Return the deletion in a file that names things of one kind; raises DataError when it names another."""
    deletion = Deletion.read(file, columns=columns)
    if deletion.kind != kind:
        other = COMMANDS.get(deletion.kind)
        way = f"use the command '{other}'" if other else "put each kind into a file of its own"
        if deletion.kind == "edges":  # what a table without a known header names
            way += f", or, if these are {kind}, put the header {','.join(header_of(kind))} above them"
        named = "several kinds of things" if deletion.kind == "mixed" else deletion.kind
        raise DataError(f"{file}: it names {named}, but this command deletes {kind}; {way}.")
    return deletion
