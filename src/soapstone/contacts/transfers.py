"""People as another service tells them: many at a time, with their states and dates.

The other service is the truth until the owner has moved, with one exception: a subscription that ended here stays
ended, unless it began anew over there after that. Everything may be told twice and is then stored once. As after an
import, a contact's history records only what ended a subscription.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, func, literal_column, null, select, update

from soapstone.accounts.account import Account
from soapstone.addresses import address_keys, invalid
from soapstone.clock import now
from soapstone.contacts.changes import NumbersExhaustedError
from soapstone.contacts.erased_addresses import erased_among
from soapstone.store.bulk import insert_rows, take_numbers
from soapstone.store.numbers import LARGEST
from soapstone.store.repository import Repository
from soapstone.store.tables import accounts, contact_events, contacts, lists, memberships, opt_outs, suppressions
from soapstone.store.timestamps import microseconds
from soapstone.store.unique import insert_unless_there
from soapstone.vocabulary.contacts import ContactEventKind, MembershipState, OptOutKind

T = TypeVar("T")
# Most values in one query.
BATCH = 2_500
_MEMBERSHIP = (
    "list_id",
    "contact_id",
    "account_id",
    "number",
    "state",
    "added_at",
    "added_by",
    "removed_at",
    "removed_by",
    "profile",
)
_CONTACT = ("id", "account_id", "email", "email_key", "unique_email", "custom_id", "created_at", "updated_at")
_EVENT = ("account_id", "contact_id", "list_id", "kind", "at", "by", "message_id", "detail")
# Values of columns that are not empty text when nothing is told.
_NONE: Mapping[str, Any] = {"unsubscribed_at": None, "suppressed_at": None, "text_only": False}
_EVENT_CAUSES = ("message_category_id", "list_category_id")


class Told(NamedTuple):
    """A person. `values` are columns of the contact; a column that is not named stays as it is, and so does a custom id
    that is None. `unsubscribed_at` counts only for a contact that is not yet unsubscribed from everything."""

    email: str = ""
    custom_id: str | None = None
    values: Mapping[str, Any] = {}
    created_at: datetime | None = None


class Place(NamedTuple):
    """A contact's membership of a list. A date that is None stands for the present moment."""

    contact_id: int
    state: MembershipState
    added_at: datetime | None = None
    added_by: str = ""
    removed_at: datetime | None = None
    removed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """An unsubscribe or a complaint, with what it concerns; without list and categories it concerns everything.

    `stands` says that the person has not come back since. `list_ids` are further lists that it ended: the
    service may not say which lists a category has.
    """

    contact_id: int
    kind: ContactEventKind
    at: datetime
    by: str
    list_id: int | None = None
    message_id: int | None = None
    message_category_id: int | None = None
    list_category_id: int | None = None
    provider: str = ""
    stands: bool = True
    list_ids: Collection[int] = ()


@dataclass
class Stored:
    """How many were new, changed, the same, and not taken."""

    new: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0


class Transfers(Repository):
    """Opens transactions that take people over."""

    @contextmanager
    def begin(self, account: Account) -> Iterator[Transfer]:
        """Yield a transaction of an account. Other changes of its contacts wait until its end."""
        with self._database.write() as connection:
            held = select(accounts.c.last_number).where(accounts.c.id == account.id).with_for_update()
            yield Transfer(connection, account, connection.execute(held).scalar_one())


class Transfer:
    """One transaction; see Transfers.begin."""

    def __init__(self, connection: Connection, account: Account, last_number: int) -> None:
        self.connection = connection
        self.account = account
        self.moment = now()
        self._last_number = last_number
        # Those who are new in this transaction: they are on no list and have left none.
        self._fresh: set[int] = set()

    def people(self, told: Sequence[Told]) -> tuple[list[int | None], Stored]:
        """Store people; return their numbers, None for those who were not taken, and the counts.

        Not taken are people without the account's identifier or with an invalid address, and those who were deleted
        here. Of several with one identifier the last one counts.
        """
        by_mail = self.account.identifier == "email"
        mail_keys = address_keys([each.email for each in told])
        for place in invalid([each.email for each in told]):
            mail_keys[place] = ""
        stored = Stored()
        erased = erased_among(self.connection, self.account.id, set(mail_keys) - {""})
        keys: list[str] = []
        wanted: dict[str, tuple[Told, str]] = {}
        for each, mail_key in zip(told, mail_keys, strict=True):
            key = mail_key if by_mail else (each.custom_id or "") if mail_key or not each.email else ""
            if key and mail_key not in erased:
                wanted[key] = each, mail_key
            keys.append(key)
        found = self._known(list(wanted), by_mail, {name for each, _ in wanted.values() for name in each.values})
        numbers = {key: row["id"] for key, row in found.items()}
        for key, row in found.items():
            each, mail_key = wanted[key]
            values = dict(each.values)
            if row["unsubscribed_at"] is not None:
                values.pop("unsubscribed_at", None)
            if by_mail and each.custom_id is not None:
                values["custom_id"] = each.custom_id
            if not by_mail and row["email_key"] != mail_key:
                values |= {"email": each.email, "email_key": mail_key}
            changed = {name: value for name, value in values.items() if row[name] != value}
            if changed:
                here = update(contacts).where(contacts.c.id == row["id"])
                self.connection.execute(here.values(**changed, updated_at=self.moment))
            stored.changed += bool(changed)
            stored.same += not changed
        fresh = {key: each for key, each in wanted.items() if key not in found}
        numbers |= zip(fresh, self._insert(fresh), strict=True)
        stored.new = len(fresh)
        told_numbers = [numbers.get(key) for key in keys]
        stored.refused = told_numbers.count(None)
        return told_numbers, stored

    def _among(self, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
        """Return a condition for many values. SQLite takes them as one document, which is much less work."""
        if self.connection.dialect.name != "sqlite":
            return column.in_(values)
        return column.in_(select(func.json_each(json.dumps(list(values))).table_valued("value").c.value))

    def _known(self, keys: Sequence[str], by_mail: bool, names: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Return contacts by their keys, with these columns and those that decide."""
        key = contacts.c.unique_email if by_mail else contacts.c.custom_id
        columns = {*names, key.name, "id", "email", "email_key", "custom_id", "unsubscribed_at"}
        query = select(*(contacts.c[name] for name in columns)).where(contacts.c.account_id == self.account.id)
        if not by_mail:
            # Spelled as the condition of the index.
            query = query.where(key != literal_column("''"))
        found: dict[str, Mapping[str, Any]] = {}
        for some in _batches(keys):
            rows = self.connection.execute(query.where(self._among(key, some))).mappings()
            # The lowest number of several counts. Ordered by the database, SQLite would read the whole account.
            found |= {row[key.name]: row for row in sorted(rows, key=itemgetter("id"), reverse=True)}
        return found

    def _insert(self, fresh: Mapping[str, tuple[Told, str]]) -> list[int]:
        """Insert contacts and return their numbers."""
        if not fresh:
            return []
        numbers = take_numbers(self.connection, "contact", len(fresh))
        names = sorted({name for each, _ in fresh.values() for name in each.values})
        absent = {name: _NONE.get(name, "") for name in names}
        stamp, account_id, by_mail = microseconds(self.moment), self.account.id, self.account.identifier == "email"
        rows = [
            (
                number,
                account_id,
                each.email,
                mail_key,
                mail_key if by_mail else None,
                each.custom_id or "",
                microseconds(each.created_at) or stamp,
                stamp,
                *(_bare(each.values.get(name, missing)) for name, missing in absent.items()),
            )
            for number, (each, mail_key) in zip(numbers, fresh.values(), strict=True)
        ]
        insert_rows(self.connection, contacts, (*_CONTACT, *names), rows)
        self._fresh.update(
            number
            for number, (each, _) in zip(numbers, fresh.values(), strict=True)
            if each.values.get("unsubscribed_at") is None
        )
        return numbers

    def join(self, list_id: int, places: Sequence[Place]) -> tuple[dict[int, int], Stored]:
        """Put people on a list, or change their places; return contact → number on the list, and the counts.

        A place that stays against what is told, because the person unsubscribed here, counts as refused.
        """
        wanted = {each.contact_id: each for each in places}
        known: dict[int, Any] = {}
        here_before = [number for number in wanted if number not in self._fresh]
        for some in _batches(here_before):
            here = (memberships.c.list_id == list_id) & self._among(memberships.c.contact_id, some)
            columns = [memberships.c[name] for name in _MEMBERSHIP[:-1]]
            known |= {row.contact_id: row for row in self.connection.execute(select(*columns).where(here))}
        stored, numbers, ended = Stored(), {number: row.number for number, row in known.items()}, []
        away = self._away(list_id, [number for number in here_before if number not in known])
        rows, subscribed, texts = [], 0, {each: each.value for each in MembershipState}
        unsubscribed = MembershipState.UNSUBSCRIBED
        for contact_id, place in wanted.items():
            row = known.get(contact_id)
            if row is None:
                self._last_number += 1
                numbers[contact_id] = self._last_number
                left = place.state is unsubscribed
                gone = left or contact_id in away
                removed = (place.removed_at or away.get(contact_id) or self.moment) if gone else None
                state = unsubscribed if gone else place.state
                dates = (
                    microseconds(place.added_at or self.moment),
                    place.added_by,
                    microseconds(removed),
                    place.removed_by,
                )
                rows.append((list_id, contact_id, self.account.id, self._last_number, texts[state], *dates, "{}"))
                subscribed += state is MembershipState.SUBSCRIBED
                if left and place.removed_at is not None:
                    ended.append((contact_id, removed, place.removed_by))
                continue
            values = _new_place(row, place, self.moment)
            if values is None:
                stored.refused += 1
            elif not values:
                stored.same += 1
            else:
                stored.changed += 1
                here = (memberships.c.list_id == list_id) & (memberships.c.contact_id == contact_id)
                self.connection.execute(update(memberships).where(here).values(**values))
                state = values.get("state", row.state)
                subscribed += (state == "subscribed") - (row.state == "subscribed")
                if state == "unsubscribed" and row.state != "unsubscribed":
                    ended.append((contact_id, values["removed_at"], place.removed_by))
        if self._last_number > LARGEST:
            raise NumbersExhaustedError
        stored.new = len(rows)
        insert_rows(self.connection, memberships, _MEMBERSHIP, rows)
        self._count(list_id, len(rows), subscribed)
        self._log([(number, list_id, ContactEventKind.UNSUBSCRIBED, at, by, None, "{}") for number, at, by in ended])
        self._fresh.difference_update(wanted)
        return {number: numbers[number] for number in wanted}, stored

    def states(self, list_id: int, contact_ids: Sequence[int]) -> dict[int, str]:
        """Return the states of those of these contacts who are on the list."""
        found: dict[int, str] = {}
        for some in _batches(contact_ids):
            here = (memberships.c.list_id == list_id) & self._among(memberships.c.contact_id, some)
            query = select(memberships.c.contact_id, memberships.c.state).where(here)
            found |= {row[0]: row[1] for row in self.connection.execute(query)}
        return found

    def _away(self, list_id: int, contact_ids: Sequence[int]) -> dict[int, datetime]:
        """Return those who opted out of everything, of the list or of its category, and since when."""
        query = select(lists.c.category_id).where(lists.c.id == list_id)
        category = self.connection.execute(query).scalar_one()
        about = {(OptOutKind.LIST, list_id), (OptOutKind.LIST_CATEGORY, category)}
        found: dict[int, datetime] = {}
        for some in _batches(contact_ids):
            left = self._among(contacts.c.id, some) & contacts.c.unsubscribed_at.is_not(None)
            query = select(contacts.c.id, contacts.c.unsubscribed_at).where(left)
            found |= {row[0]: row[1] for row in self.connection.execute(query)}
            # Chosen here: with both in its condition SQLite would read all opt-outs.
            theirs = select(opt_outs).where(self._among(opt_outs.c.contact_id, some))
            rows = self.connection.execute(theirs)
            found |= {row.contact_id: row.created_at for row in rows if (row.kind, row.target_id) in about}
        return found

    def set_profiles(self, list_id: int, profiles: Mapping[int, Mapping[str, str]]) -> Stored:
        """Replace the profiles of members of a list: contact → attribute number (as text) → stored value."""
        stored = Stored()
        for some in _batches(list(profiles)):
            here = (memberships.c.list_id == list_id) & self._among(memberships.c.contact_id, some)
            query = select(memberships.c.contact_id, memberships.c.profile).where(here).with_for_update()
            for contact_id, old in self.connection.execute(query).all():
                new = dict(profiles[contact_id])
                if new == old:
                    stored.same += 1
                    continue
                one = (memberships.c.list_id == list_id) & (memberships.c.contact_id == contact_id)
                # Values from elsewhere do not count as the contact's own.
                self.connection.execute(update(memberships).where(one).values(profile=new, form_values=null()))
                stored.changed += 1
        return stored

    def depart(self, departures: Sequence[Departure]) -> Stored:
        """Record unsubscribes and complaints with their dates, and what they end.

        Of a complaint, the address is suppressed too.
        """
        stored, people = Stored(), {each.contact_id for each in departures}
        self._fresh.difference_update(people)
        there = self._recorded(people)
        for each in departures:
            key = (each.contact_id, each.kind, each.list_id, each.at.replace(microsecond=0))
            if key in there:
                stored.same += 1
                continue
            there.add(key)
            stored.new += 1
            detail = json.dumps({"provider": each.provider}) if each.kind == ContactEventKind.COMPLAINED else "{}"
            causes = (each.message_category_id, each.list_category_id)
            row = (each.contact_id, each.list_id, each.kind, each.at, each.by, each.message_id, detail)
            self._log([row], causes)
            if each.stands:
                self._end(each)
        return stored

    def _recorded(self, contact_ids: Collection[int]) -> set[tuple[int, str, int | None, datetime]]:
        event = contact_events.c
        kinds = (ContactEventKind.UNSUBSCRIBED, ContactEventKind.COMPLAINED)
        found = set()
        for some in _batches(list(contact_ids)):
            query = select(event.contact_id, event.kind, event.list_id, event.at)
            for row in self.connection.execute(query.where(self._among(event.contact_id, some), event.kind.in_(kinds))):
                found.add((row[0], row[1], row[2], row[3].replace(microsecond=0)))
        return found

    def _end(self, departure: Departure) -> None:
        """Store the consequences of a departure that stands."""
        contact_id, at = departure.contact_id, departure.at
        if departure.kind == ContactEventKind.COMPLAINED:
            query = select(contacts.c.email_key).where(contacts.c.id == contact_id)
            self.suppress({self.connection.execute(query).scalar_one(): at})
        general = departure.kind == ContactEventKind.UNSUBSCRIBED
        opted = [
            (OptOutKind.MESSAGE_CATEGORY, departure.message_category_id),
            (OptOutKind.LIST_CATEGORY, departure.list_category_id),
        ]
        where = memberships.c.contact_id == contact_id
        if departure.list_id is not None:
            where &= memberships.c.list_id == departure.list_id
            member = self.connection.execute(select(memberships.c.list_id).where(where)).first()
            if member is None and general:
                opted.append((OptOutKind.LIST, departure.list_id))
        elif departure.list_category_id is not None:
            theirs = select(lists.c.id).where(lists.c.category_id == departure.list_category_id)
            where &= memberships.c.list_id.in_(theirs) | memberships.c.list_id.in_(departure.list_ids)
        elif departure.message_category_id is not None or not general:
            where &= memberships.c.list_id.in_(())
        else:
            unset = (contacts.c.id == contact_id) & contacts.c.unsubscribed_at.is_(None)
            self.connection.execute(update(contacts).where(unset).values(unsubscribed_at=at, updated_at=self.moment))
        for kind, target in opted:
            if target is not None:
                values = {"contact_id": contact_id, "kind": kind, "target_id": target, "created_at": at}
                insert_unless_there(self.connection, opt_outs, **values, account_id=self.account.id)
        live = select(memberships.c.list_id, memberships.c.state).where(where, memberships.c.state != "unsubscribed")
        for list_id, state in self.connection.execute(live).all():
            one = (memberships.c.list_id == list_id) & (memberships.c.contact_id == contact_id)
            left = {"state": "unsubscribed", "removed_at": at, "removed_by": departure.by}
            self.connection.execute(update(memberships).where(one).values(**left))
            self._count(list_id, 0, -int(state == "subscribed"))

    def suppress(self, since: Mapping[str, datetime | None], kind: str = "suppressed") -> Stored:
        """Suppress, or ban, addresses in the whole account: comparable form → since when."""
        stored = Stored()
        for key, at in since.items():
            if key:
                values = {"account_id": self.account.id, "list_id": 0, "kind": kind, "email_key": key}
                new = insert_unless_there(self.connection, suppressions, **values, created_at=at or self.moment)
                stored.new += new
                stored.same += not new
        return stored

    def _count(self, list_id: int, members: int, subscribed: int) -> None:
        if members or subscribed:
            values = {"members": lists.c.members + members, "subscribed": lists.c.subscribed + subscribed}
            self.connection.execute(update(lists).where(lists.c.id == list_id).values(**values))
        if members:
            mine = update(accounts).where(accounts.c.id == self.account.id)
            self.connection.execute(mine.values(last_number=self._last_number))

    def _log(self, events: Sequence[tuple[Any, ...]], causes: tuple[Any, ...] = (None, None)) -> None:
        """Write events: contact, list, kind, instant, way, message and detail of each."""
        rows = [
            (self.account.id, contact_id, list_id, kind.value, microseconds(at), by, message_id, detail, *causes)
            for contact_id, list_id, kind, at, by, message_id, detail in events
        ]
        insert_rows(self.connection, contact_events, (*_EVENT, *_EVENT_CAUSES), rows)


def _new_place(row: Any, place: Place, moment: datetime) -> dict[str, Any] | None:
    """Return the columns of a membership that change; None if it stays against what is told."""
    whole = timedelta(seconds=1)
    if place.state != MembershipState.UNSUBSCRIBED:
        if row.state != "unsubscribed":
            added, confirmed = place.added_at, place.state == MembershipState.SUBSCRIBED and row.state != place.state
            values: dict[str, Any] = {"state": place.state} if confirmed else {}
            if added is not None and (confirmed or added - row.added_at >= whole):
                values |= {"added_at": added, "added_by": place.added_by}
            return values
        if place.added_at is None or (row.removed_at is not None and place.added_at < row.removed_at):
            return None
        back = {"state": place.state, "removed_at": None, "removed_by": ""}
        return back | {"added_at": place.added_at, "added_by": place.added_by}
    removed = place.removed_at or moment
    left = {"state": "unsubscribed", "removed_at": removed, "removed_by": place.removed_by}
    if row.state != "unsubscribed":
        # Who came back here after that stays.
        return left if place.removed_at is None or removed >= row.added_at else None
    if place.removed_at is None or row.removed_at is None or abs(row.removed_at - removed) < whole:
        return {}
    return left if removed > row.removed_at else {}


def _bare(value: Any) -> Any:
    return microseconds(value) if isinstance(value, datetime) else value


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
