"""The part of the control API that is about mails."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from soapstone.api.problems import existing
from soapstone.api.values import Limit, Number
from soapstone.testing.mails import WrittenMail, WrittenMails


class LinkOut(BaseModel):
    """A link; `text` is its shown text, `target` where it leads: a tracked link to what the author wrote."""

    url: str
    text: str
    target: str


class MailOut(BaseModel):
    """A mail. `recipient` is its envelope address; a text that is missing or too large to show is empty."""

    number: int
    at: datetime
    account: str
    sender: Annotated[str, Field(alias="from")]
    to: str
    recipient: str
    subject: str
    text: str
    html: str
    links: list[LinkOut]
    headers: list[tuple[str, str]]


class MailsOut(BaseModel):
    """Mails in the order of writing."""

    mails: list[MailOut]


def _shown(mail: WrittenMail) -> MailOut:
    summary = mail.opened.summary
    # By the name that it has in JSON.
    sender = {"from": summary.sender}
    return MailOut(
        number=mail.number,
        at=mail.at,
        account=mail.account,
        to=summary.to,
        recipient=mail.recipient,
        subject=summary.subject,
        text=mail.opened.plain or "",
        html=mail.opened.html or "",
        links=[LinkOut(url=url, text=text, target=target) for url, text, target in mail.links],
        headers=mail.opened.headers,
        **sender,
    )


def router(mails: WrittenMails) -> APIRouter:
    """Return the part of the control API that is about mails."""
    api = APIRouter(prefix="/mails", tags=["mails"])

    @api.get("")
    def list_mails(
        to: Annotated[str, Query(max_length=254, description="The whole address, of To or of the envelope.")] = "",
        subject: Annotated[str, Query(max_length=1000, description="A part of the subject.")] = "",
        limit: Limit = 100,
    ) -> MailsOut:
        """Return the newest mails in the order of writing. A search covers the newest 10,000."""
        return MailsOut(mails=[_shown(mail) for mail in mails.find(to, subject, limit)])

    @api.get("/{number}")
    def get_mail(number: Number) -> MailOut:
        """Return one mail."""
        mail = existing(mails.get(number), "mail")
        return _shown(mail)

    @api.get("/{number}/source", response_class=FileResponse)
    def get_source(number: Number) -> FileResponse:
        """Return the file of a mail."""
        path = existing(mails.source(number), "mail")
        return FileResponse(path, media_type="message/rfc822")

    return api
