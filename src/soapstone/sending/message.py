"""The message: what a send says, and in whose name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class InvalidMessage(Exception):
    """The message cannot be sent as it is; the text is a sentence for its author (lk-98)."""


class Parts(Protocol):
    """What messages and drafts have in common.

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


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message as it comes from outside. Empty sender fields take the list's defaults when it is sent."""

    subject: str
    from_name: str = ""
    from_address: str = ""
    reply_address: str = ""
    to_name: str = ""
    html: str = ""
    plain: str = ""

    @classmethod
    def of(cls, parts: Parts) -> Draft:
        """A copy of what a message says."""
        return cls(**{name: getattr(parts, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class Message:
    """A stored message. A `saved` one waits to be used; any other belongs to the one send that it was made for."""

    id: int
    account_id: int
    list_id: int
    saved: bool
    subject: str
    from_name: str
    from_address: str
    reply_address: str
    to_name: str
    html: str
    plain: str
    created_at: datetime
