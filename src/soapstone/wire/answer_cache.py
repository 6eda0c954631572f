"""A cache of answers for polling clients, which ask for the same few things until something changes.

A request is cut into its markup and the texts between: `<jobid>7</jobid>` has the text `7`. The markup tells the
operation, the texts before the Body tell the caller, the texts behind it what is asked. So a caller who is known and an
answer that is known make an answer to a request that never came before. See docs/decisions/polls-from-memory.md.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from soapstone.wire.call import Answer, Call
from soapstone.wire.service import Records

LARGEST_BODY = 8192
"""Bytes of the largest request body that is cached; polls are far smaller."""
LIFETIME = 5.0
"""Lifetime of a known caller in seconds; expiry by time alone, as of a session, is noticed this late."""
MOST_LAYOUTS = 256
MOST_CALLERS = 4096
MOST_ANSWERS = 12_000

# A text that means the same whatever stands around it: no markup, no reference, no space at its ends. Others are markup
# here, so that they only cost a layout of their own.
_TEXT = re.compile(rb">([!-%'-;=?-~]+(?: [!-%'-;=?-~]+)*)</")
_BODY = re.compile(rb"<(?:[^<>/!?]*:)?Body[\s/>]")

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Known:
    """Something that was worked out from records, and the token of the last time when it was right.

    `digest` is that of its reads; None when they cannot be compared.
    """

    token: Hashable
    reads: Sequence[Any]
    digest: bytes | None


@dataclass(eq=False, slots=True)
class KnownCaller(Known):
    """A caller; `number` stands for the context that the service made of it."""

    number: int
    name: str
    account_id: int | None
    until: float


@dataclass(eq=False, slots=True)
class KnownAnswer(Known):
    """An answer, and its header lines as they are sent."""

    answer: Answer
    lines: bytes


@dataclass(frozen=True, eq=False, slots=True)
class Layout:
    """The markup of a request. `texts` is how many there are, `header_texts` how many of them before the Body."""

    key: bytes
    operation: str
    soap_version: str
    texts: int
    header_texts: int


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """The answer to a request, and its call."""

    layout: Layout
    caller: KnownCaller
    answer: KnownAnswer


@dataclass(eq=False)
class _Contexts:
    """Numbers for contexts. Equal ones of a caller's name, account and address have one number."""

    _numbers: OrderedDict[Hashable, tuple[int, Any]] = field(default_factory=OrderedDict)
    _last: int = 0

    def number(self, key: Hashable, context: Any) -> int:
        known = self._numbers.get(key)
        if known is not None and known[1] == context:
            return known[0]
        self._last += 1
        _put(self._numbers, key, (self._last, context), MOST_CALLERS)
        return self._last


class AnswerCache:
    """Answers of repeatable operations, which depend on the service's records alone.

    A caller and an answer are valid while the token from before they were worked out is current, and as long as the
    reads that they were made of return the same. Callers expire after `LIFETIME`. Requests are known by keyed digests,
    so that no credentials are kept. For the event loop alone.
    """

    def __init__(self, operations: Collection[str], records: Records) -> None:
        self.operations = frozenset(operations)
        self.records = records
        self._names = [name.encode() for name in self.operations]
        self._key = secrets.token_bytes(32)
        self._layouts: OrderedDict[bytes, Layout] = OrderedDict()
        self._callers: OrderedDict[bytes, KnownCaller] = OrderedDict()
        self._answers: OrderedDict[tuple[Any, ...], KnownAnswer] = OrderedDict()
        self._contexts = _Contexts()

    def concerns(self, body: bytes) -> bool:
        """Return whether a request may be for one of the operations."""
        return any(name in body for name in self._names)

    def find(self, kind: bytes, sender: bytes, body: bytes, token: Hashable | None) -> Found | None:
        """Return the answer to a request; None if anything of it is unknown or may have changed since the `token`.

        `kind` are the HTTP headers that decide how a body is read, `sender` says where the request comes from; they
        have no NUL between their parts that a part may hold.
        """
        parts = _TEXT.split(body)
        texts = parts[1::2]
        layout = self._layouts.get(self._digest(kind, parts[::2]))
        # By their number no text can pass for a piece of markup with a NUL in it.
        if token is None or layout is None or len(texts) != layout.texts:
            return None
        split = layout.header_texts
        caller = self._callers.get(self._digest(layout.key + sender, texts[:split]))
        if caller is None or caller.until < time.monotonic() or not self._is_current(caller, token):
            return None
        answer = self._answers.get((caller.number, layout.key, *texts[split:]))
        if answer is None or not self._is_current(answer, token):
            return None
        return Found(layout, caller, answer)

    def put(self, token: Hashable, kind: bytes, sender: bytes, body: bytes, call: Call, answer: Answer) -> None:
        """Cache what a call of a repeatable operation told; `token` is from before the work began."""
        if call.operation_name not in self.operations or answer.status != 200:
            return
        if not (answer.repeatable or self.records.exact):
            return
        parts = _TEXT.split(body)
        layout = self._layout(kind, body, parts, call)
        if layout is None or self.records.token() != token:
            return
        texts, split = parts[1::2], layout.header_texts
        digests = [self.records.digest(reads) for reads in (call.caller_reads, call.answer_reads)]
        # What was committed meanwhile may be in these digests and not in the answer.
        if self.records.token() != token:
            return
        name, account_id = call.caller_name, call.account_id
        number = self._contexts.number((sender, account_id, name), call.context)
        until = time.monotonic() + LIFETIME
        caller = KnownCaller(token, call.caller_reads, digests[0], number, name, account_id, until)
        kept = KnownAnswer(token, call.answer_reads, digests[1], answer, lines(answer))
        _put(self._layouts, layout.key, layout, MOST_LAYOUTS)
        _put(self._callers, self._digest(layout.key + sender, texts[:split]), caller, MOST_CALLERS)
        _put(self._answers, (number, layout.key, *texts[split:]), kept, MOST_ANSWERS)

    def clear(self) -> None:
        """Forget everything."""
        for table in (self._layouts, self._callers, self._answers):
            table.clear()

    def _layout(self, kind: bytes, body: bytes, parts: Sequence[bytes], call: Call) -> Layout | None:
        """Return the layout of a request that was answered; None if its texts may not be what they seem to be."""
        bodies = [match.start() for match in _BODY.finditer(body)]
        # Comments and sections hold markup that is none. In other charsets the bytes of a text may be markup.
        if len(bodies) != 1 or b"<!" in body or body.find(b"<?", 1) >= 0 or call.charset not in (None, "utf-8"):
            return None
        before = len(_TEXT.findall(body[: bodies[0]]))
        key = self._digest(kind, parts[::2])
        return Layout(key, call.operation_name, call.version.name, len(parts) // 2, before)

    def _is_current(self, known: Known, token: Hashable) -> bool:
        if known.token == token:
            return True
        if known.digest is None or self.records.digest(known.reads) != known.digest:
            return False
        # The token is from before the comparison: what is committed since shows as a change.
        known.token = token
        return True

    def _digest(self, first: bytes, parts: Iterable[bytes]) -> bytes:
        return hashlib.blake2b(b"\0".join((first, *parts)), key=self._key, digest_size=16).digest()


def lines(answer: Answer) -> bytes:
    """Return the header lines of an answer, as they are sent."""
    return b"".join(b"%b: %b\r\n" % line for line in answer.headers)


def _put(table: OrderedDict[Any, T], key: Any, value: T, most: int) -> None:
    table[key] = value
    if len(table) > most:
        table.popitem(last=False)
