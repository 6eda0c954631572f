"""What attackers and broken clients send: a documented answer, no growth, no insides shown, others unharmed."""

from __future__ import annotations

import gzip
import io
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

MB = 1_000_000
GROWTH = 60 * MB
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.fixture(autouse=True)
def _unharmed(wire: Any) -> Iterator[None]:
    """After each test the server answers, has logged no stack trace and has not grown."""
    wire.is_well()
    before = wire.memory()
    wire.forget_peak()
    yield
    assert wire.memory(peak=True) - before < GROWTH
    wire.is_well()
    blobs = list((wire.served.data / "blobs").glob("*.partial"))
    assert blobs == []


def chunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def soap(
    wire: Any,
    pieces: Iterator[bytes],
    *,
    action: bool = True,
    extra: tuple[str, ...] = (),
    operation: str = "getErrorDetails",
) -> Any:
    """Post a body to an operation, piece by piece."""
    head = wire.cases.http(
        wire.cases.MM_PATH,
        action=f'"{wire.cases.MM}{operation}"' if action else None,
        extra=("Transfer-Encoding: chunked", *extra),
    )

    def everything() -> Iterator[bytes]:
        yield head
        yield from chunked(pieces)

    return wire.send(everything())


def around(wire: Any, inner: Iterator[bytes], operation: str = "getErrorDetails", header: str = "") -> Iterator[bytes]:
    body = wire.cases.envelope(f'<{operation} xmlns="{wire.cases.MM}">@</{operation}>', "1.1", header)
    start, end = body.encode().split(b"@")
    yield start
    yield from inner
    yield end


def times(piece: bytes, size: int) -> Iterator[bytes]:
    """So many bytes of the same piece, in blocks of about 64 kB."""
    block = piece * max(65536 // len(piece), 1)
    for _ in range(size // len(block) + 1):
        yield block


def joined(*parts: bytes | Iterator[bytes]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from part


DOCTYPES = {
    "empty": b"<!DOCTYPE a>",
    "bomb": f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]>'.encode(),
    "external": b'<!DOCTYPE a [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
    "external subset": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">',
    "parameter": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
}


@pytest.mark.parametrize("doctype", DOCTYPES)
def test_document_types(wire: Any, doctype: str) -> None:
    """asmx-13"""
    body = b"".join(around(wire, iter([b"<error_nbr>&l9;</error_nbr>"]))).partition(b"?>")[2]
    reply = soap(wire, iter([DOCTYPES[doctype] + body]))
    assert (reply.status, reply.body) == ("400 Bad Request", b"")
    reply = soap(wire, iter([DOCTYPES[doctype] + body]), action=False)
    assert reply.status == "500 Internal Server Error"
    assert "a document type declaration is not allowed" in reply.text
    assert "root:" not in reply.text


def bodies() -> dict[str, Any]:
    return {
        "a million nested elements": lambda: times(b"<a>", 3 * MB),
        "a million nested elements with closing tags": lambda: joined(times(b"<a>", 3 * MB), times(b"</a>", 4 * MB)),
        "a million attributes": lambda: joined(
            b"<a", (b"".join(b" a%d='1'" % (n + at) for n in range(5000)) for at in range(0, MB, 5000)), b"/>"
        ),
        "an attribute of 100 MB": lambda: joined(b"<a b='", times(b"x", 100 * MB), b"'/>"),
        "a name of 100 MB": lambda: joined(b"<", times(b"x", 100 * MB)),
        "a comment of 100 MB": lambda: joined(b"<!--", times(b"x", 100 * MB), b"-->"),
        "an instruction of 100 MB": lambda: joined(b"<?x ", times(b"x", 100 * MB), b"?>"),
        "a reference of 100 MB": lambda: joined(b"&", times(b"x", 100 * MB), b";"),
        "millions of names": lambda: (
            b"".join(b"<a%d/>" % (at + n) for n in range(5000)) for at in range(0, 4 * MB, 5000)
        ),
        "millions of names of attributes": lambda: (
            b"".join(b"<a b%d='' c%d=''/>" % (at + n, at + n) for n in range(2500)) for at in range(0, 2 * MB, 2500)
        ),
        "millions of prefixes": lambda: (
            b"".join(b"<a xmlns:n%d='u'/>" % (at + n) for n in range(2500)) for at in range(0, 2 * MB, 2500)
        ),
    }


@pytest.mark.parametrize("kind", bodies())
def test_markup_without_end(wire: Any, kind: str) -> None:
    known = around(wire, bodies()[kind](), "addGroup", wire.session())
    reply = soap(wire, known, operation="addGroup")
    assert (reply.status, reply.body) == ("400 Bad Request", b"")


@pytest.mark.parametrize("kind", bodies())
def test_markup_without_end_of_an_unknown_caller(wire: Any, kind: str) -> None:
    """Before the caller is known the request must not be long, whatever is in it; then the session is asked for."""
    for operation in ("getErrorDetails", "addGroup"):
        reply = soap(wire, around(wire, bodies()[kind](), operation), operation=operation)
        assert reply.status in ("400 Bad Request", "500 Internal Server Error", "200 OK")
        assert "<ErrorNumber>0</ErrorNumber>" not in reply.text


def test_a_header_without_end(wire: Any) -> None:
    start, end = wire.cases.envelope("", "1.1", "<x>@</x>").encode().split(b"@")
    reply = soap(wire, joined(start, times(b"x", 100 * MB), end), operation="addGroup")
    said = "The header does not end within the first 65536 bytes."
    assert reply.text == wire.cases.fault("Client", f"{wire.cases.READ}{said}")


def content() -> dict[str, Any]:
    return {
        "a member of 100 MB": lambda: joined(b"<group_name>", times(b"1", 100 * MB), b"</group_name>"),
        "a member of 100 MB of CDATA": lambda: joined(
            b"<group_name><![CDATA[", times(b"1", 100 * MB), b"]]></group_name>"
        ),
        "five million unknown members": lambda: times(b"<x>1</x>", 90 * MB),
        "100 MB of short lines": lambda: joined(b"<group_name>", times(b"1\n", 100 * MB), b"</group_name>"),
        "100 MB of references": lambda: joined(b"<group_name>", times(b"&lt;", 100 * MB), b"</group_name>"),
        "100 MB of faces": lambda: joined(b"<group_name>", times("😀".encode(), 100 * MB), b"</group_name>"),
        "100 MB of space": lambda: times(b" \n", 100 * MB),
    }


@pytest.mark.parametrize("kind", content())
def test_content_that_is_not_spooled(wire: Any, kind: str) -> None:
    known = around(wire, content()[kind](), "addGroup", wire.session())
    for pieces, operation in ((known, "addGroup"), (around(wire, content()[kind]()), "getErrorDetails")):
        reply = soap(wire, pieces, operation=operation)
        assert reply.status == "500 Internal Server Error"
        assert reply.text == wire.cases.fault("Client", f"{wire.cases.READ}The request is too long.")


def test_a_file_member_full_of_markup(wire: Any) -> None:
    """A file holds text; the session is asked for first."""
    for inner in (b"<a>", b"<csvData><a/></csvData>"):
        reply = soap(wire, around(wire, iter([inner]), "uploadListQueue"), action=False)
        assert reply.status in ("500 Internal Server Error", "400 Bad Request")


@pytest.mark.parametrize("cut", [0, 1, 40, 200, 300])
def test_clients_that_go_away(wire: Any, cut: int) -> None:
    request = wire.cases.http(wire.cases.MM_PATH, wire.cases.details(), action=wire.cases.ACTION)
    with wire.connect() as connection:
        connection.sendall(request[:cut])
    with wire.connect() as connection:
        connection.sendall(request[: -1 - cut % 7])


def test_a_body_that_is_longer_than_it_said(wire: Any) -> None:
    request = wire.cases.http(wire.cases.MM_PATH, wire.cases.details(), action=wire.cases.ACTION)
    reply = wire.send(request + b"<more/>" * 1000)
    assert reply.status == "200 OK"


# --- heads -----------------------------------------------------------------------------------------------------------


def test_duplicate_headers(wire: Any) -> None:
    """Of headers that come twice the first counts; two lengths, or a length and chunks, could smuggle a request."""
    cases = wire.cases

    def status(*extra: str, body: str | bytes = cases.details()) -> str:
        return str(wire.send(cases.http(cases.MM_PATH, body, action=cases.ACTION, extra=extra)).status)

    assert status("SOAPAction: urn:x") == "500 Internal Server Error"
    assert status("Content-Type: text/plain") == "415 Unsupported Media Type"
    assert status("Host: other.example") == "200 OK"
    assert status("Content-Encoding: identity", "Content-Encoding: gzip") == "415 Unsupported Media Type"
    body = b"0\r\n\r\n"
    assert status("Transfer-Encoding: chunked", f"Content-Length: {len(body)}", body=body) == "400 Bad Request"
    assert status("Content-Length: 3") == "400 Bad Request"
    assert status("Transfer-Encoding: chunked, identity", body=body) == "400 Bad Request"
    assert status("Transfer-Encoding: gzip", body=body) == "400 Bad Request"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /mmapi.asmx HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\nBad\0Header: 1\r\n\r\n",
        b"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"\0" * 100,
    ],
)
def test_what_is_not_http(wire: Any, request_bytes: bytes) -> None:
    reply = wire.send(request_bytes)
    assert reply.status == "400 Bad Request"
    assert b"Traceback" not in reply.body


@pytest.mark.parametrize("kind", ["long value", "many", "long name", "long address"])
def test_heads_without_end(wire: Any, kind: str) -> None:
    start = b"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\n"
    pieces = {
        "long value": joined(start, b"X: ", times(b"x", 100 * MB)),
        "many": joined(start, times(b"X: 1\r\n", 100 * MB)),
        "long name": joined(start, times(b"x", 100 * MB)),
        "long address": joined(b"GET /mmapi.asmx?", times(b"x", 100 * MB)),
    }[kind]
    assert wire.send(pieces).status.startswith("431 ")


@pytest.mark.parametrize("kind", ["few", "many", "long value", "long name", "long extension"])
def test_what_a_chunked_body_has_beside_its_content(wire: Any, kind: str) -> None:
    """A parser keeps a trailer until it is whole, so there is a bound."""
    head = wire.cases.http(wire.cases.MM_PATH, action=wire.cases.ACTION, extra=("Transfer-Encoding: chunked",))
    body = wire.cases.details().encode()
    start = head + b"%x\r\n%b\r\n0" % (len(body), body)
    pieces = {
        "few": joined(start + b"\r\n", times(b"X: 1\r\n", 30_000), b"\r\n"),
        "many": joined(start + b"\r\n", times(b"X: 1\r\n", 30 * MB), b"\r\n"),
        "long value": joined(start + b"\r\nX: ", times(b"x", 100 * MB)),
        "long name": joined(start + b"\r\n", times(b"x", 100 * MB)),
        "long extension": joined(start + b";", times(b"x", 100 * MB)),
    }[kind]
    assert wire.send(pieces).status.startswith("200 " if kind == "few" else "431 ")


# --- content encodings -----------------------------------------------------------------------------------------------


def compressed(pieces: Iterator[bytes], level: int = 6) -> Iterator[bytes]:
    stream = zlib.compressobj(level, wbits=31)
    for piece in pieces:
        yield stream.compress(piece)
    yield stream.flush()


def test_gzip_bodies(wire: Any) -> None:
    body = wire.cases.details().encode()
    halves = gzip.compress(body[:100]) + gzip.compress(body[100:])
    for data in (gzip.compress(body), halves):
        for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
            reply = soap(wire, iter(pieces), extra=("Content-Encoding: GZip",))
            assert (reply.status, reply.text) == ("200 OK", wire.cases.no_error())


def test_gzip_bombs(wire: Any) -> None:
    """2 GB of spaces are 2 MB of gzip."""
    bomb = io.BytesIO()
    for piece in compressed(around(wire, times(b" ", 300 * MB)), level=9):
        bomb.write(piece)
    assert bomb.tell() < MB
    began = time.monotonic()
    reply = soap(wire, iter([bomb.getvalue()]), extra=("Content-Encoding: gzip",))
    assert reply.status in ("500 Internal Server Error", "413 Content Too Large", "413 Request Entity Too Large")
    assert time.monotonic() - began < 10
    # And as a file, which may be of any size.
    upload = wire.upload("@@").encode()
    start, end = upload.split(b"@@")
    pieces = compressed(joined(start, times(b"x", 300 * MB), end), level=9)
    request = wire.cases.http(wire.cases.MM_PATH, extra=("Transfer-Encoding: chunked", "Content-Encoding: gzip"))
    assert wire.send(joined(request, chunked(pieces))).status.startswith("413 ")


def test_damaged_gzip(wire: Any) -> None:
    data = gzip.compress(wire.cases.details().encode())
    damaged = bytearray(data)
    damaged[-6] ^= 255
    for body in (data[:-1], data[:20], bytes(damaged), b"plain", data + b"rest"):
        reply = soap(wire, iter([body]), extra=("Content-Encoding: gzip",))
        assert (reply.status, reply.body) == ("400 Bad Request", b"")


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "nonsense", "compress"])
def test_other_content_encodings(wire: Any, encoding: str) -> None:
    reply = soap(wire, times(b"x", 10 * MB), extra=(f"Content-Encoding: {encoding}",))
    assert (reply.status, reply.body) == ("415 Unsupported Media Type", b"")
    assert reply.header("accept-encoding") == "gzip"


# --- XML over HTTP ---------------------------------------------------------------------------------------------------


def post_xml(wire: Any, pieces: Iterator[bytes], call: str = "SendToFile", *extra: str) -> Any:
    head = wire.cases.http(f"/xml/{call}", content_type="application/xml", extra=("Transfer-Encoding: chunked", *extra))
    return wire.send(joined(head, chunked(pieces)))


KNOWN = b"<UserName>demo</UserName><Password>demo</Password><ListID>1</ListID>"


def xml_bodies() -> dict[str, Any]:
    start, end = b"<SendToFile>" + KNOWN, b"</SendToFile>"
    return {
        "DTD": lambda: joined(b"<!DOCTYPE a>", start, end),
        "bomb": lambda: joined(DOCTYPES["bomb"], start, b"&l9;", end),
        "external": lambda: joined(DOCTYPES["external"], start, b"&l9;", end),
        "another encoding": lambda: joined(b'<?xml version="1.0" encoding="gb18030"?>', start, end),
        "no encoding": lambda: joined(b'<?xml version="1.0" encoding="none"?>', start, end),
        "NUL": lambda: joined(start, b"\0", end),
        "truncated": lambda: joined(start),
        "nested": lambda: joined(start, times(b"<a>", 3 * MB)),
        "names": lambda: joined(
            start, (b"".join(b"<a%d/>" % (at + n) for n in range(5000)) for at in range(0, 4 * MB, 5000)), end
        ),
        "lines": lambda: joined(start, b"<Message><HTMLBody>", times(b"x\n", 100 * MB), b"</HTMLBody></Message>", end),
        "attribute": lambda: joined(start, b"<a b='", times(b"x", 100 * MB), b"'/>", end),
        "comment": lambda: joined(start, b"<!--", times(b"x", 100 * MB), b"-->", end),
        "member": lambda: joined(start, b"<Message><HTMLBody>", times(b"x", 100 * MB), b"</HTMLBody></Message>", end),
        "file that is not base64": lambda: joined(start, b"<File>", times(b"?", 1 * MB), b"</File>", end),
        "file in the wrong place": lambda: joined(b"<SendToFile><File>", times(b"QUJD", 1 * MB), b"</File>", end),
        "utf-16 that is none": lambda: joined(b"\xff\xfe", start, end),
    }


@pytest.mark.parametrize("kind", xml_bodies())
def test_xml_over_http(wire: Any, kind: str) -> None:
    reply = post_xml(wire, xml_bodies()[kind]())
    assert reply.status == "400 Bad Request"
    assert "<" in reply.text
    assert "root:" not in reply.text
    assert "Traceback" not in reply.text


def test_xml_over_http_compressed(wire: Any) -> None:
    body = b"<SendToFile>" + KNOWN + b"</SendToFile>"
    plain = post_xml(wire, iter([body]))
    packed = post_xml(wire, iter([gzip.compress(body)]), "SendToFile", "Content-Encoding: gzip")
    assert (plain.status, plain.body) == (packed.status, packed.body)
    bomb = compressed(joined(b"<SendToFile>", times(b"<a/>", 300 * MB)), level=9)
    assert post_xml(wire, bomb, "SendToFile", "Content-Encoding: gzip").status[:3] in ("401", "413", "400")


def test_parts_that_are_broken(wire: Any) -> None:
    media = "multipart/form-data; boundary=b"
    part = b'--b\r\nContent-Disposition: form-data; name="request"\r\n\r\n<SendToFile>' + KNOWN + b"</SendToFile>\r\n"
    file = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
    for body in (
        part,
        part + file,
        file + part,
        part + part,
        b"--x",
        b"",
        part + file + b"x" * 100,
        b"--b\r\n" + b"X" * MB,
    ):
        reply = wire.send(wire.cases.http("/xml/SendToFile", body, content_type=media))
        assert reply.status == "400 Bad Request"
    head = wire.cases.http("/xml/SendToFile", content_type=media, extra=("Transfer-Encoding: chunked",))
    endless = joined(head, chunked(joined(b'--b\r\nContent-Disposition: form-data; name="', times(b"x", 100 * MB))))
    assert wire.send(endless).status == "400 Bad Request"
