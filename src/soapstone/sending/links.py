"""Links of a mail back to this server: signed, so that nobody can make one up."""

from __future__ import annotations

import hmac
import re

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_encode

# What a link is for → its path. A signature of one is none for the other.
PATHS = {"unsubscribe": "u", "browser": "m"}


class Links:
    """Makes and reads links. `base` is the URL at which people reach this server, `key` what links are signed with."""

    def __init__(self, base: str, key: str) -> None:
        self._base = base.rstrip("/")
        self._signers = {purpose: Signer(key, salt=f"soapstone.{purpose}") for purpose in PATHS}
        # The signer works its key out anew for each signature, which takes longer than the signature itself.
        self._keys = {purpose: signer.derive_key() for purpose, signer in self._signers.items()}

    def make(self, purpose: str, delivery_id: int) -> str:
        """The link of this purpose for one recipient of one send."""
        number = str(delivery_id)
        # What `Signer.sign` gives.
        signature = base64_encode(hmac.digest(self._keys[purpose], number.encode(), "sha1")).decode()
        return f"{self._base}/{PATHS[purpose]}/{number}.{signature}"

    def held_by(self, text: str) -> bool:
        """Whether the text holds a link that was made here: one of a mail that somebody was sent (mm-99)."""
        paths = "|".join(PATHS.values())
        purposes = {path: purpose for purpose, path in PATHS.items()}
        found = re.finditer(rf"{re.escape(self._base)}/({paths})/([\w.-]*[\w-])", text)
        return any(self.read(purposes[match[1]], match[2]) is not None for match in found)

    def read(self, purpose: str, token: str) -> int | None:
        """The number of the recipient's row in the ledger; None for a token that is none of ours."""
        try:
            text = self._signers[purpose].unsign(token).decode()
        except BadSignature:
            return None
        return int(text) if text.isascii() and text.isdigit() else None
