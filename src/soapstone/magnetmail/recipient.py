"""Recipients as the contract writes them (mm-71)."""

from __future__ import annotations

from typing import Any

from soapstone.contacts.contacts import Contact as Person
from soapstone.contacts.fields import CUSTOM_FIELDS, FIELDS
from soapstone.magnetmail.call import Call
from soapstone.magnetmail.types import Recipient

# Column of the contact → member of Recipient.
MEMBERS = {
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "fax": "fax",
    "custom_id": "Custom_Id",
    "phone": "phone",
    "address": "address",
    "address2": "address_2",
    "city": "city",
    "state": "state",
    "zip": "zip",
    "company": "company",
    **{name: name for name in CUSTOM_FIELDS},
}
# Column of the contact → name in uploads and in getRecipientFields (mm-43). The contract has no name for other fields.
FIELD_NAMES = {column: name for name, column in FIELDS.items() if column in MEMBERS}
# Members of addRecipient and editRecipient → columns of the contact (mm-4).
COLUMNS = {
    **{member: column for column, member in MEMBERS.items() if column not in ("custom_id", "address", "address2")},
    "custom_id": "custom_id",
    "address_1": "address",
    "address_2": "address2",
}


def wire(call: Call, person: Person) -> Recipient:
    """Return a recipient with its flags (mm-76, mm-77)."""
    return Recipient(
        id=str(person.id),
        **{member: person.fields[column] for column, member in MEMBERS.items()},
        unsubscribed=person.unsubscribed,
        fax_send_suppress="fax" in person.channels_shut,
        email_send_suppress="email" in person.channels_shut,
        email_confirm=not person.waiting,
        text_only=person.fields["text_only"],
        suppressed=bool(person.channels_shut),
        suppressed_date=call.local(person.suppressed_at),
    )


def nobody(email: str) -> Recipient:
    """Return the recipient of a mail to an address that is no contact: number 0, without fields and flags."""
    members: dict[str, Any] = dict.fromkeys(MEMBERS.values(), "") | {"email": email}
    flags = ("unsubscribed", "fax_send_suppress", "email_send_suppress", "email_confirm", "text_only", "suppressed")
    members |= dict.fromkeys((*flags, "suppressed_date"))
    return Recipient(id="0", **members)


def columns(given: Any, members: dict[str, str] | None = None) -> dict[str, Any]:
    """Return what an object of the contract says of a person, by column; what it leaves out is empty text."""
    names = members or {member: column for column, member in MEMBERS.items()}
    return {column: getattr(given, member) or "" for member, column in names.items()}
