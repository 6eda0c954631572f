"""Subscriptions: changes of one address on one list by single calls, and their outcomes (lk-49 to lk-64)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

from sqlalchemy import Connection, RowMapping, select

from soapstone.accounts.account import Account
from soapstone.addresses import address_key, is_address
from soapstone.contacts.changes import Change, Changes
from soapstone.errors import InvalidError
from soapstone.lists.external_events import active_events
from soapstone.lists.lists import ContactList
from soapstone.lists.profile_values import emptied, fits, stored
from soapstone.store.database import Database
from soapstone.store.tables import PERSON_FIELDS, contacts, lists, memberships, profile_attributes
from soapstone.vocabulary.attributes import AttributeKind
from soapstone.vocabulary.contacts import MembershipState, OptOutKind

log = logging.getLogger(__name__)

# How known profile values change (lk-55); "none" leaves them alone (lk-56).
Update = Literal["none", "append", "overwrite", "update"]


NO_VALUES: Mapping[str, str] = {}


class SubscriptionOutcome(Enum):
    """The outcome of a call: the state that was found, or the change."""

    SUBSCRIBED = "is subscribed now"
    CHANGED = "was subscribed; the profile is as asked"
    ALREADY = "was subscribed; nothing was changed"
    REQUESTED = "waits for its confirmation now"
    WAITING = "was waiting for its confirmation"
    UNSUBSCRIBED = "is unsubscribed"
    ABSENT = "is not on the list"
    BANNED = "is banned"
    SUPPRESSED = "is suppressed"
    INVALID = "is no address"
    IDENTICAL = "is the same address"
    DONE = "done"


class UnknownAttributeError(InvalidError):
    """The list has no attribute with this number."""

    def __init__(self, attribute_id: int) -> None:
        super().__init__(f"The list has no profile attribute {attribute_id}.")
        self.attribute_id = attribute_id


class InvalidValueError(InvalidError):
    """A value does not fit the attribute with this number."""

    def __init__(self, attribute_id: int) -> None:
        super().__init__(f"The value does not fit profile attribute {attribute_id}.")
        self.attribute_id = attribute_id


@dataclass(frozen=True, kw_only=True)
class Person:
    """A subscribed contact of a list with its profile: attribute number (as text) → value.

    `form_values` are its content blocks that the contact may have written.
    """

    contact_id: int
    email: str
    profile: Mapping[str, str]
    form_values: Mapping[str, str]


class OptInMails(Protocol):
    """Queues mails to single contacts in the transaction that makes them necessary."""

    def confirmation(
        self,
        connection: Connection,
        account: Account,
        contact_list: ContactList,
        contact_id: int,
        email: str,
        events: Collection[int],
    ) -> None:
        """Ask the contact to confirm the subscription by a link, which also raises these events."""

    def welcome(self, connection: Connection, account: Account, contact_list: ContactList, email: str) -> None:
        """Queue a welcome mail of a list."""


class Subscriptions:
    """Changes single subscriptions. Profile values are given by attribute number, in any written form.

    All methods raise UnknownAttributeError, and then change nothing.
    """

    def __init__(self, database: Database, mails: OptInMails) -> None:
        self._database = database
        self._mails = mails

    def find(self, account: Account, contact_list: ContactList, address: str) -> Person | None:
        """Return the subscribed contact with this address, no unsubscribed or unconfirmed one (lk-62)."""
        with self._database.read() as connection:
            look = Change(connection, account, "", 0)
            contact_id = look.find(address.strip(), contact_list.id)
            if contact_id is None or look.left_as_other(contact_id, contact_list.id):
                return None
            return _person(connection, contact_list, contact_id)

    def find_number(self, contact_list: ContactList, contact_id: int) -> Person | None:
        """Return the subscribed contact with this number (lk-62)."""
        with self._database.read() as connection:
            return _person(connection, contact_list, contact_id)

    def set(
        self,
        account: Account,
        contact_list: ContactList,
        address: str,
        values: Mapping[int, str] | None = None,
        *,
        update: Update = "none",
        events: Collection[int] = (),
        override: bool = False,
        strict: bool = False,
    ) -> SubscriptionOutcome:
        """Subscribe an address, or change the profile of a subscribed one; raise events (lk-50 to lk-56).

        `override` subscribes unsubscribed contacts again (lk-52). A list with double opt-in asks new members first
        (lk-53). `strict` raises InvalidValueError for a value that does not fit its attribute.
        """
        address = address.strip()
        if not is_address(address):
            return SubscriptionOutcome.INVALID
        asks = bool(contact_list.settings.get("double_opt_in"))
        with Changes(self._database).begin(account, durable=asks) as change:
            if blocked := change.blocked(address, contact_list.id):
                return SubscriptionOutcome[blocked.upper()]
            patch = _patch(change.connection, contact_list.id, values or {}, update, strict=strict)
            contact_id, member, state = _look(change, contact_list, address)
            if state == "unsubscribed" and not override:
                return SubscriptionOutcome.UNSUBSCRIBED
            if state == "waiting":
                return SubscriptionOutcome.WAITING
            if state == "subscribed":
                assert contact_id is not None and member is not None  # noqa: S101, PT018 - so says the state
                if update != "none":
                    _write(change, contact_list, contact_id, member, patch, update)
                _raise(change, contact_list, contact_id, events)
                return SubscriptionOutcome.ALREADY if update == "none" else SubscriptionOutcome.CHANGED
            if contact_id is None:
                contact_id = change.add(email=address)
            wait = asks and state != "unsubscribed"
            if state == "unsubscribed":
                change.clear_opt_outs(contact_id, contact_list.id)
            self._enter(
                change,
                contact_list,
                contact_id,
                member,
                MembershipState.UNCONFIRMED if wait else MembershipState.SUBSCRIBED,
                patch,
                update,
            )
            if wait:
                self._mails.confirmation(change.connection, account, contact_list, contact_id, address, events)
                return SubscriptionOutcome.REQUESTED
            _raise(change, contact_list, contact_id, events)
            return SubscriptionOutcome.SUBSCRIBED

    def update(
        self,
        account: Account,
        contact_list: ContactList,
        address: str,
        values: Mapping[int, str],
        *,
        update: Update,
        events: Collection[int] = (),
    ) -> SubscriptionOutcome:
        """Change the profile of a subscriber; subscribes no contact (lk-57)."""
        address = address.strip()
        if not is_address(address):
            return SubscriptionOutcome.INVALID
        with Changes(self._database).begin(account) as change:
            if blocked := change.blocked(address, contact_list.id):
                return SubscriptionOutcome[blocked.upper()]
            patch = _patch(change.connection, contact_list.id, values, update)
            contact_id, member, state = _look(change, contact_list, address)
            if state == "unsubscribed":
                return SubscriptionOutcome.UNSUBSCRIBED
            if state != "subscribed" or contact_id is None or member is None:
                return SubscriptionOutcome.ABSENT
            if update != "none":
                _write(change, contact_list, contact_id, member, patch, update)
            _raise(change, contact_list, contact_id, events)
            return SubscriptionOutcome.CHANGED

    def set_profile(
        self, account: Account, contact_list: ContactList, contact_id: int, values: Mapping[int, str]
    ) -> bool:
        """Change profile values of a member in any state; blank ones clear an attribute. False if the contact is not on
        the list. Raises InvalidValueError for a value that does not fit its attribute."""
        with Changes(self._database).begin(account) as change:
            member = change.membership(contact_list.id, contact_id)
            if member is None:
                return False
            patch = _patch(change.connection, contact_list.id, values, "overwrite", strict=True)
            _write(change, contact_list, contact_id, member, patch, "overwrite")
            return True

    def unsubscribe(self, account: Account, contact_list: ContactList, address: str) -> SubscriptionOutcome:
        """End the subscription of an address (lk-116): DONE, UNSUBSCRIBED if it was already, or ABSENT."""
        with Changes(self._database).begin(account) as change:
            contact_id, member, state = _look(change, contact_list, address.strip())
            if state == "unsubscribed":
                return SubscriptionOutcome.UNSUBSCRIBED
            if contact_id is None or member is None:
                return SubscriptionOutcome.ABSENT
            change.move(contact_list.id, contact_id, MembershipState.UNSUBSCRIBED)
            return SubscriptionOutcome.DONE

    def form(
        self,
        account: Account,
        contact_list: ContactList,
        address: str,
        values: Mapping[int, str],
        *,
        events: Collection[int] = (),
        ask: bool = False,
        welcome: bool = False,
    ) -> SubscriptionOutcome:
        """Subscribe an address by a subscribe form (lk-59, lk-60). `ask` sends the confirmation mail first."""
        address = address.strip()
        if not is_address(address):
            return SubscriptionOutcome.INVALID
        ask = ask or bool(contact_list.settings.get("double_opt_in"))
        with Changes(self._database).begin(account, by="Subscribe Form", durable=ask or welcome) as change:
            if blocked := change.blocked(address, contact_list.id):
                return SubscriptionOutcome[blocked.upper()]
            patch = _patch(change.connection, contact_list.id, values, "update")
            blocks = _blocks(change.connection, contact_list.id, patch)
            contact_id, member, state = _look(change, contact_list, address)
            if state == "waiting":
                return SubscriptionOutcome.WAITING
            if state == "unsubscribed" and not ask:
                return SubscriptionOutcome.UNSUBSCRIBED
            if state == "subscribed":
                assert contact_id is not None and member is not None  # noqa: S101, PT018 - so says the state
                _write(change, contact_list, contact_id, member, patch, "update", blocks)
                _raise(change, contact_list, contact_id, events)
                return SubscriptionOutcome.CHANGED
            if contact_id is None:
                contact_id = change.add(email=address)
            if state == "unsubscribed":
                # Until it confirms, it counts as having left: imports must not take an unconfirmed contact for a new
                # one.
                change.opt_out(contact_id, OptOutKind.LIST, contact_list.id)
            entered = MembershipState.UNCONFIRMED if ask else MembershipState.SUBSCRIBED
            self._enter(change, contact_list, contact_id, member, entered, patch, "update", blocks)
            if ask:
                self._mails.confirmation(change.connection, account, contact_list, contact_id, address, events)
                return SubscriptionOutcome.REQUESTED
            _raise(change, contact_list, contact_id, events)
            if welcome:
                self._mails.welcome(change.connection, account, contact_list, address)
            return SubscriptionOutcome.SUBSCRIBED

    def confirm(
        self, account: Account, contact_list: ContactList, contact_id: int, *, events: Collection[int] = ()
    ) -> SubscriptionOutcome:
        """Confirm a subscription (lk-53): SUBSCRIBED, ALREADY, or UNSUBSCRIBED if the contact has left since."""
        with Changes(self._database).begin(account, by="Subscribe Form") as change:
            row, member = change.contact(contact_id), change.membership(contact_list.id, contact_id)
            if row is None or member is None:
                return SubscriptionOutcome.ABSENT
            if blocked := change.blocked(row["email"], contact_list.id):
                return SubscriptionOutcome[blocked.upper()]
            if member["state"] == "subscribed":
                return SubscriptionOutcome.ALREADY
            if member["state"] == "unsubscribed":
                return SubscriptionOutcome.UNSUBSCRIBED
            change.clear_opt_outs(contact_id, contact_list.id)
            change.move(contact_list.id, contact_id, MembershipState.SUBSCRIBED)
            _raise(change, contact_list, contact_id, events)
            return SubscriptionOutcome.SUBSCRIBED

    def change_address(self, account: Account, contact_list: ContactList, old: str, new: str) -> SubscriptionOutcome:
        """Change a subscriber's address (lk-61): unsubscribe the old one, subscribe the new one with the profile.

        A new contact keeps the opt-outs and shut channels of the old one: it is the same person. ABSENT concerns the
        old address; all other outcomes but DONE concern the new one.
        """
        old, new = old.strip(), new.strip()
        with Changes(self._database).begin(account, by="Email Change") as change:
            contact_id, member, state = _look(change, contact_list, old)
            if state != "subscribed" or contact_id is None or member is None:
                return SubscriptionOutcome.ABSENT
            if address_key(old) == address_key(new):
                return SubscriptionOutcome.IDENTICAL
            if not is_address(new):
                return SubscriptionOutcome.INVALID
            if blocked := change.blocked(new, contact_list.id):
                return SubscriptionOutcome[blocked.upper()]
            newcomer, there, state = _look(change, contact_list, new)
            if state:
                found = {"subscribed": SubscriptionOutcome.ALREADY, "unsubscribed": SubscriptionOutcome.UNSUBSCRIBED}
                return found.get(state, SubscriptionOutcome.WAITING)
            if newcomer is None:
                row = change.contact(contact_id)
                assert row is not None  # noqa: S101 - its membership is there
                kept = (*PERSON_FIELDS, "channels_shut", "suppressed_at")
                newcomer = change.add(email=new, **{name: row[name] for name in kept})
                change.copy_opt_outs(contact_id, newcomer)
            change.move(contact_list.id, contact_id, MembershipState.UNSUBSCRIBED)
            change.by = "API"
            profile, marks = member["profile"], member["form_values"] or {}
            self._enter(change, contact_list, newcomer, there, MembershipState.SUBSCRIBED, profile, "overwrite", marks)
            return SubscriptionOutcome.DONE

    @staticmethod
    def _enter(
        change: Change,
        contact_list: ContactList,
        contact_id: int,
        member: RowMapping | None,
        state: MembershipState,
        patch: Mapping[str, str],
        update: Update,
        form_values: Mapping[str, str] = NO_VALUES,
    ) -> None:
        """Put a contact on the list that is not on it, or no longer."""
        if member is None:
            profile = {name: value for name, value in patch.items() if value}
            change.join(contact_list.id, contact_id, state=state, profile=profile, form_values=form_values)
        else:
            change.move(contact_list.id, contact_id, state)
            _write(change, contact_list, contact_id, member, patch, update, form_values)


def _look(change: Change, contact_list: ContactList, address: str) -> tuple[int | None, RowMapping | None, str]:
    """Return the contact with the address, its membership, and its state on the list, "" if it is not on it.

    If another contact of the same mailbox left, the state is unsubscribed, whatever the membership says (lk-64).
    """
    contact_id = change.find(address, contact_list.id)
    if contact_id is None:
        return None, None, ""
    member = change.membership(contact_list.id, contact_id)
    state = "" if member is None else str(member["state"])
    if not state and change.opted_out(contact_id, contact_list.id):
        state = "unsubscribed"
    if state in ("", "subscribed") and change.left_as_other(contact_id, contact_list.id):
        state = "unsubscribed"
    return contact_id, member, state


def _person(connection: Connection, contact_list: ContactList, contact_id: int) -> Person | None:
    member = memberships.c
    query = (
        select(contacts.c.id, contacts.c.email, member.profile, member.form_values)
        .join(memberships, member.contact_id == contacts.c.id)
        .join(lists, lists.c.id == member.list_id)
        .where(contacts.c.id == contact_id, member.list_id == contact_list.id, member.state == "subscribed")
        .where(lists.c.deleted_at.is_(None), contacts.c.account_id == contact_list.account_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    # Values of a deleted attribute may remain for a while.
    table = profile_attributes.c
    known = {str(n) for n in connection.execute(select(table.id).where(table.list_id == contact_list.id)).scalars()}
    profile = {name: value for name, value in row.profile.items() if name in known}
    return Person(contact_id=row.id, email=row.email, profile=profile, form_values=row.form_values or {})


def _patch(
    connection: Connection, list_id: int, values: Mapping[int, str], update: Update, *, strict: bool = False
) -> dict[str, str]:
    """Return the values in their stored form by attribute number (as text), for this kind of update.

    Attribute 0 is skipped. A value that does not fit is dropped and logged, and text that is too long is cut (lk-47);
    `strict` raises InvalidValueError.
    """
    values = {number: value for number, value in values.items() if number}
    if not values:
        return {}
    table = profile_attributes.c
    query = select(table.id, table.kind, table.max_length).where(table.list_id == list_id, table.id.in_(values))
    known = {row.id: row for row in connection.execute(query)}
    patch = {}
    for attribute_id, value in values.items():
        if attribute_id not in known:
            raise UnknownAttributeError(attribute_id)
        kind, longest = known[attribute_id].kind, known[attribute_id].max_length
        if strict and not fits(kind, value, longest):
            raise InvalidValueError(attribute_id)
        kept = stored(kind, value, longest)
        if kept is None:
            log.warning("list %d: a value that is no %s is dropped for attribute %d", list_id, kind, attribute_id)
        elif not kept and update == "overwrite" and not strict:
            patch[str(attribute_id)] = emptied(kind)
        else:
            patch[str(attribute_id)] = kept
    return patch


def _blocks(connection: Connection, list_id: int, patch: Mapping[str, str]) -> dict[str, str]:
    """Return the content blocks among the new values, without blank ones."""
    if not patch:
        return {}
    table = profile_attributes.c
    query = select(table.id).where(table.list_id == list_id, table.kind == AttributeKind.CONTENT_BLOCK)
    known = {str(number) for number in connection.execute(query).scalars()}
    return {name: value for name, value in patch.items() if value and name in known}


def merged(old: Mapping[str, str], patch: Mapping[str, str], update: Update) -> dict[str, str]:
    """Return a profile with new values in it (lk-55). Blank ones clear an attribute only in a full replacement."""
    new = dict(old)
    for name, value in patch.items():
        if update == "overwrite" or (update == "update" and value) or (update == "append" and not old.get(name)):
            new[name] = value
    return {name: value for name, value in new.items() if value}


def _write(
    change: Change,
    contact_list: ContactList,
    contact_id: int,
    member: RowMapping,
    patch: Mapping[str, str],
    update: Update,
    form_values: Mapping[str, str] = NO_VALUES,
) -> None:
    """Change the profile of a member. `form_values` are content blocks of the patch that the contact may have written;
    values from elsewhere no longer count as such, even if equal."""
    old = member["profile"]
    new = merged(old, patch, update)
    marks = dict(member["form_values"] or {})
    for name, value in patch.items():
        if new.get(name) == value and (update != "append" or not old.get(name)):
            marks.pop(name, None)
            if name in form_values:
                marks[name] = value
    marks = {name: value for name, value in marks.items() if new.get(name) == value}
    change.set_profile(contact_list.id, contact_id, new, form_values=marks)


def _raise(change: Change, contact_list: ContactList, contact_id: int, events: Collection[int]) -> None:
    for event_id in active_events(change.connection, contact_list.id, events):
        change.log("raised", contact_id, contact_list.id, external_event_id=event_id)
