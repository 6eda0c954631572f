"""The links of messages (mm-111, mm-115)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence

from soapstone.magnetmail.call import Call
from soapstone.magnetmail.operations import getLinkURLs
from soapstone.magnetmail.tracking import visible_message
from soapstone.magnetmail.types import Links
from soapstone.sending.messages.content import LINK_SETTINGS, with_links
from soapstone.sending.messages.hyperlinks import Hyperlink, hyperlinks
from soapstone.sending.messages.message import InvalidMessage, Message
from soapstone.sending.reports import SendRecord
from soapstone.tracking import figures

# Where a link leads → link_type (mm-115).
TYPES = {"web": 1, "mail": 2, "own": 3}


def get_link_urls(call: Call, request: getLinkURLs) -> list[Links]:
    """Return the links of a message, or of what a group was sent of it; none for an unknown message or group (mm-25).

    Those that sends have added are among them, and those that the message had when it was sent.
    """
    product, account_id = call.product, call.account.id
    message = visible_message(call, request.message_id)
    if message is None:
        return []
    wanted = [group.id for group in call.groups] if call.sight is not None else None
    if request.group_id:
        if call.group(request.group_id) is None:
            return []
        wanted = [request.group_id]
    records = product.reports.find(account_id, message_ids=[message.id], list_ids=wanted)
    if request.group_id and not records:
        return []
    try:
        found = {link.url: link for link in hyperlinks(message, product.links)}
        for added in _added(call, message, records):
            found |= {link.url: link for link in added if link.url not in found}
    except InvalidMessage:
        # It was stored when messages could be larger, and no send can use it.
        return []
    clicks = figures.clicks_of_message(
        product.database, account_id, message.id, list_id=request.group_id or None, login=call.login
    )
    numbers = {url: number for (_, url), number in product.event_reports.link_numbers(account_id, [message.id]).items()}
    for link in product.event_reports.links(account_id, message.id):
        # One that an edit has removed since.
        if link.url not in found and (not request.group_id or clicks.get(link.url)):
            found[link.url] = Hyperlink(url=link.url, text=link.description, kind="web")
    return [
        Links(
            linkid=_number(message, link, numbers),
            link_url=link.url,
            link_text=link.text,
            link_clicks=clicks.get(link.url, 0),
            link_type=TYPES[link.kind],
            link_index=index,
            link_label="",
        )
        for index, link in enumerate(found.values(), 1)
    ]


def _added(call: Call, message: Message, records: Sequence[SendRecord]) -> Iterator[list[Hyperlink]]:
    """Yield the links of the message with those that sends have added; once where several have added the same."""
    links = call.product.links
    seen: set[str] = set()
    for record in records if links is not None else ():
        group = None if record.list_id is None else call.product.lists.get(call.account.id, record.list_id)
        settings = {name: bool(group and group.settings.get(name)) for name in LINK_SETTINGS}
        further = record.job.request.get("links", {})
        asked = repr((settings, further))
        if asked not in seen:
            seen.add(asked)
            yield hyperlinks(with_links(message, settings, further), links)


def _number(message: Message, link: Hyperlink, numbers: Mapping[str, int]) -> int:
    """Return the number of a tracked link; a number below 0 for another one.

    That stays the same as long as the message has a link to this address, whatever stands before it.
    """
    return numbers.get(link.url) or -1 - (zlib.crc32(f"{message.public_id} {link.url}".encode()) & 0x7FFFFFFF)
