"""A cache of answers for polling clients, which repeat the same request until something changes."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Collection, Hashable
from dataclasses import dataclass

from soapstone.wire.call import Answer
from soapstone.wire.envelope import SOAP_11

LARGEST_BODY = 8192
"""Bytes of the largest request body that is cached; polls are far smaller."""
LIFETIME = 5.0
"""Lifetime of a cached answer in seconds; expiry by time alone, as of a session, is noticed this late."""
MOST_ANSWERS = 4096


@dataclass
class What:
    """The known facts about a call."""

    soap_version: str = SOAP_11.name
    operation: str = ""
    caller_name: str = ""
    account_id: int | None = None


@dataclass(frozen=True)
class Remembered:
    """An answer and its call."""

    answer: Answer
    what: What
    token: Hashable
    until: float


class AnswerCache:
    """Answers by a keyed digest of the whole request, so that no credentials are kept.

    An answer is valid while the token from before its computation is still current.
    """

    def __init__(self, operations: Collection[str]) -> None:
        self.operations = frozenset(operations)
        self._key = secrets.token_bytes(32)
        self._answers: OrderedDict[bytes, Remembered] = OrderedDict()

    def key(self, *parts: bytes) -> bytes:
        """Return the digest of a request's parts."""
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        for part in parts:
            digest.update(len(part).to_bytes(4, "big"))
            digest.update(part)
        return digest.digest()

    def get(self, key: bytes, token: Hashable) -> Remembered | None:
        """Return the cached answer to the same request; None if something may have changed since."""
        found = self._answers.get(key)
        if found is None:
            return None
        if found.token != token or found.until < time.monotonic():
            del self._answers[key]
            return None
        return found

    def clear(self) -> None:
        """Forget all answers."""
        self._answers.clear()

    def put(self, key: bytes, token: Hashable, answer: Answer, what: What) -> None:
        """Cache the answer of a repeatable operation; `token` is from before the work began."""
        if what.operation not in self.operations or not answer.repeatable:
            return
        until = time.monotonic() + LIFETIME
        self._answers[key] = Remembered(answer, what, token, until)
        if len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)
