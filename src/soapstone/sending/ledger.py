"""The ledger of a send: one row for each recipient, from chosen or skipped to handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, update

from soapstone.jobs.run import Chunk, Run
from soapstone.store.database import Database
from soapstone.store.tables import deliveries


def enter(chunk: Chunk, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows into the ledger and count them."""
    if rows:
        chunk.connection.execute(insert(deliveries), rows)
    chosen = sum(row["state"] == "chosen" for row in rows)
    chunk.count(chosen=chosen, skipped=len(rows) - chosen)


def move(chunk: Chunk, these: ColumnElement[bool], old: str, new: str, **values: Any) -> int:
    """Bring those of the rows that are in one state into another; how many there were."""
    query = update(deliveries).where(these, deliveries.c.state == old).values(state=new, **values)
    return chunk.connection.execute(query).rowcount


def fail(chunk: Chunk, why: Mapping[int, str]) -> None:
    """Note for recipients, by the numbers of their rows, why no mail can be made for them."""
    for number, reply in why.items():
        values = {"state": "failed", "reply": reply, "next_try_at": None}
        chunk.connection.execute(update(deliveries).where(deliveries.c.id == number).values(**values))
    if why:
        chunk.count(failed=len(why))


def span(database: Database, job_id: int) -> tuple[int, int]:
    """Return the first and the last number of a send's rows; (1, 0) when there are none."""
    query = select(func.min(deliveries.c.id), func.max(deliveries.c.id)).where(deliveries.c.job_id == job_id)
    with database.read() as connection:
        first, last = connection.execute(query).one()
    return (first, last) if first is not None else (1, 0)


def within(job_id: int, after: int, last: int) -> ColumnElement[bool]:
    """Return the rows of a send with numbers after `after`, up to `last`.

    `+ 0` keeps databases from taking the index by job: that one would sort the whole send again for every chunk.
    """
    numbers = deliveries.c.id
    return (numbers > after) & (numbers <= last) & (deliveries.c.job_id + 0 == job_id)


def step(run: Run, number: int, phase: str, **checkpoint: int) -> None:
    """Complete a phase. A send that is retried passes phases again that are counted already."""
    with run.chunk() as chunk:
        chunk.step = max(chunk.step, number)
        kept = {name: value for name, value in chunk.checkpoint.items() if name in ("first", "last")}
        chunk.checkpoint = {**kept, "phase": phase, "place": 0, **checkpoint}
        # Recipients are chosen: what becomes of the list is of no matter any more, and the send may take long.
        chunk.releases_list = chunk.releases_list or phase in ("build", "mail")
