"""The unsubscribe link that every mail to many recipients needs, unless the sender opts out of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from soapstone.sending.messages.content import Written, visible_links, with_links
from soapstone.sending.messages.message import InvalidMessage

# The sender's choice: the mails have the link, or need none.
Choice = Literal["link", "none"]

# Member of a send's request: a Choice, or MISSING if a contract cannot ask and the mails have no link.
REQUEST = "unsubscribe"
MISSING = "missing"


class NoUnsubscribeLinkError(InvalidMessage):
    """The mails would have no link to unsubscribe.

    `url_missing`: message or list ask for the link, but SOAPSTONE_PUBLIC_URL is not set. `list_id` is the list.
    """

    def __init__(self, list_id: int | None, *, url_missing: bool) -> None:
        because = "SOAPSTONE_PUBLIC_URL is not set" if url_missing else "neither the message nor its list has one"
        super().__init__(f"The mails would have no link to unsubscribe: {because}.")
        self.list_id = list_id
        self.url_missing = url_missing


def check_link(
    message: Written,
    settings: Mapping[str, Any],
    further: Mapping[str, Collection[str]] | None = None,
    *,
    list_id: int | None,
    has_links: bool,
) -> None:
    """Raise NoUnsubscribeLinkError if no body of the mails would have the link, from message or list.

    The header `List-Unsubscribe` does not count, since many mail programs do not show it. `further` is as in
    `with_links`; `has_links` says whether the server can make links at all.
    """
    shown = with_links(message, settings, further)
    if "unsubscribe_link" not in visible_links(shown):
        raise NoUnsubscribeLinkError(list_id, url_missing=False)
    if not has_links:
        raise NoUnsubscribeLinkError(list_id, url_missing=True)
