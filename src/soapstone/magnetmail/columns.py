"""Columns of an uploaded file: what their names mean (mm-43 to mm-45)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from soapstone.contacts.fields import field_column
from soapstone.errors import InvalidError
from soapstone.imports.columns import Headings, heading_column
from soapstone.imports.own_columns import added_columns
from soapstone.imports.spec import ATTRIBUTE, Column, OptOut, opt_outs_of
from soapstone.lists.lists import ContactList
from soapstone.magnetmail.call import Call
from soapstone.magnetmail.recipient import FIELD_NAMES
from soapstone.product import ReceivedUpload

# Text in a SOAP request is Unicode by the time it gets here (mm-64).
ENCODING: Final = "utf-8"

# An enhanced field: a profile attribute of the group, by its number (mm-43).
_ENHANCED = re.compile(r"EP_([1-9][0-9]{0,17})", re.ASCII | re.IGNORECASE)


def columns_of(call: Call, group: ContactList | None, names: Mapping[int, str]) -> tuple[Column, ...]:
    """Return the columns that these names make, by column of the file (from 0). Raises InvalidError for an unknown
    name.

    Letter case does not matter (mm-44). An enhanced field is known only where the group has it.
    """
    enhanced = frozenset[int]()
    if group is not None and any(_ENHANCED.fullmatch(name.strip()) for name in names.values()):
        enhanced = frozenset(attribute.id for attribute in call.product.profiles.attributes(group.id))
    columns = []
    for index, name in names.items():
        target = _target(name)
        if found := _ENHANCED.fullmatch(name.strip()):
            target = f"{ATTRIBUTE}{found[1]}" if int(found[1]) in enhanced else None
        if target is None:
            raise InvalidError(f"There is no recipient field {name}.")
        columns.append(Column(index=index, target=target))
    return tuple(columns)


class Heading(NamedTuple):
    """The names in a file's header line, by column from 0, and the columns that say who gets no mail."""

    names: dict[int, str]
    opt_outs: tuple[OptOut, ...] = ()


def heading_of(call: Call, group: ContactList | None, upload: ReceivedUpload) -> Heading:
    """Return the header line of a file; other headings of a field become its name (mm-45). Raises InvalidError.

    A file of our own, an export or the rejected rows of an import, is taken as it is: what it has besides its owner's
    columns is left out, its attributes are enhanced fields of the group, and its members get no mail who got none.
    """
    told = call.product.imports.header_names(upload, encoding=ENCODING)
    added = added_columns(told)
    names = {index: _field_name(name.strip()) for index, name in enumerate(told) if name.strip()}
    if not added:
        return Heading(names)
    headings = Headings(None if group is None else call.product.profiles.attributes(group.id))
    for index in names:
        target = headings.target(told[index]) or ""
        if target.startswith(ATTRIBUTE):
            names[index] = f"EP_{target.removeprefix(ATTRIBUTE)}"
    return Heading(
        {index: name for index, name in names.items() if index not in added},
        opt_outs_of({index: told[index] for index in added}),
    )


def _field_name(heading: str) -> str:
    column = None if _target(heading) else heading_column(heading)
    return heading if column is None else FIELD_NAMES.get(column, heading)


def _target(name: str) -> str | None:
    """Return the contact's column of a field of the contract; None for any other name."""
    column = field_column(name)
    return column if column in FIELD_NAMES else None
