"""The shortcut for rows reads what the parser reads, or leaves the answer to it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.wire.answer_rows import AnswerRows
from soapstone.wire.answers import AnswerError, AnswerFault, AnswerReader
from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import SOAP_11, SOAP_12
from soapstone.wire.schema import ArrayType, EnumType, Member, StructType
from soapstone.wire.writer import write_answer

WITH_ROWS = [
    (contract, operation)
    for contract in (LISTRAK, MAGNETMAIL)
    for operation in contract.operations
    if AnswerRows.of(contract, operation) is not None
]
TEXTS = ("", "plain", " spaced ", "Käse 𝄞", "two\nlines", "a ] b", "2024-01-01T00:00:00", "true", "x" * 300)
SPECIAL = ("<b> & 'c'", "]]>", "a\rb", '"')


def value_of(kind: Any, chance: random.Random, texts: tuple[str, ...]) -> Any:
    """A value of a type."""
    if isinstance(kind, StructType):
        return kind.cls(**{member.name: told(member, chance, texts) for member in kind.all_members})
    if isinstance(kind, ArrayType):
        return [value_of(kind.item.type, chance, texts) for _ in range(chance.randrange(5))]
    if isinstance(kind, EnumType):
        return chance.choice(list(kind.cls))
    moment = datetime(2024, 2, 29, 12) + timedelta(
        seconds=chance.randrange(10**6), microseconds=chance.choice((0, 120))
    )
    makers: dict[str, Callable[[], Any]] = {
        "string": lambda: chance.choice(texts),
        "int": lambda: chance.randint(-(2**31), 2**31 - 1),
        "long": lambda: chance.randint(-(2**63), 2**63 - 1),
        "unsignedByte": lambda: chance.randrange(256),
        "double": lambda: chance.choice((0.0, -1.5, 1e300)),
        "decimal": lambda: Decimal(chance.randrange(10**6)) / 100,
        "boolean": lambda: chance.random() < 0.5,
        "dateTime": lambda: chance.choice((moment, moment.replace(tzinfo=UTC), datetime(1, 1, 1))),
    }
    return makers[kind.name]()


def told(member: Member, chance: random.Random, texts: tuple[str, ...]) -> Any:
    """A value of a member, which may be missing."""
    may_be_missing = member.nillable or (member.type.reference and not member.required)
    if may_be_missing and not member.flat and chance.random() < 0.2:
        return None
    return value_of(member.type, chance, texts)


def answer_of(operation: Operation, chance: random.Random, texts: tuple[str, ...], rows: int = 6) -> Any:
    """An answer with rows, as a handler returns it."""
    contract = LISTRAK if operation in LISTRAK.operations else MAGNETMAIL
    shortcut = AnswerRows.of(contract, operation)
    assert shortcut is not None
    answer = value_of(operation.response_type, chance, texts)
    kind: Any = operation.response_type
    place = answer
    for name in shortcut.path[:-1]:
        kind = kind.all_members_by_name[name].type
        if getattr(place, name) is None:
            setattr(place, name, value_of(kind, chance, texts))
        place = getattr(place, name)
    array = kind.all_members_by_name[shortcut.path[-1]].type
    setattr(place, shortcut.path[-1], [value_of(array.item.type, chance, texts) for _ in range(rows)])
    member = operation.result_member
    return getattr(answer, member.name) if member else answer


def outcome(contract: Contract, operation: Operation, body: bytes, *, rows: bool) -> Any:
    """What reading comes to: the answer, or the kind of failure."""
    reader = AnswerReader(contract, operation)
    if not rows:
        reader._rows = None
    try:
        reader.feed(body)
        return reader.finish()
    except (AnswerError, AnswerFault) as failure:
        return type(failure)


def test_most_reports_have_rows() -> None:
    names = {operation.name for _, operation in WITH_ROWS}
    assert len(names) > 60
    assert {"ReportSubscribedContacts", "searchForRecipients", "getSubscribedRecipients", "getGroupRecipients"} <= names


@pytest.mark.parametrize(("contract", "operation"), WITH_ROWS, ids=[each.name for _, each in WITH_ROWS])
def test_rows_of_every_operation(contract: Contract, operation: Operation) -> None:
    """Plain texts by the shortcut, others by the parser, each with the parser's answer."""
    chance = random.Random(operation.name)
    shortcut = AnswerRows.of(contract, operation)
    assert shortcut is not None
    for version in (SOAP_11, SOAP_12):
        for _ in range(4):
            body = write_answer(operation, contract.namespace, version, answer_of(operation, chance, TEXTS))
            assert shortcut.cut(body) is not None
            assert outcome(contract, operation, body, rows=True) == outcome(contract, operation, body, rows=False)
        body = write_answer(operation, contract.namespace, version, answer_of(operation, chance, TEXTS + SPECIAL))
        assert outcome(contract, operation, body, rows=True) == outcome(contract, operation, body, rows=False)


NAME = "ReportSubscribedContacts"
OPERATION = LISTRAK.operations_by_name[NAME]
ARRAY, ROW = b"ReportSubscribedContactsResult", b"WSContactSubscriptionInfo"
BODY = write_answer(OPERATION, LISTRAK.namespace, SOAP_11, answer_of(OPERATION, random.Random(1), TEXTS))

# Each change makes another document, of which some are no answer at all.
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "comment around": lambda body: body.replace(b"<" + ARRAY, b"<!--<" + ARRAY, 1).replace(
        ARRAY + b">", ARRAY + b">-->", 2
    ),
    "comment within": lambda body: body.replace(b"</" + ROW + b">", b"</" + ROW + b"><!-- x -->", 1),
    "cdata": lambda body: body.replace(b"<EmailAddress>", b"<EmailAddress><![CDATA[<a>]]>", 1),
    "entity": lambda body: body.replace(b"<EmailAddress>", b"<EmailAddress>&#65;&amp;", 1),
    "doctype": lambda body: body.replace(b"?>", b'?><!DOCTYPE x [<!ENTITY a "b">]>', 1),
    "instruction": lambda body: body.replace(b"<soap:Body>", b"<soap:Body><?a <" + ARRAY + b"> ?>", 1),
    "other namespace": lambda body: body.replace(b"<" + ARRAY + b">", b"<" + ARRAY + b' xmlns="urn:x">', 1),
    "other namespace of all": lambda body: body.replace(LISTRAK.namespace.encode(), b"urn:other"),
    "namespace of a row": lambda body: body.replace(b"<" + ROW + b">", b"<" + ROW + b' xmlns="urn:x">', 1),
    "array elsewhere": lambda body: body.replace(b"<" + ARRAY + b">", b'<x xmlns="urn:x"><' + ARRAY + b">", 1).replace(
        b"</" + ARRAY + b">", b"</" + ARRAY + b"></x>", 1
    ),
    "array twice": lambda body: body.replace(
        b"</" + ARRAY + b">", b"</" + ARRAY + b"><" + ARRAY + b"></" + ARRAY + b">", 1
    ),
    "array once more, empty": lambda body: body.replace(b"</" + ARRAY + b">", b"</" + ARRAY + b"><" + ARRAY + b"/>", 1),
    "no xsi": lambda body: (
        body.replace(b"xmlns:xsi", b"xmlns:other", 1)
        .replace(b"<AdditionMethod>", b'<AdditionMethod xsi:nil="true"/><x>', 1)
        .replace(b"</AdditionMethod>", b"</x>", 1)
    ),
    "other xsi": lambda body: body.replace(b"XMLSchema-instance", b"XMLSchema-other", 1),
    "two xsi": lambda body: body.replace(b"<soap:Body>", b'<soap:Body xmlns:xsi="urn:x">', 1),
    "prefixed row": lambda body: body.replace(b"<" + ROW + b">", b"<soap:" + ROW + b">", 1),
    "unknown element": lambda body: body.replace(b"<EmailAddress>", b"<Other>1</Other><EmailAddress>", 1),
    "nested row": lambda body: body.replace(b"<EmailAddress>", b"<" + ROW + b"></" + ROW + b"><EmailAddress>", 1),
    "member twice": lambda body: body.replace(
        b"<EmailAddress>", b"<EmailAddress>first</EmailAddress><EmailAddress>", 1
    ),
    "other order": lambda body: body.replace(b"<ContactID>", b"<AdditionMethod>x</AdditionMethod><ContactID>", 1),
    "white space": lambda body: body.replace(b"</ContactID>", b"</ContactID>\n  "),
    "carriage return": lambda body: body.replace(b"<EmailAddress>", b"<EmailAddress>a\r\n", 1),
    "control character": lambda body: body.replace(b"<EmailAddress>", b"<EmailAddress>\x01", 1),
    "no UTF-8": lambda body: body.replace(b"<EmailAddress>", b"<EmailAddress>\xff", 1),
    "overlong": lambda body: body.replace(b"<EmailAddress>", b"<EmailAddress>\xc0\x80", 1),
    "no character": lambda body: body.replace(b"<EmailAddress>", b"<EmailAddress>\xef\xbf\xbf", 1),
    "Latin-1": lambda body: body.replace(b'encoding="utf-8"', b'encoding="iso-8859-1"', 1),
    "UTF-16": lambda body: body.replace(b'"utf-8"', b'"utf-16"', 1).decode().encode("utf-16"),
    "upper case": lambda body: body.replace(b'"utf-8"', b'"UTF-8"', 1),
    "byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "no declaration": lambda body: body.partition(b"?>")[2],
    "end of CDATA": lambda body: body.replace(b"<EmailAddress>", b"<EmailAddress>]]>", 1),
    "bad date": lambda body: body.replace(b"<AdditionDate>", b"<AdditionDate>x", 1),
    "date of another form": lambda body: body.replace(b"T", b" ", 1),
    "attribute": lambda body: body.replace(b"<EmailAddress>", b'<EmailAddress id="1">', 1),
    "cut off": lambda body: body[: len(body) // 2],
    "end missing": lambda body: body.replace(b"</" + ROW + b">", b"", 1),
    "more behind": lambda body: body + b"<x/>",
}


@pytest.mark.parametrize("name", CHANGES)
def test_answers_written_in_another_way(name: str) -> None:
    body = CHANGES[name](BODY)
    assert body != BODY
    assert outcome(LISTRAK, OPERATION, body, rows=True) == outcome(LISTRAK, OPERATION, body, rows=False)


PIECES = (b"<", b">", b"/", b"&", b" ", b"]]>", b"<!--", b"-->", b"<?", b"\r", b"\xff", b'"', b"x", ARRAY, ROW, b"</x>")


def test_damaged_answers() -> None:
    """Bytes inserted, left out, and moved: the shortcut comes to what the parser comes to."""
    chance, same = random.Random(5), 0
    for _ in range(4_000):
        body = bytearray(BODY)
        for _ in range(chance.randint(1, 3)):
            place, end = sorted(chance.randrange(len(body)) for _ in range(2))
            end = min(end, place + 60)
            piece = chance.choice((chance.choice(PIECES), bytes(body[place:end]), b""))
            other = chance.randrange(len(body))
            body[other : other + chance.choice((0, len(piece)))] = piece
        found = outcome(LISTRAK, OPERATION, bytes(body), rows=True)
        assert found == outcome(LISTRAK, OPERATION, bytes(body), rows=False), bytes(body)
        same += not isinstance(found, type)
    assert same > 200
