"""The app behind tracked links and images of mails: it redirects and answers before anything is stored.

It uses no database but to learn where a link leads, once a process and link. What happened goes to the spool, which the
recorder of a worker reads. It sets no cookie, and keeps neither those of others nor the page a request came from.
"""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool

from soapstone.clock import now
from soapstone.http.client_address import Origins
from soapstone.store.database import Database
from soapstone.store.timestamps import EPOCH
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.subscriber.app import NOT_OURS, not_now, page
from soapstone.tracking.links import target_of
from soapstone.tracking.machines import may_read
from soapstone.tracking.spool import Spool, SpoolRecord
from soapstone.tracking.stems import LENGTH, Stem, Stems
from soapstone.vocabulary.tracking import MailEventKind

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

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
# Some mail programs take characters behind an address in a text into the link: they are ignored, unless they begin with
# a letter or digit. A link whose address has merge fields has its target in a further segment.
_CLICK = re.compile(rf"/c/([^/]{{{LENGTH}}})/([0-9]{{1,6}})(?![^\W_])(?:/(.+)|.*)", re.S)
_IMAGE_STEM = slice(len("/o/"), len("/o/") + LENGTH)
_TARGET = re.compile(r"https?://[!-~]+", re.I)
# Headers by which browsers and others say that nobody looks at the answer yet.
_PURPOSES = (b"purpose", b"sec-purpose", b"x-purpose", b"x-moz")


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
        self._targets: dict[tuple[int, int], str] = {}

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
            await _send_image(send)
        else:
            await self._read(self._stems.read(path[_IMAGE_STEM]), scope, receive, send)

    async def _follow(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        match = _CLICK.fullmatch(path)
        stem = None if match is None else self._stems.read(match[1])
        if match is None or stem is None:
            await page(*NOT_OURS, status=404)(scope, receive, send)
            return
        position = int(match[2])
        target = None
        if match[3]:
            target = self._stems.read_target(match[1], position, match[3])
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
        headers = [(b"location", target.encode("ascii")), (b"content-length", b"0"), *_PRIVATE]
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
        record = SpoolRecord(
            at=(now() - EPOCH) // timedelta(microseconds=1),
            kind=kind,
            message_id=stem.message_id,
            delivery_id=stem.delivery_id,
            position=position,
            address=self._origins.client(scope).encode("latin-1", "replace"),
            agent=_header(scope, b"user-agent"),
        )
        await self._spool.add(record)

    def _find(self, message_id: int, position: int) -> str | None:
        """Return where a link leads; None if there is none, or if each mail has a target of its own."""
        target = target_of(self._database, message_id, position)
        return target if target is not None and _TARGET.fullmatch(target) else None

    def _remember(self, link: tuple[int, int], target: str) -> None:
        self._targets[link] = target
        if len(self._targets) > MOST_TARGETS:
            del self._targets[next(iter(self._targets))]


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
