"""Links of a mail back to this server: signed, so that nobody can make one up."""

from __future__ import annotations

import hmac
import re

from itsdangerous import Signer
from itsdangerous.encoding import base64_encode

from soapstone.accounts.link_keys import LinkKeys

# What a link is for → its path. A signature of one is none for the other.
PATHS = {"unsubscribe": "u", "browser": "m"}

# Digits of the largest number of a recipient's row.
LONGEST_NUMBER = 19


class Links:
    """Makes and reads links. `base` is the URL at which people reach this server, `keys` what links are signed with."""

    def __init__(self, base: str, keys: LinkKeys) -> None:
        self._base = base.rstrip("/")
        # The signer works its key out anew for each signature, which takes longer than the signature itself.
        self._keys = [
            (
                key.deliveries,
                {purpose: Signer(key.value, salt=f"soapstone.{purpose}").derive_key() for purpose in PATHS},
            )
            for key in keys.all
        ]

    def make(self, purpose: str, delivery_id: int) -> str:
        """Return the link of this purpose for one recipient of one send."""
        number = str(delivery_id)
        key = next(keys[purpose] for numbers, keys in self._keys if delivery_id in numbers)
        return f"{self._base}/{PATHS[purpose]}/{number}.{_signature(key, number)}"

    def held_by(self, text: str) -> bool:
        """Return whether the text holds a link that was made here: one of a mail that somebody was sent (mm-99)."""
        paths = "|".join(PATHS.values())
        purposes = {path: purpose for purpose, path in PATHS.items()}
        found = re.finditer(rf"{re.escape(self._base)}/({paths})/([\w.-]*[\w-])", text)
        return any(self.read(purposes[match[1]], match[2]) is not None for match in found)

    def read(self, purpose: str, token: str) -> int | None:
        """Return the number of the recipient's row in the ledger; None for a token that is none of ours."""
        number, _, signature = token.rpartition(".")
        if not (token.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER):
            return None
        for numbers, keys in self._keys:
            if int(number) in numbers and hmac.compare_digest(signature, _signature(keys[purpose], number)):
                return int(number)
        return None


def _signature(key: bytes, number: str) -> str:
    """Return what `Signer` makes."""
    return base64_encode(hmac.digest(key, number.encode(), "sha1")).decode()
