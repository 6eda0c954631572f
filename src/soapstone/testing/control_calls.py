"""The part of the control API that is about calls."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from soapstone.api.problems import existing, not_found
from soapstone.api.values import Number
from soapstone.testing.bodies import KeptBody
from soapstone.testing.called import Interface, interfaces_with
from soapstone.testing.calls import MOST_CALLS, Headers, RecordedCall, RecordedCalls

MOST_SHOWN = 1024 * 1024
"""Bytes of a body that the list of calls shows."""


class Body(BaseModel):
    """A body as on the wire: `text`, or `base64` if it is not UTF-8. `size` is the whole size in bytes.

    Only the beginning is included if `whole` is false. A compressed body is not decoded.
    """

    body: str
    encoding: Literal["text", "base64"]
    size: int
    whole: bool


class RequestOut(Body):
    """A request; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Headers


class ResponseOut(Body):
    """An answer as far as sent; `status` is 0 if none was begun."""

    status: int
    headers: Headers


class CallOut(BaseModel):
    """A call. `operation` is empty if it named none; `fault` says why it was refused or broken off.

    `fault_number` is the applied fault of `/_test/faults`.
    """

    number: int
    at: datetime
    interface: Interface
    operation: str
    seconds: float
    fault: str
    fault_number: int | None
    request: RequestOut
    response: ResponseOut


class CallsOut(BaseModel):
    """Calls, the oldest first."""

    calls: list[CallOut]


def _shown(call: RecordedCall) -> CallOut:
    request = RequestOut(
        method=call.method, path=call.path, query=call.query, headers=call.headers, **_body(call.request)
    )
    response = ResponseOut(status=call.status, headers=list(call.response_headers), **_body(call.response))
    return CallOut(
        number=call.number,
        at=call.at,
        interface=call.called.interface,
        operation=call.called.operation,
        seconds=round(call.seconds, 6),
        fault=call.fault,
        fault_number=call.called.fault,
        request=request,
        response=response,
    )


def _body(body: KeptBody) -> dict[str, Any]:
    data = body.start(MOST_SHOWN)
    whole = len(data) == body.size
    try:
        # A character that is cut in two is left out.
        text, encoding = codecs.getincrementaldecoder("utf-8")().decode(data, final=whole), "text"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(data).decode(), "base64"
    return {"body": text, "encoding": encoding, "size": body.size, "whole": whole}


def router(calls: RecordedCalls) -> APIRouter:
    """Return the part of the control API that is about calls."""
    api = APIRouter(prefix="/calls", tags=["calls"])

    @api.get("", response_model=CallsOut)
    def list_calls(
        operation: Annotated[str, Query(max_length=100)] = "",
        interface: Interface | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_CALLS)] = MOST_CALLS,
    ) -> StreamingResponse:
        """Return the calls, the oldest first; of more than `limit` the newest."""
        if operation:
            interfaces_with(operation, interface)
        return StreamingResponse(_document(calls.find(operation, interface, limit)), media_type="application/json")

    @api.delete("", status_code=204)
    def delete_calls() -> None:
        """Forget all calls."""
        calls.clear()

    def find(number: int) -> RecordedCall:
        return existing(calls.get(number), "call")

    @api.get("/{number}")
    def get_call(number: Number) -> CallOut:
        """Return one call."""
        try:
            return _shown(find(number))
        except FileNotFoundError:
            raise not_found("call") from None

    @api.get("/{number}/{part}", response_class=StreamingResponse)
    def get_body(number: Number, part: Literal["request", "response"]) -> StreamingResponse:
        """Return the whole body of a request or an answer, byte for byte as it was on the wire."""
        call = find(number)
        try:
            pieces = (call.request if part == "request" else call.response).pieces()
        except FileNotFoundError:
            raise not_found("call") from None
        return StreamingResponse(pieces, media_type="application/octet-stream")

    return api


def _document(calls: list[RecordedCall]) -> Iterator[str]:
    """Yield the list as JSON, one call at a time: together they may exceed the memory."""
    yield '{"calls":['
    comma = ""
    for call in calls:
        try:
            shown = _shown(call).model_dump_json()
        except FileNotFoundError:
            # It was removed after the list was read.
            continue
        yield comma + shown
        comma = ","
    yield "]}"
