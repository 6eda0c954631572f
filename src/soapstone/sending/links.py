"""Links of a mail back to this server: signed, so that nobody can make one up."""

from __future__ import annotations

from itsdangerous import BadSignature, Signer

# What a link is for → its path. A signature of one is none for the other.
PATHS = {"unsubscribe": "u", "browser": "m"}


class Links:
    """Makes and reads links. `base` is the URL at which people reach this server, `key` what links are signed with."""

    def __init__(self, base: str, key: str) -> None:
        self._base = base.rstrip("/")
        self._signers = {purpose: Signer(key, salt=f"soapstone.{purpose}") for purpose in PATHS}

    def make(self, purpose: str, delivery_id: int) -> str:
        """The link of this purpose for one recipient of one send."""
        return f"{self._base}/{PATHS[purpose]}/{self._signers[purpose].sign(str(delivery_id)).decode()}"

    def read(self, purpose: str, token: str) -> int | None:
        """The number of the recipient's row in the ledger; None for a token that is none of ours."""
        try:
            text = self._signers[purpose].unsign(token).decode()
        except BadSignature:
            return None
        return int(text) if text.isascii() and text.isdigit() else None
