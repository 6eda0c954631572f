"""The ASGI app of one contract: help pages, service description and SOAP at one path (asmx-1 to asmx-5)."""

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from soapstone.clock import now
from soapstone.http.client_address import FOREIGN, Origins, first_headers, is_local
from soapstone.http.draining import pace
from soapstone.wire.answer_cache import LARGEST_BODY, AnswerCache, What
from soapstone.wire.call import Answer, Call, Disconnected, Receive
from soapstone.wire.contract import Contract
from soapstone.wire.envelope import SOAP_11, SOAP_12
from soapstone.wire.form import Prefill
from soapstone.wire.help_pages import FORM_POLICY, POLICY, error_page, index_page, operation_page, unrecognized_page
from soapstone.wire.large_calls import LargeCalls
from soapstone.wire.negotiation import negotiate
from soapstone.wire.plan import Plans
from soapstone.wire.service import Caller, CallRecord, Service
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

    `repeatable` names operations whose answer depends on the records alone: the same request gets a cached answer
    for some seconds, while `freshness` returns the same token. It is called on the event loop and must not block;
    None means unknown.

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
        freshness: Callable[[], Hashable | None] = lambda: None,
        prefill: Prefill | None = None,
        large_calls: LargeCalls | None = None,
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
        self._memory = AnswerCache(repeatable)
        self._freshness = freshness
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
            await self._post(first_headers(scope), peer, base_url, receive, send, foreign=foreign)
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
        self, headers: dict[bytes, bytes], peer: str, base_url: str, receive: Receive, send: Send, *, foreign: bool
    ) -> None:
        began = time.perf_counter()
        at = now()
        key = token = None
        what = What()
        try:
            if not foreign and 0 < (_length(headers) or 0) <= LARGEST_BODY and b"expect" not in headers:
                body, receive = await _peek(receive)
                token = None if body is None else self._freshness()
                if token is not None and body is not None:
                    key = self._memory.key(peer.encode(), *(headers.get(name, b"") for name in _KEY_HEADERS), body)
            known = None if key is None else self._memory.get(key, token)
            if known is not None:
                answer, what = known.answer, known.what
            elif foreign:
                await self._drain(receive)
                answer = _FOREIGN
            else:
                answer = await self._call(what, headers, peer, base_url, receive)
        except Disconnected:
            answer = Answer(499, fault="the client disconnected")
        else:
            await _send_answer(send, answer)
            if key is not None and known is None:
                self._memory.put(key, token, answer, what)
        if self._on_call is not None:
            seconds = time.perf_counter() - began
            record = CallRecord(
                at,
                self.contract.name,
                what.operation,
                what.soap_version,
                answer.status,
                answer.fault[:FAULT_CHARACTERS],
                seconds,
                peer,
                what.caller_name,
                what.account_id,
            )
            try:
                self._on_call(record)
            except Exception:
                _log.exception("a call could not be recorded")

    async def _call(
        self, what: What, headers: dict[bytes, bytes], peer: str, base_url: str, receive: Receive
    ) -> Answer:
        """Answer a call, and fill `what` as far as known. Raises Disconnected."""
        action = headers.get(b"soapaction")
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        negotiation = negotiate(self.contract, content_type, None if action is None else action.decode("latin-1"))
        if negotiation is None:
            await self._drain(receive)
            assumed = SOAP_12 if action is None else SOAP_11
            return Answer(415, assumed.media_type, fault="unsupported media type")
        call = Call(
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
        )
        try:
            return await call.run(receive, _length(headers), b"expect" in headers)
        finally:
            what.soap_version, what.operation = call.version.name, call.operation_name
            what.caller_name, what.account_id = call.caller_name, call.account_id

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
    headers = [(b"cache-control", b"private, max-age=0"), (b"content-length", str(len(answer.body)).encode())]
    if answer.content_type:
        headers.insert(0, (b"content-type", f"{answer.content_type}; charset=utf-8".encode()))
    if answer.retry_seconds:
        headers.append((b"retry-after", str(answer.retry_seconds).encode()))
    if answer.close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
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
