"""The links of messages (mm-111, mm-115)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from soapstone.magnetmail.call import Call, Handlers
from soapstone.magnetmail.operations import getLinkURLs
from soapstone.magnetmail.types import Links
from soapstone.sending.messages.content import LINK_SETTINGS, with_links
from soapstone.sending.messages.hyperlinks import Hyperlink, hyperlinks
from soapstone.sending.messages.message import InvalidMessage, Message
from soapstone.sending.reports import SendRecord

# Where a link leads → link_type (mm-115).
TYPES = {"web": 1, "mail": 2, "own": 3}


def get_link_urls(call: Call, request: getLinkURLs) -> list[Links]:
    """Return the links of a message, or of what a group was sent of it; none for an unknown message or group (mm-25).

    Those that sends have added are among them. Clicks are not recorded, so there are 0.
    """
    product, account_id = call.product, call.account.id
    message = product.messages.get(account_id, request.message_id)
    if message is None or (message.list_id is not None and call.group(message.list_id) is None):
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
    return [
        Links(
            linkid=_number(message, link),
            link_url=link.url,
            link_text=link.text,
            link_clicks=0,
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


def _number(message: Message, link: Hyperlink) -> int:
    """Return the number of a link: the same as long as the message has a link to this address, whatever stands before
    it."""
    return zlib.crc32(f"{message.public_id} {link.url}".encode()) & 0x7FFFFFFF


HANDLERS: Handlers = {
    "getLinkURLs": get_link_urls,
}
