"""Columns that our own files add: exports, and files of an import's rejected rows.

Such files can be imported unchanged. So this module resolves their ambiguous headings, both for writing and for
reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from soapstone.contacts.fields import field_column
from soapstone.imports.opt_outs import is_opt_out
from soapstone.imports.spec import ATTRIBUTE
from soapstone.lists.profiles import ProfileAttribute

# Value in every row of an export → heading of its column.
EXPORT = {
    "contact_id": "contact_id",
    "number": "number",
    "email": "Email",
    "custom_id": "Custom_Member_Id",
    "state": "subscription",
    "added_at": "added_at",
    "added_by": "added_by",
    "suppression": "suppression",
    "unsubscribed_at": "unsubscribed_at",
}
# The first columns of a file of rejected rows.
REJECTS = ("line", "reason")
# Those of an export that are not fields of the contact.
_ADDED = frozenset(name for name in EXPORT.values() if field_column(name) is None)


def added_columns(headings: Sequence[str]) -> frozenset[int]:
    """Return the columns, from 0, that an export or a file of rejected rows has added; none of another file.

    All headings, with letter case, identify an export; the first two identify a file of rejected rows.
    """
    names = [name.strip() for name in headings]
    first = 0
    # The rejected rows of such a file have these columns twice.
    while tuple(names[first : first + len(REJECTS)]) == REJECTS:
        first += len(REJECTS)
    found = set(range(first))
    if _ADDED.issubset(names[first:]):
        found.update(names.index(name, first) for name in _ADDED)
    return frozenset(found)


def attribute_headings(attributes: Iterable[ProfileAttribute]) -> list[str]:
    """Return the headings of attributes in an export: their names, or `attribute:NAME` if a name alone is ambiguous."""
    return [f"{ATTRIBUTE}{each.name}" if _means_something_else(each.name) else each.name for each in attributes]


def _means_something_else(name: str) -> bool:
    taken = name.casefold() in {heading.casefold() for heading in EXPORT.values()}
    return taken or field_column(name) is not None or is_opt_out(name) or name.startswith(ATTRIBUTE)


def attribute_target(heading: str, by_name: Mapping[str, str]) -> str | None:
    """Return the target of `attribute:N` or `attribute:NAME`; None for a heading of another form.

    `by_name` are the targets of the list's attributes by their casefolded names. A number goes before a name; if the
    list has neither, the target is one that no list has.
    """
    if not heading.startswith(ATTRIBUTE):
        return None
    name = heading.removeprefix(ATTRIBUTE).strip()
    return heading if heading in by_name.values() else by_name.get(name.casefold(), heading)
