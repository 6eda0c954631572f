"""Passwords: argon2id hashes, threads that compute them, and a cache of verified credentials."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sys
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from soapstone.errors import InvalidError

LONGEST_PASSWORD = 1000
"""Characters. No login has a longer password."""
REMEMBERED = 1024
"""Verified pairs of a password and its hash in the cache, those used last."""

# 19 MiB and two passes, OWASP's recommendation: with the library's 64 MiB a few logons at once outgrow the server.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_cheap_hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
# How its hashes state their cost.
_CHEAP = "$m=64,t=1,p=1$"
_is_cheap: ContextVar[bool] = ContextVar("cheap_hashes", default=False)


@contextmanager
def cheap_hashes() -> Iterator[None]:
    """Make cheap hashes in this context, which protect nothing: for test data."""
    token = _is_cheap.set(True)
    try:
        yield
    finally:
        _is_cheap.reset(token)


def _step_back() -> None:
    if sys.platform == "linux":
        os.nice(10)


# Only these threads compute hashes. Their number bounds the concurrent work and the memory: the allocator keeps 19 MiB
# for each thread that has ever computed one. They have the lowest priority where threads have their own: other calls go
# first.
_threads = ThreadPoolExecutor(2, thread_name_prefix="password", initializer=_step_back)


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, with its parameters. Raises InvalidError if it is too long."""
    if len(password) > LONGEST_PASSWORD:
        raise InvalidError(f"A password has at most {LONGEST_PASSWORD} characters.")
    if _is_cheap.get():
        return _cheap_hasher.hash(_encoded(password))
    return _threads.submit(_hasher.hash, _encoded(password)).result()


class PasswordCheck:
    """Compares passwords with hashes. Verified pairs are remembered under a keyed digest, so that a poll costs no hash.

    The digest covers the stored hash, so a changed password is a pair that was never verified.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def digest(self, stored: str | None, password: str) -> bytes:
        """Return the pair's key in the cache; `stored` is None for a login that does not exist."""
        return hmac.digest(self._key, _encoded(f"{stored}\0{password}"), hashlib.sha256)

    def remembers(self, digest: bytes) -> bool:
        """Return whether the pair was verified before."""
        with self._lock:
            if digest not in self._known:
                return False
            self._known.move_to_end(digest)
            return True

    def verify(self, stored: str | None, password: str) -> bool:
        """Return whether the password matches the stored hash. Waits for a hashing thread."""
        if len(password) > LONGEST_PASSWORD:
            return False
        is_cheap = stored is not None and _CHEAP in stored
        if not (_verify(stored, password) if is_cheap else _threads.submit(_verify, stored, password).result()):
            return False
        with self._lock:
            self._known[self.digest(stored, password)] = None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return True


@cache
def _unknown_hash() -> str:
    """Return the hash to compare an unknown login's password with, so that the time does not reveal it."""
    return _hasher.hash(secrets.token_hex(16))


def _verify(stored: str | None, password: str) -> bool:
    try:
        _hasher.verify(stored or _unknown_hash(), _encoded(password))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def _encoded(text: str) -> bytes:
    # JSON can hold lone surrogates, which UTF-8 cannot encode.
    return text.encode("utf-8", "surrogatepass")
