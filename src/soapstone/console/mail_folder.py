"""The mail folder: what was handed over while no mail server is configured."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from pathlib import Path
from threading import Lock

log = logging.getLogger(__name__)

# {job}-{delivery}.eml, each with leading zeros.
NAME = re.compile(r"([0-9]{8,18})-([0-9]{10,18})\.eml")
HEADER_BYTES = 64 << 10
# A larger mail is offered as a file only.
MOST_BYTES = 4 << 20
# Reading a folder of a million files takes about a second; it is not read again before ten times that has passed.
REST = 10


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One mail of the folder; its texts as they would be read, `size` in bytes."""

    name: str
    job_id: int
    sender: str
    to: str
    subject: str
    date: str
    size: int


@dataclass(frozen=True, kw_only=True)
class OpenLetter:
    """One mail with its content. `headers` are all of them in order; a part that is not there is None."""

    letter: Letter
    headers: list[tuple[str, str]]
    plain: str | None
    html: str | None
    too_large: bool


class MailFolder:
    """Reads the mail folder; `sees` says whether the reader may see the mails of a job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._names: list[tuple[int, int, str]] = []
        self._fresh_until = 0.0

    def page(self, sees: Callable[[int], bool], offset: int, limit: int) -> list[Letter]:
        """Mails, newest first: the last job's first, and in a job the last ones first."""
        known: dict[int, bool] = {}
        letters: list[Letter] = []
        for job_id, _, name in self._newest_first():
            if job_id not in known:
                known[job_id] = sees(job_id)
            if not known[job_id]:
                continue
            if offset:
                offset -= 1
                continue
            if len(letters) == limit:
                break
            try:
                letters.append(self._letter(name, job_id))
            except FileNotFoundError:
                continue
        return letters

    def path(self, sees: Callable[[int], bool], name: str) -> Path | None:
        """Where the mail of that name lies; None when there is none or the reader may not see it."""
        match = NAME.fullmatch(name)
        if match is None or not sees(int(match[1])):
            return None
        path = self._folder / name
        return path if path.is_file() else None

    def open(self, path: Path) -> OpenLetter:
        """A mail with its content, by the path that `path` gave."""
        match = NAME.fullmatch(path.name)
        assert match is not None  # noqa: S101 - what `path` gives has such a name
        letter = self._letter(path.name, int(match[1]))
        if letter.size > MOST_BYTES:
            with path.open("rb") as file:
                return OpenLetter(
                    letter=letter,
                    headers=_headers(_parse_headers(file.read(HEADER_BYTES))),
                    plain=None,
                    html=None,
                    too_large=True,
                )
        message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        plain, html = _text(message, "plain"), _text(message, "html")
        return OpenLetter(letter=letter, headers=_headers(message), plain=plain, html=html, too_large=False)

    def _letter(self, name: str, job_id: int) -> Letter:
        with (self._folder / name).open("rb") as file:
            message = _parse_headers(file.read(HEADER_BYTES))
            size = os.fstat(file.fileno()).st_size
        sender, to, subject, date = (_header(message, field) for field in ("From", "To", "Subject", "Date"))
        return Letter(name=name, job_id=job_id, sender=sender, to=to, subject=subject, date=date, size=size)

    def _newest_first(self) -> list[tuple[int, int, str]]:
        with self._lock:
            begun = time.monotonic()
            if begun >= self._fresh_until:
                self._names = sorted(self._read(), reverse=True)
                ended = time.monotonic()
                self._fresh_until = ended + REST * (ended - begun)
            return self._names

    def _read(self) -> Iterator[tuple[int, int, str]]:
        if not self._folder.is_dir():
            return
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if match := NAME.fullmatch(entry.name):
                    yield int(match[1]), int(match[2]), entry.name


def _parse_headers(start: bytes) -> EmailMessage:
    return BytesHeaderParser(policy=policy.default).parsebytes(start)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except Exception:
        # The parser of structured headers has faults of its own; one odd header must not hide the mail.
        log.warning("header %s of a mail cannot be read", name, exc_info=True)
        return ""


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
