"""Attribute updates: one attribute gets one value for all subscribed members of its list (lk-66).

The job goes through the list by contact number. Its checkpoint, committed with each chunk, holds all of its progress:
`through` is the last contact processed, `over` says that none is left.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, literal, select, update

from soapstone.accounts.account import Account, Login
from soapstone.errors import InvalidError
from soapstone.imports.profile_json import Documents
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Chunk, JobFailed, Run
from soapstone.lists.profile_values import emptied, stored
from soapstone.lists.profiles import ProfileAttribute
from soapstone.store.database import Database
from soapstone.store.documents import Document
from soapstone.store.tables import lists, memberships, profile_attributes
from soapstone.vocabulary.jobs import JobKind
from soapstone.vocabulary.rows import ImportOutcome

# Members of one transaction.
CHUNK_ROWS = 20_000


class AttributeUpdates:
    """All attribute updates of one installation. Each is a job of kind "attribute_update" with one step."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def submit(self, *, account: Account, login: Login | None, attribute: ProfileAttribute, value: str) -> Job:
        """Queue the update; it survives a power loss when this returns.

        The value takes its stored form (lk-47); a blank one clears the attribute, and unchecks a check box. Raises
        InvalidError if it does not fit.
        """
        kept = stored(attribute.kind, value, attribute.max_length)
        if kept == "":
            kept = emptied(attribute.kind)
        if kept is None:
            raise InvalidError(f"The value does not fit the attribute {attribute.name}.")
        with self._database.write(durable=True) as connection:
            job_id = self._jobs.add(
                connection,
                account_id=account.id,
                kind=JobKind.ATTRIBUTE_UPDATE,
                login_id=None if login is None else login.id,
                list_id=attribute.list_id,
                request={"attribute": attribute.id, "value": kept},
                label=attribute.name,
            )
            return self._jobs.added(connection, job_id)


def run_attribute_update(run: Run, *, chunk_rows: int = CHUNK_ROWS) -> None:
    """Run or resume an attribute update. Raises JobFailed with a sentence for its owner.

    Subscribed members count as updated, or as unchanged if they have the value already.
    """
    while not run.job.checkpoint.get("over"):
        with run.chunk() as chunk:
            _update_chunk(chunk, run.job, Documents(run.database.kind), chunk_rows)


def _update_chunk(chunk: Chunk, job: Job, documents: Documents, chunk_rows: int) -> None:
    connection, member = chunk.connection, memberships.c
    key, value = str(job.request["attribute"]), job.request["value"] or None
    _require_attribute(connection, int(key))
    here = [member.list_id == job.list_id, member.contact_id > chunk.checkpoint.get("through", 0)]
    ends = select(member.contact_id).where(*here).order_by(member.contact_id).offset(chunk_rows - 1).limit(1)
    last = connection.execute(ends).scalar_one_or_none()
    if last is not None:
        here.append(member.contact_id <= last)
    here.append(member.state == "subscribed")
    # The value now comes from the sender, even where it stays the same.
    connection.execute(
        update(memberships)
        .where(*here, member.form_values[key].as_string().is_not(None))
        .values(form_values=documents.patched(member.form_values, literal({key: None}, Document)))
    )
    updated = connection.execute(
        update(memberships)
        .where(*here, member.profile[key].as_string().is_distinct_from(value))
        .values(profile=documents.patched(member.profile, literal({key: value}, Document)))
    ).rowcount
    # After the update, which locks its rows: contacts that leave the list meanwhile do not count.
    subscribed = connection.execute(select(func.count()).select_from(memberships).where(*here)).scalar_one()
    chunk.count(**{ImportOutcome.UPDATED: updated, ImportOutcome.UNCHANGED: subscribed - updated})
    chunk.checkpoint = dict(chunk.checkpoint) | ({"over": True} if last is None else {"through": last})


def _require_attribute(connection: Connection, attribute_id: int) -> None:
    query = (
        select(profile_attributes.c.id)
        .join(lists, lists.c.id == profile_attributes.c.list_id)
        .where(profile_attributes.c.id == attribute_id, lists.c.deleted_at.is_(None))
    )
    if connection.execute(query).first() is None:
        raise JobFailed("The attribute or its list no longer exists.")
