"""The ledger of a send: one row per recipient, from chosen or skipped to sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, func, insert, select, update

from soapstone.jobs.run import Chunk, Run
from soapstone.store.database import Database
from soapstone.store.tables import deliveries


class Recipient(NamedTuple):
    """A recipient of a send: a row of the ledger, with what its mail needs.

    `profile` and `form_values` are those of a member of the list, None unless the message merges attributes; `contact`
    holds the columns of the contact that it merges. Its attributes are read far faster than those of a `Row`.
    """

    id: int
    email: str
    email_key: str
    state: str
    attempts: int
    doubts: int
    reply: str
    contact_id: int | None
    fields: Mapping[str, str]
    profile: Mapping[str, str] | None
    form_values: Mapping[str, str] | None
    contact: Sequence[str | None]


def enter(chunk: Chunk, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows into the ledger and count them."""
    if rows:
        chunk.connection.execute(insert(deliveries), rows)
    chosen = sum(row["state"] == "chosen" for row in rows)
    chunk.count(chosen=chosen, skipped=len(rows) - chosen)


def move(chunk: Chunk, these: ColumnElement[bool], old: str, new: str, **values: Any) -> int:
    """Move the matching rows from one state to another; return their number."""
    query = update(deliveries).where(these, deliveries.c.state == old).values(state=new, **values)
    return chunk.connection.execute(query).rowcount


def fail(chunk: Chunk, why: Mapping[int, str]) -> None:
    """Mark recipients as failed; `why` maps row numbers to the reason that no mail can be built."""
    for number, reply in why.items():
        values = {"state": "failed", "reply": reply, "next_try_at": None}
        chunk.connection.execute(update(deliveries).where(deliveries.c.id == number).values(**values))
    if why:
        chunk.count(failed=len(why))


def span(database: Database, job_id: int) -> tuple[int, int]:
    """Return the first and the last number of a send's rows; (1, 0) if it has no rows."""
    query = select(func.min(deliveries.c.id), func.max(deliveries.c.id)).where(deliveries.c.job_id == job_id)
    with database.read() as connection:
        first, last = connection.execute(query).one()
    return (first, last) if first is not None else (1, 0)


def within(job_id: int, after: int | BindParameter[int], last: int | BindParameter[int]) -> ColumnElement[bool]:
    """Return the condition for rows of a send with numbers after `after`, up to `last`.

    `+ 0` keeps databases from using the index by job, which would sort the whole send again for every chunk.
    """
    numbers = deliveries.c.id
    return (numbers > after) & (numbers <= last) & (deliveries.c.job_id + 0 == job_id)


def step(run: Run, number: int, phase: str, **checkpoint: int) -> None:
    """Complete a phase. A retried send passes phases again that are already counted."""
    with run.chunk() as chunk:
        chunk.step = max(chunk.step, number)
        kept = {name: value for name, value in chunk.checkpoint.items() if name in ("first", "last")}
        chunk.checkpoint = {**kept, "phase": phase, "place": 0, **checkpoint}
        # Recipients are chosen: the send no longer needs the list, and may take long.
        chunk.releases_list = chunk.releases_list or phase in ("build", "mail")
