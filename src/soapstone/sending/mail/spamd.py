"""A client of SpamAssassin's spamd, which scores mails (lk-102)."""

from __future__ import annotations

import re
import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from soapstone.errors import InvalidError

PORT = 783

# spamc does not ask about larger mails either; what is read of an answer.
LARGEST_MAIL = 500 * 1024
LARGEST_ANSWER = 256 * 1024

# A scan is slow and blocks its caller, but never all: most scans at once, and most seconds to wait for one.
MOST_AT_ONCE = 4
LONGEST_WAIT = 5.0

_STATUS = re.compile(r"SPAMD/[0-9.]+ ([0-9]+) (.*)")
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_POINTS = re.compile(rf"\s*\w+\s*;\s*({_NUMBER})\s*/\s*({_NUMBER})\s*", re.ASCII)
_RULE = re.compile(rf"\s{{0,4}}({_NUMBER})\s+([A-Za-z0-9_]+)(?:\s+(.*))?", re.ASCII)
# The line above the rules. The mail's beginning is quoted further up, so the last such line is the real one.
_TABLE = re.compile(r"^---- -{10,} -{10,}\s*$", re.MULTILINE)


class ScannerError(Exception):
    """The scanner gave no usable answer; the text says why, for the log."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule that a mail matched, with its points."""

    name: str
    points: float
    description: str


@dataclass(frozen=True, kw_only=True)
class Score:
    """The scanner's result: points, the threshold of spam in points, and the matched rules."""

    points: float
    required: float
    rules: tuple[Rule, ...]


class SpamScanner:
    """A spamd by its URL, `spamd://host:port`. Raises InvalidError; `timeout` is in seconds for each mail."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        else:
            host = host if parts.scheme == "spamd" and not parts.username and parts.path in ("", "/") else None
        if not host:
            raise InvalidError("The URL of the spam scanner is not spamd://host:port.")
        self._address = (host, port or PORT)
        self._timeout = timeout
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)

    def scan(self, mail: bytes) -> Score:
        """Score a mail. Raises InvalidError and ScannerError."""
        if len(mail) > LARGEST_MAIL:
            raise InvalidError(f"The mail is larger than {LARGEST_MAIL} bytes, too large for the spam scanner.")
        if not self._turns.acquire(timeout=LONGEST_WAIT):
            raise ScannerError("it is busy")
        try:
            answer = self._ask(mail)
        except OSError as trouble:
            raise ScannerError(str(trouble) or type(trouble).__name__) from None
        finally:
            self._turns.release()
        return parse(answer)

    def _ask(self, mail: bytes) -> bytes:
        end = time.monotonic() + self._timeout
        with socket.create_connection(self._address, self._timeout) as connection:
            connection.settimeout(_left(end))
            connection.sendall(b"REPORT SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(mail) + mail)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while len(answer) <= LARGEST_ANSWER:
                connection.settimeout(_left(end))
                data = connection.recv(65536)
                if not data:
                    return answer
                answer += data
        raise ScannerError(f"its answer is larger than {LARGEST_ANSWER} bytes")


def parse(answer: bytes) -> Score:
    """Return the score in a whole answer to REPORT. Raises ScannerError if it holds none."""
    head, mark, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("utf-8", "replace").split("\r\n")
    found = _STATUS.fullmatch(status)
    if not mark or found is None:
        raise ScannerError("its answer is incomplete or none of spamd")
    if found[1] != "0":
        raise ScannerError(f"it answers {found[1]} {found[2]}")
    headers = {name.strip().lower(): value for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "").strip()
    if length.isdigit() and len(body) < int(length):
        raise ScannerError("its answer is incomplete")
    points = _POINTS.fullmatch(headers.get("spam", ""))
    if points is None:
        raise ScannerError("its answer has no points")
    return Score(points=float(points[1]), required=float(points[2]), rules=_rules(body.decode("utf-8", "replace")))


def _rules(report: str) -> tuple[Rule, ...]:
    *_, table = _TABLE.split(report)
    if table is report:
        return ()
    rules: list[Rule] = []
    for line in table.splitlines():
        if found := _RULE.fullmatch(line):
            rules.append(Rule(name=found[2], points=float(found[1]), description=(found[3] or "").strip()))
        elif rules and line.startswith(" " * 8) and line.strip():
            # A description may span several lines.
            last = rules.pop()
            rules.append(Rule(name=last.name, points=last.points, description=f"{last.description} {line.strip()}"))
        elif rules:
            break
    return tuple(rules)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("it does not answer in time")
    return left
