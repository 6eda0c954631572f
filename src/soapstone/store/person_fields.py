"""The names of the columns of a contact that files fill."""

from __future__ import annotations

CUSTOM_FIELDS = tuple(f"custom{n}" for n in range(1, 31))

# The fields of a contact besides address and custom id, in the order of the upload field names (mm-43).
PERSON_FIELDS = (
    "first_name",
    "last_name",
    "phone",
    "fax",
    "address",
    "address2",
    "city",
    "state",
    "zip",
    "company",
    *CUSTOM_FIELDS,
)
