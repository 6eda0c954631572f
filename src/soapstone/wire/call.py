"""One SOAP call from the first byte to the answer.

The event loop parses; the product's code runs in a worker thread. A small call takes one trip to a thread, for
authorising, handling and writing together. Credentials come first: a refused call gets that answer whatever
else is wrong with its body, and however the body is split into pieces.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from soapstone.http.draining import pace
from soapstone.wire.contract import Contract
from soapstone.wire.envelope import SOAP_11, SoapVersion
from soapstone.wire.faults import BusyFault, Fault, MalformedXml, ReadFault, VersionMismatchFault, render
from soapstone.wire.large_calls import RETRY_SECONDS, SMALL, Busy, LargeCalls
from soapstone.wire.negotiation import Negotiation
from soapstone.wire.plan import Plans
from soapstone.wire.reader import EARLY_PIECE, PIECE, Reader, UnsupportedMedia
from soapstone.wire.service import Caller, Records, Service
from soapstone.wire.types import Upload
from soapstone.wire.writer import write_answer

T = TypeVar("T")
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BLOCK = 1024 * 1024
"""Bytes of spooled content collected before a thread writes them."""

_POLITE_DRAIN = 64 * 1024 * 1024
_TOO_LONG = ReadFault("Maximum request length exceeded.")

_log = logging.getLogger(__name__)


class Disconnected(Exception):
    """The client disconnected."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. `fault` is the text of the fault in it; `close` ends the connection, with body left unread.

    `retry_seconds` is the number of seconds for Retry-After; 0 for none. `repeatable` says that it may be given again
    while nothing has changed.
    """

    status: int
    content_type: str = ""
    body: bytes = b""
    fault: str = ""
    close: bool = False
    retry_seconds: int = 0
    repeatable: bool = False

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names and values, as they are sent."""
        headers = [(b"cache-control", b"private, max-age=0"), (b"content-length", str(len(self.body)).encode())]
        if self.content_type:
            headers.insert(0, (b"content-type", f"{self.content_type}; charset=utf-8".encode()))
        if self.retry_seconds:
            headers.append((b"retry-after", str(self.retry_seconds).encode()))
        if self.close:
            headers.append((b"connection", b"close"))
        return headers


async def in_thread(executor: Executor, work: Callable[[], T]) -> T:
    """Run work in a thread, in the caller's context. A cancelled task still waits for the work."""
    # The context carries the request's log fields.
    future = asyncio.get_running_loop().run_in_executor(executor, copy_context().run, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
    finally:
        # The exception's traceback references this frame, and with it the call's data.
        del future


class Call:
    """The state of one call. After `run`, `operation_name`, `version` and the caller identify it.

    `caller_reads` and `answer_reads` are what authorising and handling read from the `records`.
    """

    def __init__(
        self,
        plans: Plans,
        negotiation: Negotiation,
        service: Service,
        new_upload: Callable[[], Upload],
        executor: Executor,
        large_calls: LargeCalls,
        *,
        max_body: int,
        max_member: int,
        peer: str,
        base_url: str,
        records: Records,
    ) -> None:
        self._contract: Contract = plans.contract
        self._service = service
        self._new_upload = new_upload
        self._executor = executor
        self._max_body = max_body
        self._negotiation = negotiation
        self._reader = Reader(plans, negotiation, max_member)
        self._turn = large_calls.turn()
        self._peer = peer
        self._base_url = base_url
        self._error: Exception | None = negotiation.fault
        self._asked = False
        self._received = 0
        self._given_up = False
        self._authorised = False
        self._records = records
        self.context: Any = None
        self.caller_reads: Sequence[Any] = ()
        self.answer_reads: Sequence[Any] = ()
        self._uploads: list[Upload] = []
        self._closed = 0

    @property
    def version(self) -> SoapVersion:
        return self._reader.version or self._negotiation.assumed

    @property
    def charset(self) -> str | None:
        """The charset that the HTTP headers name."""
        return self._negotiation.charset

    @property
    def operation_name(self) -> str:
        return self._reader.operation.name if self._reader.operation else ""

    @property
    def caller_name(self) -> str:
        """Empty for a call that was not authorised."""
        return self._service.caller_name(self.context) if self._authorised else ""

    @property
    def account_id(self) -> int | None:
        """None for a call that was not authorised."""
        return self._service.account_id(self.context) if self._authorised else None

    @property
    def _caller(self) -> Caller:
        return Caller(self._peer, self._base_url, self.version.name)

    async def run(self, receive: Receive, announced: int | None, waits_for_leave: bool) -> Answer:
        """Receive and answer. `announced` is the Content-Length; `waits_for_leave` is set for `Expect: 100-continue`.

        Raises Disconnected. Uploads that the product did not keep are always discarded.
        """
        try:
            too_long = announced is not None and announced > self._max_body
            if too_long:
                self._error = _TOO_LONG
            # A client that waits for 100-continue gets none. Others get some time to see the answer.
            if not (too_long and waits_for_leave):
                await self._receive(receive)
            if self._error is not _TOO_LONG:
                answer = await self._conclude()
                return replace(answer, close=True) if self._given_up else answer
            # In the assumed version, so that the answer does not depend on how the body is split.
            return _refusal(_TOO_LONG, self._negotiation.assumed, close=True)
        finally:
            self._reader.close()
            self._turn.end()
            # Its traceback references this call.
            self._error = None
            # The caller of this function keeps the call while a slow client reads the answer.
            self._reader.request = self._reader.header = None
            if self._uploads:
                await in_thread(self._executor, self._discard)

    async def _receive(self, receive: Receive) -> None:
        """Read the body to its end, even if its answer is known: a client that is cut off while it sends
        sees a reset instead of the answer. Of a body that is too long, `_POLITE_DRAIN` more bytes are read."""
        limit = _POLITE_DRAIN if self._error is _TOO_LONG else self._max_body
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            body: bytes = message.get("body", b"")
            more = bool(message.get("more_body", False))
            self._received += len(body)
            if self._received > limit:
                if self._error is _TOO_LONG:
                    return
                self._error = _TOO_LONG
                limit += _POLITE_DRAIN
            if self._error is None:
                await self._feed(body, more)
            else:
                await pace(len(body))
            # Release the call's data before the client has sent the rest.
            if not more or self._given_up:
                return

    async def _feed(self, body: bytes, more: bool) -> None:
        reader, at = self._reader, 0
        while at < len(body):
            end = at + (PIECE if self._authorised else EARLY_PIECE)
            try:
                reader.feed(body[at:end])
            except Exception as error:
                self._error = error
            at = end
            last = not more and at >= len(body)
            if reader.ready and not self._asked and not last:
                await self._guarded(self._authorise)
            if self._error is None and reader.kept > SMALL:
                try:
                    await self._turn.hold(reader.kept, self._received)
                except Busy as busy:
                    self._error = BusyFault(f"[InternalError] {busy}", RETRY_SECONDS)
                    self._given_up = True
            if self._error is None and sum(spool.size for spool in reader.spools) >= BLOCK:
                await self._guarded(self._write)
            if self._error is not None:
                return

    async def _guarded(self, work: Callable[[], None]) -> None:
        """Run a part of the call in a thread; its exception becomes the answer, once the body is received."""
        try:
            await in_thread(self._executor, work)
        except Exception as error:
            self._error = error

    async def _conclude(self) -> Answer:
        if self._error is None:
            try:
                self._reader.finish()
            except Exception as error:
                self._error = error
        if self._error is not None and (self._asked or not self._reader.ready):
            return self._answer_to(self._error)
        return await in_thread(self._executor, self._serve)

    # --- in a worker thread --------------------------------------------------------------------------------------

    def _serve(self) -> Answer:
        reader = self._reader
        try:
            if not self._asked:
                self._authorise()
            if self._error is not None:
                raise self._error
            self._write()
            for spool, upload in zip(reader.spools, self._uploads, strict=True):
                spool.place(upload)
            assert reader.operation is not None and reader.request is not None  # noqa: S101, PT018  read to the end
            with self._records.recorded() as self.answer_reads:
                value = self._service.handle(reader.operation, self.context, reader.request, self._caller)
            body = write_answer(reader.operation, self._contract.namespace, self.version, value)
            return Answer(200, self.version.media_type, body, repeatable=self._service.tells(value))
        except Exception as error:
            return self._answer_to(error)

    def _authorise(self) -> None:
        reader = self._reader
        assert reader.operation is not None  # noqa: S101  the reader is ready
        self._asked = True
        header = reader.header if reader.operation.header else None
        with self._records.recorded() as self.caller_reads:
            self.context = self._service.authorise(reader.operation, header, self._caller)
        self._authorised = True
        reader.trust()

    def _write(self) -> None:
        """Hand all waiting content to its uploads."""
        for at, spool in enumerate(self._reader.spools):
            if at < self._closed:
                continue
            if at == len(self._uploads):
                self._uploads.append(self._new_upload())
            data = spool.take()
            if data:
                self._uploads[at].write(data)
            if spool.complete:
                self._uploads[at].close()
                self._closed = at + 1

    def _discard(self) -> None:
        for upload in self._uploads:
            try:
                upload.discard()
            except Exception:
                _log.exception("an upload could not be discarded")

    # --- answers -------------------------------------------------------------------------------------------------

    def _answer_to(self, error: Exception) -> Answer:
        if isinstance(error, MalformedXml):
            if self._reader.operation is not None:
                return Answer(400, self.version.media_type, fault=f"malformed XML: {error}")
            return _refusal(Fault(str(error)), self.version)
        if isinstance(error, UnsupportedMedia):
            return Answer(415, self.version.media_type, fault="unsupported media type")
        if isinstance(error, VersionMismatchFault):
            return _refusal(error, SOAP_11)
        if isinstance(error, Fault):
            return _refusal(error, self.version)
        # An error after which callers may come again is no fault of the program, and there may be many of them.
        retry_seconds = getattr(error, "retry_seconds", 0)
        if retry_seconds:
            told = getattr(error, "told", error)
            _log.warning("%s %s failed: %s", self._contract.name, self.operation_name, told)
        else:
            _log.error("%s %s failed", self._contract.name, self.operation_name, exc_info=error)
        answer = _refusal(Fault(self._service.internal_error(error)), self.version)
        return replace(answer, retry_seconds=retry_seconds)


def _refusal(fault: Fault, version: SoapVersion, *, close: bool = False) -> Answer:
    return Answer(500, version.media_type, render(fault, version), fault.text, close, fault.retry_seconds)
