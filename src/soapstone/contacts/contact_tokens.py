"""E-mail keys: the opaque token of a contact that mailed links carry (lk-63)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from soapstone.accounts.link_keys import LinkKey, LinkKeys

NUMBER_BYTES, TAG_BYTES = 8, 16


class ContactTokens:
    """Makes and reads the keys: the contact's masked number, and an unforgeable tag.

    Both derive from the installation's keys, so that no e-mail key needs to be stored.
    """

    def __init__(self, keys: LinkKeys) -> None:
        self._keys = keys

    def make(self, contact_id: int) -> str:
        """Return the key of a contact, 32 characters."""
        key = self._keys.of_contact(contact_id)
        number = contact_id.to_bytes(NUMBER_BYTES, "big")
        tag = _tag(key, number)
        return urlsafe_b64encode(_masked(key, number, tag) + tag).decode()

    def read(self, key: str) -> int | None:
        """Return the number of the contact; None for a key that is not ours."""
        try:
            data = urlsafe_b64decode(key.strip().encode("ascii"))
        except (Error, ValueError):
            return None
        if len(data) != NUMBER_BYTES + TAG_BYTES:
            return None
        masked, tag = data[:NUMBER_BYTES], data[NUMBER_BYTES:]
        for one in self._keys.all:
            number = _masked(one, masked, tag)
            contact_id = int.from_bytes(number, "big")
            if hmac.compare_digest(tag, _tag(one, number)) and contact_id in one.contacts:
                return contact_id
        return None


def _tag(key: LinkKey, number: bytes) -> bytes:
    return _digest(key, b"email key tag", number)[:TAG_BYTES]


def _masked(key: LinkKey, number: bytes, tag: bytes) -> bytes:
    mask = _digest(key, b"email key mask", tag)
    return bytes(one ^ other for one, other in zip(number, mask, strict=False))


def _digest(key: LinkKey, purpose: bytes, data: bytes) -> bytes:
    return hmac.new(key.value.encode(), purpose + data, hashlib.sha256).digest()
