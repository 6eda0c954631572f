"""Links of a mail back to this server, signed against forgery."""

from __future__ import annotations

import hmac
import re
from binascii import b2a_base64
from hashlib import sha1

from itsdangerous import Signer

from soapstone.accounts.link_keys import LinkKeys
from soapstone.tracking.stems import KeyedHash

# Purpose of a link → its path. A signature is valid for one purpose only.
PATHS = {"unsubscribe": "u", "browser": "m"}

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
# Digits of the largest number of a recipient's row.
LONGEST_NUMBER = 19


class Links:
    """Creates and reads links. `base` is this server's public URL, `keys` are the signing keys."""

    def __init__(self, base: str, keys: LinkKeys) -> None:
        self.base = base.rstrip("/")
        # `Signer` derives its key anew for each signature, which takes longer than the signature itself.
        self._keys = [
            (
                key.deliveries,
                {
                    purpose: KeyedHash(Signer(key.value, salt=f"soapstone.{purpose}").derive_key(), sha1)
                    for purpose in PATHS
                },
            )
            for key in keys.all
        ]

    def make(self, purpose: str, delivery_id: int) -> str:
        """Return the link of this purpose for one recipient of a send."""
        number = str(delivery_id)
        for numbers, keys in self._keys:
            if delivery_id in numbers:
                return f"{self.base}/{PATHS[purpose]}/{number}.{_signature(keys[purpose], number)}"
        raise LookupError(f"no key signs for delivery {delivery_id}")

    def held_by(self, text: str) -> bool:
        """Return whether the text holds a link made here, copied from a sent mail (mm-99)."""
        paths = "|".join(PATHS.values())
        purposes = {path: purpose for purpose, path in PATHS.items()}
        found = re.finditer(rf"{re.escape(self.base)}/({paths})/([\w.-]*[\w-])", text)
        return any(self.read(purposes[match[1]], match[2]) is not None for match in found)

    def read(self, purpose: str, token: str) -> int | None:
        """Return the number of the recipient's row in the ledger; None if the signature is invalid."""
        number, _, signature = token.rpartition(".")
        if not (token.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER):
            return None
        for numbers, keys in self._keys:
            if int(number) in numbers and hmac.compare_digest(signature, _signature(keys[purpose], number)):
                return int(number)
        return None


def _signature(key: KeyedHash, number: str) -> str:
    """Return the same signature as `Signer`, in a third of its time."""
    encoded = b2a_base64(key.sign(number.encode()), newline=False)
    return encoded.translate(_URL_SAFE).rstrip(b"=").decode()
