"""The job that removes a deleted attribute from the profiles of members."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Text,
    func,
    literal,
    select,
    update,
)

from soapstone.jobs.run import Run
from soapstone.store.tables import memberships

# Members of one transaction.
REMOVAL_ROWS = 10_000


def run_attribute_removal(run: Run, *, chunk_rows: int = REMOVAL_ROWS) -> None:
    """Remove the values of a deleted attribute from the profiles of a list's members, chunk by chunk."""
    key, member = str(run.job.request["attribute"]), memberships.c
    removed = func.json_remove(member.profile, f'$."{key}"', type_=Text())
    while not run.job.checkpoint.get("over"):
        with run.chunk() as chunk:
            here = [member.list_id == run.job.list_id, member.contact_id > chunk.checkpoint.get("through", 0)]
            ends = select(member.contact_id).where(*here).order_by(member.contact_id).offset(chunk_rows - 1).limit(1)
            last = chunk.connection.execute(ends).scalar_one_or_none()
            if last is not None:
                here.append(member.contact_id <= last)
            document: Any = removed if run.database.kind == "sqlite" else member.profile.op("-")(literal(key, Text))
            these = update(memberships).where(*here, member.profile[key].as_string().is_not(None))
            chunk.count(removed=chunk.connection.execute(these.values(profile=document)).rowcount)
            chunk.checkpoint = {"over": True} if last is None else {"through": last}
