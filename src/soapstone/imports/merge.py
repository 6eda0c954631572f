"""The merge: a few set statements turn a chunk's staged rows into contacts and memberships, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Select,
    Update,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from soapstone.accounts.account import Account
from soapstone.contacts.erased_addresses import any_erased, erased_among, has_erased
from soapstone.imports.account_lock import hold
from soapstone.imports.lookups import PLAN, SORTS, Lookups
from soapstone.imports.matching import Matching, rows_in
from soapstone.imports.member_numbers import MemberNumbers
from soapstone.imports.opt_out_merge import OptOutMerge
from soapstone.imports.outcomes import CODES, NAMES, NEW, UNCONFIRMED, UNSUBSCRIBED
from soapstone.imports.profile_json import Documents
from soapstone.imports.rows import EVENTS
from soapstone.imports.spec import ImportSpec
from soapstone.imports.stage import SCHEMA, Stage
from soapstone.lists.external_events import active_events, numbers
from soapstone.store.database import Database
from soapstone.store.postgresql import pipelined
from soapstone.store.tables import accounts, contact_events, contacts, lists, memberships
from soapstone.store.transient_errors import transient_error
from soapstone.vocabulary.rows import REJECTED, ImportOutcome

ChangeT = TypeVar("ChangeT", Insert, Update)

# Only rows with these outcomes change a known contact's fields or profile, and only the next ones add memberships.
CHANGED = (
    ImportOutcome.UPDATED,
    ImportOutcome.JOINED_UPDATED,
    ImportOutcome.STILL_UNSUBSCRIBED_UPDATED,
    ImportOutcome.IMPORTED_UNSUBSCRIBED_UPDATED,
    ImportOutcome.IMPORTED_UNCONFIRMED_UPDATED,
)
JOINED = (ImportOutcome.ADDED, ImportOutcome.JOINED, ImportOutcome.JOINED_UPDATED)
# Contacts that join with these outcomes had opted out of the list before, and join as unsubscribed.
LEFT = (ImportOutcome.STILL_UNSUBSCRIBED, ImportOutcome.STILL_UNSUBSCRIBED_UPDATED, *UNSUBSCRIBED)
# Contacts that join with any of these outcomes are not subscribed.
COMING = (*LEFT, *UNCONFIRMED)
# Only rows of contacts that are subscribed after them may raise external events (lk-71, lk-120).
RAISING = (*JOINED, ImportOutcome.UPDATED, ImportOutcome.UNCHANGED)
# KiB of SQLite's page cache for an import: each chunk walks indexes from end to end, so three times as much gained
# nothing.
CACHE_KIB = 16 << 10
COPY_BLOCK = 256 << 10
# What PostgreSQL keeps in memory of the temporary tables: a chunk of them takes 12 MB. It is too late to choose in a
# session that has used such tables, perhaps by way of a pooler.
MEMORY = "SELECT set_config('temp_buffers', '32MB', false)"


@dataclass(frozen=True)
class Merged:
    """The result of a chunk: outcome code and contact (0 for none) by row number, the counts of new memberships and of
    rows about present members, and the `refused` rows with their fields."""

    rows: Iterable[tuple[int, int, int]]
    new_members: int
    old_members: int
    refused: list[tuple[int, str, list[str]]]


NOTHING = Merged(rows=(), new_members=0, old_members=0, refused=[])


class Merge:
    """Merges the rows of one job. The statements are built once and used for each chunk.

    Rows of one chunk have different keys. The caller's transaction holds the account (`lock`), so that two imports
    never store one person twice. `doubles` says that several contacts may have one mailbox. On PostgreSQL, imports that
    only add or change people run beside each other in one account: a unique key tells their people apart.
    """

    def __init__(
        self,
        account: Account,
        list_id: int | None,
        job_id: int,
        spec: ImportSpec,
        stage: Stage,
        *,
        database: Database,
        doubles: bool = False,
    ) -> None:
        self._account, self._list_id, self._job_id, self._spec = account, list_id, job_id, spec
        self._stage, self._rows = stage.table, stage.rows
        self._sqlite = stage.kind == "sqlite"
        self._documents = Documents(stage.kind)
        self._lookups = Lookups(stage.kind)
        self._unique = account.identifier == "email"
        self._matching = Matching(account, list_id, spec, stage, doubles=doubles)
        self._matched = self._matching.table
        self._joined, self._row = self._matching.joined, self._matching.row
        self._opt_outs = OptOutMerge(account, list_id, spec, stage, self._matching)
        # Opt-outs concern other lists too, and must not miss a membership that is not committed.
        apart = self._unique and self._rows.key == "email" and not doubles
        beside = apart and not (self._sqlite or spec.removes or self._rows.has_opt_outs)
        self._may_share = beside
        self._shared = False
        self._path = ""
        self._numbers = MemberNumbers(account.id, job_id, database)

    @contextmanager
    def prepared(self, connection: Connection) -> Iterator[None]:
        """Prepare the connection for chunks inside this context."""
        driver: Any = connection.connection.driver_connection
        if self._sqlite:
            cache = driver.execute("PRAGMA cache_size").fetchone()[0]
            driver.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            driver.execute("PRAGMA foreign_keys=OFF")
        tables = [self._matched] if self._sqlite else [self._matched, self._stage]
        try:
            with connection.begin():
                if not self._sqlite:
                    _use_memory(connection)
                for table in tables:
                    # Each transaction of PostgreSQL fills them anew; without indexes, because all rows are used.
                    made = str(CreateTable(table).compile(connection))
                    connection.exec_driver_sql(made if self._sqlite else f"{made} ON COMMIT DELETE ROWS")
            yield
        finally:
            try:
                with connection.begin():
                    for table in tables:
                        table.drop(connection, checkfirst=False)
                if self._sqlite:
                    driver.execute(f"PRAGMA cache_size={cache}")
                    driver.execute("PRAGMA foreign_keys=ON")
            except Exception:
                # The pool must not reuse a connection with these tables: closing it drops them.
                connection.invalidate()

    @contextmanager
    def staged(self, connection: Connection, path: str) -> Iterator[None]:
        """Make the stage at this path that of one chunk, outside of its transaction."""
        if not self._sqlite:
            self._path = path
            yield
            return
        driver: Any = connection.connection.driver_connection
        driver.execute(f"ATTACH ? AS {SCHEMA}", (path,))
        try:
            yield
        finally:
            driver.execute(f"DETACH {SCHEMA}")

    def lock(self, connection: Connection, *, alone: bool = False) -> None:
        """Hold the account until the transaction ends; `alone` keeps other imports of it out, whatever they do."""
        self._shared = self._may_share and not alone
        hold(connection, self._account.id, shared=self._shared)

    def last_number(self, connection: Connection) -> int:
        """Return the account's last contact number."""
        query = select(accounts.c.last_number).where(accounts.c.id == self._account.id)
        return int(connection.execute(query).scalar_one())

    def apply(self, connection: Connection, moment: datetime, keep: Callable[[Merged], None]) -> None:
        """Merge the rows of the stage; the transaction must hold the account.

        `keep` takes the result, while PostgreSQL still works. It may execute statements that return no rows.
        """
        erased = self._fill_stage(connection)
        ends = self._list_id is not None and (self._spec.removes or self._rows.has_opt_outs)
        if not self._sqlite and ends and not self._spec.dry_run:
            connection.execute(self._matching.hold)
        connection.execute(self._matching.statement)
        if not self._sqlite:
            connection.exec_driver_sql(SORTS)
        if erased:
            self._refuse_deleted(connection)
        groups = connection.execute(self._matching.groups).all()
        counted = Counter({(NAMES[code], state): count for code, state, count, *_ in groups})
        joins = sum(count for (outcome, state), count in counted.items() if outcome in (*JOINED, *COMING) and not state)
        new_members = joins if self._list_id is not None else 0
        refused = self._refused(connection, {outcome for outcome, _ in counted})
        first = 0
        if not self._spec.dry_run:
            if added := sum(count for (outcome, _), count in counted.items() if outcome in NEW):
                self._add_contacts(connection, added == counted.total(), moment)
            if new_members:
                first = self._numbers.take(connection, new_members, shared=self._shared)
        with pipelined(connection) if self._returns_nothing(counted) else nullcontext():
            if not self._spec.dry_run:
                self._store(connection, counted, new_members, first, moment)
            if self._sqlite:
                # Raw rows of the driver: building SQLAlchemy's would cost more than the query.
                query = select(self._matched.c.row, self._matched.c.outcome, self._matching.found)
                rows: Iterable[tuple[int, int, int]] = connection.execute(query).cursor.fetchall()
            else:
                rows = rows_in(groups)
            old_members = sum(count for (_, state), count in counted.items() if state is not None)
            keep(Merged(rows=rows, new_members=new_members, old_members=old_members, refused=refused))

    def _fill_stage(self, connection: Connection) -> bool:
        """Bring the rows to where the matching finds them. Return whether contacts of the account were deleted."""
        if self._sqlite:
            connection.execute(delete(self._matched))
            return has_erased(connection, self._account.id)
        erased = bool(connection.execute(select(text(PLAN), any_erased(self._account.id))).one()[-1])
        self._load(connection)
        return erased

    def _refused(self, connection: Connection, outcomes: set[str]) -> list[tuple[int, str, list[str]]]:
        stage, matched = self._matching.staged, self._matched
        refused: list[tuple[int, str, list[str]]] = []
        if codes := [CODES[outcome] for outcome in outcomes if outcome in REJECTED]:
            fields = stage.c.fields if "fields" in stage.c else null()
            query = select(stage.c.row, matched.c.outcome, fields).select_from(self._joined).order_by(stage.c.row)
            for row, code, values in connection.execute(query.where(matched.c.outcome.in_(codes))):
                # Nothing of a deleted contact's row is stored.
                refused.append((row, NAMES[code], [] if code == CODES[ImportOutcome.DELETED] else values))
        return refused

    def _returns_nothing(self, counted: Counter[tuple[str, str | None]]) -> bool:
        """Return whether `_store` needs no results of its statements on PostgreSQL."""
        if self._sqlite or self._spec.removes or self._rows.has_opt_outs:
            return False
        if self._rows.has_blocks or self._rows.has_events:
            return False
        return {outcome for outcome, _ in counted}.isdisjoint((ImportOutcome.JOINED, ImportOutcome.JOINED_UPDATED))

    def _load(self, connection: Connection) -> None:
        """Copy the stage to the server, until the transaction ends."""
        driver: Any = connection.connection.driver_connection
        names = ", ".join(column.name for column in self._stage.c)
        copy = f"COPY {self._stage.name} ({names}) FROM STDIN"
        with Path(self._path).open("rb") as file, driver.cursor() as cursor, cursor.copy(copy) as target:
            while block := file.read(COPY_BLOCK):
                target.write(block)

    def _refuse_deleted(self, connection: Connection) -> None:
        """Refuse the rows of deleted contacts, whatever the action."""
        stage, matched = self._stage, self._matched
        key = stage.c.key if self._rows.key == "email" else stage.c.email_key if "email_key" in stage.c else None
        if key is None:
            return
        numbers = {staged: n for n, staged in connection.execute(select(stage.c.n, key)) if staged}
        erased = erased_among(connection, self._account.id, numbers.keys())
        several = key is not stage.c.key
        for staged in erased:
            rows = matched.c.n == numbers[staged]
            if several:
                # The address is not the key here, so several rows may have it.
                rows = matched.c.n.in_(select(stage.c.n).where(key == staged))
            values = {"outcome": CODES[ImportOutcome.DELETED], "contact_id": None, "membership": None}
            values |= {"record_changed": False, "profile_changed": False}
            connection.execute(update(matched).where(rows).values(**values))

    def _store(
        self,
        connection: Connection,
        counted: Counter[tuple[str, str | None]],
        new_members: int,
        first: int,
        moment: datetime,
    ) -> None:
        """Store what follows from the outcomes besides new contacts; `first` is the first new member's number."""
        outcomes = {outcome for outcome, _ in counted}
        if not outcomes.isdisjoint(CHANGED):
            self._change_contacts(connection, moment)
        out = not outcomes.isdisjoint(UNSUBSCRIBED)
        if out:
            self._opt_outs.suppress(connection, moment)
        if self._list_id is None:
            if out:
                self._opt_outs.unsubscribe_everywhere(connection, moment)
            return
        confirmed = coming = 0
        if self._spec.removes:
            self._opt_outs.unsubscribe(connection, moment, (ImportOutcome.REMOVED,))
        else:
            confirmed = self._change_memberships(connection, outcomes)
            if out:
                self._opt_outs.unsubscribe(connection, moment, UNSUBSCRIBED)
            coming = sum(counted.get((outcome, None), 0) for outcome in COMING)
            if new_members:
                self._add_memberships(connection, first, moment, coming, only=new_members == counted.total())
            if self._rows.has_events:
                self._raise_events(connection, moment)
        if self._spec.replace and any(state is not None for _, state in counted):
            self._mark(connection)
        ended = sum(counted.get((outcome, "subscribed"), 0) for outcome in (ImportOutcome.REMOVED, *UNSUBSCRIBED))
        subscribed = new_members - coming + confirmed - ended
        if new_members or subscribed:
            connection.execute(
                update(lists)
                .where(lists.c.id == self._list_id)
                .values(members=lists.c.members + new_members, subscribed=lists.c.subscribed + subscribed)
            )

    def _add_contacts(self, connection: Connection, only: bool, moment: datetime) -> None:
        stage, matched = self._matching.staged, self._matched
        self._number_contacts(connection, only)
        columns: dict[str, Any] = {"id": matched.c.contact_id, self._rows.key: stage.c.key}
        columns |= {name: stage.c[name] for name in self._rows.record}
        if self._rows.key == "email":
            columns |= {"email": stage.c.email, "email_key": stage.c.key}
        columns["unique_email"] = columns["email_key"] if self._unique else null()
        stamp = literal(moment, contacts.c.created_at.type)
        columns |= {"account_id": literal(self._account.id), "created_at": stamp, "updated_at": stamp}
        query = self._in_order(select(*columns.values()).select_from(self._joined).where(self._has(NEW)))
        connection.execute(_whole(insert(contacts)).from_select(list(columns), query, include_defaults=False))

    def _number_contacts(self, connection: Connection, only: bool) -> None:
        """Give the new contacts their numbers, in the order of their keys."""
        matched = self._matched
        new = self._has(NEW)
        if not self._sqlite:
            # The matching has numbered them.
            return
        # This transaction is the only writer, so no other one takes these.
        last = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = 'contact'")).scalar_one_or_none()
        if only:
            connection.execute(update(matched).values(contact_id=matched.c.n + (last or 0)))
            return
        order = func.row_number().over(order_by=matched.c.n)
        numbers = select(matched.c.n, (order + (last or 0)).label("id")).where(new).subquery("numbers")
        connection.execute(update(matched).where(matched.c.n == numbers.c.n).values(contact_id=numbers.c.id))

    def _change_contacts(self, connection: Connection, moment: datetime) -> None:
        matched = self._matched
        values: dict[str, Any] = {name: self._matching.new_value(name) for name in self._rows.columns}
        if "email" in values:
            # The address is not the key here; its comparable form changes with it.
            values["email_key"] = self._matching.new_value("email", "email_key")
        if values:
            connection.execute(
                _whole(update(contacts))
                .where(
                    self._lookups.same(contacts.c.id, matched.c.contact_id),
                    self._row,
                    matched.c.record_changed,
                    self._has(CHANGED),
                )
                .values(**values, updated_at=moment)
            )

    def _change_memberships(self, connection: Connection, outcomes: set[str]) -> int:
        """Change profiles, and subscribe unconfirmed members; return the number of these."""
        matched, member = self._matched, memberships.c
        here = self._membership(matched.c.contact_id)
        if self._rows.has_blocks and self._spec.known in ("update", "overwrite"):
            self._forget_form_values(connection)
        if self._rows.has_profile and not outcomes.isdisjoint(CHANGED):
            connection.execute(
                _whole(update(memberships))
                .where(here, self._row, matched.c.profile_changed, self._has(CHANGED))
                .values(profile=self._matching.new_profile)
            )
        if outcomes.isdisjoint((ImportOutcome.JOINED, ImportOutcome.JOINED_UPDATED)):
            return 0
        waited = [
            matched.c.membership == "waiting",
            member.state == "waiting",
            self._has((ImportOutcome.JOINED, ImportOutcome.JOINED_UPDATED)),
        ]
        return connection.execute(_whole(update(memberships)).where(here, *waited).values(state="subscribed")).rowcount

    def _forget_form_values(self, connection: Connection) -> None:
        """Mark content blocks in rows as the sender's from now on, even if equal.

        Few members have written any.
        """
        stage, matched, member = self._matching.staged, self._matched, memberships.c
        here = self._membership(matched.c.contact_id)
        kept = select(member.contact_id, member.form_values, stage.c.profile)
        kept = kept.join_from(self._joined, memberships, here)
        named = self._has((*CHANGED, ImportOutcome.UNCHANGED, ImportOutcome.JOINED, ImportOutcome.STILL_UNSUBSCRIBED))
        for row in connection.execute(kept.where(member.form_values.is_not(None), named)).all():
            marks = {name: value for name, value in row.form_values.items() if name not in row.profile}
            if marks != row.form_values:
                one = (member.list_id == self._list_id) & (member.contact_id == row.contact_id)
                connection.execute(update(memberships).where(one).values(form_values=marks or null()))

    def _add_memberships(
        self, connection: Connection, first: int, moment: datetime, coming: int, *, only: bool
    ) -> None:
        """Add memberships with the numbers from `first` on, `coming` of them unsubscribed or unconfirmed.

        `only` them, if each row joins.
        """
        stage, matched = self._matching.staged, self._matched
        # The rows of a stage are numbered from 1.
        place: Any = matched.c.n if only else func.row_number().over(order_by=matched.c.n)
        columns: dict[str, Any] = {
            "list_id": literal(self._list_id),
            "contact_id": matched.c.contact_id,
            "account_id": literal(self._account.id),
            "number": first - 1 + place,
            "state": literal("subscribed"),
            "added_at": literal(moment, memberships.c.added_at.type),
            "added_by": literal("Import"),
            "last_job": literal(self._job_id),
        }
        if coming:
            left = self._has(LEFT)
            columns["state"] = case((left, "unsubscribed"), (self._has(UNCONFIRMED), "waiting"), else_="subscribed")
            stamp = self._opt_outs.since(moment)
            columns |= {"removed_at": case((left, stamp)), "removed_by": case((left, "Import"), else_="")}
        source: Any = matched
        if self._rows.has_profile:
            columns["profile"] = self._documents.fresh(stage.c.profile)
        if self._rows.has_profile or self._rows.has_opt_outs:
            source = self._joined
        query = select(*columns.values()).select_from(source)
        query = self._in_order(query.where(self._has((*JOINED, *COMING)), matched.c.membership.is_(None)))
        connection.execute(_whole(insert(memberships)).from_select(list(columns), query, include_defaults=False))

    def _raise_events(self, connection: Connection, moment: datetime) -> None:
        """Raise the external events in rows that are active events of the list (lk-51, lk-71)."""
        stage, matched = self._matching.staged, self._matched
        query = select(matched.c.contact_id, stage.c[EVENTS]).select_from(self._joined)
        asked = connection.execute(query.where(self._has(RAISING), stage.c[EVENTS] != "").order_by(stage.c.row)).all()
        wanted = [(contact_id, numbers(text)) for contact_id, text in asked]
        assert self._list_id is not None  # noqa: S101 - asked for only with a list
        known = active_events(connection, self._list_id, frozenset[int]().union(*(found for _, found in wanted)))
        common = {"account_id": self._account.id, "list_id": self._list_id, "kind": "raised", "at": moment}
        rows = [
            {**common, "by": "Import", "contact_id": contact_id, "external_event_id": event_id}
            for contact_id, found in wanted
            for event_id in known
            if event_id in found
        ]
        if rows:
            connection.execute(insert(contact_events), rows)

    def _mark(self, connection: Connection) -> None:
        """Mark members in the file, which stay when an import replaces the others."""
        matched = self._matched
        connection.execute(
            _whole(update(memberships))
            .where(
                self._membership(matched.c.contact_id),
                matched.c.membership.is_not(None),
            )
            .values(last_job=self._job_id)
        )

    def _membership(self, contact_id: ColumnElement[Any]) -> ColumnElement[bool]:
        member = memberships.c
        return self._lookups.both((member.list_id, member.contact_id), (self._list_id, contact_id))

    def _in_order(self, query: Select[Any]) -> Select[Any]:
        """Return the query in the order of keys. PostgreSQL finds the rows in it."""
        return query.order_by(self._matched.c.n) if self._sqlite else query

    def _has(self, outcomes: tuple[str, ...]) -> ColumnElement[bool]:
        return self._matching.has(outcomes)


def _use_memory(connection: Connection) -> None:
    try:
        with connection.begin_nested():
            connection.execute(text(MEMORY))
    except DBAPIError as error:
        if transient_error(error) is not None:
            raise


def _whole(statement: ChangeT) -> ChangeT:
    """Return a statement whose failure ends its transaction on SQLite.

    Otherwise SQLite first copies each page that the statement changes, to undo the statement alone.
    """
    return statement.prefix_with("OR ROLLBACK", dialect="sqlite")
