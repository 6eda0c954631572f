"""The merge: the staged rows of a chunk become contacts and memberships by a few set statements, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    type_coerce,
    update,
)

from soapstone.accounts.account import Account
from soapstone.contacts.erased_addresses import erased_among, has_erased
from soapstone.contacts.suppressions import WHOLE_ACCOUNT
from soapstone.imports.matching import Judgement
from soapstone.imports.outcomes import CODES, NAMES, NEW, UNCONFIRMED, UNSUBSCRIBED
from soapstone.imports.profile_json import Documents
from soapstone.imports.rows import EVENTS, OPT_OUT, OPTED_OUT_AT
from soapstone.imports.spec import ImportSpec
from soapstone.imports.stage import SCHEMA, Stage
from soapstone.jobs.run import JobFailed
from soapstone.lists.external_events import active_events, numbers
from soapstone.store.numbers import LARGEST
from soapstone.store.tables import accounts, contact_events, contacts, lists, memberships, suppressions
from soapstone.store.unique import insert_into
from soapstone.vocabulary.rows import REJECTED, ImportOutcome

# Only rows with these outcomes change the record or profile of somebody known, and only these make memberships.
CHANGED = (
    ImportOutcome.UPDATED,
    ImportOutcome.JOINED_UPDATED,
    ImportOutcome.STILL_UNSUBSCRIBED_UPDATED,
    ImportOutcome.IMPORTED_UNSUBSCRIBED_UPDATED,
    ImportOutcome.IMPORTED_UNCONFIRMED_UPDATED,
)
JOINED = (ImportOutcome.ADDED, ImportOutcome.JOINED, ImportOutcome.JOINED_UPDATED)
# Who comes onto the list with these outcomes asked for no mail of it before, and comes as unsubscribed.
LEFT = (ImportOutcome.STILL_UNSUBSCRIBED, ImportOutcome.STILL_UNSUBSCRIBED_UPDATED, *UNSUBSCRIBED)
# Who comes onto the list with any of these outcomes is not subscribed.
COMING = (*LEFT, *UNCONFIRMED)
# Who was known, and gets no mail from now on.
ENDED = (ImportOutcome.IMPORTED_UNSUBSCRIBED, ImportOutcome.IMPORTED_UNSUBSCRIBED_UPDATED)
# Whose rows may raise external events: who is subscribed after the row (lk-71, lk-120).
RAISING = (*JOINED, ImportOutcome.UPDATED, ImportOutcome.UNCHANGED)
# KiB of SQLite's pages that an import keeps in memory: indexes are walked from end to end in each chunk, so three times
# as much gained nothing.
CACHE_KIB = 16 << 10
COPY_BLOCK = 256 << 10
# How PostgreSQL shall work on a chunk, whatever its statistics say of tables that have just grown: by looking up its
# rows one after another, for hashing all contacts costs the more the more there are; and with room for one chunk.
_WAYS = ("hashjoin", "mergejoin", "material", "seqscan", "bitmapscan")
PLAN = "SELECT set_config('work_mem', '32MB', true)" + "".join(
    f", set_config('enable_{way}', 'off', true)" for way in _WAYS
)


@dataclass(frozen=True)
class Merged:
    """What a chunk came to: outcome code and contact (0 for none) by the number of the row, how many memberships are
    new, and how many rows refer to somebody who was on the list; `refused` are rows that were not taken, with their
    fields."""

    rows: Sequence[tuple[int, int, int]]
    new_members: int
    old_members: int
    refused: list[tuple[int, str, list[str]]]


class Merge:
    """Merges the rows of one job. The statements are built once and used for each chunk.

    Rows of one chunk have different keys. The caller's transaction holds the account's row (`lock`), so that two
    imports never store one person twice. `doubles` says that several contacts may have one mailbox.
    """

    def __init__(
        self,
        account: Account,
        list_id: int | None,
        job_id: int,
        spec: ImportSpec,
        stage: Stage,
        *,
        doubles: bool = False,
    ) -> None:
        self._account, self._list_id, self._job_id, self._spec = account, list_id, job_id, spec
        self._stage, self._rows = stage.table, stage.rows
        self._sqlite = stage.kind == "sqlite"
        self._documents = Documents(stage.kind)
        self._unique = account.identifier == "email"
        self._judgement = Judgement(account, list_id, spec, stage, doubles=doubles)
        self._judged = self._judgement.table

    @contextmanager
    def prepared(self, connection: Connection) -> Iterator[None]:
        """Make the connection ready for chunks, as long as this lasts."""
        driver: Any = connection.connection.driver_connection
        if self._sqlite:
            cache = driver.execute("PRAGMA cache_size").fetchone()[0]
            driver.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        tables = [self._judged] if self._sqlite else [self._judged, self._stage]
        try:
            with connection.begin():
                for table in tables:
                    table.create(connection, checkfirst=False)
            yield
        finally:
            try:
                with connection.begin():
                    for table in tables:
                        table.drop(connection, checkfirst=False)
                if self._sqlite:
                    driver.execute(f"PRAGMA cache_size={cache}")
            except Exception:
                # Nobody shall get a connection with these tables on it: closing it takes them along.
                connection.invalidate()

    @contextmanager
    def staged(self, connection: Connection, path: str) -> Iterator[None]:
        """Bring the stage at this path to the connection, for one chunk and outside of its transaction."""
        driver: Any = connection.connection.driver_connection
        if self._sqlite:
            driver.execute(f"ATTACH ? AS {SCHEMA}", (path,))
            try:
                yield
            finally:
                driver.execute(f"DETACH {SCHEMA}")
            return
        # In a transaction of its own, so that the job's row is not held meanwhile.
        with connection.begin():
            connection.execute(text(f"TRUNCATE {self._stage.name}"))
            names = ", ".join(column.name for column in self._stage.c)
            copy = f"COPY {self._stage.name} ({names}) FROM STDIN"
            with Path(path).open("rb") as file, driver.cursor() as cursor, cursor.copy(copy) as target:
                while block := file.read(COPY_BLOCK):
                    target.write(block)
        yield

    def lock(self, connection: Connection) -> int:
        """Hold the account's row until the transaction ends; the last contact number given out in it."""
        query = select(accounts.c.last_number).where(accounts.c.id == self._account.id).with_for_update()
        return int(connection.execute(query).scalar_one())

    def apply(self, connection: Connection, moment: datetime) -> Merged:
        """Merge the rows of the stage; the transaction holds the account's row."""
        stage, judged = self._stage, self._judged
        if self._sqlite:
            connection.execute(delete(judged))
        else:
            connection.execute(text(PLAN))
            connection.execute(text(f"TRUNCATE {judged.name}"))
        ends = self._list_id is not None and (self._spec.removes or self._rows.has_opt_outs)
        if not self._sqlite and ends and not self._spec.dry_run:
            self._hold_memberships(connection)
        connection.execute(self._judgement.statement)
        self._refuse_deleted(connection)
        groups = select(judged.c.outcome, judged.c.membership, func.count()).group_by(
            judged.c.outcome, judged.c.membership
        )
        counted: Counter[tuple[str, str | None]] = Counter(
            {(NAMES[code], membership): count for code, membership, count in connection.execute(groups)}
        )
        joins = sum(count for (outcome, state), count in counted.items() if outcome in (*JOINED, *COMING) and not state)
        new_members = joins if self._list_id is not None else 0
        if not self._spec.dry_run:
            self._store(connection, counted, new_members, moment)
        result = select(stage.c.row, judged.c.outcome, func.coalesce(judged.c.contact_id, 0)).join(
            judged, judged.c.n == stage.c.n
        )
        refused = []
        reasons = {outcome for outcome, _ in counted if outcome in REJECTED}
        if reasons - {ImportOutcome.DELETED}:
            codes = [CODES[outcome] for outcome in REJECTED if outcome != ImportOutcome.DELETED]
            query = select(stage.c.row, judged.c.outcome, stage.c.fields).join(judged, judged.c.n == stage.c.n)
            found = connection.execute(query.where(judged.c.outcome.in_(codes)).order_by(stage.c.row))
            refused = [(row, NAMES[code], fields) for row, code, fields in found]
        if ImportOutcome.DELETED in reasons:
            query = select(stage.c.row).join(judged, judged.c.n == stage.c.n)
            deleted = connection.execute(query.where(judged.c.outcome == CODES[ImportOutcome.DELETED])).scalars()
            # Of these people nothing is kept.
            refused += [(row, ImportOutcome.DELETED, []) for row in deleted]
        return Merged(
            # As the driver gives them: making SQLAlchemy's rows would cost more than the query.
            rows=connection.execute(result).cursor.fetchall(),
            new_members=new_members,
            old_members=sum(count for (_, state), count in counted.items() if state is not None),
            refused=refused,
        )

    def _refuse_deleted(self, connection: Connection) -> None:
        """Refuse the rows of people who were deleted, whatever the file is for."""
        stage, judged = self._stage, self._judged
        key = stage.c.key if self._rows.key == "email" else stage.c.email_key if "email_key" in stage.c else None
        if key is None or not has_erased(connection, self._account.id):
            return
        numbers = {staged: n for n, staged in connection.execute(select(stage.c.n, key)) if staged}
        erased = erased_among(connection, self._account.id, numbers.keys())
        several = key is not stage.c.key
        for staged in erased:
            rows = judged.c.n == numbers[staged]
            if several:
                # The address is data here, and more than one row may have it.
                rows = judged.c.n.in_(select(stage.c.n).where(key == staged))
            values = {"outcome": CODES[ImportOutcome.DELETED], "contact_id": None, "membership": None}
            values |= {"record_changed": False, "profile_changed": False}
            connection.execute(update(judged).where(rows).values(**values))

    def _hold_memberships(self, connection: Connection) -> None:
        """Take hold of the memberships before they are judged, so that nobody else ends them meanwhile.

        An import that adds need not: it never goes by a state that somebody else may have changed since.
        """
        held = (
            select(memberships.c.contact_id)
            .where(
                memberships.c.list_id == self._list_id,
                memberships.c.contact_id.in_(select(self._judgement.match(self._stage)).select_from(self._stage)),
            )
            .order_by(memberships.c.contact_id)
            .with_for_update()
            .subquery()
        )
        connection.execute(select(func.count()).select_from(held))

    def _store(
        self, connection: Connection, counted: Counter[tuple[str, str | None]], new_members: int, moment: datetime
    ) -> None:
        outcomes = {outcome for outcome, _ in counted}
        if added := sum(count for (outcome, _), count in counted.items() if outcome in NEW):
            self._add_contacts(connection, added == counted.total(), moment)
        if not outcomes.isdisjoint(CHANGED):
            self._change_contacts(connection, moment)
        out = not outcomes.isdisjoint(UNSUBSCRIBED)
        if out:
            self._suppress(connection, moment)
        if self._list_id is None:
            if out:
                self._opt_out(connection, moment)
            return
        confirmed = coming = 0
        if self._spec.removes:
            self._unsubscribe(connection, moment, (ImportOutcome.REMOVED,))
        else:
            confirmed = self._change_memberships(connection, outcomes)
            if out:
                self._unsubscribe(connection, moment, UNSUBSCRIBED)
            coming = sum(counted.get((outcome, None), 0) for outcome in COMING)
            self._add_memberships(connection, new_members, moment, coming)
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
        stage, judged = self._stage, self._judged
        self._number_contacts(connection, only)
        columns: dict[str, Any] = {"id": judged.c.contact_id, self._rows.key: stage.c.key}
        columns |= {name: stage.c[name] for name in self._rows.record}
        if self._rows.key == "email":
            columns |= {"email": stage.c.email, "email_key": stage.c.key}
        columns["unique_email"] = columns["email_key"] if self._unique else null()
        stamp = literal(moment, contacts.c.created_at.type)
        columns |= {"account_id": literal(self._account.id), "created_at": stamp, "updated_at": stamp}
        query = select(*columns.values()).join_from(judged, stage, judged.c.n == stage.c.n)
        query = query.where(self._has(NEW)).order_by(judged.c.n)
        connection.execute(insert(contacts).from_select(list(columns), query, include_defaults=False))

    def _number_contacts(self, connection: Connection, only: bool) -> None:
        """Give the new contacts their numbers, in the order of their keys."""
        judged = self._judged
        new = self._has(NEW)
        if not self._sqlite:
            # The judgement gave them theirs.
            return
        # The writer's place is ours, so nobody else takes these.
        last = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = 'contact'")).scalar_one_or_none()
        if only:
            connection.execute(update(judged).values(contact_id=judged.c.n + (last or 0)))
            return
        order = func.row_number().over(order_by=judged.c.n)
        numbers = select(judged.c.n, (order + (last or 0)).label("id")).where(new).subquery("numbers")
        connection.execute(update(judged).where(judged.c.n == numbers.c.n).values(contact_id=numbers.c.id))

    def _change_contacts(self, connection: Connection, moment: datetime) -> None:
        stage, judged = self._stage, self._judged
        values: dict[str, Any] = {name: self._judgement.new_value(name) for name in self._rows.columns}
        if "email" in values:
            # The address is data here; its comparable form follows it.
            values["email_key"] = self._judgement.new_value("email", "email_key")
        if values:
            connection.execute(
                update(contacts)
                .where(
                    contacts.c.id == judged.c.contact_id,
                    judged.c.n == stage.c.n,
                    judged.c.record_changed,
                    self._has(CHANGED),
                )
                .values(**values, updated_at=moment)
            )

    def _change_memberships(self, connection: Connection, outcomes: set[str]) -> int:
        """Change profiles, and subscribe those who waited; how many these are."""
        stage, judged, member = self._stage, self._judged, memberships.c
        here = [member.list_id == self._list_id, member.contact_id == judged.c.contact_id]
        if self._rows.has_blocks and self._spec.known in ("update", "overwrite"):
            self._forget_form_values(connection)
        if self._rows.has_profile and not outcomes.isdisjoint(CHANGED):
            connection.execute(
                update(memberships)
                .where(*here, judged.c.n == stage.c.n, judged.c.profile_changed, self._has(CHANGED))
                .values(profile=self._judgement.new_profile(stage.c.profile))
            )
        if outcomes.isdisjoint((ImportOutcome.JOINED, ImportOutcome.JOINED_UPDATED)):
            return 0
        waited = [
            judged.c.membership == "waiting",
            member.state == "waiting",
            self._has((ImportOutcome.JOINED, ImportOutcome.JOINED_UPDATED)),
        ]
        return connection.execute(update(memberships).where(*here, *waited).values(state="subscribed")).rowcount

    def _forget_form_values(self, connection: Connection) -> None:
        """Content blocks that rows name are the sender's from now on, even where they say the same.

        Few members have any of their own.
        """
        stage, judged, member = self._stage, self._judged, memberships.c
        here = [member.list_id == self._list_id, member.contact_id == judged.c.contact_id]
        kept = select(member.contact_id, member.form_values, stage.c.profile)
        kept = kept.join_from(judged, stage, judged.c.n == stage.c.n).join(memberships, and_(*here))
        named = self._has((*CHANGED, ImportOutcome.UNCHANGED, ImportOutcome.JOINED, ImportOutcome.STILL_UNSUBSCRIBED))
        for row in connection.execute(kept.where(member.form_values.is_not(None), named)).all():
            marks = {name: value for name, value in row.form_values.items() if name not in row.profile}
            if marks != row.form_values:
                one = (member.list_id == self._list_id) & (member.contact_id == row.contact_id)
                connection.execute(update(memberships).where(one).values(form_values=marks or null()))

    def _add_memberships(self, connection: Connection, joins: int, moment: datetime, coming: int) -> None:
        """Make so many memberships; `coming` of them are of people who come as unsubscribed, or wait."""
        if not joins:
            return
        stage, judged = self._stage, self._judged
        last = self.lock(connection)
        if last + joins > LARGEST:
            raise JobFailed("The account has given out all its contact numbers.")
        columns: dict[str, Any] = {
            "list_id": literal(self._list_id),
            "contact_id": judged.c.contact_id,
            "account_id": literal(self._account.id),
            "number": last + func.row_number().over(order_by=judged.c.n),
            "state": literal("subscribed"),
            "added_at": literal(moment, memberships.c.added_at.type),
            "added_by": literal("Import"),
            "last_job": literal(self._job_id),
        }
        if coming:
            left = self._has(LEFT)
            columns["state"] = case((left, "unsubscribed"), (self._has(UNCONFIRMED), "waiting"), else_="subscribed")
            stamp = self._since(moment)
            columns |= {"removed_at": case((left, stamp)), "removed_by": case((left, "Import"), else_="")}
        source: Any = judged
        if self._rows.has_profile:
            columns["profile"] = self._documents.fresh(stage.c.profile)
        if self._rows.has_profile or self._rows.has_opt_outs:
            source = judged.join(stage, judged.c.n == stage.c.n)
        query = select(*columns.values()).select_from(source)
        query = query.where(self._has((*JOINED, *COMING)), judged.c.membership.is_(None)).order_by(judged.c.n)
        connection.execute(insert(memberships).from_select(list(columns), query, include_defaults=False))
        connection.execute(update(accounts).where(accounts.c.id == self._account.id).values(last_number=last + joins))

    def _raise_events(self, connection: Connection, moment: datetime) -> None:
        """Raise the external events that rows name, as far as they are active events of the list (lk-51, lk-71)."""
        stage, judged = self._stage, self._judged
        query = select(judged.c.contact_id, stage.c[EVENTS]).join(stage, stage.c.n == judged.c.n)
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

    def _unsubscribe(self, connection: Connection, moment: datetime, outcomes: tuple[str, ...]) -> None:
        """End the memberships, as far as they have not ended, of the contacts of rows with these outcomes."""
        stage, judged, member = self._stage, self._judged, memberships.c
        ending = [self._has(outcomes), judged.c.membership.in_(("subscribed", "waiting"))]
        told = select(
            literal(self._account.id),
            judged.c.contact_id,
            literal(self._list_id),
            literal("unsubscribed"),
            literal(moment, contact_events.c.at.type),
            literal("Import"),
        ).where(*ending)
        names = ["account_id", "contact_id", "list_id", "kind", "at", "by"]
        connection.execute(insert(contact_events).from_select(names, told, include_defaults=False))
        here = [member.list_id == self._list_id, member.contact_id == judged.c.contact_id]
        if self._rows.has_opt_outs:
            ending.append(judged.c.n == stage.c.n)
        connection.execute(
            update(memberships)
            .where(*here, *ending)
            .values(state="unsubscribed", removed_at=self._since(moment), removed_by="Import")
        )
        if self._spec.action == "remove_with_profile":
            connection.execute(update(memberships).where(*here).values(profile={}, form_values=null()))

    def _since(self, moment: datetime) -> ColumnElement[Any]:
        """Return since when the contact of a row gets no mail: as the file says, else now."""
        instant = memberships.c.removed_at.type
        now = literal(moment, instant)
        if not self._rows.has_opt_outs:
            return now
        told = cast(func.nullif(self._stage.c[OPTED_OUT_AT], ""), BigInteger)
        return func.coalesce(type_coerce(told, instant), now)

    def _opt_out(self, connection: Connection, moment: datetime) -> None:
        """Unsubscribe people from everything, all their lists included: their file concerns no list."""
        stage, judged, member, event = self._stage, self._judged, memberships.c, contact_events.c
        people = select(judged.c.contact_id).where(self._has(ENDED))
        theirs = (
            member.contact_id.in_(people),
            member.state.in_(("subscribed", "waiting")),
            member.list_id.in_(
                select(lists.c.id).where(lists.c.account_id == self._account.id, lists.c.deleted_at.is_(None))
            ),
        )
        # Held until the transaction ends, so that what is counted is what ends.
        held = select(member.list_id, member.state).where(*theirs).order_by(member.list_id, member.contact_id)
        ending = held.with_for_update().subquery()
        counted = connection.execute(
            select(ending.c.list_id, func.sum(case((ending.c.state == "subscribed", 1), else_=0)))
            .group_by(ending.c.list_id)
            .order_by(ending.c.list_id)
        ).all()
        stamp = literal(moment, event.at.type)
        common: list[Any] = [literal(self._account.id), literal("unsubscribed"), stamp, literal("Import")]
        names = ["account_id", "kind", "at", "by", "contact_id"]
        known = select(*common, contacts.c.id).where(
            contacts.c.id.in_(people),
            or_(contacts.c.unsubscribed_at.is_(None), exists().where(member.contact_id == contacts.c.id, *theirs[1:])),
        )
        connection.execute(insert(contact_events).from_select(names, known, include_defaults=False))
        connection.execute(
            update(contacts)
            .where(contacts.c.id == judged.c.contact_id, judged.c.n == stage.c.n, self._has(UNSUBSCRIBED))
            .where(contacts.c.unsubscribed_at.is_(None))
            .values(unsubscribed_at=self._since(moment), updated_at=moment)
        )
        if not counted:
            return
        cause = contact_events.alias().c
        whole = (
            select(func.max(cause.id))
            .where(cause.contact_id == member.contact_id, cause.list_id.is_(None), cause.kind == "unsubscribed")
            .scalar_subquery()
        )
        told = select(*common, member.contact_id, member.list_id, whole).where(*theirs)
        told = told.order_by(member.contact_id, member.list_id)
        connection.execute(
            insert(contact_events).from_select([*names, "list_id", "part_of"], told, include_defaults=False)
        )
        connection.execute(
            update(memberships)
            .where(member.contact_id == judged.c.contact_id, judged.c.n == stage.c.n, self._has(ENDED), *theirs[1:])
            .values(state="unsubscribed", removed_at=self._since(moment), removed_by="Import")
        )
        for list_id, subscribed in counted:
            connection.execute(
                update(lists).where(lists.c.id == list_id).values(subscribed=lists.c.subscribed - int(subscribed))
            )

    def _suppress(self, connection: Connection, moment: datetime) -> None:
        """Suppress the addresses that must get nothing at all, as the file says, in the whole account."""
        stage, judged = self._stage, self._judged
        # The row's address, and the one that the contact has: they may differ where people go by their custom id.
        for address in (contacts.c.email_key, self._judgement.email_key(stage)):
            columns: dict[str, Any] = {
                "account_id": literal(self._account.id),
                "list_id": literal(WHOLE_ACCOUNT),
                "kind": literal("suppressed"),
                "email_key": address,
                "created_at": literal(moment, suppressions.c.created_at.type),
            }
            query = (
                select(*columns.values())
                .distinct()
                .join_from(judged, stage, judged.c.n == stage.c.n)
                .join(contacts, contacts.c.id == judged.c.contact_id)
                .where(self._has(UNSUBSCRIBED), stage.c[OPT_OUT] == "suppressed", address != "")
            )
            adding = insert_into(suppressions, connection.dialect.name).from_select(
                list(columns), query, include_defaults=False
            )
            connection.execute(adding.on_conflict_do_nothing())

    def _mark(self, connection: Connection) -> None:
        """Keep members whom rows refer to when all others are replaced."""
        judged, member = self._judged, memberships.c
        connection.execute(
            update(memberships)
            .where(
                member.list_id == self._list_id,
                member.contact_id == judged.c.contact_id,
                judged.c.membership.is_not(None),
            )
            .values(last_job=self._job_id)
        )

    def _has(self, outcomes: tuple[str, ...]) -> ColumnElement[bool]:
        return self._judged.c.outcome.in_([CODES[outcome] for outcome in outcomes])
