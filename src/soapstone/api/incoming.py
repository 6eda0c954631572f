"""Mails that came in about mails that went out: bounces and complaints, handed over by a mail server's program."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field
from starlette.concurrency import run_in_threadpool

from soapstone.api.authentication import CallingForAll
from soapstone.api.problems import ProblemError, existing
from soapstone.api.values import Cursor, Limit, Number, Page, Shown, page, storable
from soapstone.http.attachment import attachment
from soapstone.tracking.mail_parts import LARGEST_MAIL
from soapstone.vocabulary.tracking import IncomingOutcome

router = APIRouter(tags=["incoming mail"])

MEDIA = "message/rfc822"
# What generators of clients know; the description names it alone, both ways.
OCTETS = "application/octet-stream"
MAIL: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"The mail as it came in. {MEDIA} is accepted too.",
        "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}},
    }
}
Recipient = Annotated[str, Field(max_length=400), AfterValidator(storable)]


class TakenOut(Shown):
    """What was made of the mail, for one sent mail that it is about; `delivery_id` is null if it names none."""

    kind: str
    outcome: str
    delivery_id: int | None


class IncomingOut(BaseModel):
    """What was made of the mail."""

    mails: list[TakenOut]


class IncomingMailOut(Shown):
    """A mail that came in, for one sent mail that it is about; `delivery_id` is null if it names none.

    `source` is the way in. `address`, `code` and `detail` are what it says: the recipient, the status, and the server's
    words or the type of a complaint. `has_content` says whether the beginning of the mail is kept.
    """

    id: int
    received_at: datetime
    source: str
    kind: str
    outcome: str
    delivery_id: int | None
    address: str
    code: str
    detail: str
    has_content: bool


@router.get("/incoming")
def list_incoming_mails(
    caller: CallingForAll,
    outcome: Annotated[IncomingOutcome | None, Query(description="Only those with this outcome.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[IncomingMailOut]:
    """List mails that came in about mails of the account, or by its calls, and what was made of each, by number."""
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.incoming_records.after(caller.account.id, after, most, outcome=outcome),
        IncomingMailOut.of,
    )


@router.get("/incoming/{incoming_id}/content", response_class=Response, responses={200: {"content": {OCTETS: {}}}})
def get_incoming_content(incoming_id: Number, caller: CallingForAll) -> Response:
    """Return the beginning of a mail that was not recorded; it is kept for 30 days."""
    found = existing(caller.product.incoming_records.content(caller.account.id, incoming_id), "mail")
    return Response(found, headers=attachment(f"incoming-{incoming_id}.eml"), media_type=OCTETS)


@router.post("/incoming", openapi_extra=MAIL)
async def take_incoming_mail(
    request: Request,
    caller: CallingForAll,
    recipient: Annotated[list[Recipient], Query(max_length=10)] = [],  # noqa: B006 - FastAPI copies it
) -> IncomingOut:
    """Take a bounce, a complaint or an automatic reply; the same mail again changes nothing.

    `recipient` is the address that it was sent to; without one the mail tells. It is stored before the answer.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (MEDIA, OCTETS):
        raise ProblemError(415, f"A mail must be {MEDIA} or {OCTETS}, not {media[:100]}.")
    raw = bytearray()
    async for block in request.stream():
        if len(raw) < LARGEST_MAIL:
            raw += block
    take = caller.product.incoming_mails.take
    taken = await run_in_threadpool(take, bytes(raw), recipient, source="rest", account_id=caller.account.id)
    return IncomingOut(mails=[TakenOut.of(each) for each in taken])
