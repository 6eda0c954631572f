"""Exports: the members of a list as CSV or NDJSON, streamed in short transactions, in flat memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence, Set
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from soapstone.accounts.audit import AuditAction
from soapstone.api.authentication import Caller, Calling, while_allowed
from soapstone.api.values import PLAIN, Number, RowsForm
from soapstone.contacts.fields import FIELDS
from soapstone.contacts.members import KnownMember
from soapstone.http.attachment import attachment
from soapstone.imports.formulas import escaped
from soapstone.imports.own_columns import EXPORT, attribute_headings
from soapstone.lists.lists import ContactList
from soapstone.lists.profiles import ProfileAttribute
from soapstone.store.tables import PERSON_FIELDS
from soapstone.vocabulary.contacts import MembershipState

router = APIRouter(tags=["exports"])

ROWS = 2000
_NAMES = {column: name for name, column in FIELDS.items()}


@router.get(
    "/lists/{list_id}/export",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/csv": PLAIN, "application/x-ndjson": PLAIN}, "description": "Members of the list"}
    },
)
def export_list(
    list_id: Number,
    caller: Calling,
    form: Annotated[RowsForm, Query()] = "csv",
    state: Annotated[MembershipState | None, Query()] = None,
    fields: Annotated[bool, Query(description="Include the contact fields.")] = False,
    profile: Annotated[bool, Query(description="Include the list's profile values.")] = False,
) -> Response:
    """Export the members of a list, each once. Those who join or leave meanwhile may be missing."""
    found = caller.list(list_id)
    told = f"members of list {found.id} as {form}"
    caller.product.audit.add(caller.account.id, caller.login.actor, AuditAction.EXPORT, told)
    attributes = caller.product.profiles.attributes(found.id) if profile else []
    blocks = while_allowed(caller, lambda now: now.list(found.id), _members(caller, found, state))
    if form == "csv":
        rows = _csv(blocks, PERSON_FIELDS if fields else (), attributes)
        return StreamingResponse(rows, headers=attachment(f"{found.name}.csv"), media_type="text/csv; charset=utf-8")
    lines = _lines(blocks, fields, {str(each.id) for each in attributes} if profile else None)
    return StreamingResponse(lines, headers=attachment(f"{found.name}.ndjson"), media_type="application/x-ndjson")


def _members(caller: Caller, found: ContactList, state: str | None) -> Iterator[list[KnownMember]]:
    after = 0
    while members := caller.product.members.known(found.id, state=state, after=after, limit=ROWS):
        after = members[-1].contact_id
        yield members


def _csv(
    blocks: Iterator[list[KnownMember]], fields: Sequence[str], attributes: Sequence[ProfileAttribute]
) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    heading = [*EXPORT.values(), *(_NAMES[name] for name in fields), *attribute_headings(attributes)]
    writer.writerow(escaped(heading))
    numbers = [str(each.id) for each in attributes]
    for members in blocks:
        for member in members:
            row = [*_plain(member).values(), *(member.fields.get(name, "") for name in fields)]
            writer.writerow(escaped([*row, *(member.profile.get(number, "") for number in numbers)]))
        yield _taken(text)
    yield _taken(text)


def _lines(blocks: Iterator[list[KnownMember]], fields: bool, attributes: Set[str] | None) -> Iterator[str]:
    for members in blocks:
        for member in members:
            row = _plain(member)
            if fields:
                row["fields"] = member.fields
            if attributes is not None:
                row["profile"] = {name: value for name, value in member.profile.items() if name in attributes}
            yield json.dumps(row, ensure_ascii=False) + "\n"


def _plain(member: KnownMember) -> dict[str, Any]:
    row = {name: getattr(member, name) for name in EXPORT}
    since = member.unsubscribed_at
    return row | {
        "added_at": member.added_at.isoformat(timespec="seconds"),
        "unsubscribed_at": None if since is None else since.isoformat(timespec="seconds"),
    }


def _taken(text: io.StringIO) -> str:
    found = text.getvalue()
    text.seek(0)
    text.truncate()
    return found
