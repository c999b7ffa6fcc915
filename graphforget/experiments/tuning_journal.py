"""The file of a search: what is searched, what it is compared with, and every trial so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError
from graphforget._core.files import read_json, write_json

FORMAT = "graphforget-tuning/1"


@dataclass(frozen=True)
class Trial:
    """One choice of fields and what it is worth, the mean over the seeds.

    Attributes
    ----------
    number: 0 for the method as it is named. label: the method with these fields, as text.
    fields: those that are searched. error: the sentence of one that gave no model; it has no values.
    utility, forgotten, gap, score: see `tuning_score.Score`. seconds: of the method.
    """

    number: int
    label: str
    fields: Mapping[str, int | float]
    utility: float | None = None
    forgotten: float | None = None
    gap: float | None = None
    score: float | None = None
    seconds: float = 0.0
    error: str = ""

    def check(self) -> None:
        """Raise ValueError unless texts are texts and numbers finite numbers, as in a file that nobody has edited."""
        numbers = [*self.fields.values(), self.seconds]
        numbers += [one for one in (self.utility, self.forgotten, self.gap, self.score) if one is not None]
        kinds = {type(one) for one in numbers} - {int, float}
        if kinds or not all(map(math.isfinite, numbers)) or not isinstance(self.label, str):
            raise ValueError(f"trial {self.number!r} holds what is no finite number")


@dataclass
class Journal:
    """The trials of a search, each written as soon as it is known.

    Attributes
    ----------
    file: where it is. digest: of all that decides the trials. facts: what else the file says, for readers.
    references: the original and gold on the same scale.
    """

    file: Path
    digest: str
    facts: Mapping[str, Any]
    references: list[Trial] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)

    def read(self) -> None:
        """Take over what the file holds; raises DataError when it is no journal of this search."""
        if not self.file.exists():
            return
        found = read_json(self.file)
        try:
            if (found["format"], found["digest"]) != (FORMAT, self.digest):
                raise ValueError(f"format {found['format']!r}, digest {found['digest']!r}")
            self.references = [Trial(**one) for one in found["references"]]
            self.trials = [Trial(**one) for one in found["trials"]]
            for trial in (*self.references, *self.trials):
                trial.check()
            if [trial.number for trial in self.trials] != list(range(len(self.trials))):
                raise ValueError("the trials are not numbered from 0")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.file}: not the journal of this search ({error!r}). Move it away, or name another --out."
            ) from error

    def write(self) -> None:
        """Write everything, in one step."""
        told = {"references": [asdict(one) for one in self.references], "trials": [asdict(one) for one in self.trials]}
        write_json(self.file, {"format": FORMAT, "digest": self.digest, **self.facts, **told})

    def add(self, trial: Trial) -> None:
        """Write one more trial."""
        self.trials.append(trial)
        self.write()

    def like(self, fields: Mapping[str, int | float]) -> Trial | None:
        """Return an earlier trial with the same fields."""
        return next((one for one in self.trials[1:] if one.fields == fields), None)

    def ranked(self) -> list[Trial]:
        """Return the trials that gave a model, the best first; of equal ones the earlier, and equal choices once."""

        def worth(one: Trial) -> tuple[float, int]:
            assert one.score is not None
            return one.score, -one.number

        there = sorted((one for one in self.trials if one.score is not None), key=worth)
        return sorted({one.label: one for one in there}.values(), key=worth, reverse=True)
