"""The endpoint: an ASGI application for `/xml/SendToList` and `/xml/SendToFile`."""

from __future__ import annotations

import logging
from codecs import BOM_UTF8
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from python_multipart.multipart import parse_options_header
from starlette.types import Receive, Scope, Send

from soapstone.accounts.logon import RETRY_SECONDS
from soapstone.errors import ForbiddenError, NotFoundError, SoapstoneError
from soapstone.http.client_address import FOREIGN, Origins, first_headers
from soapstone.http.draining import pace
from soapstone.product import Product, ReceivedUpload, RecordsUnavailable
from soapstone.wire.call import in_thread
from soapstone.wire.large_calls import Busy, LargeCalls
from soapstone.xmlhttp import answer
from soapstone.xmlhttp.call import logon, submit
from soapstone.xmlhttp.parts import PartsReader
from soapstone.xmlhttp.paths import PATHS, REFUSED
from soapstone.xmlhttp.refusal import CallError, internal_error, refusal
from soapstone.xmlhttp.request import EARLY, RequestReader

log = logging.getLogger(__name__)


# A document in UTF-16: both orders of bytes, with and without a byte order mark.
UTF_16_STARTS = (b"\xff\xfe<\0", b"\xfe\xff\0<", b"\0<")

# Bytes still read of a body that is too large, so that a client that sends everything first can read the refusal.
DRAIN = 16 << 20

# Concurrent calls of the product: more threads than callers that may wait for a password check (MOST_WAITING).
THREADS = 16


class Disconnected(Exception):
    """The client disconnected during its request."""


class Reader(Protocol):
    """The interface of body readers."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def close(self) -> None:
        """End the body."""


class XmlOverHttp:
    """Answers the calls. `max_body` is the largest body in bytes; nothing of a refused call is kept.

    `large_calls` is shared with the contracts.
    """

    def __init__(self, product: Product, large_calls: LargeCalls, *, max_body: int) -> None:
        self._product = product
        self._large_calls = large_calls
        self._max_body = max_body
        settings = product.settings
        self._origins = Origins(
            settings.trusted_proxies, allowed=settings.allowed_origins, public_url=settings.public_url
        )
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="xml")

    def close(self) -> None:
        """Wait for the calls under way and end the threads."""
        self._executor.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        waits = any(name.lower() == b"expect" for name, _ in scope["headers"])
        refused: CallError | None = None
        body = _Body(receive, self._max_body, waits=waits)
        headers: list[tuple[bytes, bytes]] = []
        try:
            status, document = 200, await self._answer(scope, body)
        except Disconnected:
            return
        except SoapstoneError as error:
            refused = refusal(error)
            if refused.status == 405:
                headers.append((b"allow", b"POST"))
            if refused.status == 503:
                headers.append((b"retry-after", str(RETRY_SECONDS).encode()))
        except RecordsUnavailable as error:
            log.warning("a call of %s failed: %s", scope["path"], error.told)
            refused = internal_error(503, error.sentence)
            headers.append((b"retry-after", str(error.retry_seconds).encode()))
        except Exception:
            log.exception("a call of %s failed by a fault of the server", scope["path"])
            refused = internal_error()
        if refused is not None:
            status, document = refused.status, answer.error(refused)
            scope.setdefault("state", {})[REFUSED] = refused.description
        if not await body.drain():
            headers.append((b"connection", b"close"))
        headers += [
            (b"content-type", answer.MEDIA_TYPE.encode()),
            (b"content-length", str(len(document)).encode()),
            (b"cache-control", b"private, max-age=0"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": document if scope["method"] != "HEAD" else b""})

    async def _answer(self, scope: Scope, body: _Body) -> bytes:
        call = PATHS.get(scope["path"])
        if call is None:
            raise NotFoundError("There is no such call.")
        if scope["method"] != "POST":
            raise CallError(405, "InvalidArgument", "This address takes POST only.")
        peer, base_url = self._origins.read(scope)
        if self._origins.is_foreign(scope, base_url):
            raise ForbiddenError(FOREIGN)
        headers = first_headers(scope)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and len(length) < 20 and int(length) > self._max_body:
            raise body.too_large()
        uploads: list[ReceivedUpload] = []

        def new_upload() -> ReceivedUpload:
            uploads.append(self._product.blobs.new())
            return uploads[-1]

        media, options = parse_options_header(headers.get(b"content-type", b"").decode("latin-1"))
        request = RequestReader(
            call,
            lambda name, password: logon(self._product, name, password, peer),
            new_upload,
            options.get(b"charset", b"").decode("latin-1").lower(),
        )
        turn = self._large_calls.turn()
        parts = None
        try:
            reader: Reader
            if media == b"multipart/form-data" and options.get(b"boundary"):
                reader = parts = PartsReader(options[b"boundary"], request, new_upload)
            elif await body.begins_as_xml() or media in (b"application/xml", b"text/xml"):
                reader = request
            else:
                raise CallError(415, "InvalidArgument", "The body must be XML, or multipart/form-data with a boundary.")
            while data := await body.next():
                # Parsing, the check of a password and writing to disk would all hold up the other calls.
                await in_thread(self._executor, partial(reader.feed, data))
                await turn.hold(request.kept, body.size)
            await in_thread(self._executor, reader.close)
            upload = parts.upload if parts and parts.upload else request.upload
            file_name = parts.file_name if parts else ""
            members = await in_thread(self._executor, lambda: submit(self._product, call, request, upload, file_name))
            return answer.document(f"{call}Response", members)
        except Busy as busy:
            raise CallError(503, "InternalError", str(busy)) from None
        finally:
            request.release()
            if parts is not None:
                parts.release()
            turn.end()
            # An upload kept by an accepted send stays.
            for upload in uploads:
                upload.discard()


class _Body:
    """The body of a request, piece by piece, up to a limit."""

    def __init__(self, receive: Receive, limit: int, *, waits: bool) -> None:
        self._receive = receive
        self._limit = limit
        self._waits = waits
        self.size = 0
        self._more = True
        # Received, but not yet given to a reader.
        self._ahead = b""

    def too_large(self) -> CallError:
        return CallError(413, "InvalidArgument", f"The request is larger than {self._limit} bytes.")

    async def begins_as_xml(self) -> bool:
        """Return whether the body begins with `<`, whatever its media type. Raises as `next` does.

        White space before it is removed, up to `EARLY` bytes: a parser takes none before an XML declaration.
        """
        ahead = start = b""
        while len(start) < len(UTF_16_STARTS[0]) and len(ahead) < EARLY and (data := await self.next()):
            ahead += data
            mark = BOM_UTF8 if ahead.startswith(BOM_UTF8) else b""
            start = mark + ahead[len(mark) : EARLY].lstrip(b" \t\r\n")
        found = start.removeprefix(BOM_UTF8).startswith(b"<") or start.startswith(UTF_16_STARTS)
        self._ahead = start + ahead[EARLY:] if found else ahead
        return found

    async def next(self) -> bytes:
        """Return the next bytes; empty at the end. Raises CallError over the limit, and Disconnected."""
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            return ahead
        while self._more:
            data = await self._take()
            if self.size > self._limit:
                raise self.too_large()
            if data:
                return data
        return b""

    async def drain(self) -> bool:
        """Read and discard the rest; False if it is too much, or the client disconnected.

        A client that is cut off while it sends sees a reset instead of the answer. One that waits for 100-continue
        gets none, so nothing is read before its first piece.
        """
        if self._waits and not self.size:
            return not self._more
        try:
            while self._more and self.size <= self._limit + DRAIN:
                await pace(len(await self._take()))
        except Disconnected:
            self._more = True
        return not self._more

    async def _take(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        data: bytes = message.get("body", b"")
        self.size += len(data)
        self._more = message.get("more_body", False)
        return data
