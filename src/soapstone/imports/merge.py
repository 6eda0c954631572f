"""The merge: checked rows of one chunk become contacts and memberships by a few set statements, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    Text,
    and_,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy import Column as TableColumn

from soapstone.accounts.account import Account
from soapstone.imports import outcomes as o
from soapstone.imports.documents import Documents
from soapstone.imports.rows import Rows
from soapstone.imports.spec import ImportSpec
from soapstone.jobs.run import JobFailed
from soapstone.store.tables import Document, Id, accounts, contacts, lists, memberships, suppressions

LAST_NUMBER = (1 << 31) - 1
# Only rows with these outcomes change the record or profile of somebody known, and only these make memberships.
CHANGED = (o.UPDATED, o.JOINED_UPDATED, o.STILL_UNSUBSCRIBED_UPDATED)
JOINED = (o.ADDED, o.JOINED, o.JOINED_UPDATED)


@dataclass(frozen=True)
class Merged:
    """What a chunk came to: the outcome of each row by its number, how many memberships are new, and how many rows
    refer to somebody who was on the list."""

    outcomes: dict[int, str]
    new_members: int
    old_members: int


class Merge:
    """Merges the rows of one job. The statements are built once and used for each chunk.

    Rows of one chunk have different keys. The caller's transaction holds the account's row (`lock`), so that two
    imports never store one person twice.
    """

    def __init__(self, kind: str, account: Account, list_id: int | None, job_id: int, spec: ImportSpec, rows: Rows):
        self._account, self._list_id, self._job_id, self._spec, self._rows = account, list_id, job_id, spec, rows
        self._documents = Documents(kind)
        self._unique = account.identifier == "email"
        self._stage = self._make_stage()
        self._match = self._make_match()
        self._decide = self._make_decision()

    def lock(self, connection: Connection) -> int:
        """Hold the account's row until the transaction ends; the last contact number given out in it."""
        query = select(accounts.c.last_number).where(accounts.c.id == self._account.id).with_for_update()
        return int(connection.execute(query).scalar_one())

    def apply(self, connection: Connection, values: Sequence[Mapping[str, Any]], moment: datetime) -> Merged:
        """Merge rows: `values` are those of `Rows.values` with the row's number as `row`."""
        stage, real = self._stage, not self._spec.dry_run
        stage.create(connection, checkfirst=False)
        connection.execute(insert(stage), values)
        connection.execute(self._match)
        on_list = memberships.c.list_id == self._list_id
        if real and self._list_id is not None:
            # Before the rows are judged: this takes hold of the memberships, so that nobody changes them meanwhile.
            mentioned = select(stage.c.contact_id).where(stage.c.contact_id.is_not(None))
            connection.execute(
                update(memberships)
                .where(on_list, memberships.c.contact_id.in_(mentioned))
                .values(last_job=self._job_id)
            )
        connection.execute(self._decide)
        found = connection.execute(select(stage.c.row, stage.c.outcome, stage.c.membership)).all()
        joins = sum(row.outcome in JOINED and row.membership is None for row in found)
        merged = Merged(
            outcomes={row.row: row.outcome for row in found},
            new_members=joins if self._list_id is not None else 0,
            old_members=sum(row.membership is not None for row in found),
        )
        if real:
            counted = Counter((row.outcome, row.membership) for row in found)
            self._store(connection, merged, counted, moment)
        stage.drop(connection, checkfirst=False)
        return merged

    def _store(
        self,
        connection: Connection,
        merged: Merged,
        counted: Mapping[tuple[str, str | None], int],
        moment: datetime,
    ) -> None:
        outcomes = {outcome for outcome, _ in counted}
        if o.ADDED in outcomes:
            self._add_contacts(connection, moment)
            connection.execute(self._match.where(self._stage.c.outcome == o.ADDED))
        if not outcomes.isdisjoint(CHANGED):
            self._change_contacts(connection, moment)
        if self._list_id is None:
            return
        if self._spec.removes:
            self._unsubscribe(connection, moment)
        else:
            self._change_memberships(connection, moment)
            self._add_memberships(connection, merged.new_members, moment)
        subscribed = merged.new_members - counted.get((o.REMOVED, "subscribed"), 0)
        subscribed += counted.get((o.JOINED, "waiting"), 0) + counted.get((o.JOINED_UPDATED, "waiting"), 0)
        if merged.new_members or subscribed:
            connection.execute(
                update(lists)
                .where(lists.c.id == self._list_id)
                .values(members=lists.c.members + merged.new_members, subscribed=lists.c.subscribed + subscribed)
            )

    def _add_contacts(self, connection: Connection, moment: datetime) -> None:
        stage = self._stage
        columns: dict[str, Any] = {name: stage.c[name] for name in self._rows.columns}
        columns |= {"email": stage.c.email, "email_key": stage.c.email_key}
        columns |= {self._rows.key: stage.c.key} if self._rows.key == "custom_id" else {}
        columns |= {"unique_email": stage.c.email_key if self._unique else null()}
        stamp = literal(moment, contacts.c.created_at.type)
        columns |= {"account_id": literal(self._account.id), "created_at": stamp, "updated_at": stamp}
        query = select(*columns.values()).where(stage.c.outcome == o.ADDED).order_by(stage.c.row)
        connection.execute(insert(contacts).from_select(list(columns), query))

    def _change_contacts(self, connection: Connection, moment: datetime) -> None:
        stage = self._stage
        values: dict[str, Any] = {name: self._new_value(name) for name in self._rows.columns}
        if "email" in values:
            # The address is data here; its comparable form follows it.
            values["email_key"] = self._new_value("email", "email_key")
        if values:
            connection.execute(
                update(contacts)
                .where(contacts.c.id == stage.c.contact_id, stage.c.record_changed, stage.c.outcome.in_(CHANGED))
                .values(**values, updated_at=moment)
            )

    def _change_memberships(self, connection: Connection, moment: datetime) -> None:
        stage, member = self._stage, memberships.c
        here = [member.list_id == self._list_id, member.contact_id == stage.c.contact_id]
        if self._rows.has_profile:
            connection.execute(
                update(memberships)
                .where(*here, stage.c.profile_changed, stage.c.outcome.in_(CHANGED))
                .values(profile=self._new_profile())
            )
        waited = [stage.c.membership == "waiting", stage.c.outcome.in_((o.JOINED, o.JOINED_UPDATED))]
        connection.execute(update(memberships).where(*here, *waited).values(state="subscribed"))

    def _add_memberships(self, connection: Connection, joins: int, moment: datetime) -> None:
        if not joins:
            return
        stage = self._stage
        last = self.lock(connection)
        if last + joins > LAST_NUMBER:
            raise JobFailed("The account has given out all its contact numbers.")
        columns: dict[str, Any] = {
            "list_id": literal(self._list_id),
            "contact_id": stage.c.contact_id,
            "account_id": literal(self._account.id),
            "number": last + func.row_number().over(order_by=stage.c.row),
            "state": literal("subscribed"),
            "added_at": literal(moment, memberships.c.added_at.type),
            "added_by": literal("Import"),
            "last_job": literal(self._job_id),
        }
        if self._rows.has_profile:
            columns["profile"] = self._documents.fresh(stage.c.profile)
        query = select(*columns.values()).where(stage.c.outcome.in_(JOINED), stage.c.membership.is_(None))
        connection.execute(insert(memberships).from_select(list(columns), query.order_by(stage.c.contact_id)))
        connection.execute(update(accounts).where(accounts.c.id == self._account.id).values(last_number=last + joins))

    def _unsubscribe(self, connection: Connection, moment: datetime) -> None:
        stage, member = self._stage, memberships.c
        here = [member.list_id == self._list_id, member.contact_id == stage.c.contact_id]
        connection.execute(
            update(memberships)
            .where(*here, stage.c.outcome == o.REMOVED)
            .values(state="unsubscribed", removed_at=moment, removed_by="Import")
        )
        if self._spec.action == "remove_with_profile":
            connection.execute(update(memberships).where(*here).values(profile={}))

    # ---- the statements that do not change from chunk to chunk

    def _make_stage(self) -> Table:
        texts = dict.fromkeys(("key", "email", "email_key", *self._rows.columns))
        columns: list[TableColumn[Any]] = [TableColumn(name, Text, nullable=False) for name in texts]
        if self._rows.has_profile:
            columns.append(TableColumn("profile", Document, nullable=False))
        return Table(
            "import_stage",
            MetaData(),
            TableColumn("row", Id, primary_key=True, autoincrement=False),
            *columns,
            # Filled by the statements: the contact, its state on the list before this import, and the judgement.
            TableColumn("contact_id", Id),
            TableColumn("membership", Text),
            TableColumn("outcome", Text),
            TableColumn("record_changed", Boolean),
            TableColumn("profile_changed", Boolean),
            prefixes=["TEMPORARY"],
            postgresql_on_commit="DROP",
        )

    def _make_match(self) -> Any:
        """Find the contact of each row; of several, the one that came first, members of the list before others."""
        stage = self._stage
        mine = contacts.c.account_id == self._account.id
        if self._rows.key == "custom_id":
            condition = and_(mine, contacts.c.custom_id == stage.c.key, contacts.c.custom_id != "")
        elif self._unique:
            condition = and_(mine, contacts.c.unique_email == stage.c.key)
        else:
            condition = and_(mine, contacts.c.email_key == stage.c.key, contacts.c.unique_email.is_(None))
        found: ColumnElement[Any] = select(func.min(contacts.c.id)).where(condition).scalar_subquery()
        if not self._unique and self._list_id is not None:
            joined = contacts.join(memberships, memberships.c.contact_id == contacts.c.id)
            on_list = and_(condition, memberships.c.list_id == self._list_id)
            member = select(func.min(contacts.c.id)).select_from(joined).where(on_list).scalar_subquery()
            found = func.coalesce(member, found)
        return update(stage).values(contact_id=found)

    def _make_decision(self) -> Any:
        """One statement that judges every row of the stage."""
        staged = self._stage.alias("staged")
        member = and_(memberships.c.list_id == self._list_id, memberships.c.contact_id == staged.c.contact_id)
        source: Any = staged.outerjoin(contacts, contacts.c.id == staged.c.contact_id)
        state: ColumnElement[Any] = null()
        if self._list_id is not None:
            source = source.outerjoin(memberships, member)
            state = memberships.c.state
        known = contacts.c.id.is_not(None)
        record_changed = and_(known, self._record_changed(staged))
        profile_changed: ColumnElement[bool] = false()
        if self._list_id is not None and self._rows.has_profile and self._spec.known != "keep":
            profile_changed = and_(state.is_not(None), self._profile_changed(staged))
        judged = (
            select(
                staged.c.row,
                state.label("membership"),
                record_changed.label("record_changed"),
                profile_changed.label("profile_changed"),
                self._outcome(staged, known, state, or_(record_changed, profile_changed)).label("outcome"),
            )
            .select_from(source)
            .subquery("judged")
        )
        return (
            update(self._stage)
            .where(self._stage.c.row == judged.c.row)
            .values({name: judged.c[name] for name in ("membership", "outcome", "record_changed", "profile_changed")})
        )

    def _outcome(
        self, staged: Any, known: ColumnElement[bool], state: ColumnElement[Any], changed: ColumnElement[bool]
    ) -> ColumnElement[str]:
        spec = self._spec
        if spec.removes:
            return case(
                (state.is_(None), o.NOTHING_TO_REMOVE), (state == "unsubscribed", o.ALREADY_REMOVED), else_=o.REMOVED
            )
        # The order of the checks is that of the single calls (lk-54); address syntax was checked before.
        cases: list[tuple[ColumnElement[bool], Any]] = []
        if spec.blocked == "skip":
            cases += [(self._is(kind, staged), kind) for kind in (o.BANNED, o.SUPPRESSED)]
            cases += [(state == "unsubscribed", literal(o.PREVIOUSLY_UNSUBSCRIBED))]
        unsubscribed = case((changed, o.STILL_UNSUBSCRIBED_UPDATED), else_=o.STILL_UNSUBSCRIBED)
        same = case((changed, o.UPDATED), else_=o.UNCHANGED)
        cases += [(state == "unsubscribed", unsubscribed), (state == "subscribed", same)]
        if spec.action == "update":
            if self._list_id is None:
                cases += [(known, same)]
            return case(*cases, else_=o.NOT_ON_LIST)
        cases += [(~known, literal(o.ADDED))]
        if self._list_id is None:
            return case(*cases, else_=same)
        return case(*cases, else_=case((changed, o.JOINED_UPDATED), else_=o.JOINED))

    def _is(self, kind: str, staged: Any) -> ColumnElement[bool]:
        """Whether the row's address, or the one that the contact has, is blocked for this list."""
        return exists(
            select(suppressions.c.id)
            .where(
                suppressions.c.account_id == self._account.id,
                suppressions.c.kind == kind,
                suppressions.c.list_id.in_((0, self._list_id or 0)),
                suppressions.c.email_key.in_((staged.c.email_key, contacts.c.email_key)),
                suppressions.c.email_key != "",
            )
            .correlate(staged, contacts)
        )

    def _record_changed(self, staged: Any) -> ColumnElement[bool]:
        old, columns = contacts.c, self._rows.columns
        if self._spec.known == "keep" or not columns:
            return false()
        if self._spec.known == "append":
            return or_(*(and_(old[name] == "", staged.c[name] != "") for name in columns))
        if self._spec.known == "update":
            return or_(*(and_(staged.c[name] != "", old[name] != staged.c[name]) for name in columns))
        return or_(*(old[name] != staged.c[name] for name in columns))

    def _new_value(self, name: str, follower: str | None = None) -> ColumnElement[str]:
        """The new value of a contact's column, or of one that goes along with it."""
        old, new = contacts.c[name], self._stage.c[name]
        taken, kept = self._stage.c[follower or name], contacts.c[follower or name]
        if self._spec.known == "append":
            return case((old == "", taken), else_=kept)
        if self._spec.known == "update":
            return case((new != "", taken), else_=kept)
        return taken

    def _profile_changed(self, staged: Any) -> ColumnElement[bool]:
        old = memberships.c.profile
        return self._documents.differ(old, self._merged_profile(staged.c.profile))

    def _new_profile(self) -> ColumnElement[Any]:
        return self._merged_profile(self._stage.c.profile)

    def _merged_profile(self, patch: ColumnElement[Any]) -> ColumnElement[Any]:
        merge = self._documents.filled if self._spec.known == "append" else self._documents.patched
        return merge(memberships.c.profile, patch)
