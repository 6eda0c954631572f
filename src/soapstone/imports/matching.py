"""Matching: one statement that finds the contact of each staged row and decides its outcome."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
)
from sqlalchemy import Column as TableColumn

from soapstone.accounts.account import Account
from soapstone.contacts.suppressions import WHOLE_ACCOUNT
from soapstone.imports.lookups import Lookups
from soapstone.imports.opt_out_meanings import OUT
from soapstone.imports.outcomes import CODES, NEW
from soapstone.imports.profile_json import Documents
from soapstone.imports.rows import OPT_OUT
from soapstone.imports.spec import ImportSpec
from soapstone.imports.stage import Stage
from soapstone.store.tables import Id, contacts, lists, memberships, opt_outs, suppressions
from soapstone.vocabulary.rows import ImportOutcome


class Matching:
    """Matches the rows of one import's stages.

    `statement` fills the temporary `table` with a row for each row of the stage. Its values are in `staged` then, in
    the same `row` as its match; `joined` has both. On PostgreSQL all of them are the `table`, which costs less than
    joining two without statistics. `doubles` says that several contacts of the account may have one mailbox
    (soapstone.contacts.mailboxes).
    """

    def __init__(
        self, account: Account, list_id: int | None, spec: ImportSpec, stage: Stage, *, doubles: bool = False
    ) -> None:
        self._account, self._list_id, self._spec = account, list_id, spec
        self._stage, self._rows = stage.table, stage.rows
        self._documents = Documents(stage.kind)
        self._sqlite = stage.kind == "sqlite"
        self._lookups = Lookups(stage.kind)
        self._unique = account.identifier == "email"
        self._doubles = doubles
        # The contacts as the statement finds them.
        self._person: FromClause = contacts
        self._state: ColumnElement[Any] = null() if list_id is None else memberships.c.state
        self._profile: ColumnElement[Any] = memberships.c.profile
        self.table = _matched(self._stage, on_sqlite=self._sqlite)
        self.staged: FromClause = self._stage
        self.joined: FromClause
        self.row: ColumnElement[bool]
        if self._sqlite:
            self.row = self._stage.c.n == self.table.c.n
            self.joined = self.table.join(self._stage, self.row)
        else:
            self.staged, self.joined, self.row = self.table, self.table, true()
        self.statement = self._statement()
        self.found = func.coalesce(self.table.c.contact_id, 0)
        groups = [self.table.c.outcome, self.table.c.membership, func.count()]
        if not self._sqlite:
            groups += [_packed(self.table.c.row), _packed(self.found)]
        self.groups = select(*groups).group_by(self.table.c.outcome, self.table.c.membership)

    def has(self, outcomes: tuple[str, ...]) -> ColumnElement[bool]:
        """Return the condition that a matched row has one of the outcomes."""
        return self.table.c.outcome.in_([CODES[outcome] for outcome in outcomes])

    @property
    def hold(self) -> Select[Any]:
        """The statement that locks the memberships before the match, so that no other transaction ends them meanwhile.

        An import that adds need not: it never relies on a state that another transaction may have changed since.
        """
        # One by one, in the order of contacts.
        contact_id = self.match(self._stage).label("contact_id")
        found = (
            select(contact_id).select_from(self._stage).order_by(contact_id).cte("found").prefix_with("MATERIALIZED")
        )
        here = self._member(found.c.contact_id)
        held = select(memberships.c.contact_id).where(here).correlate(found).with_for_update().lateral("held")
        return select(func.count()).select_from(found.join(held, true()))

    def match(self, staged: Any) -> ColumnElement[Any]:
        """Return the contact of a row; of several, the oldest, members of the list first."""
        if self._rows.key == "custom_id":
            first = self._found(staged, contacts.c.custom_id, contacts.c.custom_id != "")
        elif self._unique:
            first = self._found(staged, contacts.c.unique_email)
        else:
            repeatable: ColumnElement[bool] = contacts.c.unique_email.is_(None)
            if self._sqlite:
                # Or SQLite chooses the unique index for this, and scans all contacts of the account.
                repeatable = func.likely(repeatable)
            first = self._found(staged, contacts.c.email_key, repeatable)
        if self._list_id is None or (self._unique and not self._doubles):
            return self._oldest(first)
        members = [self._oldest(first, members=True)]
        if self._doubles:
            double = (contacts.c.double_of.is_not(None), contacts.c.unique_email.is_(None))
            members.append(self._oldest(self._found(staged, contacts.c.email_key, *double), members=True))
        return func.coalesce(*members, self._oldest(first))

    def _found(self, staged: Any, column: ColumnElement[Any], *conditions: ColumnElement[bool]) -> FromClause:
        """Return the ids of the account's contacts whose column has a row's key."""
        query = select(contacts.c.id).where(contacts.c.account_id == self._account.id, *conditions)
        return self._lookups.key(query, column, staged.c.key).correlate(staged).subquery("people")

    def _oldest(self, found: FromClause, *, members: bool = False) -> ColumnElement[Any]:
        """Return the lowest of these ids; with `members` of those on the list, whatever their state."""
        query = select(func.min(found.c.id))
        if members:
            here = self._member(found.c.id)
            # A value, which PostgreSQL looks up; a join it might do by going through the list.
            query = query.where(
                select(memberships.c.contact_id).where(here).correlate(found).scalar_subquery().is_not(None)
            )
        return query.scalar_subquery()

    def _statement(self) -> Any:
        """Return the statement that matches every row of the stage."""
        staged: Any = self._stage.alias("staged")
        source: Any
        if self._unique and self._rows.key == "email" and not self._doubles:
            mine = contacts.c.account_id == self._account.id
            if self._sqlite:
                source = staged.outerjoin(contacts, and_(mine, contacts.c.unique_email == staged.c.key))
            else:
                # A query of its own, so that PostgreSQL looks each row up: see Lookups. Who is new is not looked for on
                # the list.
                names = {"id", "email_key", "unsubscribed_at", *self._rows.columns}
                query = select(*(contacts.c[name] for name in sorted(names))).where(mine).correlate(staged)
                query = self._lookups.key(query, contacts.c.unique_email, staged.c.key)
                if self._list_id is not None:
                    query = query.outerjoin(memberships, self._member(contacts.c.id))
                    query = query.add_columns(memberships.c.state.label("member"), memberships.c.profile)
                self._person = query.lateral("person")
                if self._list_id is not None:
                    self._state, self._profile = self._person.c.member, self._person.c.profile
                source = staged.outerjoin(self._person, true())
            contact_id: ColumnElement[Any] = self._person.c.id
        else:
            # Computed once for each row, not at each use.
            match = self.match(staged).label("contact_id")
            taken = [staged.c.n] if self._sqlite else list(staged.c)
            found = select(*taken, match).cte("found").prefix_with("MATERIALIZED")
            contact_id = found.c.contact_id
            if self._sqlite:
                source = staged.join(found, found.c.n == staged.c.n)
            else:
                # All of the row, so that nothing is joined with the rows found, which have no index.
                source = staged = found
            source = source.outerjoin(contacts, self._lookups.same(contacts.c.id, contact_id))
        state = self._state
        if state is memberships.c.state:
            source = source.outerjoin(memberships, self._member(contact_id))
        known = self._person.c.id.is_not(None)
        left: ColumnElement[bool] = false()
        if self._list_id is not None and not self._spec.removes:
            left = and_(known, self._opted_out(contact_id))
        record_changed = and_(known, self._record_changed(staged))
        profile_changed: ColumnElement[bool] = false()
        if self._list_id is not None and self._rows.has_profile and self._spec.known != "keep":
            profile_changed = and_(state.is_not(None), self._profile_changed(staged))
        outcome = self._outcome(staged, known, state, left, or_(record_changed, profile_changed))
        columns = {"n": staged.c.n, "row": staged.c.row, "contact_id": contact_id, "membership": state}
        columns |= {"outcome": outcome, "record_changed": record_changed, "profile_changed": profile_changed}
        if not self._sqlite:
            columns = {column.name: staged.c[column.name] for column in self._stage.c} | columns
        query = select(*(value.label(name) for name, value in columns.items())).select_from(source)
        if self._sqlite:
            query = query.order_by(text("n"))
        elif not self._spec.dry_run:
            # New contacts take the next number of the sequence; SQLite has none to take it from. A query of its own, or
            # PostgreSQL would decide each outcome twice. Look-ups keep the order of the stage.
            matched = query.offset(0).subquery("matched")
            new = matched.c.outcome.in_([CODES[outcome] for outcome in NEW])
            number = case((new, func.nextval(text("'contact_id_seq'"))))
            columns = {name: matched.c[name] for name in columns} | {
                "contact_id": func.coalesce(number, matched.c.contact_id)
            }
            query = select(*columns.values())
        return insert(self.table).from_select(list(columns), query, include_defaults=False)

    def _outcome(
        self,
        staged: Any,
        known: ColumnElement[bool],
        state: ColumnElement[Any],
        left: ColumnElement[bool],
        changed: ColumnElement[bool],
    ) -> ColumnElement[int]:
        spec = self._spec
        if spec.removes:
            return case(
                (state.is_(None), code(ImportOutcome.NOTHING_TO_REMOVE)),
                (state == "unsubscribed", code(ImportOutcome.ALREADY_REMOVED)),
                else_=code(ImportOutcome.REMOVED),
            )
        # The order of the checks is that of the single calls (lk-54); address syntax was checked before.
        cases: list[tuple[ColumnElement[bool], Any]] = []
        out, out_outcome = self._out(staged, known, changed)
        same = case((changed, code(ImportOutcome.UPDATED)), else_=code(ImportOutcome.UNCHANGED))
        if self._rows.has_opt_outs and self._list_id is not None:
            if self._spec.has_own_suppressions:
                # A contact suppressed in the account, as our own export says too, stays on the list as it was.
                nothing = or_(
                    *(
                        self._is(kind, staged, lists=(WHOLE_ACCOUNT,))
                        for kind in (ImportOutcome.SUPPRESSED, ImportOutcome.BANNED)
                    )
                )
                cases += [(and_(staged.c[OPT_OUT] == "suppressed", state == "subscribed", nothing), same)]
            # An opt-out ends a subscription, even of a suppressed address.
            cases += [(and_(out, state.is_not(None)), out_outcome)]
        if spec.blocked == "skip":
            cases += [(self._is(ImportOutcome.BANNED, staged), code(ImportOutcome.BANNED))]
            if self._rows.has_opt_outs and spec.action == "add":
                cases += [(out, out_outcome)]
            cases += [(self._is(ImportOutcome.SUPPRESSED, staged), code(ImportOutcome.SUPPRESSED))]
            cases += [(state == "unsubscribed", code(ImportOutcome.PREVIOUSLY_UNSUBSCRIBED))]
            # Contacts that opted out of this list or of everything, on the list or not (lk-75, mm-120).
            cases += [
                (and_(left, func.coalesce(state, "") != "subscribed"), code(ImportOutcome.PREVIOUSLY_UNSUBSCRIBED))
            ]
        unsubscribed = case(
            (changed, code(ImportOutcome.STILL_UNSUBSCRIBED_UPDATED)), else_=code(ImportOutcome.STILL_UNSUBSCRIBED)
        )
        cases += [(state == "unsubscribed", unsubscribed), (state == "subscribed", same)]
        if spec.action == "add":
            if self._rows.has_opt_outs:
                cases += [(out, out_outcome)]
            cases += [(left, unsubscribed)]
            if self._rows.has_opt_outs and self._list_id is not None:
                waits = case(
                    (~known, code(ImportOutcome.ADDED_UNCONFIRMED)),
                    (changed, code(ImportOutcome.IMPORTED_UNCONFIRMED_UPDATED)),
                    else_=code(ImportOutcome.IMPORTED_UNCONFIRMED),
                )
                cases += [(staged.c[OPT_OUT] == "waiting", waits)]
        if spec.action == "update":
            if self._rows.has_opt_outs and self._list_id is None:
                cases += [(and_(out, known), out_outcome)]
            if self._list_id is None:
                cases += [(known, same)]
            return case(*cases, else_=code(ImportOutcome.NOT_ON_LIST))
        cases += [(~known, code(ImportOutcome.ADDED))]
        if self._list_id is None:
            return case(*cases, else_=same)
        return case(*cases, else_=case((changed, code(ImportOutcome.JOINED_UPDATED)), else_=code(ImportOutcome.JOINED)))

    def _out(
        self, staged: Any, known: ColumnElement[bool], changed: ColumnElement[bool]
    ) -> tuple[ColumnElement[bool], ColumnElement[int]]:
        """Return the condition that the file opts the row's contact out, and the outcome of such a row."""
        if not self._rows.has_opt_outs:
            return false(), code(ImportOutcome.IMPORTED_UNSUBSCRIBED)
        out: ColumnElement[bool] = staged.c[OPT_OUT].in_(OUT)
        if self._list_id is None:
            # Without a list no membership can be unconfirmed: a new unconfirmed contact gets no mail.
            out = or_(out, and_(staged.c[OPT_OUT] == "waiting", ~known))
        return out, case(
            (~known, code(ImportOutcome.ADDED_UNSUBSCRIBED)),
            (changed, code(ImportOutcome.IMPORTED_UNSUBSCRIBED_UPDATED)),
            else_=code(ImportOutcome.IMPORTED_UNSUBSCRIBED),
        )

    def _opted_out(self, contact_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return whether the contact has opted out of this list, of its category, or of everything (mm-120)."""
        category = select(lists.c.category_id).where(lists.c.id == self._list_id).scalar_subquery()
        against = or_(
            and_(opt_outs.c.kind == "list", opt_outs.c.target_id == self._list_id),
            and_(opt_outs.c.kind == "list_category", opt_outs.c.target_id == category),
        )
        found = exists(select(literal(1)).where(opt_outs.c.contact_id == contact_id, against))
        left = or_(self._person.c.unsubscribed_at.is_not(None), found)
        if not self._doubles:
            return left
        # An opt-out of one contact holds for all of its mailbox (lk-64).
        other = contacts.alias("other")
        here = and_(memberships.c.contact_id == other.c.id, memberships.c.list_id == self._list_id)
        theirs = or_(
            other.c.unsubscribed_at.is_not(None),
            exists(select(literal(1)).where(opt_outs.c.contact_id == other.c.id, against)),
            exists(select(literal(1)).where(here, memberships.c.state == "unsubscribed").correlate(other)),
        )
        oldest = func.coalesce(contacts.c.double_of, contacts.c.id)
        # Two look-ups: PostgreSQL would find either by going through the whole account.
        which = select(other.c.id).where(theirs).correlate(contacts)
        doubles = self._lookups.key(which.where(other.c.account_id == self._account.id), other.c.double_of, oldest)
        return or_(left, exists(which.where(other.c.id == oldest)), exists(doubles))

    def _member(self, contact_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a membership is the contact's on the list."""
        member = memberships.c
        return self._lookups.both((member.list_id, member.contact_id), (self._list_id, contact_id))

    def _is(self, kind: str, staged: Any, lists: tuple[int, ...] | None = None) -> ColumnElement[bool]:
        """Return whether the row's address, or the contact's, is blocked for this list, or for `lists`."""
        return exists(
            select(suppressions.c.id)
            .where(
                suppressions.c.account_id == self._account.id,
                suppressions.c.kind == kind,
                suppressions.c.list_id.in_(lists or (WHOLE_ACCOUNT, self._list_id or WHOLE_ACCOUNT)),
                suppressions.c.email_key.in_((self.email_key(staged), self._person.c.email_key)),
                suppressions.c.email_key != "",
            )
            .correlate(staged, self._person)
        )

    def _record_changed(self, staged: Any) -> ColumnElement[bool]:
        old, columns = self._person.c, self._rows.columns
        if self._spec.known == "keep" or not columns:
            return false()
        if self._spec.known == "append":
            return or_(*(and_(old[name] == "", staged.c[name] != "") for name in columns))
        if self._spec.known == "update":
            return or_(*(and_(staged.c[name] != "", old[name] != staged.c[name]) for name in columns))
        return or_(*(old[name] != staged.c[name] for name in columns))

    def new_value(self, name: str, follower: str | None = None) -> ColumnElement[str]:
        """Return the new value of a contact's column, or of `follower`, which depends on it."""
        old, new = contacts.c[name], self.staged.c[name]
        taken, kept = self.staged.c[follower or name], contacts.c[follower or name]
        if self._spec.known == "append":
            return case((old == "", taken), else_=kept)
        if self._spec.known == "update":
            return case((new != "", taken), else_=kept)
        return taken

    def _profile_changed(self, staged: Any) -> ColumnElement[bool]:
        return self._documents.differ(self._profile, self._merged(self._profile, staged.c.profile))

    @property
    def new_profile(self) -> ColumnElement[Any]:
        """The new profile of a row's member."""
        return self._merged(memberships.c.profile, self.staged.c.profile)

    def _merged(self, old: ColumnElement[Any], patch: ColumnElement[Any]) -> ColumnElement[Any]:
        merge = self._documents.filled if self._spec.known == "append" else self._documents.patched
        return merge(old, patch)

    def email_key(self, staged: Any) -> ColumnElement[Any]:
        """Return the comparable form of the row's address, blank for a row without one."""
        if self._rows.key == "email":
            return staged.c.key  # type: ignore[no-any-return]
        return staged.c.email_key if "email_key" in staged.c else literal("")


def code(outcome: str) -> ColumnElement[int]:
    """Return the stored code of an outcome."""
    return literal_column(str(CODES[outcome]), Integer)


def rows_in(groups: Iterable[Any]) -> Iterable[tuple[int, int, int]]:
    """Return row number, outcome code and contact of each row in the result of `groups` on PostgreSQL."""
    return chain(*(zip(_numbers(rows), repeat(code), _numbers(ids)) for code, _, _, rows, ids in groups))


def _packed(numbers: ColumnElement[int]) -> ColumnElement[bytes]:
    """Return PostgreSQL's aggregate of numbers as bytes: rows of its protocol would cost more than the query."""
    return func.string_agg(func.int8send(numbers), literal(b"", LargeBinary), type_=LargeBinary)


def _numbers(packed: bytes) -> Iterable[int]:
    numbers = array("q", packed)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


@lru_cache(64)
def _matched(stage: Table, *, on_sqlite: bool) -> Table:
    """Return the table of the matches of all stages with the columns of this one."""
    table = Table(
        "import_matched",
        MetaData(),
        # The row's place in the stage and in the file, its contact, the contact's state on the list so far, and the
        # outcome.
        TableColumn("n", Integer, primary_key=on_sqlite, autoincrement=False),
        *([TableColumn("row", Id, nullable=False)] if on_sqlite else []),
        TableColumn("contact_id", Id),
        TableColumn("membership", Text),
        TableColumn("outcome", Integer, nullable=False),
        TableColumn("record_changed", Boolean, nullable=False),
        TableColumn("profile_changed", Boolean, nullable=False),
        prefixes=["TEMPORARY"],
    )
    if not on_sqlite:
        for column in list(stage.c)[1:]:
            table.append_column(TableColumn(column.name, column.type))
    return table
