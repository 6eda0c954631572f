"""Surplus: values of an import's rows beyond the last heading of its file, which belong to no column (mm-46)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soapstone.jobs.job import Job

# Its key in a job's checkpoint.
_KEY = "surplus"


@dataclass(frozen=True, kw_only=True)
class Surplus:
    """The number of `rows` with surplus values, which were left out, and the first physical `line` (from 1) of one."""

    rows: int
    line: int

    @property
    def sentence(self) -> str:
        """A sentence about it for the import's owner."""
        rows = "1 row has" if self.rows == 1 else f"{self.rows:,} rows have"
        first = "" if self.rows == 1 else "first "
        return f"{rows} values beyond the last heading, which were left out, {first}on line {self.line:,}."


def surplus_of(job: Job) -> Surplus | None:
    """Return the surplus of an import so far, or None."""
    found = job.checkpoint.get(_KEY)
    return Surplus(**found) if found else None


def with_surplus(checkpoint: Mapping[str, Any], positions: Sequence[int], lines: Sequence[int]) -> dict[str, Any]:
    """Return the additions to a checkpoint for the ascending positions of a stage's rows with surplus values.

    `lines` are the physical lines of the stage's rows. Empty if there is no such row.
    """
    if not positions:
        return {}
    first = lines[positions[0]]
    before = checkpoint.get(_KEY, {"rows": 0, "line": first})
    # Stages of one chunk have rows between each other's.
    return {_KEY: asdict(Surplus(rows=before["rows"] + len(positions), line=min(before["line"], first)))}


def surplus_positions(records: Sequence[str], keys: Sequence[str], columns: int, delimiter: str) -> list[int]:
    """Return the positions of records with a key and a value that is not blank after `columns` columns."""
    return [
        position
        for position, (record, key) in enumerate(zip(records, keys, strict=True))
        if key and record.count(delimiter) >= columns and "".join(record.split(delimiter)[columns:]).strip()
    ]
