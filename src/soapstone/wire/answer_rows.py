"""A shortcut of the reader of answers: the rows of a report, all by one pattern.

Most of what a service answers is one long array of small structs. Where its elements stand as ASP.NET writes them, in
the declared order, without attributes, references to entities or white space between them, a pattern reads a row in a
tenth of a parser's time. The rest of the answer goes to the parser, and so does all of an answer that is written in
any other way: the shortcut reads exactly what the parser would, or nothing.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import XSI
from soapstone.wire.plan import SEPARATOR, MemberPlan, Plans, StructPlan
from soapstone.wire.types import Struct
from soapstone.wire.values import READERS, ValueRefused

# Markup, references, what XML normalizes, and what no document may hold.
_TEXT = "[^<>&\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]*"
_NIL = ' xsi:nil="true"'
# The begin of an answer in UTF-8, up to the attributes of its envelope.
_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?<\?xml version="1\.0" encoding="(?i:utf-8)"\?>\s*<[A-Za-z]+:Envelope ([^<>]*)>')
_DECLARES_NIL = f'xmlns:xsi="{XSI}"'.encode()
_DATE_LENGTH = 19
# Structs within each other, the row being the first.
_DEPTH = 2


class _OtherwiseWritten(Exception):
    """The parser must read this answer, or all answers of this operation."""


class AnswerRows:
    """The array of structs in the answers of one operation: `path` leads there from the answer's members."""

    def __init__(self, path: tuple[str, ...], array: str, item: str, row: _Row) -> None:
        self.path = path
        self._name = array.encode()
        self._open, self._close = f"<{array}>".encode(), f"</{array}>".encode()
        self._row = row
        self._pattern = re.compile(f"<{item}(?:>{row.pattern}</{item}>| ?/>)")

    @classmethod
    @cache
    def of(cls, contract: Contract, operation: Operation) -> AnswerRows | None:
        """Return the rows of an operation's answers; None if they have none that this shortcut can read."""
        return _find(Plans.of(contract).struct(operation.response_type), ())

    def cut(self, body: bytes) -> tuple[bytes, list[Struct]] | None:
        """Return an answer without its rows, and the rows; None if the parser must read it as a whole."""
        start, end = body.find(self._open) + len(self._open), body.rfind(self._close)
        head = _HEAD.match(body)
        if head is None or not len(self._open) <= start < end:
            return None
        rest = body[:start] + body[end:]
        # Nothing but the array itself can be named so: no comment, no instruction, no second one.
        if rest.count(self._name) != 2 or b"<!" in rest or rest.count(b"<?") != 1:
            return None
        if rest.count(b"xmlns:xsi") != 1 or _DECLARES_NIL not in head[1]:
            return None
        try:
            text = body[start:end].decode()
            rows, reached = [], 0
            build = self._row.build
            for found in self._pattern.finditer(text):
                if found.start() != reached:
                    return None
                rows.append(build(found.groups(), 0))
                reached = found.end()
        except (UnicodeDecodeError, ValueRefused, _OtherwiseWritten):
            return None
        return (rest, rows) if reached == len(text) else None


class _Row:
    """A struct of texts, of lists of texts and of such structs: its pattern, and what is made of the groups of it."""

    def __init__(self, plan: StructPlan, depth: int = 1) -> None:
        if depth > _DEPTH:
            # Types may contain themselves.
            raise _OtherwiseWritten
        self._plan = plan
        self._depth = depth
        # Name, what reads a content, what stands for an empty element, and the row of a struct.
        self._members: list[tuple[str, Callable[[str], Any], Callable[[str], Any], _Row | None]] = []
        self.groups = 0
        pieces = []
        for key, member in plan.members.items():
            name = key.rpartition(SEPARATOR)[2]
            if name == member.name:
                pieces.append(self._add(name, member))
        self.pattern = "".join(pieces)

    def _add(self, name: str, member: MemberPlan) -> str:
        """Add a member; return its pattern, whose first group is not None if it is there."""
        self.groups += 1
        if member.flat or member.any or member.spool is not None:
            raise _OtherwiseWritten
        if member.struct is not None:
            inner = _Row(member.struct, self._depth + 1)
            self._members.append((name, str, str, inner))
            self.groups += inner.groups
            return f"(?:<{name}(>){inner.pattern}</{name}>)?"
        if member.item is not None:
            if member.item.convert is None:
                raise _OtherwiseWritten
            item = member.item_key.rpartition(SEPARATOR)[2]
            read = _list_reader(item, quick(member.item.convert))
            self._members.append((name, read, _for_empty(read, nil=False), None))
            content = f"(?:<{item}>{_TEXT}</{item}>)*"
        else:
            assert member.convert is not None  # noqa: S101  the only kind left
            read = quick(member.convert)
            self._members.append((name, read, _for_empty(read, nil=member.may_be_null), None))
            content = _TEXT
        # The content with the sign before it, or the end of an empty element.
        return f"(?:<{name}(>{content}(?=</{name}>)|(?:{_NIL})? ?/(?=>))(?:</{name})?>)?"

    def build(self, groups: Sequence[str | None], place: int) -> Struct:
        """Return the struct of the groups from this place on."""
        values: dict[str, Any] = {}
        for name, read, for_empty, inner in self._members:
            found = groups[place]
            place += 1
            if inner is not None:
                if found is not None:
                    values[name] = inner.build(groups, place)
                place += inner.groups
            elif found is None:
                continue
            elif found[0] == ">":
                values[name] = found[1:] if read is str else read(found[1:])
            else:
                values[name] = for_empty(found)
        return self._plan.build(values)


def quick(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return the reader of a value, a faster one for dates: nearly all are such as 2024-02-29T10:00:00."""
    return _date if convert is READERS["dateTime"] else convert


def _date(text: str) -> Any:
    if len(text) == _DATE_LENGTH and text[4] == text[7] == "-" and text[10] == "T":
        try:
            return datetime.datetime.fromisoformat(text)
        except ValueError:
            return READERS["dateTime"](text)
    return READERS["dateTime"](text)


def _for_empty(read: Callable[[str], Any], *, nil: bool) -> Callable[[str], Any]:
    """Return what gives the value of an empty element, which may be `nil`."""

    def value(found: str) -> Any:
        if _NIL not in found:
            return read("")
        if not nil:
            raise _OtherwiseWritten
        return None

    return value


def _list_reader(item: str, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    begin, end = f"<{item}>", f"</{item}>"
    return lambda content: [convert(each.removeprefix(begin)) for each in content.split(end)[:-1]]


def _find(plan: StructPlan, path: tuple[str, ...]) -> AnswerRows | None:
    """Return the first array of structs in an answer, or in a member of it."""
    for key, member in plan.members.items():
        name = key.rpartition(SEPARATOR)[2]
        if member.item is not None and member.item.struct is not None and not member.flat:
            try:
                row = _Row(member.item.struct)
            except _OtherwiseWritten:
                return None
            return AnswerRows((*path, member.name), name, member.item_key.rpartition(SEPARATOR)[2], row)
        if not path and member.struct is not None and not member.flat:
            found = _find(member.struct, (member.name,))
            if found is not None:
                return found
    return None
