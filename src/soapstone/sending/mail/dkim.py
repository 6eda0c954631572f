"""DKIM signatures (RFC 6376), which tie a mail to a domain.

Written here rather than taken from a library: dkimpy does the arithmetic of RSA in Python, which takes 7 ms for a mail
with a key of 2,048 bits. This module takes some 0.4 ms, most of it in OpenSSL.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import idna

from soapstone.clock import now
from soapstone.errors import InvalidError
from soapstone.sending.mail.mime import ascii_domain

# A header is signed as often as it is there, and named once more in h=: then a signature breaks when somebody adds
# another one, which mail programs might show instead (RFC 6376 5.4.2 and 8.15). These may stand in a mail once at most
# (RFC 5322 3.6, RFC 2045 3), so nothing honest adds a second one. They are named when they are missing, too: a relay
# that wants to add a missing Date or Message-ID never gets a mail of ours without one, and a Reply-To or Cc that is
# added would lead answers elsewhere.
ONCE_AT_MOST = (
    b"from",
    b"to",
    b"cc",
    b"reply-to",
    b"subject",
    b"date",
    b"message-id",
    b"mime-version",
    b"content-type",
)
# Named once more only where they are: a relay may add them to a mail that has none. A link to unsubscribe by one click
# counts only when both of its headers are signed (RFC 8058 4). Precedence is left out: no standard defines it, relays
# may drop it, and a mail means the same without it (RFC 6376 5.4.1).
WHERE_PRESENT = (
    b"content-transfer-encoding",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    # A provider sends complaints only to an address that is signed (RFC 9477 3.1.4).
    b"cfbl-address",
    b"cfbl-feedback-id",
    b"feedback-id",
)
HEADERS = ONCE_AT_MOST + WHERE_PRESENT

# Signers must not use shorter keys (RFC 8301 3.2).
FEWEST_BITS = 1024

_SELECTOR = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_LONGEST_LINE = 76


class DkimKey:
    """A private key, and the selector under which receivers find its public key.

    `pem` is the key of RSA (PKCS#1 or PKCS#8) or ed25519 (PKCS#8), without a password. Raises InvalidError.
    """

    def __init__(self, selector: str, pem: bytes, path: str = "") -> None:
        if not _SELECTOR.fullmatch(selector):
            raise InvalidError(f"The DKIM selector {selector!r} is not made of letters, digits and hyphens.")
        which = f"The DKIM key {path} cannot be used" if path else "The DKIM key cannot be used"
        # Loaded where there is a key: it takes 9 MB, and the web process signs nothing.
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

        try:
            key = load_pem_private_key(pem, None)
        except TypeError:
            raise InvalidError(f"{which}: it has a password.") from None
        except (ValueError, UnsupportedAlgorithm):
            raise InvalidError(f"{which}: it is not a private key in PEM form.") from None
        self.selector = selector
        # The value of the tag a=, and how a SHA-256 digest is signed. Ed25519 takes it as its message (RFC 8463 3).
        self.algorithm: str
        self.sign: Callable[[bytes], bytes]
        if isinstance(key, RSAPrivateKey):
            if key.key_size < FEWEST_BITS:
                raise InvalidError(f"{which}: it has {key.key_size} bits, and RSA keys need {FEWEST_BITS} at least.")
            padding, digest = PKCS1v15(), Prehashed(SHA256())
            self.algorithm, self.sign = "rsa-sha256", lambda data: key.sign(data, padding, digest)
            kind, shown = "rsa", key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        elif isinstance(key, Ed25519PrivateKey):
            self.algorithm, self.sign = "ed25519-sha256", key.sign
            kind, shown = "ed25519", key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            raise InvalidError(f"{which}: it is neither an RSA nor an ed25519 key.")
        # The text record that publishes the key (RFC 6376 3.6.1, RFC 8463 4).
        self.record = f"v=DKIM1; k={kind}; p={b64encode(shown).decode()}"

    @classmethod
    def of(cls, selector: str, path: str) -> DkimKey:
        """Read the key in that file. Raises InvalidError."""
        try:
            pem = Path(path).read_bytes()
        except OSError as error:
            raise InvalidError(f"The DKIM key {path} cannot be read: {error.strerror or 'unknown reason'}.") from None
        return cls(selector, pem, path)


class DkimSigner:
    """Signs mails in the name of one domain, with each of its keys.

    Raises InvalidError.
    """

    def __init__(self, domain: str, keys: Sequence[DkimKey]) -> None:
        try:
            self._domain = idna.encode(domain.removesuffix("."), uts46=True, std3_rules=True).decode().lower()
        except idna.IDNAError:
            raise InvalidError(f"A DKIM key needs the domain that signs: {domain!r} is not one.") from None
        selectors = [key.selector.lower() for key in keys]
        if len(set(selectors)) < len(selectors):
            # Each has a text record of its own (RFC 6376 3.6.2.2).
            raise InvalidError(f"Two DKIM keys cannot have the same selector, {keys[0].selector}.")
        self._keys = [
            (
                key,
                # The lines of the header up to the time; `b=` comes last, so what is signed ends with it.
                f"v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n d={self._domain}; s={key.selector};\r\n t=".encode(),
            )
            for key in keys
        ]

    @property
    def domain(self) -> str:
        """The domain that signs, as name servers know it."""
        return self._domain

    @property
    def records(self) -> dict[str, str]:
        """Name → text record, to be published for receivers."""
        return {f"{key.selector}._domainkey.{self._domain}": key.record for key, _ in self._keys}

    def signs_for(self, address: str) -> bool:
        """Return whether mails from this address are signed: it belongs to the domain of the keys or to a subdomain of
        it.

        RFC 6376 lets a domain sign for any author; DMARC counts only signatures of the author's organization (relaxed
        alignment, RFC 7489 3.1.1), and others may lend this domain's good name to strangers. That a parent domain is of
        the same organization takes a list of public suffixes to know, so a key does not sign for the parent.
        """
        domain = ascii_domain(address).lower()
        return domain == self._domain or domain.endswith(f".{self._domain}")

    def sign(self, content: bytes) -> bytes:
        """Put a signature of each key before the mail, whose lines end in CR LF, as `Head.around` writes them."""
        head, _, body = content.partition(b"\r\n\r\n")
        names, fields = _relaxed_headers(head)
        tags = b"%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (
            now().timestamp(),
            names,
            b64encode(hashlib.sha256(_relaxed_body(body)).digest()),
        )
        hashed = hashlib.sha256(fields)
        signed: list[bytes] = []
        for key, start in self._keys:
            value = start + tags
            digest = hashed.copy()
            digest.update(b"dkim-signature:" + value.replace(b"\r\n ", b" "))
            signature = b64encode(key.sign(digest.digest()))
            lines = [signature[place : place + 72] for place in range(0, len(signature), 72)]
            signed += (b"DKIM-Signature: ", value, b"\r\n ".join(lines), b"\r\n")
        return b"".join((*signed, content))


def _relaxed_headers(head: bytes) -> tuple[bytes, bytes]:
    """Return the value of the tag h=, and the headers that it names in their relaxed form (RFC 6376 3.4.2)."""
    # Blanks are shortened in all headers at once: no run of them goes beyond a line.
    unfolded = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    lines = [line.partition(b":") for line in _single_spaced(unfolded).split(b"\r\n")]
    folded, order = _named(tuple([written for written, _, _ in lines]))
    parts = [b"\r\n"] * (3 * len(order))
    parts[::3] = [start for start, _ in order]
    parts[1::3] = [lines[place][2].strip(b" ") for _, place in order]
    return folded, b"".join(parts)


@lru_cache(64)
def _named(written: tuple[bytes, ...]) -> tuple[bytes, list[tuple[bytes, int]]]:
    """Return the value of the tag h= for a mail with headers of these names, and the signed ones in the order of h=.

    Of each it gives the start in the relaxed form, and the place. Mails of a message have the same headers.
    """
    names = [name.rstrip(b" ").lower() for name in written]
    named: list[bytes] = []
    order: list[tuple[bytes, int]] = []
    for name in HEADERS:
        # The last one is the first that h= names (RFC 6376 5.4.2).
        mine = [place for place in reversed(range(len(names))) if names[place] == name]
        order += [(name + b":", place) for place in mine]
        if mine or name in ONCE_AT_MOST:
            named += [name] * (len(mine) + 1)
    return _folded(b":".join(named)), order


def _relaxed_body(body: bytes) -> bytes:
    """Return the body in its relaxed form (RFC 6376 3.4.4); nothing is left of a body of empty lines."""
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    body = _single_spaced(body).replace(b" \r\n", b"\r\n")
    end = len(body)
    while body.endswith(b"\r\n\r\n", 0, end):
        end -= 2
    return b"" if end == 2 and body.startswith(b"\r\n") else body[:end]


def _single_spaced(data: bytes) -> bytes:
    """Return the data with one space for each run of spaces and tabs."""
    data = data.replace(b"\t", b" ")
    # Each turn halves the runs, and takes a fraction of what a pattern takes.
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


def _folded(names: bytes) -> bytes:
    """Return the names of headers in lines of a fair length."""
    lines, length = [b""], len(" h=")
    for name in names.split(b":"):
        if length + len(name) + 1 > _LONGEST_LINE:
            lines.append(b"")
            length = 1
        lines[-1] += name + b":"
        length += len(name) + 1
    return b"\r\n ".join(lines)[:-1]
