"""Stems: the signed name of one mail, which its tracked links, pixel and bounce address share.

A stem has 32 letters and digits of base32 in lower case: 1 octet with the key's number, 4 with the message's, 6 with
the delivery's, and 9 of an HMAC-SHA-256. Mail servers and readers may change its case. It says that a mail is one of
ours, and nothing more: what must stay secret takes the signature of `sending/signed_links.py`, made with other keys.
"""

from __future__ import annotations

import hmac
import re
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import Any, NamedTuple

from soapstone.accounts.link_keys import LinkKeys

# Characters of a stem.
LENGTH = 32
# Most characters of the address that a signed target leads to.
LONGEST_TARGET = 2_000

# Base32 in lower case. The library's functions take three times as long.
_ALPHABET = string.ascii_lowercase + "234567"
_FORTY_BITS = Struct(">BI")
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
# To the digits that Python reads as base 32.
_BASE_32 = string.digits + string.ascii_lowercase[:22]
_DIGITS = bytes.maketrans((_ALPHABET + string.ascii_uppercase).encode(), (_BASE_32 + _BASE_32[:26]).encode())
_STEM = re.compile(rf"[A-Za-z2-7]{{{LENGTH}}}")
_IN_TEXT = re.compile(rf"/[cor]/([A-Za-z2-7]{{{LENGTH}}})(?![A-Za-z0-9])")
_SIGNATURE = 9
# Base64url without padding, the point, 8 octets of an HMAC as hexadecimal digits; then what a mail reader took into the
# link, which begins with no letter or digit.
_LONGEST_ENCODED = 4 * LONGEST_TARGET // 3 + 3
_TARGET = re.compile(rf"([A-Za-z0-9_-]{{1,{_LONGEST_ENCODED}}})\.([0-9a-f]{{16}})(?:[^A-Za-z0-9].*)?", re.S)
_ADDRESS = re.compile(r"https?://[!-~]+", re.I)


class Stem(NamedTuple):
    """The mail that a stem names. `delivery_id` is 0 in mails that are tracked without persons."""

    message_id: int
    delivery_id: int


class KeyedHash:
    """HMAC (RFC 2104) with the key taken in already: the library's takes it in anew for each signature.

    The `key` is no longer than a block of the `algorithm`, which is 64 octets for SHA-1 and SHA-256.
    """

    def __init__(self, key: bytes, algorithm: Callable[[bytes], Any] = sha256) -> None:
        block = key.ljust(64, b"\0")
        self._inner, self._outer = (algorithm(bytes(octet ^ pad for octet in block)) for pad in (0x36, 0x5C))

    def sign(self, data: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        signature: bytes = outer.digest()
        return signature


@dataclass(frozen=True)
class _Key:
    number: int
    deliveries: range
    stems: KeyedHash
    targets: KeyedHash


class Stems:
    """Makes and reads the stems of one installation, and the targets of links whose address has merge fields."""

    def __init__(self, keys: LinkKeys) -> None:
        # Newest first. The purpose goes into the key, so that no signature is good for two purposes.
        self._keys = [
            _Key(key.number % 256, key.deliveries, _derived(key.value, "stem"), _derived(key.value, "target"))
            for key in keys.all
        ]

    def make(self, message_id: int, delivery_id: int) -> str:
        """Return the stem of a mail. Raises LookupError if no key signs for this delivery."""
        for key in self._keys:
            # Mails without persons are signed with the newest key.
            if not delivery_id or delivery_id in key.deliveries:
                break
        else:
            raise LookupError(f"no key signs for delivery {delivery_id}")
        numbers = b"%c%b%b" % (key.number, message_id.to_bytes(4, "big"), delivery_id.to_bytes(6, "big"))
        return _in_base_32(numbers + key.stems.sign(numbers)[:_SIGNATURE])

    def read(self, text: str) -> Stem | None:
        """Return the mail that a stem names, in whatever case it is written; None for what was not made here."""
        found = self._opened(text)
        return found[1] if found else None

    def held_by(self, text: str) -> bool:
        """Return whether the text holds a tracked link or image, copied from a sent mail (mm-99)."""
        return any(self.read(stem) is not None for stem in _IN_TEXT.findall(text))

    def target_signer(self, stem: str) -> Callable[[int, str], str]:
        """Return what makes the last segment of a link's path of its position and target, for this mail alone.

        A target is an absolute URL of http or https in ASCII. What is returned raises ValueError for anything else, so
        that nothing else is ever signed. Raises LookupError for a stem that was not made here.
        """
        found = self._opened(stem)
        if found is None:
            raise LookupError(f"no stem of this server: {stem!r}")
        key = found[0]

        def signed(position: int, target: str) -> str:
            if len(target) > LONGEST_TARGET or not _ADDRESS.fullmatch(target):
                raise ValueError(f"links do not lead to {target[:200]!r}")
            encoded = urlsafe_b64encode(target.encode()).decode().rstrip("=")
            return f"{encoded}.{_signature(key, stem, position, encoded)}"

        return signed

    def read_target(self, stem: str, position: int, segment: str) -> str | None:
        """Return the target in a last segment that `target_signer` made for this link; None for any other.

        Characters after the signature are ignored unless they begin with a letter or digit: mail readers take `!` or
        `)` behind an address into the link.
        """
        match, found = _TARGET.fullmatch(segment), self._opened(stem)
        if match is None or found is None:
            return None
        encoded, signature = match.groups()
        if not hmac.compare_digest(signature, _signature(found[0], stem, position, encoded)):
            return None
        return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()

    def _opened(self, text: str) -> tuple[_Key, Stem] | None:
        if not _STEM.fullmatch(text):
            return None
        # Python reads numbers in base 32 several times faster than it decodes texts.
        octets = int(text.encode().translate(_DIGITS), 32).to_bytes(5 * LENGTH // 8, "big")
        numbers, signature = octets[:-_SIGNATURE], octets[-_SIGNATURE:]
        stem = Stem(int.from_bytes(numbers[1:5], "big"), int.from_bytes(numbers[5:], "big"))
        for key in self._keys:
            # A key that ended with a restore has signed for no delivery after it.
            if key.number != numbers[0] or (stem.delivery_id and stem.delivery_id not in key.deliveries):
                continue
            if hmac.compare_digest(key.stems.sign(numbers)[:_SIGNATURE], signature):
                return key, stem
        return None


def _in_base_32(octets: bytes) -> str:
    """Return the octets of a stem as text."""
    pairs, found = _PAIRS, []
    # 40 bits at a time, for numbers of Python's smallest sizes.
    for high, low in _FORTY_BITS.iter_unpack(octets):
        found += [pairs[high << 2 | low >> 30], pairs[low >> 20 & 1023], pairs[low >> 10 & 1023], pairs[low & 1023]]
    return "".join(found)


def _derived(key: str, purpose: str) -> KeyedHash:
    return KeyedHash(hmac.digest(key.encode(), f"soapstone tracking {purpose}".encode(), "sha256"))


def _signature(key: _Key, stem: str, position: int, encoded: str) -> str:
    return key.targets.sign(f"{stem.lower()}/{position}/{encoded}".encode())[:8].hex()
