"""The ASGI app of one contract: help pages, service description and SOAP at one path (asmx-1 to asmx-5)."""

import logging
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property, partial
from typing import Any
from urllib.parse import parse_qsl

from soapstone.clock import now
from soapstone.http.client_address import FOREIGN, Origins, first_headers, is_local
from soapstone.http.draining import pace
from soapstone.wire.answer_cache import LARGEST_BODY, AnswerCache, Found
from soapstone.wire.call import Answer, Call, Disconnected, Receive
from soapstone.wire.contract import Contract
from soapstone.wire.envelope import SOAP_11, SOAP_12
from soapstone.wire.form import Prefill
from soapstone.wire.help_pages import FORM_POLICY, POLICY, error_page, index_page, operation_page, unrecognized_page
from soapstone.wire.large_calls import LargeCalls
from soapstone.wire.negotiation import negotiate
from soapstone.wire.plan import Plans
from soapstone.wire.service import Caller, CallRecord, NoRecords, Records, Service
from soapstone.wire.shortcut import Reply, Shortcut, Turn, place_of
from soapstone.wire.types import Upload
from soapstone.wire.values import escape_attribute
from soapstone.wire.wsdl import discovery, service_description

__all__ = ["CallRecord", "Caller", "Endpoint", "Service"]

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log = logging.getLogger(__name__)

_KEY_HEADERS = (b"content-type", b"soapaction", b"content-encoding")
"""Headers that an answer depends on, besides the body and the peer."""

FAULT_CHARACTERS = 300
"""Characters of a fault text that a call record keeps: it may quote the caller's input."""

_HOST = "\ufdd0host\ufdd0"
_URL = "\ufdd0url\ufdd0"
"""Placeholders for the request's host and URL in cached pages. No document can hold these characters."""

_FOREIGN = Answer(
    403,
    "text/html",
    error_page(FOREIGN).encode(),
    "a page of another site called",
)
"""The answer to a cross-origin call (lk-7)."""


class Endpoint:
    """The app for exactly one path.

    `max_body` bounds a request body, `max_member` all of its content that is not spooled; both in bytes.
    `origins` says where calls come from, and which pages of other sites may call (lk-7); a middleware sends the
    CORS headers. `on_call` receives every SOAP call, on the event loop. `threads` bounds how many calls are in
    the product at once.

    `repeatable` names operations whose answer depends on the `records` alone: it is worked out anew only when they
    may have changed. Whole requests of them are told to the `shortcut`.

    `prefill` holds the initial values of the help pages' test forms. Endpoints of one process share
    `large_calls`.
    """

    def __init__(
        self,
        contract: Contract,
        service: Service,
        new_upload: Callable[[], Upload],
        *,
        max_body: int,
        max_member: int = 16 * 1024 * 1024,
        origins: Origins | None = None,
        on_call: Callable[[CallRecord], None] | None = None,
        threads: int = 16,
        repeatable: Collection[str] = (),
        records: Records | None = None,
        prefill: Prefill | None = None,
        large_calls: LargeCalls | None = None,
        shortcut: Shortcut | None = None,
    ) -> None:
        self.contract = contract
        self._service = service
        self._new_upload = new_upload
        self._max_body = max_body
        self._max_member = max_member
        self._origins = origins or Origins(())
        self._on_call = on_call
        self._plans = Plans.of(contract)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"soap-{contract.service_name}")
        self._prefill = prefill or Prefill()
        self._operation_pages: dict[tuple[str, bool], str] = {}
        self._memory = AnswerCache(repeatable, records or NoRecords())
        self._largest_known = min(LARGEST_BODY, max_body)
        self._shortcut = shortcut or Shortcut()
        self._turn = Turn(self._memory.records.token)
        self._large_calls = large_calls or LargeCalls()

    def forget(self) -> None:
        """Clear the answer cache, after the clock was set. Called on the event loop."""
        self._memory.clear()

    def close(self) -> None:
        """Wait for the calls under way and end the threads."""
        self._executor.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer, base_url = self._origins.read(scope)
        path = str(scope["path"])
        ours = path[: len(self.contract.path)].lower() == self.contract.path.lower()
        rest = path[len(self.contract.path) :] if ours else ""
        if not ours or rest[:1] not in ("", "/"):
            await _send_text(send, 404, "text/html", error_page("Nothing is here."))
        elif rest:
            await _send_text(send, 500, "text/html", unrecognized_page(rest.rpartition("/")[2]))
        elif scope["method"] == "POST":
            foreign = self._origins.is_foreign(scope, base_url)
            await self._post(scope, peer, base_url, receive, send, foreign=foreign)
        elif scope["method"] == "GET":
            media, text, policy = self._document(scope, base_url)
            await _send_text(send, 200, media, text, policy=policy)
        else:
            await _send_text(send, 405, "text/html", error_page("Only GET and POST."), (b"allow", b"GET, POST"))

    # --- GET -----------------------------------------------------------------------------------------------------

    def _document(self, scope: Scope, base_url: str) -> tuple[str, str, str]:
        """Return media type, text and content security policy for a query (asmx-2)."""
        query = bytes(scope.get("query_string", b"")).decode("latin-1")
        url = escape_attribute(base_url + self.contract.path)
        if query.lower() == "wsdl":
            return "text/xml", self._wsdl.replace(_URL, url), POLICY
        if query.lower() == "disco":
            return "text/xml", self._disco.replace(_URL, url), POLICY
        for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=100) if len(query) < 2000 else ():
            operation = self.contract.operations_by_name.get(value) if name.lower() == "op" else None
            if operation is not None:
                local = is_local(scope)
                page = self._operation_pages.get((operation.name, local))
                if page is None:
                    page = operation_page(self.contract, operation, _HOST, self._prefill if local else None)
                    self._operation_pages[operation.name, local] = page
                page = page.replace(_HOST, escape_attribute(base_url.partition("://")[2]))
                return "text/html", page, FORM_POLICY if local else POLICY
        return "text/html", self._index, POLICY

    @cached_property
    def _wsdl(self) -> str:
        return service_description(self.contract, _URL)

    @cached_property
    def _disco(self) -> str:
        return discovery(self.contract, _URL)

    @cached_property
    def _index(self) -> str:
        return index_page(self.contract)

    # --- POST ----------------------------------------------------------------------------------------------------

    async def _post(
        self, scope: Scope, peer: str, base_url: str, receive: Receive, send: Send, *, foreign: bool
    ) -> None:
        began, at = time.perf_counter(), now()
        headers = first_headers(scope)
        kind = b"\0".join(headers.get(name, b"") for name in _KEY_HEADERS)
        sender = f"{peer}\0{base_url}".encode()
        body = found = token = call = None
        try:
            if not foreign and 0 < (_length(headers) or 0) <= self._largest_known and b"expect" not in headers:
                body, receive = await _peek(receive)
                token = self._memory.records.token()
                if token is None and body is not None and self._memory.concerns(body):
                    token = await self._memory.records.renewed()
                found = None if body is None else self._memory.find(kind, sender, body, token)
            if found is not None:
                answer = found.answer.answer
            elif foreign:
                await self._drain(receive)
                answer = _FOREIGN
            elif (call := self._call(headers, peer, base_url)) is not None:
                answer = await call.run(receive, _length(headers), b"expect" in headers)
            else:
                await self._drain(receive)
                assumed = SOAP_11 if b"soapaction" in headers else SOAP_12
                answer = Answer(415, assumed.media_type, fault="unsupported media type")
        except Disconnected:
            answer = Answer(499, fault="the client disconnected")
        else:
            await _send_answer(send, answer)
            if body is not None and token is not None:
                if call is not None:
                    self._memory.put(token, kind, sender, body, call, answer)
                if found is not None or (call is not None and call.operation_name in self._memory.operations):
                    reply = partial(self._reply, kind, sender, peer)
                    self._shortcut.learn(place_of(scope), scope, body, reply)
        if found is not None:
            self._record_found(found, at, began, peer)
        else:
            self._record(
                CallRecord(
                    at,
                    self.contract.name,
                    "" if call is None else call.operation_name,
                    SOAP_11.name if call is None else call.version.name,
                    answer.status,
                    answer.fault[:FAULT_CHARACTERS],
                    time.perf_counter() - began,
                    peer,
                    "" if call is None else call.caller_name,
                    None if call is None else call.account_id,
                )
            )

    def _reply(self, kind: bytes, sender: bytes, peer: str, body: bytes) -> Reply | None:
        """Answer a whole request from memory, for the shortcut."""
        began, at = time.perf_counter(), now()
        found = self._memory.find(kind, sender, body, self._turn.token())
        if found is None:
            return None
        self._record_found(found, at, began, peer)
        return found.answer.lines, found.answer.answer.body

    def _record_found(self, found: Found, at: datetime, began: float, peer: str) -> None:
        layout, caller = found.layout, found.caller
        self._record(
            CallRecord(
                at,
                self.contract.name,
                layout.operation,
                layout.soap_version,
                200,
                "",
                time.perf_counter() - began,
                peer,
                caller.name,
                caller.account_id,
            )
        )

    def _record(self, record: CallRecord) -> None:
        if self._on_call is not None:
            try:
                self._on_call(record)
            except Exception:
                _log.exception("a call could not be recorded")

    def _call(self, headers: dict[bytes, bytes], peer: str, base_url: str) -> Call | None:
        """Return a new call; None for a request that is no SOAP."""
        action = headers.get(b"soapaction")
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        negotiation = negotiate(self.contract, content_type, None if action is None else action.decode("latin-1"))
        if negotiation is None:
            return None
        return Call(
            self._plans,
            negotiation,
            self._service,
            self._new_upload,
            self._executor,
            self._large_calls,
            max_body=self._max_body,
            max_member=self._max_member,
            peer=peer,
            base_url=base_url,
            records=self._memory.records,
        )

    async def _drain(self, receive: Receive) -> None:
        """Read and discard the rest of a body, within the limit."""
        total = 0
        while total <= self._max_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            size = len(message.get("body", b""))
            total += size
            if not message.get("more_body", False):
                return
            await pace(size)


async def _peek(receive: Receive) -> tuple[bytes | None, Receive]:
    """Return the whole body if it comes in one piece, and a `receive` that begins with it again. Raises
    Disconnected."""
    first = await receive()
    if first["type"] == "http.disconnect":
        raise Disconnected
    again = [first]

    async def replay() -> MutableMapping[str, Any]:
        return again.pop() if again else await receive()

    return (None if first.get("more_body", False) else first.get("body", b"")), replay


def _length(headers: dict[bytes, bytes]) -> int | None:
    value = headers.get(b"content-length", b"")
    return int(value) if value.isdigit() and len(value) < 20 else None


async def _send_answer(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _send_text(
    send: Send, status: int, media: str, text: str, *more: tuple[bytes, bytes], policy: str = POLICY
) -> None:
    body = text.encode()
    headers = [
        (b"content-type", f"{media}; charset=utf-8".encode()),
        (b"cache-control", b"private, max-age=0"),
        (b"content-length", str(len(body)).encode()),
        *more,
    ]
    if media == "text/html":
        headers += [(b"content-security-policy", policy.encode()), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
