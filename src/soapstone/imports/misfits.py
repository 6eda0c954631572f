"""Misfits: values of an import's file that do not fit their attribute (lk-47), counted by attribute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from soapstone.jobs.job import Job
from soapstone.lists.profile_values import is_cut
from soapstone.lists.profiles import ProfileAttribute

# Their key in a job's checkpoint: number of the attribute (as text) → document.
_KEY = "misfits"


@dataclass(frozen=True, kw_only=True)
class Misfits:
    """The misfits of one attribute: the number of `values`, and the first physical `line` (from 1) with one.

    They were left out, or `cut` to the attribute's length.
    """

    attribute_id: int
    attribute: str
    values: int
    line: int
    cut: bool

    @property
    def sentence(self) -> str:
        """A sentence about them for the import's owner."""
        one = self.values == 1
        if self.cut:
            what = "value was too long and was" if one else "values were too long and were"
            what = f"{what} cut"
        else:
            what = "value did not fit and was left out" if one else "values did not fit and were left out"
        return f"{self.attribute}: {self.values:,} {what}, {'' if one else 'first '}on line {self.line:,}."


def misfits_of(job: Job) -> list[Misfits]:
    """Return the misfits of an import so far, by the number of the attribute."""
    found: Mapping[str, Any] = job.checkpoint.get(_KEY, {})
    return [Misfits(attribute_id=int(number), **found[number]) for number in sorted(found, key=int)]


def counted(
    checkpoint: Mapping[str, Any],
    attributes: Iterable[ProfileAttribute],
    positions: Mapping[int, Sequence[int]],
    lines: Sequence[int],
) -> dict[str, Any]:
    """Return the additions to a checkpoint for a stage's misfits: ascending positions of rows by attribute number.

    `lines` are the physical lines of the stage's rows. Empty if there is no misfit.
    """
    known: dict[str, Any] = dict(checkpoint.get(_KEY, {}))
    for attribute in attributes:
        rows = positions.get(attribute.id)
        if rows:
            first = lines[rows[0]]
            before = known.get(str(attribute.id), {"values": 0, "line": first})
            made = Misfits(
                attribute_id=attribute.id,
                attribute=attribute.name,
                values=before["values"] + len(rows),
                # Stages of one chunk have rows between each other's.
                line=min(before["line"], first),
                cut=is_cut(attribute.kind),
            )
            known[str(attribute.id)] = {name: value for name, value in asdict(made).items() if name != "attribute_id"}
    return {_KEY: known} if known else {}
