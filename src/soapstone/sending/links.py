"""Links of a mail back to this server: signed, so that nobody can make one up."""

from __future__ import annotations

import hmac
import re
from contextlib import suppress

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_encode

from soapstone.accounts.link_keys import LinkKeys

# What a link is for → its path. A signature of one is none for the other.
PATHS = {"unsubscribe": "u", "browser": "m"}


class Links:
    """Makes and reads links. `base` is the URL at which people reach this server, `keys` what links are signed with."""

    def __init__(self, base: str, keys: LinkKeys) -> None:
        self._base = base.rstrip("/")
        self._signers = [
            (key.deliveries, {purpose: Signer(key.value, salt=f"soapstone.{purpose}") for purpose in PATHS})
            for key in keys.all
        ]
        # The signer works its key out anew for each signature, which takes longer than the signature itself.
        self._keys = [
            (numbers, {purpose: signer.derive_key() for purpose, signer in signers.items()})
            for numbers, signers in self._signers
        ]

    def make(self, purpose: str, delivery_id: int) -> str:
        """The link of this purpose for one recipient of one send."""
        number = str(delivery_id)
        key = next(keys[purpose] for numbers, keys in self._keys if delivery_id in numbers)
        # What `Signer.sign` gives.
        signature = base64_encode(hmac.digest(key, number.encode(), "sha1")).decode()
        return f"{self._base}/{PATHS[purpose]}/{number}.{signature}"

    def held_by(self, text: str) -> bool:
        """Whether the text holds a link that was made here: one of a mail that somebody was sent (mm-99)."""
        paths = "|".join(PATHS.values())
        purposes = {path: purpose for purpose, path in PATHS.items()}
        found = re.finditer(rf"{re.escape(self._base)}/({paths})/([\w.-]*[\w-])", text)
        return any(self.read(purposes[match[1]], match[2]) is not None for match in found)

    def read(self, purpose: str, token: str) -> int | None:
        """The number of the recipient's row in the ledger; None for a token that is none of ours."""
        for numbers, signers in self._signers:
            with suppress(BadSignature):
                text = signers[purpose].unsign(token).decode()
                if text.isascii() and text.isdigit() and int(text) in numbers:
                    return int(text)
        return None
