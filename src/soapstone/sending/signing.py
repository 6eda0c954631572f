"""DKIM signatures (RFC 6376), so that receivers know who answers for a mail."""

from __future__ import annotations

from pathlib import Path

import dkim

# Signed when they are there; the last two must be, for unsubscribing by one click (RFC 8058).
HEADERS = (
    b"from",
    b"to",
    b"reply-to",
    b"subject",
    b"date",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)


class UnusableKey(Exception):
    """The key cannot be read or used; the text is a sentence for the operator."""


class DkimSigner:
    """Signs mails for one domain with one key, a PEM file of an RSA key."""

    def __init__(self, domain: str, selector: str, key: bytes) -> None:
        self._domain = domain.encode()
        self._selector = selector.encode()
        self._key = key
        try:
            self.sign(b"From: a@example.com\r\n\r\n\r\n")
        except (dkim.DKIMException, ValueError) as error:
            raise UnusableKey(f"The DKIM key cannot be used: {error}.") from None

    @classmethod
    def of(cls, domain: str, selector: str, path: str) -> DkimSigner:
        """The signer with the key in that file. Raises UnusableKey."""
        try:
            key = Path(path).read_bytes()
        except OSError as error:
            raise UnusableKey(f"The DKIM key cannot be read: {error.strerror or 'unknown reason'}.") from None
        if not domain or not selector:
            raise UnusableKey("A DKIM key needs a domain and a selector.")
        return cls(domain, selector, key)

    def sign(self, content: bytes) -> bytes:
        """The mail with its signature before it."""
        signature: bytes = dkim.sign(
            content,
            self._selector,
            self._domain,
            self._key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=list(HEADERS),
        )
        return signature + content
