"""What counts as the same answer, and the table of what differs on purpose."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.interop.oracle.exchange import Answer


@dataclass(frozen=True)
class Difference:
    """Requests by their name, without the SOAP version before it, whose answers differ, and why."""

    names: str
    reason: str

    def covers(self, name: str) -> bool:
        return re.fullmatch(self.names, re.sub(r"^1\.[12] ", "", name)) is not None


_VALUES = "int|long|double|boolean|dateTime"

DIFFERENCES = [
    Difference(
        rf"({_VALUES}) nil true, with content",
        "asmx-16: nil is a format error for a plain value; Mono reads the content",
    ),
    Difference(
        r"(spooled )?(string|base64Binary) nil (true|1|spaced|true, with content)|(struct|flat) nil( with members)?",
        "asmx-16: nil is null for strings and objects; Mono looks at it only where the schema foresees nil",
    ),
    Difference(
        rf"(nillable )?(spooled )?({_VALUES}|string) child only",
        "Mono reads the text of the child as the value and loses its place; ours is the 400 of a child behind a text",
    ),
    Difference(
        r"(nillable )?dateTime '2021-03-04T24:00:00'",
        "asmx-17: any form of XML Schema is taken, and 24:00:00 is one",
    ),
    Difference(
        r"array of (int|string|struct) (repeated|loose|loose, repeated)",
        "mm-7: repeated array elements are collected, and a bare text is an item",
    ),
    Difference(
        r"(nillable )?struct (unknown type|type of another namespace)",
        "SOAP libraries write type names of their own; a name that is not known is ignored",
    ),
    Difference(
        r"(charset no charset(, declared (latin-1|utf-16))?|charset (unknown|empty) charset)",
        "asmx-12: without a usable charset we follow the document instead of US-ASCII",
    ),
    Difference(
        r"charset latin-1 declared utf-8, charset utf-8|broken bad UTF-8(, (no|wrong) action)?",
        "asmx-12: bytes that are not of the charset are refused; Mono damages the data in silence",
    ),
    Difference(
        r"media 'text/xml ; charset = utf-8' with(out)? action",
        "HTTP allows white space there; Mono takes it for a part of the media type",
    ),
    Difference(
        r"media 'application/json' with(out)? action",
        "another handler of Mono answers that media type; asmx-11 says 415",
    ),
    Difference(
        r"POST (form|nothing)",
        "asmx-11: 415 for the media type; Mono reads the body for an action first",
    ),
    Difference(
        r"(text/xml|soap\+xml) action (one quote|markup)(, unknown element)?",
        "Mono fails on one quote and refuses markup in headers before the service sees it",
    ),
    Difference(
        r"envelope two payloads(, no action)?",
        "the first payload counts, because its upload is on the way already; Mono lets the last win",
    ),
    Difference(
        r"envelope (no Body|only Header|body element instead|Body of the other version|root of another name)"
        r", no action",
        "the fault table has one row for this; Mono calls it Server when there is no action",
    ),
    Difference(
        r"broken NUL after the end(, (no|wrong) action)?",
        "a NUL is not XML (asmx-13), wherever it stands",
    ),
    Difference(
        r"double written '(1e1[5-7]|1e2[0-2]|1e100|1\.5e15|1\.5e300|1\.7976931348623157E308|123456789012345678)'",
        "mm-35: whole numbers are written without exponent, however large",
    ),
    Difference(r"GET \?op=.*", "Mono's help page of one operation does not work"),
    Difference(r"POST in another case", "paths had no case on the original's system (asmx-2); this one has"),
]

_PLACE = re.compile(rb"There is an error in XML document \(\d+, \d+\)")
_PARSER_MESSAGE = re.compile(rb"(Server was unable to process request\. ---&gt; )[^<]*")


def differs(name: str, theirs: Answer, ours: Answer) -> str:
    """What is not the same; empty when the answers are equal but for what can be told to be the same."""
    if theirs.status != ours.status:
        return f"status {theirs.status} there, {ours.status} here"
    if _is_document(theirs) and _is_document(ours):
        # Help pages, error pages and descriptions are worded by each side; wsdl and disco have tests of their own.
        media = [_media(answer).partition(";")[0] for answer in (theirs, ours)]
        return "" if media[0] == media[1] else f"media type {media[0]} there, {media[1]} here"
    if _media(theirs) != _media(ours):
        return f"content-type {_media(theirs)} there, {_media(ours)} here"
    cache = [answer.headers.get("cache-control") for answer in (theirs, ours)]
    # asmx-14 knows one header for all answers. Mono shortens it in faults from before the method.
    if cache[1] != "private, max-age=0" or cache[0] not in (cache[1], "private"):
        return f"cache-control {cache[0]} there, {cache[1]} here"
    bodies = [_plain(name, answer.body) for answer in (theirs, ours)]
    if bodies[0] == bodies[1] or _same_but_for_resources(bodies[0], bodies[1]):
        return ""
    return f"body\n  there: {bodies[0].decode(errors='replace')}\n  here:  {bodies[1].decode(errors='replace')}"


def _media(answer: Answer) -> str:
    return answer.headers.get("content-type", "")


def _is_document(answer: Answer) -> bool:
    return _media(answer).startswith("text/html") or (answer.status == 200 and b"<soap:Envelope" not in answer.body)


def _plain(name: str, body: bytes) -> bytes:
    """Without what is allowed to differ: the place of a bad value (asmx-22), and the parser's own words."""
    body = _PLACE.sub(b"There is an error in XML document (line, column)", body)
    if " broken " in name or "xml 1.1" in name:
        body = _PARSER_MESSAGE.sub(rb"\1{parser message}", body)
    return body


def _same_but_for_resources(theirs: bytes, ours: bytes) -> bool:
    """Some of Mono's messages are not filled in: `{0}` stands for anything."""
    parts = re.split(rb"\{\d\}", theirs)
    return len(parts) > 1 and re.fullmatch(rb"[^<]*".join(map(re.escape, parts)), ours) is not None
