"""Columns of an uploaded file: what their names mean (mm-43 to mm-45)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from soapstone.imports.columns import heading_column
from soapstone.imports.spec import ATTRIBUTE, Column, InvalidImport
from soapstone.lists.contact_list import ContactList
from soapstone.lists.fields import FIELDS, field_column
from soapstone.magnetmail.call import Call
from soapstone.product import ReceivedUpload

# Text in a SOAP request is Unicode by the time it gets here (mm-64).
ENCODING: Final = "utf-8"

# An enhanced field: a profile attribute of the group, by its number (mm-43).
_ENHANCED = re.compile(r"EP_([1-9][0-9]{0,17})", re.ASCII | re.IGNORECASE)
_NAMES = {column: name for name, column in FIELDS.items()}


def columns_of(call: Call, group: ContactList | None, names: Mapping[int, str]) -> tuple[Column, ...]:
    """The columns that these names make, by column of the file (from 0). Raises InvalidImport for an unknown name.

    Letter case does not matter (mm-44). An enhanced field is known only where the group has it.
    """
    enhanced = frozenset[int]()
    if group is not None and any(_ENHANCED.fullmatch(name.strip()) for name in names.values()):
        enhanced = frozenset(attribute.id for attribute in call.product.profiles.attributes(group.id))
    columns = []
    for index, name in names.items():
        target = field_column(name)
        if found := _ENHANCED.fullmatch(name.strip()):
            target = f"{ATTRIBUTE}{found[1]}" if int(found[1]) in enhanced else None
        if target is None:
            raise InvalidImport(f"There is no recipient field {name}.")
        columns.append(Column(index=index, target=target))
    return tuple(columns)


def heading_names(call: Call, upload: ReceivedUpload) -> dict[int, str]:
    """The names in the file's header line, by column; other headings of a field become its name (mm-45)."""
    names = call.product.imports.header_names(upload, encoding=ENCODING)
    return {index: _field_name(name.strip()) for index, name in enumerate(names) if name.strip()}


def _field_name(heading: str) -> str:
    column = None if field_column(heading) else heading_column(heading)
    return heading if column is None else _NAMES[column]
