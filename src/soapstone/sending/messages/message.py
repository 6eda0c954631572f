"""The message of a send: subject, bodies and sender."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, get_args

from soapstone.errors import InvalidError
from soapstone.vocabulary.messages import MessageKind

# Character sets of mails; text outside an older one is written as UTF-8 (lk-105, mm-95).
Charset = Literal["utf-8", "iso-8859-1"]
CHARSETS: tuple[Charset, ...] = get_args(Charset)


# Bounds of what a message holds: characters of a body, and of its subject and names; merge tags of all parts together,
# and words and signs in them; pieces of markup of an HTML body: tags, attributes, comments, character references.
LONGEST_BODY = 550_000
LONGEST_LINE = 2_000
MOST_TAGS = 1_000
MOST_SIGNS = 4_000
MOST_MARKUP = 35_000
# Bounds of one mail: characters of its merge values, and of all its parts when they are merged; and characters that
# filters and searches in conditions read.
MOST_MERGED = 3_000_000
MOST_FILTERED = 1_000_000


class InvalidMessage(InvalidError):
    """The message cannot be sent as it is; the text is a sentence for its author (lk-98)."""


class MergedTooLarge(InvalidMessage):
    """The message with the values of this recipient is too large to be sent; other recipients may get it."""


class Parts(Protocol):
    """The parts that messages and drafts share.

    Subject, sender name, recipient name and both bodies may hold merge fields; the addresses may not.
    """

    @property
    def subject(self) -> str: ...
    @property
    def from_name(self) -> str: ...
    @property
    def from_address(self) -> str: ...
    @property
    def reply_address(self) -> str: ...
    @property
    def to_name(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def plain(self) -> str: ...
    @property
    def charset(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message as submitted. Empty sender fields take the list's defaults when it is sent."""

    subject: str
    from_name: str = ""
    from_address: str = ""
    reply_address: str = ""
    to_name: str = ""
    html: str = ""
    plain: str = ""
    charset: str = CHARSETS[0]

    @classmethod
    def of(cls, parts: Parts) -> Draft:
        """Return a copy of a message's parts."""
        return cls(**{name: getattr(parts, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class Message:
    """A stored message. One of kind `send` belongs to the send that it was made for; the others wait to be used.

    `list_id` is None for a message of the whole account. `public_id` identifies it in links. `extras` is a document
    of the contract that wrote it. `has_own_links` says that its text was submitted with our links (mm-99).
    """

    id: int
    account_id: int
    list_id: int | None
    kind: MessageKind
    name: str
    public_id: str
    subject: str
    from_name: str
    from_address: str
    reply_address: str
    to_name: str
    html: str
    plain: str
    charset: str
    campaign_id: int | None
    category_id: int | None
    archived: bool
    hidden: bool
    has_own_links: bool
    extras: Mapping[str, Any]
    login_id: int | None
    created_at: datetime
    updated_at: datetime

    @property
    def saved(self) -> bool:
        """Whether it is a saved message of a list."""
        return self.kind == "saved"


@dataclass(frozen=True, kw_only=True)
class Traits:
    """The properties stored with a message besides its parts."""

    name: str = ""
    campaign_id: int | None = None
    category_id: int | None = None
    archived: bool = False
    hidden: bool = False
    has_own_links: bool = False
    extras: Mapping[str, Any] | None = None
    login_id: int | None = None
