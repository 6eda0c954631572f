"""Passwords: argon2id hashes, and a short memory of credentials that were verified."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from functools import cache
from threading import BoundedSemaphore, Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# 19 MiB and two passes, OWASP's recommendation: with the library's 64 MiB a few logons at once outgrow the server.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Whoever guesses passwords on many connections takes no more memory than this many hashes.
_hashing = BoundedSemaphore(2)


@cache
def _nobody() -> str:
    """What an unknown login's password is compared with, so that the answer takes as long as for a known one."""
    return _hasher.hash(secrets.token_hex(16))


def hash_password(password: str) -> str:
    """The argon2id hash of a password, with its parameters."""
    return _hasher.hash(password)


class PasswordCheck:
    """Compares passwords with hashes. Verified pairs are remembered under a keyed digest, so that a poll costs no hash.

    The digest covers the stored hash, so a changed password is a pair that was never verified.
    """

    def __init__(self, size: int = 1024) -> None:
        self._key = secrets.token_bytes(32)
        self._size = size
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password belongs to the stored hash; None stands for a login that does not exist."""
        digest = hmac.digest(self._key, f"{stored}\0{password}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        with self._lock:
            if digest in self._known:
                self._known.move_to_end(digest)
                return True
        try:
            with _hashing:
                _hasher.verify(stored or _nobody(), password)
        except (VerificationError, InvalidHashError):
            return False
        if stored is None:
            return False
        with self._lock:
            self._known[digest] = None
            if len(self._known) > self._size:
                self._known.popitem(last=False)
        return True
