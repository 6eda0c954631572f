"""Nothing secret stays in a masked call, in whatever form it was sent."""

from __future__ import annotations

import base64
import gzip
import re
from datetime import UTC, datetime

import pytest

from soapstone.shadow.exchange import Exchange, decompressed
from soapstone.shadow.markup import tree
from soapstone.shadow.masking import Mask

AT = datetime(2026, 1, 1, tzinfo=UTC)
HEADERS = {"content-type": "text/xml; charset=utf-8"}
FILE = "Email,Name\nada@example.com,Ada\n"


def exchange(request: str, answer: str = "<a/>", charset: str = "utf-8") -> Exchange:
    kind = f"text/xml; charset={charset}"
    return Exchange(AT, "/x", {"content-type": kind}, request.encode(charset), 200, kind, answer.encode(charset))


def masked(request: str, answer: str = "<a/>", charset: str = "utf-8") -> str:
    found = Mask().exchange(exchange(request, answer, charset))
    assert found is not None
    tree(found.request)
    return (found.request + found.answer).decode()


@pytest.mark.parametrize(
    ("secret", "sent"),
    [
        ("ada", "<a>ada@example.com</a>"),
        ("ada", "<a>Ada &lt;ada@example.com&gt;; x</a>"),
        ("ada", "<a>a&#100;a&#64;example.com</a>".replace("a&#100;a", "&#97;da")),
        ("ada", "<a><![CDATA[ada@example.com]]></a>"),
        ("ada", "<a>mailto:ada%40example.com?subject=x</a>"),
        ("ada", "<a>&lt;a href='mailto:ada&amp;#64;example.com'></a>"),
        ("ada", '<a b="ada@example.com"/>'),
        ("ada", "<a><!-- ada@example.com --></a>"),
        ("ada", "<a><?x ada@example.com?></a>"),
        ("ada", '<a>"ada"@example.com</a>'),
        ("ada", "<a>ada@[127.0.0.1]</a>"),
        ("ad\u00e4", "<a>ad\u00e4@ex\u00e4mple.com</a>"),
        ("ada", f"<a>{base64.b64encode(FILE.encode()).decode()}</a>"),
        ("ada", f"<a>{base64.b64encode(base64.b64encode(FILE.encode())).decode()}</a>"),
        ("ada", f"<a>{base64.b64encode(FILE.encode('utf-16')).decode()}</a>"),
        ("s3cret", "<a><Password>s3cret</Password></a>"),
        ("s3cret", "<a><sessionId>s3cret</sessionId><b>no s3cret here</b></a>"),
        ("s3cret", "<x:a xmlns:x='y'><x:UserName>s3cret</x:UserName></x:a>"),
        ("4111111111111111", "<a>paid by 4111111111111111.</a>"),
        ("4111 1111 1111 1111", "<a>4111 1111 1111 1111</a>"),
        ("123", "<a><CardCvv>123</CardCvv></a>"),
    ],
)
def test_a_secret_is_gone(secret: str, sent: str) -> None:
    found = Mask().exchange(exchange(sent))
    assert found is not None
    # A mask has 16 digits and letters from a to f, which may have the secret in them.
    assert secret not in re.sub("[0-9a-f]{16}", "", found.request.decode())
    inner = tree(found.request).text
    while sent[3:].startswith(("RW", "Ul", "//")) and not inner.startswith("Email"):
        inner = base64.b64decode(inner).decode()
    assert secret not in re.sub("[0-9a-f]{16}", "", inner)


def test_a_file_that_is_no_text_is_not_kept() -> None:
    packed = base64.b64encode(gzip.compress(FILE.encode() * 10)).decode()
    assert "<a></a>" in masked(f"<a>{packed}</a>")


def test_other_charsets() -> None:
    assert "ad\u00e4" not in masked("<a>ad\u00e4@example.com</a>", charset="iso-8859-1")
    assert "ada" not in masked("<a>ada@example.com</a>", charset="utf-16")


def test_a_call_that_declares_utf_16_and_is_in_utf_8_is_kept() -> None:
    request = '<?xml version="1.0" encoding="utf-16"?><a>ä ada@example.com</a>'
    found = Mask().exchange(
        Exchange(AT, "/x", {"content-type": "text/xml"}, request.encode(), 200, "text/xml", b"<a/>")
    )
    assert found is not None
    assert "ada@" not in found.request.decode()
    assert tree(found.request).text.startswith("ä ")


def test_what_means_nothing_to_a_thief_stays() -> None:
    text = '<x:a xmlns:x="http://a.example/" x:type="x:b">4711 <c>1234567890123456</c>ListID &amp; more</x:a>'
    assert text in masked(text)


def test_the_same_address_is_the_same_in_all_calls_and_other_in_other_recordings() -> None:
    mask = Mask()
    kept = [
        mask.exchange(exchange(f"<a>{each}</a>")) for each in ("ada@example.com", "ADA@example.com", "b@example.com")
    ]
    first, second, third = (each.request for each in kept if each)
    assert first == second != third
    assert masked("<a>ada@example.com</a>") != first.decode()


def test_a_credential_of_the_answer_is_gone_from_the_request() -> None:
    mask = Mask()
    mask.exchange(exchange("<a/>", "<a><sessionId>1234-5678</sessionId></a>"))
    kept = mask.exchange(exchange("<a><b>session 1234-5678</b></a>"))
    assert kept is not None
    assert b"1234-5678" not in kept.request


@pytest.mark.parametrize(
    "body", ["<a>ada@example.com", "ada@example.com", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<a>" * 200]
)
def test_what_cannot_be_read_is_not_kept(body: str) -> None:
    assert Mask().exchange(exchange(body)) is None
    assert Mask().exchange(exchange("<a/>", body)) is None


def test_compressed_bodies_are_read_within_bounds() -> None:
    plain = exchange("<a/>")
    packed = Exchange(AT, "/x", HEADERS, gzip.compress(b"<a/>"), 200, "", b"")
    assert decompressed(packed, "gzip", "").request == plain.request  # type: ignore[union-attr]
    assert decompressed(packed, "br", "") is None
    assert decompressed(Exchange(AT, "/x", HEADERS, gzip.compress(b"x" * (17 << 20)), 200, "", b""), "gzip", "") is None
