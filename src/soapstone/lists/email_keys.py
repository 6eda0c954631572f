"""E-mail keys: the opaque token of a contact that mailed links carry (lk-63)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

NUMBER_BYTES, TAG_BYTES = 8, 16


class EmailKeys:
    """Makes and reads the keys: the contact's number under a mask, and a tag that nobody can make up.

    Both are derived from the installation's secret key, so that no key needs to be stored.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def make(self, contact_id: int) -> str:
        """The key of a contact, 32 characters."""
        number = contact_id.to_bytes(NUMBER_BYTES, "big")
        tag = self._digest(b"email key tag", number)[:TAG_BYTES]
        return urlsafe_b64encode(self._masked(number, tag) + tag).decode()

    def read(self, key: str) -> int | None:
        """The number of the contact; None for a key that is none of ours."""
        try:
            data = urlsafe_b64decode(key.strip().encode("ascii"))
        except (Error, ValueError):
            return None
        if len(data) != NUMBER_BYTES + TAG_BYTES:
            return None
        masked, tag = data[:NUMBER_BYTES], data[NUMBER_BYTES:]
        number = self._masked(masked, tag)
        good = hmac.compare_digest(tag, self._digest(b"email key tag", number)[:TAG_BYTES])
        return int.from_bytes(number, "big") if good else None

    def _masked(self, number: bytes, tag: bytes) -> bytes:
        mask = self._digest(b"email key mask", tag)
        return bytes(one ^ other for one, other in zip(number, mask, strict=False))

    def _digest(self, purpose: bytes, data: bytes) -> bytes:
        return hmac.new(self._key, purpose + data, hashlib.sha256).digest()
