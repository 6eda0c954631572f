"""The mail folder: mails sent while no mail server is configured."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.utils import parsedate_to_datetime
from itertools import islice
from threading import Lock

from soapstone.sending.folder.mail_store import MailStore

log = logging.getLogger(__name__)

# {job}-{delivery}.eml, each with leading zeros.
NAME = re.compile(r"([0-9]{8,18})-([0-9]{10,18})\.eml")
HEADER_BYTES = 64 << 10
# A larger mail is offered as a file only.
MOST_BYTES = 4 << 20
# Reading a folder of a million mails takes more than a second; it is not read again before ten times that has passed.
REST = 10


@dataclass(frozen=True, kw_only=True)
class StoredMail:
    """One mail of the folder; its texts as they would be read, `date` None when it has no date, `size` in bytes."""

    name: str
    job_id: int
    sender: str
    to: str
    subject: str
    date: datetime | None
    size: int


@dataclass(frozen=True, kw_only=True)
class OpenedMail:
    """One mail with its content. `headers` are all of them in order; a part that is not there is None."""

    summary: StoredMail
    headers: list[tuple[str, str]]
    plain: str | None
    html: str | None
    too_large: bool


class MailFolder:
    """Reads the mail folder, or the mails in the bucket."""

    def __init__(self, mails: MailStore) -> None:
        self._mails = mails
        self._lock = Lock()
        self._index: dict[int, list[tuple[int, str]]] = {}
        self._fresh_until = 0.0

    def page(self, sends: Iterable[int], offset: int, limit: int) -> list[StoredMail]:
        """Return mails of these jobs, newest first. `sends` are those whose mails the reader may see, newest first."""
        by_job = self._by_job()
        mails: list[StoredMail] = []
        for job_id in sends if by_job else ():
            names = by_job.get(job_id, [])
            for _, name in islice(names, offset, None):
                if len(mails) == limit:
                    return mails
                with suppress(FileNotFoundError):
                    mails.append(self.summary(name))
            offset = max(0, offset - len(names))
        return mails

    def has(self, sees: Callable[[int], bool], name: str) -> bool:
        """Return whether there is a mail of that name. `sees` says whether a job is for the reader."""
        match = NAME.fullmatch(name)
        return match is not None and sees(int(match[1])) and self._mails.exists(name)

    def open(self, name: str) -> OpenedMail:
        """Return a mail with its content, by its name. Raises FileNotFoundError."""
        summary = self.summary(name)
        if summary.size > MOST_BYTES:
            start, _ = self._mails.read(name, HEADER_BYTES)
            return OpenedMail(
                summary=summary, headers=_headers(_parse_headers(start)), plain=None, html=None, too_large=True
            )
        message = BytesParser(policy=policy.default).parsebytes(self.source(name))
        plain, html = _text(message, "plain"), _text(message, "html")
        return OpenedMail(summary=summary, headers=_headers(message), plain=plain, html=html, too_large=False)

    def source(self, name: str) -> bytes:
        """Return a mail as it is, by its name. Raises FileNotFoundError."""
        return self._mails.read(name)[0]

    def summary(self, name: str) -> StoredMail:
        """Return a mail as its header tells, by its name. Raises FileNotFoundError."""
        match = NAME.fullmatch(name)
        assert match is not None  # noqa: S101 - all mails have such names
        start, size = self._mails.read(name, HEADER_BYTES)
        message = _parse_headers(start)
        return StoredMail(
            name=name,
            job_id=int(match[1]),
            sender=_header(message, "From"),
            to=_header(message, "To"),
            subject=_header(message, "Subject"),
            date=_date(_header(message, "Date")),
            size=size,
        )

    def _by_job(self) -> dict[int, list[tuple[int, str]]]:
        """Return delivery number and file name of each mail, newest first, by job; read lately."""
        with self._lock:
            begun = time.monotonic()
            if begun >= self._fresh_until:
                self._index = self.read()
                ended = time.monotonic()
                self._fresh_until = ended + REST * (ended - begun)
            return self._index

    def read(self) -> dict[int, list[tuple[int, str]]]:
        """Return delivery number and file name of each mail there is now, newest first, by the number of its job."""
        found: dict[int, list[tuple[int, str]]] = {}
        for name in self._mails.names():
            if match := NAME.fullmatch(name):
                found.setdefault(int(match[1]), []).append((int(match[2]), name))
        for names in found.values():
            names.sort(reverse=True)
        return found


def _parse_headers(start: bytes) -> EmailMessage:
    return BytesHeaderParser(policy=policy.default).parsebytes(start)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except Exception:
        # The parser of structured headers has faults of its own; one odd header must not hide the mail.
        log.warning("header %s of a mail cannot be read", name, exc_info=True)
        return ""


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone is said to be in UTC.
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _headers(message: EmailMessage) -> list[tuple[str, str]]:
    # As they stand in the file, but for line breaks.
    return [(name, " ".join(str(value).split())) for name, value in message.raw_items()]


def _text(message: EmailMessage, subtype: str) -> str | None:
    part = message.get_body((subtype,))
    if part is None or part.get_content_subtype() != subtype:
        return None
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return None
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")
