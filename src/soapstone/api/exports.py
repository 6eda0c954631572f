"""Exports: everybody on a list as CSV or NDJSON, streamed in short transactions, in flat memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from soapstone.api.access import Caller, Calling
from soapstone.api.values import Number
from soapstone.lists.contact_list import ContactList

router = APIRouter(tags=["exports"])

ROWS = 2000
COLUMNS = ("contact_id", "number", "email", "custom_id", "state", "added_at", "added_by")


@router.get(
    "/lists/{list_id}/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}, "application/x-ndjson": {}}, "description": "Members of the list"}},
)
def export(
    list_id: Number,
    caller: Calling,
    form: Annotated[Literal["csv", "ndjson"], Query()] = "csv",
    state: Annotated[Literal["subscribed", "unsubscribed", "waiting"] | None, Query()] = None,
) -> Response:
    """The people on a list. Who joins or leaves meanwhile may be in it or not; nobody is in it twice."""
    found = caller.list(list_id)
    media = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    return StreamingResponse(_rows(caller, found, form, state), media_type=media)


def _rows(caller: Caller, found: ContactList, form: str, state: str | None) -> Iterator[str]:
    after = 0
    if form == "csv":
        yield ",".join(COLUMNS) + "\r\n"
    while members := caller.product.members.page(found.id, state=state, after=after, limit=ROWS):
        after = members[-1].contact_id
        rows = [[getattr(member, name) for name in COLUMNS] for member in members]
        for row in rows:
            row[5] = row[5].isoformat(timespec="seconds")
        if form == "csv":
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            yield text.getvalue()
        else:
            yield "".join(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
