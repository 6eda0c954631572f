"""Recordings: a file of calls with their answers, a line of JSON each. HAR files of other programs are read too."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soapstone.errors import InvalidError
from soapstone.shadow.exchange import KEPT_HEADERS, MOST_KEPT, Exchange, decompressed, of_record, record
from soapstone.shadow.masking import Mask, in_utf8, unmasked

KIND = "soapstone recording"
VERSION = 1
_LONGEST_LINE = 4 * MOST_KEPT
LARGEST_HAR = 512 << 20
"""Bytes of a HAR file, which is read as a whole."""


class Recording:
    """A file to which calls are appended, masked unless `masks` is false. It is private to this user."""

    def __init__(self, path: Path, *, masks: bool = True) -> None:
        """Open the file, also one of an earlier run. Raises InvalidError for a file that is no recording."""
        self._mask = Mask() if masks else None
        try:
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b")
        except OSError as trouble:
            raise InvalidError(f"Cannot write to {path}: {trouble.strerror}.") from None
        self._file.seek(0)
        if first := self._file.readline(1000):
            try:
                _check_head(first, path)
            except InvalidError:
                self._file.close()
                raise
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                # The line of a process that was killed.
                self._write(b"\n")
        else:
            self._write(json.dumps({KIND: VERSION, "masked": masks}).encode() + b"\n")

    def add(self, exchange: Exchange) -> bool:
        """Append a call; return whether it could be read, as it is not kept otherwise."""
        kept = self._mask.exchange(exchange) if self._mask else unmasked(exchange)
        if kept is None:
            return False
        self._write(json.dumps(record(kept), ensure_ascii=False).encode() + b"\n")
        return True

    def _write(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_recording(path: Path) -> Iterator[Exchange]:
    """Yield the calls of a recording or of a HAR file, in their order. Raises InvalidError for any other file."""
    try:
        with path.open("rb") as file:
            first = file.readline(_LONGEST_LINE)
            if KIND.encode() not in first[:1000]:
                yield from _har(path)
                return
            _check_head(first, path)
            number = 1
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if line.endswith(b"\n") and line.strip():
                    yield _read_line(line, f"Line {number} of {path}")
    except OSError as trouble:
        raise InvalidError(f"Cannot read {path}: {trouble.strerror}.") from None


def _check_head(line: bytes, path: Path) -> None:
    try:
        version = json.loads(line)[KIND]
    except (ValueError, KeyError, TypeError):
        raise InvalidError(f"{path} is no recording.") from None
    if version != VERSION:
        raise InvalidError(f"{path} is a recording of another version.")


def _read_line(line: bytes, place: str) -> Exchange:
    try:
        return of_record(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidError(f"{place} is no call of a recording.") from None


def _har(path: Path) -> Iterator[Exchange]:
    """Yield the POST requests of a HAR file (version 1.2) that have an answer."""
    if path.stat().st_size > LARGEST_HAR:
        raise InvalidError(f"{path} is too large for a HAR file.")
    try:
        entries = json.loads(path.read_bytes())["log"]["entries"]
        found = [each for each in map(_har_entry, entries) if each is not None]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidError(f"{path} is neither a recording nor a HAR file.") from None
    yield from sorted(found, key=lambda each: each.at)


def _har_entry(entry: dict[str, Any]) -> Exchange | None:
    request, response = entry["request"], entry["response"]
    posted, content = request.get("postData"), response.get("content") or {}
    # axios-har-tracker writes the method in small letters.
    if request["method"].upper() != "POST" or posted is None or not response["status"]:
        return None
    headers = {str(each["name"]).lower(): str(each["value"]) for each in request["headers"]}
    path = "/" + str(request["url"]).partition("://")[2].partition("/")[2].partition("?")[0]
    at = datetime.fromisoformat(entry["startedDateTime"])
    exchange = Exchange(
        at if at.tzinfo else at.replace(tzinfo=UTC),
        path,
        {name: headers[name] for name in KEPT_HEADERS if name in headers},
        _har_body(posted),
        int(response["status"]),
        str(content.get("mimeType", "")),
        _har_body(content),
        max(float(entry.get("time") or 0), 0) / 1000,
    )
    # The text of a HAR file is decoded, whatever the charset was; only requests may be compressed still.
    plain = decompressed(exchange, headers.get("content-encoding", "") if "encoding" in posted else "", "")
    return None if plain is None or "text" not in content else _as_utf8(plain, posted, content)


def _as_utf8(exchange: Exchange, posted: dict[str, Any], content: dict[str, Any]) -> Exchange:
    headers = dict(exchange.headers)
    if posted.get("encoding") != "base64" and "content-type" in headers:
        headers["content-type"] = _decoded(headers["content-type"])
    answer_type = exchange.answer_type if content.get("encoding") == "base64" else _decoded(exchange.answer_type)
    return replace(exchange, headers=headers, answer_type=answer_type)


def _decoded(content_type: str) -> str:
    """Return the type of a text that was decoded: its XML declaration still names the old encoding."""
    found = in_utf8(content_type)
    return found if "charset=" in found.lower() else f"{found}; charset=utf-8"


def _har_body(part: dict[str, Any]) -> bytes:
    text = str(part.get("text", ""))
    if part.get("encoding") != "base64":
        return text.encode()
    try:
        return base64.b64decode(text)
    except binascii.Error:
        raise ValueError(text[:20]) from None
