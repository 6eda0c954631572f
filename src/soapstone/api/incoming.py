"""Mails that came in about mails that went out: bounces and complaints, handed over by a mail server's program."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, Field
from starlette.concurrency import run_in_threadpool

from soapstone.api.authentication import Calling
from soapstone.api.problems import ProblemError
from soapstone.api.values import storable
from soapstone.tracking.mail_parts import LARGEST_MAIL

router = APIRouter(tags=["incoming mail"])

MEDIA = "message/rfc822"
MAIL: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The mail as it came in.",
        "content": {MEDIA: {"schema": {"type": "string", "format": "binary"}}},
    }
}
Recipient = Annotated[str, Field(max_length=400), AfterValidator(storable)]


class TakenOut(BaseModel):
    """What was made of the mail, for one sent mail that it is about; `delivery_id` is null if it names none."""

    kind: str
    outcome: str
    delivery_id: int | None


class IncomingOut(BaseModel):
    """What was made of the mail."""

    mails: list[TakenOut]


@router.post("/incoming", openapi_extra=MAIL)
async def take_incoming_mail(
    request: Request,
    caller: Calling,
    recipient: Annotated[list[Recipient], Query(max_length=10)] = [],  # noqa: B006 - FastAPI copies it
) -> IncomingOut:
    """Take a bounce, a complaint or an automatic reply; the same mail again changes nothing.

    `recipient` is the address that it was sent to; without one the mail tells. It is stored before the answer.
    """
    caller.require_all_lists()
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != MEDIA:
        raise ProblemError(415, f"A mail must be {MEDIA}, not {media[:100]}.")
    raw = bytearray()
    async for block in request.stream():
        if len(raw) < LARGEST_MAIL:
            raw += block
    take = caller.product.incoming_mails.take
    taken = await run_in_threadpool(take, bytes(raw), recipient, source="rest", account_id=caller.account.id)
    return IncomingOut(mails=[TakenOut(kind=e.kind, outcome=e.outcome, delivery_id=e.delivery_id) for e in taken])
