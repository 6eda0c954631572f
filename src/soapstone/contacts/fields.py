"""The fields of a contact, by their names in files (mm-43)."""

from __future__ import annotations

from soapstone.store.person_fields import CUSTOM_FIELDS as CUSTOM_FIELDS

# Name in a file or merge field → column of the contact, in the order of the contract's field names.
FIELDS: dict[str, str] = {
    "Email": "email",
    "First_Name": "first_name",
    "Last_Name": "last_name",
    "Phone": "phone",
    "Fax": "fax",
    "Address": "address",
    "Address2": "address2",
    "City": "city",
    "State": "state",
    "Zip": "zip",
    "Company": "company",
    "Custom_Member_Id": "custom_id",
    **{name: name for name in CUSTOM_FIELDS},
}

_BY_LOWER = {name.lower(): column for name, column in FIELDS.items()}


def field_column(name: str) -> str | None:
    """Return the contact's column of a field name, ignoring letter case; None for an unknown name."""
    return _BY_LOWER.get(name.strip().lower())
