"""Kinds of files that are not delimited text, recognised by their first bytes and never by their names.

Web applications write a table in HTML, or in the XML of Excel 2003, and name it `.xls`.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Literal

from soapstone.imports.records import UnreadableError

Kind = Literal["", "workbook", "html", "excel_xml", "xml", "pdf", "vcard", "ldif"]

# Bytes needed to recognise a file. Style sheets may precede a table.
HEAD_BYTES = 64 << 10
# The container of binary workbooks (.xls) and of those with a password, and a stream of the oldest ones.
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLDEST = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00", b"\x09\x08\x08\x00", b"\x09\x08\x10\x00")
_MARKUP = re.compile(r"<(?:!doctype html|html|table|[a-z!?/])", re.IGNORECASE)
# The shell of SQLite writes rows without a table.
_TABLE = re.compile(r"<(?:table|tr)[\s>]", re.IGNORECASE)
# RFC 2849, with the comments that ldapsearch writes in front.
_LDIF = re.compile(r"(?:(?:#[^\r\n]*|version: ?1)?\r?\n)*dn:")
_EXCEL = "urn:schemas-microsoft-com:office:spreadsheet"

_SAVE = "Save it as CSV, or import it by the command line, unpacked."
_REFUSALS: dict[Kind, str] = {
    "workbook": f"The file is an Excel workbook (.xls) and no delimited text. {_SAVE}",
    "html": f"The file is an HTML page and no delimited text, whatever its name. {_SAVE}",
    "excel_xml": f"The file is a table in the XML of Excel 2003 and no delimited text. {_SAVE}",
    "xml": "The file is XML and no delimited text. Save it as CSV.",
    "pdf": "The file is a PDF document and no delimited text. Save the table as CSV.",
    "vcard": "The file holds vCards (.vcf) and no delimited text. Let the address book export CSV.",
    "ldif": "The file is LDIF of an address book or directory, and no delimited text. Let that program export CSV.",
}


def kind(head: bytes) -> Kind:
    """Return the kind of a file with this beginning; "" for delimited text, packed files and unknown content."""
    if head.startswith((_COMPOUND, *_OLDEST)):
        return "workbook"
    if head.startswith(b"%PDF-"):
        return "pdf"
    text = head_text(head[:HEAD_BYTES])
    if text[:11].upper() == "BEGIN:VCARD":
        return "vcard"
    if _LDIF.match(text):
        return "ldif"
    markup = _MARKUP.match(text)
    if markup is None:
        return ""
    if _EXCEL in text:
        # An HTML page of Excel contains this too, among the namespaces of its root.
        return "html" if "<html" in text[:HEAD_BYTES].lower() else "excel_xml"
    if _TABLE.search(text) or markup[0].lower() in ("<!doctype html", "<html"):
        return "html"
    return "xml" if text.startswith("<?xml ") else ""


def check_kind(head: bytes) -> None:
    """Raise UnreadableError, naming the kind, for a file that is not delimited text."""
    if refusal := _REFUSALS.get(kind(head)):
        raise UnreadableError(refusal)


def beginning_of(path: Path) -> bytes:
    """Return the beginning of a file, as long as `kind` needs."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def head_text(head: bytes) -> str:
    """Decode the beginning, without byte order marks and white space; markup shows in any encoding."""
    if head.startswith(codecs.BOM_UTF16_LE):
        text = head.decode("utf-16-le", "replace")
    elif head.startswith(codecs.BOM_UTF16_BE):
        text = head.decode("utf-16-be", "replace")
    else:
        while head.startswith(codecs.BOM_UTF8):
            head = head.removeprefix(codecs.BOM_UTF8)
        text = head.decode("latin-1")
    return text.lstrip("\ufeff \t\r\n")
