"""The app behind tracked links and images of mails: it redirects and answers before anything is stored.

It uses no database but to learn where a link leads, once a process and link. What happened goes to the spool, which the
recorder of a worker reads. It sets no cookie, and keeps neither those of others nor the page a request came from.

A request whose headers are known, and whose link is, is answered before the HTTP parser reads it: see
docs/decisions/clicks-before-the-parser.md.
"""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from soapstone.clock import now
from soapstone.http.client_address import Origins, peer_address
from soapstone.store.database import Database
from soapstone.store.timestamps import microseconds
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.subscriber.app import NOT_OURS, not_now, page
from soapstone.tracking.links import target_of
from soapstone.tracking.machines import may_read
from soapstone.tracking.spool import Spool, SpoolRecord
from soapstone.tracking.stems import LENGTH, Stem, Stems
from soapstone.vocabulary.tracking import MailEventKind
from soapstone.wire.shortcut import MOST_HEADS, PIECE, Place, plain_head

log = logging.getLogger(__name__)

# Seconds after which an image that is kept waiting is complete: one mail program gives up after five, whatever its user
# does, and all others close the connection when the user goes on to another mail.
READ_SECONDS = 4.5
# Most images that wait at the same time.
MOST_HELD = 5_000
# Targets of links in memory.
MOST_TARGETS = 50_000

GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
_PRIVATE = [(b"cache-control", b"no-store"), (b"x-robots-tag", b"noindex")]
_IMAGE = [(b"content-type", b"image/gif"), (b"content-length", str(len(GIF)).encode()), *_PRIVATE]
_EMPTY = [(b"content-length", b"0"), *_PRIVATE]
# Some mail programs take characters behind an address in a text into the link: they are ignored, unless they begin with
# a letter or digit. A link whose address has merge fields has its target in a further segment.
_CLICK = re.compile(rf"/c/([^/]{{{LENGTH}}})/([0-9]{{1,6}})(?![^\W_])(?:/(.+)|.*)", re.S)
_IMAGE_STEM = slice(len("/o/"), len("/o/") + LENGTH)
_TARGET = re.compile(r"https?://[!-~]+", re.I)
# Headers by which browsers and others say that nobody looks at the answer yet.
_PURPOSES = (b"purpose", b"sec-purpose", b"x-purpose", b"x-moz")

# The request line of a link or pixel as it stands in a mail, with nothing that a mail reader took into it.
_AS_SENT = re.compile(
    rf"GET /(?:c/([a-z2-7]{{{LENGTH}}})/([0-9]{{1,6}})|o/([a-z2-7]{{{LENGTH}}})\.gif) HTTP/1\.1\r\n".encode()
)
# What the headers of such a request may be. None of them says that nobody looks, speaks of a proxy or of a body, or is
# anybody's secret; and these are kept in memory.
_HEADERS = frozenset(
    b"accept accept-encoding accept-language cache-control connection dnt host pragma priority save-data sec-ch-ua"
    b" sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-gpc"
    b" upgrade-insecure-requests user-agent".split()
)
_FOUND, _OK = b"HTTP/1.1 302 Found\r\n", b"HTTP/1.1 200 OK\r\n"


class TrackingApp:
    """Answers `/c/`, `/o/` and `/r/`.

    `most_held` images wait `read_seconds` at the same time; further ones are answered at once, count as no read, and
    are reported to `on_unheld`.
    """

    def __init__(
        self,
        database: Database,
        stems: Stems,
        spool: Spool,
        origins: Origins,
        *,
        most_held: int = MOST_HELD,
        read_seconds: float = READ_SECONDS,
        on_unheld: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._stems = stems
        self._spool = spool
        self._origins = origins
        self._most_held = most_held
        self._read_seconds = read_seconds
        self._on_unheld = on_unheld
        self._held = 0
        self._targets: dict[tuple[int, int], bytes] = {}
        # Agents by the bytes of all headers of a request that the parser accepted.
        self._agents: dict[bytes, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            answer = page("Not possible", "Links of mails are only followed.", status=405)
            answer.headers["Allow"] = "GET, HEAD"
            await answer(scope, receive, send)
        elif path.startswith("/c/"):
            await self._follow(path, scope, receive, send)
        elif path.startswith("/o/"):
            stem = self._stems.read(path[_IMAGE_STEM])
            if stem is not None:
                await self._record(MailEventKind.OPEN, stem, 0, scope)
                self._learn(scope)
            await _send_image(send)
        else:
            await self._read(self._stems.read(path[_IMAGE_STEM]), scope, receive, send)

    def answer_known(self, place: Place, data: bytes, reply: Callable[[bytes, bytes], None]) -> int:
        """Return the status of the answer to the one whole request in `data`; 0 for anything but a known one.

        `reply` is called with the status line and with what follows the server's own headers, once the record is
        written. All that is answered here would be answered the same way by a call of the app.
        """
        match = _AS_SENT.match(data)
        agent = None if match is None else self._agents.get(data[match.end() :])
        if match is None or agent is None:
            return 0
        clicked, number, opened = match.groups()
        stem = self._stems.read((clicked or opened).decode())
        if stem is None:
            return 0
        kind, position, answer = MailEventKind.OPEN, 0, (_OK, _GIF_ANSWER)
        if clicked:
            position = int(number)
            target = self._targets.get((stem.message_id, position))
            if target is None:
                return 0
            kind, answer = MailEventKind.CLICK, (_FOUND, b"location: %b\r\n%b" % (target, _NO_CONTENT))
        self._spool.append(_record(kind, stem, position, peer_address(place[0]), agent), partial(reply, *answer))
        return 302 if clicked else 200

    def _learn(self, scope: Scope) -> None:
        """Remember the headers of a request that was answered and recorded."""
        data: bytes = scope.get(PIECE, b"")
        # With another request line the parser might have taken these bytes for something else.
        match = _AS_SENT.match(data)
        if match is not None and plain_head(scope, b"", _HEADERS):
            self._agents[data[match.end() :]] = _header(scope, b"user-agent")
            if len(self._agents) > MOST_HEADS:
                del self._agents[next(iter(self._agents))]

    async def _follow(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        match = _CLICK.fullmatch(path)
        stem = None if match is None else self._stems.read(match[1])
        if match is None or stem is None:
            await page(*NOT_OURS, status=404)(scope, receive, send)
            return
        position = int(match[2])
        target = None
        if match[3]:
            signed = self._stems.read_target(match[1], position, match[3])
            target = None if signed is None else signed.encode("ascii")
        if target is None:
            target = self._targets.get((stem.message_id, position))
        if target is None:
            try:
                target = await run_in_threadpool(self._find, stem.message_id, position)
            except RecordsUnavailable as error:
                await not_now(path, scope["method"], error)(scope, receive, send)
                return
            if target is None:
                await page(*NOT_OURS, status=404)(scope, receive, send)
                return
            self._remember((stem.message_id, position), target)
        await self._record(MailEventKind.CLICK, stem, position, scope)
        self._learn(scope)
        headers = [(b"location", target), *_EMPTY]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _read(self, stem: Stem | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an image late, and record a read if the client has waited for it."""
        waits = (
            stem is not None and scope["method"] == "GET" and may_read(_header(scope, b"user-agent").decode("latin-1"))
        )
        if waits and self._held >= self._most_held:
            self._on_unheld()
            waits = False
        if not waits or stem is None:
            await _send_image(send)
            return
        self._held += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _IMAGE})
            waited = await _stays(receive, self._read_seconds)
        finally:
            self._held -= 1
        if waited:
            await self._record(MailEventKind.READ, stem, 0, scope)
        await send({"type": "http.response.body", "body": GIF})

    async def _record(self, kind: MailEventKind, stem: Stem, position: int, scope: Scope) -> None:
        """Bring what a person or program did to the spool; requests that show nobody anything are left out."""
        if scope["method"] == "HEAD" or _is_prefetch(scope):
            return
        address, agent = self._origins.client(scope), _header(scope, b"user-agent")
        await self._spool.add(_record(kind, stem, position, address, agent))

    def _find(self, message_id: int, position: int) -> bytes | None:
        """Return where a link leads; None if there is none, or if each mail has a target of its own."""
        target = target_of(self._database, message_id, position)
        return target.encode("ascii") if target is not None and _TARGET.fullmatch(target) else None

    def _remember(self, link: tuple[int, int], target: bytes) -> None:
        self._targets[link] = target
        if len(self._targets) > MOST_TARGETS:
            del self._targets[next(iter(self._targets))]


def _record(kind: MailEventKind, stem: Stem, position: int, address: str, agent: bytes) -> SpoolRecord:
    moment = microseconds(now())
    return SpoolRecord(moment, kind, *stem, position, address.encode("latin-1", "replace"), agent)


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % line for line in headers) + b"\r\n"


_NO_CONTENT = _lines(_EMPTY)
_GIF_ANSWER = _lines(_IMAGE) + GIF


def _header(scope: Scope, wanted: bytes) -> bytes:
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value).strip()
    return b""


def _is_prefetch(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name in _PURPOSES and (b"prefetch" in value.lower() or b"preview" in value.lower()):
            return True
    return False


async def _stays(receive: Receive, seconds: float) -> bool:
    """Return whether the client keeps its connection for so long."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return True
    return False


async def _send_image(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _IMAGE})
    await send({"type": "http.response.body", "body": GIF})
