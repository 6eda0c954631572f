"""How the mails of one send are tracked: their links, their pixels and the stem that each of them has."""

from __future__ import annotations

import re
import secrets
from base64 import b32encode
from collections.abc import Collection, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from sqlalchemy import select

from soapstone.accounts.account import Accounts
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList
from soapstone.sending.messages.link_rewriting import LinkRules, TrackedMessage
from soapstone.sending.messages.message import Message
from soapstone.sending.messages.template import AddressOf
from soapstone.store.database import Database
from soapstone.store.tables import sends
from soapstone.tracking.links import known_positions, positions
from soapstone.tracking.stems import LENGTH, Stems
from soapstone.vocabulary.deliveries import Purpose
from soapstone.vocabulary.tracking import TrackingMode

# Paths of the images: one tells of an open, the other of a read, which only mails with persons have (lk-107).
PIXELS = {TrackingMode.FULL: ("o", "r"), TrackingMode.FIGURES: ("o",)}

_DOMAIN = re.compile(r"(?:https?://)?([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?)/?", re.I)


class MailTracking:
    """The tracking of one send's mails. `message` has rewritten links, with `gap` where the stem of each mail goes.

    With `record`, links that the message did not have before are recorded; without, they stay as they are. Raises
    InvalidMessage.
    """

    def __init__(
        self, database: Database, message: Message, rules: LinkRules, stems: Stems, mode: TrackingMode, *, record: bool
    ) -> None:
        tracked = TrackedMessage(message, rules)
        find = positions if record else known_positions
        found = find(database, message.account_id, message.id, tracked.links)
        # No text has it by chance, and nobody can know it.
        self.gap = b32encode(secrets.token_bytes(5 * LENGTH // 8)).decode().lower()
        self.message = tracked.rewritten(found, self.gap, pixels=PIXELS[mode])
        self._dynamic = tracked.dynamic_links(found, stems) if any(link.is_dynamic for link in tracked.links) else None
        self._stems = stems
        self.has_persons = mode == TrackingMode.FULL

    @property
    def has_pixel(self) -> bool:
        """Whether an open of the mails can be seen: plain texts load no images."""
        return bool(self.message.html.strip())

    @classmethod
    def of_send(
        cls,
        database: Database,
        job: Job,
        message: Message,
        contact_list: ContactList | None,
        public_url: str,
        stems: Stems,
        *,
        record: bool,
    ) -> Self | None:
        """Return how the mails of a send are tracked; None if they are not."""
        mode = mode_of(database, job, message, contact_list)
        if mode == TrackingMode.OFF:
            return None
        rules = rules_of(message, contact_list, public_url)
        return cls(database, message, rules, stems, mode, record=record)

    def stem(self, delivery_id: int) -> str:
        """Return the stem of one recipient's mail."""
        return self._stems.make(self.message.id, delivery_id if self.has_persons else 0)

    def address_of(self, stem: str) -> AddressOf | None:
        """Return what makes the addresses of links with merge fields in the mail with this stem."""
        return self._dynamic.of(stem) if self._dynamic else None


def mode_of(database: Database, job: Job, message: Message, contact_list: ContactList | None) -> TrackingMode:
    """Return how much is recorded of a send's mails: as its list says, else as its account says.

    System mails are not tracked, nor is a message whose sender did not enable it (lk-98).
    """
    # Its recipients may be tried again by another send.
    letters = select(sends.c.job_id).where(sends.c.message_id == message.id, sends.c.purpose == Purpose.LETTER)
    with database.read() as connection:
        is_letter = connection.execute(letters.limit(1)).first() is not None
    if is_letter or message.extras.get("tracking") is False:
        return TrackingMode.OFF
    account = Accounts(database).get(job.account_id)
    own = contact_list.tracking if contact_list else ""
    return TrackingMode(own or (account.tracking if account else TrackingMode.OFF))


def rules_of(message: Message, contact_list: ContactList | None, public_url: str) -> LinkRules:
    """Return which links of a message are tracked, as its list says."""
    settings: Mapping[str, Any] = contact_list.settings if contact_list else {}
    # lk-42, lk-103
    parameters: dict[str, str] = {}
    domains: Collection[str] = ()
    name = str(message.extras.get("analytics_name") or "")
    if contact_list and name and settings.get("analytics_tags"):
        domains = settings.get("tracking_domains", [])
        content = str(message.extras.get("analytics_content") or "")
        parameters = {
            "utm_source": contact_list.name,
            "utm_medium": "email",
            "utm_campaign": name,
            "utm_content": content,
        }
    return LinkRules(
        base=base_of(public_url, str(settings.get("link_domain") or "")),
        own=[public_url],
        visible_urls=settings.get("track_visible_urls"),
        untracked=settings.get("untracked_domains", []),
        domains=domains,
        parameters=parameters,
    )


def base_of(public_url: str, link_domain: str) -> str:
    """Return where the tracked links of a list begin: its own domain for links, if it has one (lk-38), else this
    server's address."""
    match = _DOMAIN.fullmatch(link_domain.strip())
    parts = urlsplit(public_url)
    if match is None:
        return public_url.rstrip("/")
    port = f":{parts.port}" if parts.port and ":" not in match[1] else ""
    return f"{parts.scheme}://{match[1].lower()}{port}{parts.path}".rstrip("/")
