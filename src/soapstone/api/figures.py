"""What became of sent mails in figures: of a send, of a message, and of its links."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from soapstone.api.authentication import Caller, Calling
from soapstone.api.problems import not_found
from soapstone.api.sends import find as find_send
from soapstone.api.values import Cursor, Limit, Number, Page, page
from soapstone.sending.messages.message import Message
from soapstone.tracking.message_figures import Figures, LinkRecord, MessageFigures

router = APIRouter(tags=["figures"])

# Sends that the figures of a message name.
NEWEST_SENDS = 100


class FiguresOut(BaseModel):
    """What became of mails. `sent` is `delivered` and `bounced` together, also while a send runs.

    `bounced` includes mails that the server refused for good. `opens` and `clicks` count acts; `openers`, `readers`,
    `clickers` and `repeat_clickers` (at least two clicks) count mails. `departures` are people who left because of the
    mail. Opens and clicks of programs are `machine_opens` and `machine_clicks`, and count nowhere else.
    """

    sent: int
    delivered: int
    bounced: int
    opens: int
    openers: int
    readers: int
    clicks: int
    clickers: int
    repeat_clickers: int
    departures: int
    complaints: int
    machine_opens: int
    machine_clicks: int


class SendFiguresOut(FiguresOut):
    """The figures of one send; its number is that of its job."""

    send_id: int

    @classmethod
    def alone(cls, figures: MessageFigures, account_id: int, send_id: int) -> SendFiguresOut:
        """Return the figures of a send as they are shown."""
        return cls(send_id=send_id, **_counted(figures.of_sends(account_id, [send_id])[send_id]))


class MessageFiguresOut(FiguresOut):
    """Figures of all sends of a message, test sends left out, and of each of the newest 100 sends by number.

    The sends of a stored message include those that sent copies of it.
    """

    sends: list[SendFiguresOut]

    @classmethod
    def whole(cls, figures: MessageFigures, account_id: int, message_id: int, login: Any = None) -> MessageFiguresOut:
        """Return the figures of a message as they are shown."""
        numbers = figures.sends(account_id, message_id, login=login, limit=NEWEST_SENDS)
        each = figures.of_sends(account_id, numbers)
        sends = [SendFiguresOut(send_id=number, **_counted(each[number])) for number in numbers]
        return cls(**_counted(figures.total(account_id, message_id, login=login)), sends=sends)


class LinkOut(BaseModel):
    """A tracked link of a message that was sent, with its clicks.

    `position` is its place in the message, from 1, through the HTML text and then the plain text; `body` is "html" or
    "plain". `url` is as the author wrote it. `clickers` are mails in which it was clicked.
    """

    id: int
    message_id: int
    position: int
    body: str
    url: str
    label: str
    description: str
    clicks: int
    clickers: int
    machine_clicks: int

    @classmethod
    def of(cls, link: LinkRecord) -> LinkOut:
        """Return the link as it is shown."""
        own = {name: getattr(link, name) for name in cls.model_fields if hasattr(link, name)}
        return cls(**own, **{name: getattr(link.figures, name) for name in cls.model_fields.keys() - own.keys()})


@router.get("/sends/{send_id}/figures")
def get_send_figures(send_id: Number, caller: Calling) -> SendFiguresOut:
    """Return what became of the mails of a send."""
    number = find_send(caller, send_id).job.id
    return SendFiguresOut.alone(caller.product.message_figures, caller.account.id, number)


@router.get("/messages/{message_id}/figures")
def get_message_figures(message_id: Number, caller: Calling) -> MessageFiguresOut:
    """Return what became of the mails of all sends of a message, stored or sent."""
    find_sent_message(caller, message_id)
    return MessageFiguresOut.whole(caller.product.message_figures, caller.account.id, message_id, caller.login)


@router.get("/messages/{message_id}/links")
def list_message_links(message_id: Number, caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[LinkOut]:
    """List the tracked links of all sends of a message, with their clicks in these sends.

    A stored message that was sent several times has links for each copy.
    """
    find_sent_message(caller, message_id)
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.message_figures.links(
            caller.account.id, message_id, login=caller.login, after=after, limit=most
        ),
        LinkOut.of,
    )


def find_sent_message(caller: Caller, message_id: int) -> Message:
    """Return a message that the login may see, stored or made for a send. Raises NotFoundError."""
    found = caller.product.messages.get(caller.account.id, message_id)
    if found is None or not caller.product.lists.sees(caller.login, caller.account.id, found.list_id):
        raise not_found("message")
    return found


def _counted(found: Figures) -> dict[str, int]:
    counted = found.counted
    names = FiguresOut.model_fields.keys() - {"departures"}
    return {name: getattr(counted, name) for name in names} | {"departures": found.departures}
