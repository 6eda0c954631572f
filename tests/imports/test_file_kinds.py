"""Files that are no delimited text are named for what they are."""

from __future__ import annotations

import codecs

import pytest
from tests.growth import check_growth
from tests.imports.workbooks import encrypted, excel_xml, html, xls

from soapstone.imports.file_kinds import check_kind, kind
from soapstone.imports.records import UnreadableError

ROWS = [["Email"], ["ann@example.org"]]


@pytest.mark.parametrize(
    ("head", "told", "words"),
    [
        (xls({"People": ROWS}), "workbook", "Excel workbook"),
        (encrypted(), "workbook", "Excel workbook"),
        (html(ROWS), "html", "HTML page"),
        (codecs.BOM_UTF8 + html(ROWS), "html", "HTML page"),
        (codecs.BOM_UTF8 * 2 + html(ROWS), "html", "HTML page"),
        (html(ROWS).decode().encode("utf-16"), "html", "HTML page"),
        (b"\r\n  <TABLE border=1><tr><td>Email", "html", "HTML page"),
        (b"<!-- made by x --><style>td{}</style><table>", "html", "HTML page"),
        (b"<meta charset=utf-8><table >", "html", "HTML page"),
        (b"<!DOCTYPE html><p>Your session has expired.", "html", "HTML page"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><table>', "html", "HTML page"),
        (b'<html xmlns:x="urn:schemas-microsoft-com:office:spreadsheet"><body>', "html", "HTML page"),
        (excel_xml({"People": ROWS}), "excel_xml", "XML of Excel 2003"),
        (b"<?xml version='1.0'?><people/>", "xml", "is XML"),
        (b"%PDF-1.7\n", "pdf", "PDF"),
        (b"BEGIN:VCARD\r\nVERSION:3.0\r\nEMAIL:ann@example.org\r\nEND:VCARD\r\n", "vcard", "vCards"),
        ("begin:vcard\n".encode("utf-16"), "vcard", "vCards"),
        (b"dn: cn=Ann Lee,mail=ann@example.org\nobjectclass: top\n", "ldif", "LDIF"),
        (b"version: 1\r\n\r\ndn:: Y249Wm/Dqw==\r\nmail: zoe@example.org\r\n", "ldif", "LDIF"),
        (b"# extended LDIF\n#\n# LDAPv3\n\n# Ann Lee, example.org\ndn: cn=Ann Lee\n", "ldif", "LDIF"),
    ],
    ids=range(20),
)
def test_what_files_are(head: bytes, told: str, words: str) -> None:
    assert kind(head) == told
    with pytest.raises(UnreadableError, match=words):
        check_kind(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Email\n",
        b"<ann@example.org>\n<bob@example.org>\n",
        b"<b>,ann@example.org\n",
        b"Email,Note\nann@example.org,<html><table>\n",
        b"\t\nann@example.org\n",
        "<ann@example.org>".encode("utf-16"),
        b"PK\x03\x04",
        b"# dn: people\nEmail\nann@example.org\n",
        b"DN,Email\ndn:1,ann@example.org\n",
    ],
)
def test_other_files(head: bytes) -> None:
    assert kind(head) == ""
    check_kind(head)


@pytest.mark.parametrize("text", [b"<", b"<a", b"<!--", b" ", b"<table"])
def test_time_is_linear(text: bytes) -> None:
    check_growth(lambda length: b"<a" + text * (length // len(text)), kind)
