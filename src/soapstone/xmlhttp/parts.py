"""A request in two parts: the XML document as part `request`, then the file as part `file` (lk-87)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from soapstone.errors import InvalidError
from soapstone.product import ReceivedUpload
from soapstone.xmlhttp.request import EARLY, TOO_LATE, RequestReader

# The parser logs every broken body as a warning; the refusal says the same.
logging.getLogger("python_multipart.multipart").setLevel(logging.ERROR)

# Bytes within which the credentials must come, with all parts before them.
EARLY_PARTS = 2 * EARLY


class PartsReader:
    """Reads the parts as they arrive. Parts of other names are ignored. All methods raise InvalidError.

    `upload` and `file_name` are those of part `file`, once it has begun. Call `release` afterwards.
    """

    def __init__(self, boundary: bytes, request: RequestReader, new_upload: Callable[[], ReceivedUpload]) -> None:
        self.upload: ReceivedUpload | None = None
        self.file_name = ""
        self._request = request
        self._new_upload = new_upload
        self._requests = self._fed = 0
        self._complete = False
        self._part = ""
        self._header = b""
        self._value = b""
        self._disposition = b""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._data,
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
            )
        except FormParserError:
            raise InvalidError("The boundary of the parts is too long.") from None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        at = 0
        while at < len(data):
            known = self._request.identity is not None
            piece = data[at:] if known else data[at : at + EARLY]
            at += len(piece)
            try:
                self._parser.write(piece)
            except FormParserError:
                raise InvalidError("The body is not correct multipart/form-data.") from None
            # Parts of other names cost time, which is limited before the logon.
            self._fed += len(piece)
            if self._fed > EARLY_PARTS and self._request.identity is None:
                raise InvalidError(TOO_LATE)

    def close(self) -> None:
        """End the body."""
        if not self._requests:
            raise InvalidError("The body has no part named request.")
        if not self._complete:
            raise InvalidError("The body ends before its last part does.")

    def release(self) -> None:
        """Drop the parser, which references this reader."""
        self._parser.callbacks = {}

    def _begin(self) -> None:
        self._part = ""
        self._header = self._value = self._disposition = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._part = options.get(b"name", b"").decode("utf-8", "replace")
        if self._part == "request":
            self._requests += 1
            if self._requests > 1:
                raise InvalidError("The body has more than one part named request.")
        elif self._part == "file":
            if self._request.identity is None:
                raise InvalidError("The part named request must come before the part named file.")
            if self._request.upload is not None or self.upload is not None:
                raise InvalidError("The request holds more than one file.")
            self.file_name = options.get(b"filename", b"").decode("utf-8", "replace")
            self.upload = self._new_upload()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part == "request":
            self._request.feed(data[start:end])
        elif self._part == "file" and self.upload is not None:
            self.upload.write(data[start:end])

    def _end(self) -> None:
        if self._part == "request":
            self._request.close()
        self._part = ""

    def _finish(self) -> None:
        self._complete = True
