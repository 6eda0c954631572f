"""The merge of opt-outs: contacts of a chunk's rows who get no mail from now on, as the file says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    type_coerce,
    update,
)

from soapstone.accounts.account import Account
from soapstone.contacts.suppressions import WHOLE_ACCOUNT
from soapstone.imports.lookups import Lookups
from soapstone.imports.matching import Matching
from soapstone.imports.outcomes import UNSUBSCRIBED
from soapstone.imports.rows import OPT_OUT, OPTED_OUT_AT
from soapstone.imports.spec import ImportSpec
from soapstone.imports.stage import Stage
from soapstone.store.tables import contact_events, contacts, lists, memberships, suppressions
from soapstone.store.unique import insert_into
from soapstone.vocabulary.rows import ImportOutcome

# Known contacts that get no mail from now on.
ENDED = (ImportOutcome.IMPORTED_UNSUBSCRIBED, ImportOutcome.IMPORTED_UNSUBSCRIBED_UPDATED)


class OptOutMerge:
    """Ends memberships and suppresses addresses by the rows of one job, within the transaction of a chunk."""

    def __init__(
        self, account: Account, list_id: int | None, spec: ImportSpec, stage: Stage, matching: Matching
    ) -> None:
        self._account, self._list_id, self._spec = account, list_id, spec
        self._stage, self._rows = matching.staged, stage.rows
        self._matching, self._matched = matching, matching.table
        self._lookups = Lookups(stage.kind)
        self._sqlite = stage.kind == "sqlite"

    def unsubscribe(self, connection: Connection, moment: datetime, outcomes: tuple[str, ...]) -> None:
        """End the memberships, unless ended already, of the contacts of rows with these outcomes.

        Contacts that come onto the list as opted out get the event, too.
        """
        matched, member = self._matched, memberships.c
        ending = [self._matching.has(outcomes), matched.c.membership.in_(("subscribed", "waiting"))]
        told = select(
            literal(self._account.id),
            matched.c.contact_id,
            literal(self._list_id),
            literal("unsubscribed"),
            self.since(moment),
            literal("Import"),
        )
        if self._rows.has_opt_outs:
            coming = or_(matched.c.membership.is_(None), ending[-1])
            told = told.where(self._matching.row, ending[0], coming)
        else:
            told = told.where(*ending)
        names = ["account_id", "contact_id", "list_id", "kind", "at", "by"]
        connection.execute(insert(contact_events).from_select(names, told, include_defaults=False))
        here = self._lookups.both((member.list_id, member.contact_id), (self._list_id, matched.c.contact_id))
        if self._rows.has_opt_outs:
            ending.append(self._matching.row)
        connection.execute(
            update(memberships)
            .where(here, *ending)
            .values(state="unsubscribed", removed_at=self.since(moment), removed_by="Import")
        )
        if self._spec.action == "remove_with_profile":
            connection.execute(update(memberships).where(here).values(profile={}, form_values=null()))

    def since(self, moment: datetime) -> ColumnElement[Any]:
        """Return the time of a row's opt-out: as the file says, else now."""
        instant = memberships.c.removed_at.type
        now = literal(moment, instant)
        if not self._rows.has_opt_outs:
            return now
        told = cast(func.nullif(self._stage.c[OPTED_OUT_AT], ""), BigInteger)
        return func.coalesce(type_coerce(told, instant), now)

    def unsubscribe_everywhere(self, connection: Connection, moment: datetime) -> None:
        """Unsubscribe contacts from everything, including all their lists: the file concerns no list."""
        matched, member = self._matched, memberships.c
        ended = self._matching.has(ENDED)
        people = (self._lookups.same(member.contact_id, matched.c.contact_id), ended)
        present = select(lists.c.id).where(lists.c.account_id == self._account.id, lists.c.deleted_at.is_(None))
        on_lists: ColumnElement[bool] = member.list_id.in_(present)
        if not self._sqlite:
            # Or PostgreSQL may go through the lists member by member.
            on_lists = on_lists.is_(true())
        on = (member.state.in_(("subscribed", "waiting")), on_lists)
        # Locked until the transaction ends, so that the count is exact.
        held = select(member.list_id, member.state).where(*people, *on).order_by(member.list_id, member.contact_id)
        ending = held.with_for_update(of=memberships).subquery()
        counted = connection.execute(
            select(ending.c.list_id, func.sum(case((ending.c.state == "subscribed", 1), else_=0)))
            .group_by(ending.c.list_id)
            .order_by(ending.c.list_id)
        ).all()
        common: list[Any] = [literal(self._account.id), literal("unsubscribed"), self.since(moment), literal("Import")]
        names = ["account_id", "kind", "at", "by", "contact_id"]
        known = select(*common, contacts.c.id).where(
            self._lookups.same(contacts.c.id, matched.c.contact_id),
            self._matching.row,
            self._matching.has(UNSUBSCRIBED),
            or_(contacts.c.unsubscribed_at.is_(None), exists().where(member.contact_id == contacts.c.id, *on)),
        )
        connection.execute(insert(contact_events).from_select(names, known, include_defaults=False))
        connection.execute(
            update(contacts)
            .where(self._lookups.same(contacts.c.id, matched.c.contact_id), self._matching.row)
            .where(self._matching.has(UNSUBSCRIBED))
            .where(contacts.c.unsubscribed_at.is_(None))
            .values(unsubscribed_at=self.since(moment), updated_at=moment)
        )
        if not counted:
            return
        cause = contact_events.alias().c
        whole = (
            select(func.max(cause.id))
            .where(cause.contact_id == member.contact_id, cause.list_id.is_(None), cause.kind == "unsubscribed")
            .scalar_subquery()
        )
        told = select(*common, member.contact_id, member.list_id, whole).where(*people, self._matching.row, *on)
        told = told.order_by(member.contact_id, member.list_id)
        connection.execute(
            insert(contact_events).from_select([*names, "list_id", "part_of"], told, include_defaults=False)
        )
        connection.execute(
            update(memberships)
            .where(*people, self._matching.row, *on)
            .values(state="unsubscribed", removed_at=self.since(moment), removed_by="Import")
        )
        for list_id, subscribed in counted:
            connection.execute(
                update(lists).where(lists.c.id == list_id).values(subscribed=lists.c.subscribed - int(subscribed))
            )

    def suppress(self, connection: Connection, moment: datetime) -> None:
        """Suppress in the whole account the addresses that the file says must get no mail at all."""
        stage, matched = self._stage, self._matched
        # The row's address and the contact's: they may differ if a custom id is the key.
        for address in (contacts.c.email_key, self._matching.email_key(stage)):
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
                .join_from(self._matching.joined, contacts, self._lookups.same(contacts.c.id, matched.c.contact_id))
                .where(self._matching.has(UNSUBSCRIBED), stage.c[OPT_OUT] == "suppressed", address != "")
            )
            adding = insert_into(suppressions, connection.dialect.name).from_select(
                list(columns), query, include_defaults=False
            )
            connection.execute(adding.on_conflict_do_nothing())
