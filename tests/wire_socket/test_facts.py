"""Every numbered fact and every row of the fault table, as raw bytes over a socket (asmx-1 to asmx-23)."""

from __future__ import annotations

from typing import Any


def test_fact(wire: Any, case: Any) -> None:
    reply = wire.send(case.request)
    assert (case.name, reply.status) == (case.name, case.status), reply.body[:1000]
    for name, value in case.headers.items():
        assert (name, reply.header(name)) == (name, value)
    if case.body is not None:
        assert reply.text == case.body
    for part in case.holds:
        assert part in reply.text


def test_every_fact_has_a_case(wire: Any) -> None:
    names = " ".join(case.name for case in wire.cases.CASES)
    # asmx-14, asmx-19 to asmx-21 are what whole answers are compared with.
    assert [n for n in range(1, 24) if f"asmx-{n} " not in names and n not in (14, 19, 20, 21)] == []


def test_asmx_14_one_line_without_bom(wire: Any) -> None:
    reply = wire.send(wire.cases.listrak("GetContactListCollection", ""))
    assert reply.body.startswith(b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="')
    assert b"\n" not in reply.body
    assert b"<soap:Body><GetContactListCollectionResponse xmlns=" in reply.body
    assert reply.header("content-length") == str(len(reply.body))


def test_asmx_13_line_ends_become_lf(wire: Any) -> None:
    inner = "<ListName>a\r\nb\rc&#13;d</ListName>"
    reply = wire.send(wire.cases.listrak("CreateContactList", inner))
    assert reply.status == "200 OK"
    assert "<ListName>a\nb\nc\rd</ListName>" in reply.text


def test_a_connection_serves_many_calls_whatever_they_answer(wire: Any) -> None:
    with wire.connect() as connection:
        for case in wire.cases.CASES:
            # A refused body may end the connection; all else keeps it.
            if case.name.startswith("asmx-23") or b"HEAD" in case.request[:4]:
                continue
            connection.sendall(case.request.replace(b"\r\nConnection: close", b"", 1))
            reply = wire.read(connection)
            assert (case.name, reply.status) == (case.name, case.status)
