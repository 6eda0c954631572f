"""The sweep of an import with `replace`: removes members that are not in the file (mm-60)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, literal, or_, select, update

from soapstone.clock import now
from soapstone.jobs.run import Run
from soapstone.store.tables import lists, memberships, opt_outs
from soapstone.store.unique import insert_into

# Members of one transaction.
SWEEP_ROWS = 20_000


def sweep(run: Run) -> None:
    """Remove members that were on the list when the job began and that no row of the file matched.

    They are deleted from the list, not unsubscribed; unsubscribed ones get an opt-out, so that no later file brings
    them back (mm-59). Members that joined later have a higher number and stay. The checkpoint's `swept` is the last
    contact processed.
    """
    member = memberships.c
    here = member.list_id == run.job.list_id
    more = True
    while more:
        with run.chunk(gives_way=True) as chunk:
            connection, checkpoint = chunk.connection, chunk.checkpoint
            behind = [here, member.contact_id > checkpoint.get("swept", 0)]
            query = select(member.contact_id).where(*behind).order_by(member.contact_id).offset(SWEEP_ROWS - 1).limit(1)
            last = connection.execute(query).scalar_one_or_none()
            if last is not None:
                behind.append(member.contact_id <= last)
            leaving = [
                *behind,
                member.number <= checkpoint["last_number"],
                or_(member.last_job.is_(None), member.last_job != run.job.id),
            ]
            _remember(connection, leaving)
            gone = connection.execute(delete(memberships).where(*leaving).returning(member.state)).scalars().all()
            if gone:
                subscribed = gone.count("subscribed")
                connection.execute(
                    update(lists)
                    .where(lists.c.id == run.job.list_id)
                    .values(members=lists.c.members - len(gone), subscribed=lists.c.subscribed - subscribed)
                )
            more = last is not None
            if more:
                chunk.checkpoint = dict(checkpoint) | {"swept": last}


def _remember(connection: Connection, leaving: list[ColumnElement[bool]]) -> None:
    """Store an opt-out of the list for the unsubscribed ones of the leaving members."""
    member = memberships.c
    columns = ["contact_id", "kind", "target_id", "account_id", "created_at"]
    values = (
        member.contact_id,
        literal("list"),
        member.list_id,
        member.account_id,
        literal(now(), opt_outs.c.created_at.type),
    )
    left = select(*values).where(*leaving, member.state == "unsubscribed")
    query = insert_into(opt_outs, connection.dialect.name).from_select(columns, left, include_defaults=False)
    query = query.on_conflict_do_nothing()
    connection.execute(query)
