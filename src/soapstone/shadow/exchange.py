"""One SOAP call with the answer of the live service, and its forms: a frame for a pipe, a line of a recording."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, BinaryIO

MOST_KEPT = 16 << 20
"""Bytes of a request, and of an answer, that are kept: larger calls pass, and are neither played nor recorded."""


@dataclass(frozen=True)
class Exchange:
    """A call: what the client sent and what the live service answered. `seconds` is the time that the answer took.

    `headers` are those of the request that a SOAP server reads, in lower case.
    """

    at: datetime
    path: str
    headers: Mapping[str, str]
    request: bytes
    status: int
    answer_type: str
    answer: bytes
    seconds: float = 0.0


KEPT_HEADERS = ("content-type", "soapaction")
"""Headers of a request that are kept. Credentials and cookies are in none of them."""


def frame(exchange: Exchange, **more: Any) -> bytes:
    """Return an exchange as a line of JSON, followed by the bytes of both bodies. `more` goes along."""
    head = {**_head(exchange), "sizes": [len(exchange.request), len(exchange.answer)], **more}
    return json.dumps(head).encode() + b"\n" + exchange.request + exchange.answer


def read_frame(pipe: BinaryIO) -> tuple[Exchange, dict[str, Any]] | None:
    """Return the next exchange of a pipe, with all that came along; None at its end, also in the middle of a frame."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    request_size, answer_size = head["sizes"]
    bodies = pipe.read(request_size + answer_size)
    if len(bodies) < request_size + answer_size:
        return None
    return of_record({**head, "request": "", "answer": ""}, bodies[:request_size], bodies[request_size:]), head


def record(exchange: Exchange) -> dict[str, Any]:
    """Return an exchange, whose bodies are UTF-8, as a line of a recording has it."""
    return {**_head(exchange), "request": exchange.request.decode(), "answer": exchange.answer.decode()}


def _head(exchange: Exchange) -> dict[str, Any]:
    """Return all of an exchange but its bodies."""
    return {
        "at": exchange.at.isoformat(),
        "path": exchange.path,
        "headers": dict(exchange.headers),
        "status": exchange.status,
        "answer_type": exchange.answer_type,
        "seconds": round(exchange.seconds, 6),
    }


def of_record(record: Mapping[str, Any], request: bytes | None = None, answer: bytes | None = None) -> Exchange:
    """Return the exchange of a record. Raises KeyError, TypeError and ValueError for anything else."""
    return Exchange(
        datetime.fromisoformat(record["at"]),
        str(record["path"]),
        {str(name).lower(): str(value) for name, value in record["headers"].items()},
        str(record["request"]).encode() if request is None else request,
        int(record["status"]),
        str(record["answer_type"]),
        str(record["answer"]).encode() if answer is None else answer,
        float(record.get("seconds", 0)),
    )


def decompressed(exchange: Exchange, request_encoding: str, answer_encoding: str) -> Exchange | None:
    """Return the exchange with plain bodies; None for an unknown encoding, damaged bytes, or too many of them."""
    request, answer = _plain(exchange.request, request_encoding), _plain(exchange.answer, answer_encoding)
    return None if request is None or answer is None else replace(exchange, request=request, answer=answer)


def _plain(body: bytes, encoding: str) -> bytes | None:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return None
    try:
        # 47 finds out by itself whether it is gzip or zlib.
        unpacking = zlib.decompressobj(wbits=47)
        plain = unpacking.decompress(body, MOST_KEPT)
    except zlib.error:
        return None
    return plain if unpacking.eof else None
