"""Contacts of the account."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, Field

from soapstone.accounts.audit import AuditAction
from soapstone.address_repair import repaired
from soapstone.api.authentication import Caller, CallingForAll
from soapstone.api.idempotency import Making
from soapstone.api.problems import existing, not_found
from soapstone.api.values import (
    LARGEST,
    Body,
    Cursor,
    Limit,
    Moment,
    Number,
    Page,
    Repaired,
    Text,
    cursor_of,
    marked,
    storable,
)
from soapstone.contacts.contacts import FIELDS, Contact
from soapstone.contacts.search import SEARCHABLE, Example, Walk
from soapstone.errors import InvalidError
from soapstone.vocabulary.contacts import Channel, MembershipState

router = APIRouter(prefix="/contacts", tags=["contacts"])

Done = TypeVar("Done")

Wanted = Annotated[str | None, Query(max_length=255, description="Whole value; * matches any text.")]


class ContactOut(BaseModel):
    """A contact. `fields` holds the non-empty fields, `channels_shut` the suppressed channels."""

    id: int
    email: str
    custom_id: str
    fields: dict[str, str]
    text_only: bool
    unsubscribed: bool
    waiting: bool
    channels_shut: list[str]
    suppressed_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, person: Contact) -> ContactOut:
        """Return the contact as it is shown."""
        plain = ("email", "custom_id", "text_only")
        return cls(
            id=person.id,
            **{name: person.fields[name] for name in plain},
            fields={name: value for name, value in person.fields.items() if value and name not in plain},
            unsubscribed=person.unsubscribed,
            waiting=person.waiting,
            channels_shut=sorted(person.channels_shut),
            suppressed_at=person.suppressed_at,
            created_at=person.created_at,
            updated_at=person.updated_at,
        )


class ContactChange(Body):
    """Changes of a contact; members left out stay. `fields` maps field names to values."""

    email: Annotated[Text, Repaired] | None = None
    custom_id: Text | None = None
    fields: dict[Text, Text] = Field(default_factory=dict)
    text_only: bool | None = None


class ContactIn(ContactChange):
    """A new contact and the lists to add it to."""

    lists: list[Annotated[int, Field(ge=1, le=LARGEST)]] = Field(default_factory=list)


@router.get("")
def list_contacts(
    caller: CallingForAll,
    email: Annotated[Wanted, AfterValidator(lambda text: text and repaired(storable(text)))] = None,
    custom_id: Annotated[Wanted, AfterValidator(lambda text: text and storable(text))] = None,
    last_name: Annotated[Wanted, AfterValidator(lambda text: text and storable(text))] = None,
    company: Annotated[Wanted, AfterValidator(lambda text: text and storable(text))] = None,
    list_id: Annotated[int | None, Query(ge=1, le=LARGEST, description="Only members of this list.")] = None,
    state: Annotated[MembershipState | None, Query(description="Only members in this state.")] = None,
    updated_since: Moment | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ContactOut]:
    """List contacts by number. All filters must match; letter case does not matter.

    A page may have fewer items than `limit`, even none: only the last page has no `next`.
    """
    if list_id is not None:
        caller.list(list_id)
    elif state is not None:
        raise InvalidError("state needs list_id.")
    values = {"email": email, "custom_id": custom_id, "last_name": last_name, "company": company}
    example = Example(values={name: value for name, value in values.items() if value})
    chosen = Walk(list_id=list_id, state=state, updated_since=updated_since, after=marked(cursor, 0))
    people, last = caller.product.search.walk(caller.account, example, chosen, limit=limit)
    return Page(items=[ContactOut.of(each) for each in people], next=None if last is None else cursor_of(last))


@router.post("", status_code=201, response_model=ContactOut)
def create_contact(given: ContactIn, caller: CallingForAll, once: Making) -> Response:
    """Create a contact."""
    values = _values(given)

    def made() -> Contact:
        return caller.product.contacts.create(caller.account, values, given.lists)

    return once(given, made, ContactOut.of)


@router.get("/{contact_id}")
def get_contact(contact_id: Number, caller: CallingForAll) -> ContactOut:
    """Return one contact."""
    return _shown(caller, contact_id)


@router.patch("/{contact_id}")
def change_contact(contact_id: Number, given: ContactChange, caller: CallingForAll) -> ContactOut:
    """Change some fields of a contact."""
    values = _values(given)
    if not caller.product.contacts.change(caller.account, contact_id, values):
        raise not_found("contact")
    return _shown(caller, contact_id)


@router.get("/{contact_id}/lists")
def list_contact_lists(contact_id: Number, caller: CallingForAll) -> list[int]:
    """Return the numbers of a contact's lists."""
    _shown(caller, contact_id)
    return caller.product.contacts.lists_of(caller.account.id, contact_id)


@router.delete("/{contact_id}/channels-shut/{channel}", status_code=204)
def open_channel(contact_id: Number, channel: Channel, caller: CallingForAll) -> None:
    """Open a channel that was shut for a contact. For e-mail this lifts the suppression of its address as well.

    A ban and unsubscribes stay. 404 if the channel is not shut.
    """
    _shown(caller, contact_id)
    if not caller.product.channels.open(caller.account, contact_id, channel):
        raise not_found("shut channel")


@router.delete("/{contact_id}", status_code=204)
def delete_contact(contact_id: Number, caller: CallingForAll) -> None:
    """Delete a contact and all data about it; imports do not bring the address back.

    409 while an unfinished send has a mail for the contact.
    """
    caller.product.erasure.delete(caller.account, contact_id, caller.login.actor)


@router.get("/{contact_id}/export")
def export_contact(contact_id: Number, caller: CallingForAll) -> dict[str, Any]:
    """Return all data about a contact from the records and the mail folder."""
    found = caller.product.dossiers.of(caller.account, contact_id)
    told = f"contact {contact_id} with all that is known of it"
    caller.product.audit.add(caller.account.id, caller.login.actor, AuditAction.EXPORT, told)
    return found


def _shown(caller: Caller, contact_id: int) -> ContactOut:
    person = existing(caller.product.contacts.get(caller.account.id, contact_id), "contact")
    return ContactOut.of(person)


def _values(given: ContactChange) -> dict[str, Any]:
    if unknown := sorted(given.fields.keys() - set(SEARCHABLE) | (given.fields.keys() & {"email", "custom_id"})):
        raise InvalidError(f"Contacts have no field {unknown[0]}.")
    plain = given.model_dump(include={"email", "custom_id", "text_only"}, exclude_none=True)
    return {name: value for name, value in {**given.fields, **plain}.items() if name in FIELDS}
