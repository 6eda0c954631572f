"""Base64 decoded piece by piece, as it comes in."""

from __future__ import annotations

import binascii
from collections.abc import Callable


class Base64Stream:
    """Decodes base64 text with any white space in it; the bytes go to `write`. Raises ValueError."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._rest = b""
        self._ended = False

    def feed(self, text: str) -> None:
        """Take the next piece of text."""
        # Text that is not ASCII fails here, with a kind of ValueError.
        data = self._rest + b"".join(text.encode("ascii").split())
        whole = len(data) - len(data) % 4
        data, self._rest = data[:whole], data[whole:]
        if not data:
            return
        if self._ended:
            raise ValueError("data after the end")
        self._ended = data.endswith(b"=")
        self._write(binascii.a2b_base64(data, strict_mode=True))

    def close(self) -> None:
        """End the text."""
        if self._rest:
            raise ValueError("the last group is not complete")
