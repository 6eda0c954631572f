"""Outside text meets only patterns whose time grows with its length, or that stand behind a bound of length.

Every pattern of the package is found in its source. TEXTS has for each one the texts that its own repeats make worst,
and SCANNERS has code that reads texts without patterns.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from time import process_time
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from tests.growth import check_growth

from soapstone.accounts.link_keys import LinkKeys
from soapstone.contacts.search import Search
from soapstone.http.client_address import cookie
from soapstone.imports.backslashes import doubling
from soapstone.imports.dialects import dialect_of
from soapstone.imports.opt_outs import LONGEST_TIME
from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.messages import sender_of, sender_text
from soapstone.sending.messages.body import Body
from soapstone.sending.messages.link_places import places_in_text
from soapstone.sending.messages.marked_text import MarkedText
from soapstone.sending.signed_links import Links
from soapstone.shadow.descriptions import renamed
from soapstone.store.tables import contacts
from soapstone.subscriber.app import is_one_click
from soapstone.tracking.bounce_classes import DETAIL_CHARACTERS, of_reply
from soapstone.tracking.delivery_reports import _recipient
from soapstone.tracking.mail_parts import _split, read_mail
from soapstone.tracking.report_texts import _elsewhere, reply_in
from soapstone.tracking.stems import LENGTH
from soapstone.wire.answer_rows import AnswerRows
from soapstone.wire.envelope import SOAP_11
from soapstone.wire.values import LONGEST_DATE
from soapstone.wire.writer import write_answer
from soapstone.xmlhttp.base64_stream import Base64Stream
from soapstone.xmlhttp.request import RequestReader

PACKAGE = Path(__file__).parent.parent / "src" / "soapstone"
FUNCTIONS = {"compile", "match", "search", "sub", "subn", "split", "findall", "finditer", "fullmatch"}

# Seconds of CPU that a text at its bound may take.
CEILING = 0.005


class Worst(NamedTuple):
    """The worst texts by their length, and what they meet: a method of the pattern, or a function in its place.

    `bound` is the length of the longest text that the code lets through.
    """

    texts: tuple[Callable[[int], Any], ...]
    meet: str | Callable[[Any], object] = "fullmatch"
    bound: int | None = None


def repeated(*forms: str, meet: str | Callable[[Any], object] = "fullmatch", bound: int | None = None) -> Worst:
    """Texts of the forms `head|repeat|tail`, with as many repeats as make the length."""
    return Worst(tuple(map(_repeats, forms)), meet, bound)


def octets(*forms: str, meet: str = "fullmatch") -> Worst:
    """The same as bytes."""
    return Worst(tuple(_encoded(_repeats(form)) for form in forms), meet)


def _repeats(form: str) -> Callable[[int], str]:
    head, unit, tail = form.split("|")
    return lambda n: head + unit * (n // len(unit)) + tail


def _encoded(text: Callable[[int], str]) -> Callable[[int], bytes]:
    return lambda n: text(n).encode()


LINKS = Links("https://a.example", LinkKeys.single("key"))


def _in_a_description(text: str) -> object:
    return renamed(text.encode(), b"/mm.asmx", "http://new")


def _like(text: str) -> object:
    return Search(SimpleNamespace(kind="postgresql"))._wild(contacts.c.email_key, text)  # type: ignore[arg-type]


def _dialect(text: Any) -> object:
    return dialect_of(BytesIO(str(text).encode()), 0, ",", '"', "utf-8")


# What is as long as a stem.
STEM = "a" * LENGTH


def _with_stems(text: str) -> object:
    """Write a body of which all but its ends is the same in every mail."""
    piece = f"\n{STEM}\n{text}\n"
    return Body("plain", fixed=[piece], stem=STEM).write([piece], "b" * LENGTH)


def _recipient_of(text: str) -> object:
    return _recipient({"diagnostic-code": text, "action": "delivered"}, "", list)


def _returned_to(text: str) -> object:
    return list(_elsewhere(read_mail(b"\nReturn-Path: x\n" + text.encode())))


def _rows_of(text: str) -> object:
    """Read an answer with this text in its array."""
    operation = LISTRAK.operations_by_name["ReportSubscribedContacts"]
    nothing = operation.response(ReportSubscribedContactsResult=[], WSException=None)
    body = write_answer(operation, LISTRAK.namespace, SOAP_11, nothing)
    array = "<ReportSubscribedContactsResult>%s</ReportSubscribedContactsResult>"
    rows = AnswerRows.of(LISTRAK, operation)
    assert rows is not None
    return rows.cut(body.replace(b"<ReportSubscribedContactsResult />", (array % text).encode()))


NUMBERS = ("|1|x", "1.|1|x", "1e|1|x", "|1.|x")
SPACES = ("| |", "a| |a", "| a|")

# Module and name of each pattern; of one without a name, the function that it is in.
TEXTS: dict[str, Worst] = {
    "accounts.logon _UNSTORABLE": repeated("|a|", meet="search"),
    "api.limits FILES": repeated("/api/v1/lists/|1|x"),
    "api.imports MEDIA": repeated("text/|a|\n", "application/|a|\n", "application/|+json|\n"),
    "api.values MOMENT": repeated("2024-02-29T10:00:00.|1|x"),
    "api.values _UNSTORABLE": repeated("|a|", meet="search"),
    "commands.common _CONTROLS": repeated("|a|", "|\x1b|", meet="sub"),
    "commands.output _CONTROLS": repeated("|a|", "|\x9b|", meet="sub"),
    "commands.html_table _CHARSET": octets("|charset=|", "|charset='|", "charset=|a|", meet="search"),
    "commands.conditions _OPERATOR": repeated("|!|", "| |", meet="search"),
    "console.login _OWN_PATH": repeated("/|a|!", "/|a/|!", "/a?|a|!", "|/|!"),
    "console.mail_folder NAME": repeated("|1|x", "12345678-|1|x"),
    "imports.backslashes doubling": repeated(
        "|\\|", '|\\"|', '|\\",|', '|\\","|', "|a\\|", meet=lambda text: doubling(",", '"')(str(text))
    ),
    "imports.blocks _NO_TEXT": repeated("|a|", meet="search"),
    "imports.dialects _may_be_escaped": repeated("|\\|", '|\\""|', '|\\"\n|', meet=_dialect),
    "imports.formulas _ESCAPED": repeated("|'|", "|'a|", meet="search"),
    "imports.formulas _FORMULA": repeated("|'|a", "|'|+", "+|1|x", "+1|,1|x", "+|1 |x", "+1e|1|x", meet="match"),
    "imports.formulas _TEXT": repeated('="|""|', '="|a|', '="|""|"x'),
    "imports.file_kinds _LDIF": repeated("|\n|", "|#\n|", "#|#|", "|\r\n|", "|#\r\n|", "|# a\r\n|", meet="match"),
    "imports.file_kinds _MARKUP": repeated("|<|", "<|a|", meet="match"),
    "imports.file_kinds _TABLE": repeated("|<table|", "|<|", meet="search"),
    "imports.layout _ADDRESS": repeated("|a|", "|<|", "|@|", "a<|a|@", "a@|a|<", "|a<|", "|a@|"),
    "imports.layout _SEPARATOR": repeated("|\ufeff|", "sep=;|;|a", 'sep="|"|'),
    "imports.opt_out_meanings _JOINTS": repeated("|_|", "|_a|", meet="sub"),
    "imports.opt_outs _LIKE_TIME": repeated("|1|", "|1/|", meet="match"),
    "imports.opt_outs _TIME": repeated(
        "2024-02-29T10:00:00.|1|x", "2024-02-29| |x", "2024-02-29Z| |x", bound=LONGEST_TIME
    ),
    "imports.double_base64 _TEXT": octets("|a|!", "|a=|", "|=|"),
    "imports.workbook _BLANK": octets("|<text:tab |", "<text:tab|/|", "|<text:tab|", "|<text:tab/>|", meet="findall"),
    "imports.workbook _DATE_AND_TIME": octets(
        'office:value-type="datetime"| |', '|office:value-type="datetime" |', meet="findall"
    ),
    "imports.workbook _ISO": repeated("PT|1|", "PT1H1M1.|1|", "2024-02-29T13:05:07.|1|"),
    "imports.workbook _INDENTATION": octets(
        "|<|", "<a|>|", "<a|> |", "<a>| |x", "|<a> |", "|</text:p> |", "<a>|\n|", meet="findall"
    ),
    "imports.workbook _NAMELESS": octets(
        "|<table:table |", "<table:table|a|", "<table:table| |", "<table:table| table:name|", "|<|", meet="findall"
    ),
    "imports.workbook _UNTYPED": octets(
        "|<table:table-cell |",
        "<table:table-cell|>|",
        "<table:table-cell| |/>",
        "|<table:table-cell/>|",
        meet="findall",
    ),
    "imports.workbook _ZONE": octets(
        *('office:date-value="|1|', 'office:date-value="1T|1|', 'office:date-value="1T1+|1|'),
        *('|office:date-value="|', '|office:date-value="1T1Z|'),
        meet="findall",
    ),
    "imports.workbook _LINE_BREAK": repeated("|\r|", "|\r\n|", meet="sub"),
    "listrak.transactional _EXTERNAL_CONTENT": repeated("|{%|", "{%| |", "|{%-|", "|{% |", meet="search"),
    "listrak.transactional _SYSTEM_LINK": repeated("|unsubscribe_lin |", "|unsubscribe_link_|", meet="search"),
    "listrak.transactional _TAG": repeated("|{{|", "{{|a|", "|{{a|", "|{|", "|{{%|", "{{|}|", meet="findall"),
    "addresses _DOTS": repeated("|.|", "|a|", meet="split"),
    "addresses _PLAIN": repeated("|a|", "|a.|", "a@|a.|", "a@|a-|", "|a@|", meet="match"),
    "addresses _SPACE": repeated("|a|", meet="search"),
    "contacts.search _wild": repeated("|%|", "|*|", meet=_like),
    "lists.profile_values _DATE": repeated("|1|", "1/1/|1|"),
    "lists.profile_values _ISO_DATE": repeated("|1|", "2024-02-29 |a|\n"),
    "lists.profile_values _NUMBER": repeated(*NUMBERS),
    "magnetmail.columns _ENHANCED": repeated("EP_|1|", "|EP_|"),
    "magnetmail.messages _ESCAPED": repeated("|\\|", "|\\a|", meet="sub"),
    "magnetmail.messages _OPEN_NAME": repeated("|a|<"),
    "magnetmail.messages _QUOTED": repeated('"|a|', '"|\\|', '"|\\a|'),
    "magnetmail.sent_status _REPLY": repeated("550| |", "550 5.|1|", meet="match"),
    "sending.messages.body __init__": repeated(f"|{STEM[:-1]}=\n|", f"|{STEM[:-1]}|", f"|{STEM}|", meet=_with_stems),
    "sending.messages.body _LINE_BREAK": repeated("|\r|", meet="sub"),
    "sending.messages.content _SURROGATE": repeated("|a|", meet="search"),
    "sending.messages.html_reader _ATTRIBUTE": repeated(
        "| |", "|a|", "a| |", 'a="|x|', "a='|x|", "a=|x|", "a= | |", "|=|", "|/|", meet="match"
    ),
    "sending.messages.html_reader _COMMENT_END": repeated("|-|", "|--!|", meet="search"),
    "sending.messages.html_reader _MARKUP": repeated("|a|", "<|a|", "|<|", "|<!-|", "|</|", meet="search"),
    "sending.messages.html_reader _REFERENCE": repeated("|&|", "&|a|", "&#|1|", "|&a|", "&#x|f|", meet="findall"),
    "sending.messages.html_reader _WORD": repeated("|a|", "|.|", meet="match"),
    "sending.messages.html_reader _SCRIPT_MARKS": repeated(
        "|<!-|", "<!--|-|", "|<script|", "|-|", "|<!--|", meet="findall"
    ),
    "sending.messages.html_reader _TEXT_ENDS": repeated("|</|", "|</title|", "|</xmp|", meet="search"),
    "sending.messages.hyperlinks _IN_TEXT": repeated(
        "|h|", "|https:/|", "https://|a|", "\ufdd0|1|", "|\ufdd01|", meet="findall"
    ),
    "sending.messages.hyperlinks _WEB": repeated("\ufdd0|1|", "|h|", meet="match"),
    "sending.messages.link_places _BEGIN": repeated("|h|", "|https:/|", "|https://|", meet="findall"),
    "sending.messages.link_places _CONDITION": repeated("<!--[if |a|", "|<!--[if |", meet="match"),
    "sending.messages.link_places _CONDITION_ENDS": repeated("|<|", "|<![endif]|", meet="search", bound=12),
    "sending.messages.link_places _ENCODED": repeated("|%7B%7B|", "%7B%7B|a|", "|%7B%7Ba|", "%7B|%7B|", meet="findall"),
    "sending.messages.link_places _END": repeated("|a|", "|https://|", meet="search"),
    "sending.messages.link_places _HOST": repeated("|h|", "|https://|", "https://|a|", "|https://a|", meet="findall"),
    "sending.signed_links held_by": repeated(
        "https://a.example/u/|.|", "|https://a.example/u/|", "https://a.example/m/|a|", meet=LINKS.held_by
    ),
    "sending.mail.mail_tracking _DOMAIN": repeated("|a|!", "|a.|", "a|-|", "a:|1|", "https://|a|:"),
    "sending.mail.mime _CONTROL": repeated("|\n|", "|a\n|", meet="sub"),
    "sending.mail.mime _LINE": repeated("|a|", "| |", "|a |", "|a|\t", "|a|é", meet="findall"),
    "sending.mail.mime _PHRASE": repeated("|a|\t", "|a |\t"),
    "sending.mail.mime _SHORT": repeated("|a|", "a| |"),
    "sending.mail.mailbox _SPACE": repeated("|a|", meet="search"),
    "sending.messages.marked_text MARK": repeated("\ufdd0|1|", "|\ufdd01|", meet="split"),
    "sending.mail.dkim _SELECTOR": repeated("|a|", "|a.|!"),
    "sending.smtp.connection _AT_LINE": octets("|.|", "|\n.|", "|a|", meet="findall"),
    "sending.smtp.connection _BEHIND_LINE": octets("|\n|", "|\n.|", "|a|", meet="search"),
    "sending.smtp.connection _BREAK": octets("|a|", meet="search"),
    "sending.smtp.connection _SPACE": repeated(*SPACES, meet="findall"),
    "sending.smtp.replies _ENHANCED": repeated("5.1.|1|", meet="match"),
    "sending.mail.spamd _POINTS": repeated("| |", "|a|", "a| |", "a;|1|", "a;1| |", "a;1/|1|x", "a;1/1| |x"),
    "sending.mail.spamd _RULE": repeated("|1|", "1| |", "1 |a|-", "1 a| |\n", "|1.|"),
    "sending.mail.spamd _STATUS": repeated("SPAMD/|1|", "SPAMD/1 |1|", "SPAMD/1 0 |a|\n"),
    "sending.mail.spamd _TABLE": repeated(
        "---- |-|", "---- ---------- |-|x", "---- ---------- ----------| |x", "|---- |", meet="split"
    ),
    "sending.messages.template _ESCAPED": repeated("|a|", meet="search"),
    "sending.messages.template _SURROGATE": repeated("|a|", meet="search"),
    # The text is a file of this package.
    "shadow.descriptions renamed": repeated("|http://|", "|http://a|", "http://|a|", meet=_in_a_description),
    "shadow.masking _BASE64": repeated("|a|!", "| |!", "a|=|", "|a |="),
    "shadow.masking _CARD": repeated("|1|", "|1 |", "|1-|x", "|1111 |", meet="search"),
    "shadow.masking _ESCAPED_AT": repeated("|&#|", "|%4|", "|&#6|", meet="search"),
    "shadow.masking _QUOTED": repeated('|"|', '|"a|', '|"a"|', meet="search"),
    "shadow.masking _WORD": repeated("|a|", "|a |", "|<|", meet="findall"),
    "store.migrations.versions.0001_the_first_tables upgrade": Worst(()),
    "testing.records _DIFFERENT": Worst(()),
    "store.schema _OWN": Worst(()),
    "testing.calls _FAULT": repeated(
        "|<faultstring |", "|<faultstring>|", "|<Error><Code>|", meet="search", bound=65536
    ),
    "subscriber.tracking _AS_SENT": octets("GET /c/|a|", f"GET /c/{STEM}/|1|", f"|GET /c/{STEM}/1|", meet="match"),
    "subscriber.tracking _CLICK": repeated(
        f"/c/{STEM}/1/|a|", f"/c/{STEM}/1|!|", f"/c/{STEM}/|1|", "/c/|a|/", f"|/c/{STEM}/1|"
    ),
    "subscriber.tracking _TARGET": repeated("https://|a|\n", "|https://|\n"),
    "testing.control SEED": repeated("/_test/see|d|"),
    "testing.mails _FOLD": repeated("|\n|", "|\n |", meet="sub"),
    "testing.mails _TRACKED": repeated(
        f"|/c/{STEM}/1/|\n\n", f"|/c/{STEM}/|", f"|/c/{STEM}/1|x", f"/c/{STEM}/|1|x", "|/c/|", meet="search"
    ),
    "tracking.bounce_classes _ENHANCED": repeated("|5|", "|5.|", "|5.1.|", "5.1.|1|", "| 5.1.1.|", meet="search"),
    "tracking.bounce_classes _GAVE_UP": repeated("|retry time|", "|time |", "|network is |", "|t|", meet="search"),
    "tracking.bounce_classes _PATTERNS": repeated(
        "|host|",
        "|mailbox|",
        "|exceeded|",
        "|mail|",
        "|message |",
        "|user |",
        "|relay access |",
        "host|a|",
        meet=of_reply,
        bound=DETAIL_CHARACTERS,
    ),
    "tracking.bounce_classes _REPLY": repeated("| |", "|5|", "| |55", meet="match"),
    "tracking.delivery_reports _ESCAPED": repeated("|\\|", "|\\x{|", "\\x{|f|", "|\\x{ffffff|", meet="sub"),
    "tracking.delivery_reports _IN_TEXT": repeated("|final-recipient|", "final-recipient| |", "|\n|", meet="search"),
    "tracking.delivery_reports _REPLY": repeated("555|5|", "|5|", meet="match"),
    "tracking.delivery_reports _STATUS_LINE": repeated("|a|", "a| |", "a:|a|\n", "|a |:"),
    "tracking.delivery_reports _recipient": repeated("|a|;", "|a|!;", "a| |;", meet=_recipient_of),
    "tracking.report_texts _ANYWHERE": repeated(
        "|a|", "|@|.", "|<|", "|a@|", "a@|.|", "|a@.|.", "|<a@|", meet="findall"
    ),
    "tracking.report_texts _DELAYED": repeated(
        "|a|", "| delay|", "|warning |", "|has not yet |", "|\n|", meet="search"
    ),
    "tracking.report_texts _FAILED": repeated(
        "|delivery|",
        "|delivery |",
        "|fail|",
        "|not |",
        "not | be |",
        "|unable to be been |",
        "|address|",
        "|error |",
        "|deliver fai|",
        meet="search",
    ),
    "tracking.report_texts _LISTED": repeated(
        "| |",
        "|a|",
        "|a@|",
        "a@a| |x",
        "|550 |",
        "550 5.1.|1|",
        "|\n|",
        "|a@.|\n",
        "|a@a x\n|",
        "a@|a|!",
        meet="findall",
    ),
    "tracking.report_texts _NOBODY": repeated("<| |x", "<mailer-daemon|a|", "|<|"),
    "tracking.report_texts _OTHERS": repeated("| |", "|>|", "|a |", "|contact|", "in:| |", meet="match"),
    "tracking.report_texts _RETURNED": repeated(
        "|-|",
        "|--\n|",
        "|-- |",
        "|-|returne",
        "|received\n|",
        "|\n|",
        "|a|message headers follo",
        "|original message|x",
        meet="search",
    ),
    "tracking.report_texts _SENDERS": repeated("|m|", "|mailer-|", "|mail |", "|postmaste|", meet="search"),
    "tracking.report_texts _elsewhere": repeated("|to:|", "|to:\n|", "|\n|", "|to:a@\n|", meet=_returned_to),
    "tracking.report_texts reply_in": repeated(
        "|400-\n|",
        "|400-|",
        "400-\n|\n|",
        "|400-\n |",
        "400 \n| |",
        "400 |\n a|",
        "|:|",
        "| 40|",
        "|400-\n\n|x",
        meet=reply_in,
        bound=2000,
    ),
    "tracking.incoming_mails _FOR": repeated("|for |", "for| |", "|for<|", "for |a|", "|for \n|;", meet="findall"),
    "tracking.incoming_mails _STEM": repeated("|a|", f"|{STEM} |", f"|{STEM[:-1]}.|", f"|{STEM}a.|", meet="findall"),
    "tracking.machines _MACHINES": repeated("|g|", "|google-|", "|python-|", "|microsoft office |", meet="search"),
    "tracking.machines _PROXY": repeated("|y|", "|yahoo|", "|googleimageprox|", meet="search"),
    "tracking.mail_listener _PATH": repeated(
        "| |", "<|a|", "<@|a|", "<@|:|", "<|@|", "<@a:|a|", "<@|a|>", "<|@:|<", "<a>|a|", "|<|"
    ),
    "tracking.mail_listener _SIZE": repeated("|s|", "|SIZE=|", "SIZE=|1|", "|SIZE=1a|", "| SIZE=1a|", meet="search"),
    "tracking.mail_parts _CONTROL": repeated("|a|", "|\0|", meet="sub"),
    "tracking.mail_parts _FIELD": repeated("|a|", "a| |", "a:|a|", "|a |:"),
    "tracking.mail_parts _HEADER_END": octets("|\r|", "|\ra|", "|a\n|", "|\n\r|", "|\r\na|", meet="search"),
    "tracking.mail_parts _PARAMETER": repeated(
        "|;|",
        ";| |",
        ";|a|",
        ";a| |",
        ";a=| |",
        ';a="|\\|',
        ';a="|a|',
        '|;a="|',
        "|; |",
        "|;a|",
        "|;a=|",
        ";a=|a|",
        meet="findall",
    ),
    "tracking.relays _SNS_URL": repeated(
        "https://sns.|a|", "https://sns.|-.|", "https://sns.a-1.amazonaws.com/|a|\n", "|https://sns.|"
    ),
    "tracking.stems _ADDRESS": repeated("https://|a|\n", "|https://|\n"),
    "tracking.stems _IN_TEXT": repeated("|/|", "|/c/|", "/c/|a|", f"|/c/{STEM}a|", f"|/c/{STEM}|", meet="findall"),
    "tracking.stems _STEM": repeated("|a|", "|a|!"),
    "tracking.stems _TARGET": repeated("|a|", "|a.|", "a.|0|", "a.0123456789abcdef|!|", "a.0123456789abcdef|a|"),
    "tracking.targets _CONTROL": repeated("|a|", meet="search"),
    "tracking.targets _HOST": repeated("|a|!", "|-|", "a|-|", "|a-|", "[|:|", "[|:|]x"),
    "tracking.targets _PARTS": repeated(
        "http://|@|",
        "http://|a|@",
        "http://|a@|",
        "http://|a@|:x",
        "http://|:|",
        "http://[|:|",
        "http://[|:|]x",
        "http://a:|1|",
        "http://|a:1@|:x",
        "http://a|/|",
        "http://a?|?|",
        "http://|[:]|",
        "http://|a|:x",
    ),
    "wire.answer_rows __init__": repeated(
        "|<WSContactSubscriptionInfo>|",
        "|<WSContactSubscriptionInfo><ContactID>|",
        "|<WSContactSubscriptionInfo></WSContactSubscriptionInfo>|x",
        "<WSContactSubscriptionInfo><EmailAddress>|a|",
        "|<WSContactSubscriptionInfo><EmailAddress>a</EmailAddress>|",
        meet=_rows_of,
    ),
    "wire.answer_rows _HEAD": octets(
        '<?xml version="1.0" encoding="utf-8"?>| |x',
        '<?xml version="1.0" encoding="utf-8"?><|a|',
        '<?xml version="1.0" encoding="utf-8"?><a:Envelope |a|',
        meet="match",
    ),
    "wire.answer_cache _BODY": octets("<|a|", "<|a:|", "<|:Body|", "|<|", meet="findall"),
    "wire.answer_cache _TEXT": octets(">|a|", ">|a |", ">a|  |", "|>|", "|>a|", meet="findall"),
    "wire.negotiation _PARAMETER": repeated(
        "|;|", ";| |", ";|a|", ";a| |", ';a="|\\|', ';|a="\\";|', "|;a|", "|; |", '|;a="|', meet="findall"
    ),
    "http.attachment _SPECIAL": repeated("|a|", "|/|", meet="sub"),
    "http.client_address _ADDRESS": repeated("[|:|x", "|1|x", "1:|1|x"),
    "http.client_address _HOST": repeated("|a|!", "[|:|", "a:|1|"),
    "http.client_address _REQUEST_ID": repeated("|a|!"),
    "http.client_address _PORT": repeated("|:|x", ":|1|x", "|:1|x", meet="search"),
    "wire.values _DATE_FORMS": repeated("2024-02-29T10:00:00.|1|x", "10:00:00.|1|x", bound=LONGEST_DATE),
    "wire.values _DECIMAL": repeated(*NUMBERS),
    "wire.values _FLOAT": repeated(*NUMBERS),
    "wire.values _INTEGER": repeated(*NUMBERS),
    "wire.values _SPECIAL": repeated("|a|", "|&|", meet="findall"),
    "xmlhttp.answer _FORBIDDEN": repeated("|a|", "|\0|", meet="findall"),
    "xmlhttp.call _NUMBER": repeated("| |", "|1|", "1| |x"),
}


def _by_bytes(document: str) -> None:
    reader = RequestReader("SendToFile", lambda *_: None, lambda: None)  # type: ignore[arg-type,return-value]
    for octet in document.encode():
        reader.feed(bytes([octet]))


def _base64_by_bytes(text: str) -> None:
    stream = Base64Stream(lambda data: None)
    for character in text:
        stream.feed(character)


SCANNERS: dict[str, Worst] = {
    "a sender": Worst(
        (
            lambda n: "a" + " " * n + "<" + " " * n + "x",
            lambda n: "a" + " " * n + "<" + " " * n + "x>",
            lambda n: "<" * n + ">",
            lambda n: '"' + "\\" * n + '" <a@a.example>',
        ),
        sender_of,
    ),
    "a sender to show": Worst(
        (lambda n: "\\" * n, lambda n: '"' * n), lambda name: sender_text(str(name), "a@a.example")
    ),
    "a cookie": Worst(
        (lambda n: 'a="' + "\\1" * n + '"', lambda n: ";" * n, lambda n: "=" * n, lambda n: "a" * n),
        lambda text: cookie({"headers": [(b"cookie", str(text).encode())]}, "a"),
    ),
    "the head of a posted form": Worst(
        (lambda n: 'multipart/form-data; x="' + ";" * n, lambda n: " " * n, lambda n: "multipart/form-data" + " " * n),
        lambda text: is_one_click(str(text), b""),
    ),
    "a posted form": Worst(
        (
            lambda n: '--a\nContent-Disposition: form-data; name="' + ";" * n,
            lambda n: "--a\n\nx\n" * n,
            lambda n: "--a\nContent-Type: multipart/x; boundary=a\n\n" * n,
            lambda n: "--a\n" + "Content-Disposition: x; name=y\n" * n,
        ),
        lambda text: is_one_click("multipart/form-data; boundary=a", str(text).encode()),
    ),
    "the parts of a mail": Worst(
        tuple(
            _encoded(_repeats(form))
            for form in ("|\n|", "|\n--|", "|\n--a|", "|\n--a\n|", "--a| |x", "|\n--a |x", "|\r|", "|--a|", "--a--| |x")
        ),
        lambda body: _split(body, b"a"),
    ),
    # A text has a bounded number of merge tags.
    "links in a text": repeated(
        "https://a|)|",
        "https://a|()|",
        "|https://a |",
        f"{'https://a{% raw %}b{% endraw %}' * 100}|a|",
        meet=lambda text: places_in_text(MarkedText(text)),
    ),
    "a document that comes by bytes": repeated('<SendToFile a="|a|', "<SendToFile><!-- |x|", meet=_by_bytes),
    "a quote behind a backslash in a file": repeated(
        'a,b\n|x\\"y,z\n|', 'a,b\n|"x\\"y\n|', 'a,b\n"|\\"",|', meet=_dialect
    ),
    "base64 that comes by bytes": repeated("|A|", "| |", meet=_base64_by_bytes),
}


class Pattern(NamedTuple):
    """A pattern: its module, and its name or the function that it is in."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module} {self.name}"


def patterns(source: str, module: str) -> Iterator[Pattern]:
    """The patterns of a module. Fails for ways to make one that would not be found here."""
    tree = ast.parse(source)
    names: dict[ast.AST, str] = {}
    # Inner functions come after the ones around them.
    for node in (*tree.body, *ast.walk(tree)):
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name) and node in tree.body:
            names |= dict.fromkeys(ast.walk(node), target.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names |= dict.fromkeys(ast.walk(node), node.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.module != "re", f"{module} takes names out of `re`"
        elif isinstance(node, ast.Import):
            assert all(each.asname is None for each in node.names if each.name == "re"), f"{module} renames `re`"
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in FUNCTIONS
        ):
            yield Pattern(module, names[node])


def test_every_pattern_has_its_worst_text() -> None:
    found = sorted(
        pattern
        for path in PACKAGE.rglob("*.py")
        for pattern in patterns(path.read_text(), ".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    )
    assert [str(pattern) for pattern in found] == sorted(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_the_time_of_a_pattern_grows_with_its_text(name: str) -> None:
    worst = TEXTS[name]
    for meet in _meetings(name, worst.meet) if worst.texts else ():
        for text in worst.texts:
            _check(text, meet, worst.bound)


@pytest.mark.parametrize("name", SCANNERS)
def test_the_time_of_a_scanner_grows_with_its_text(name: str) -> None:
    worst = SCANNERS[name]
    assert not isinstance(worst.meet, str)
    for text in worst.texts:
        _check(text, worst.meet, worst.bound)


def _meetings(name: str, meet: str | Callable[[Any], object]) -> list[Callable[[Any], object]]:
    """What texts meet; several patterns may have one name."""
    if not isinstance(meet, str):
        return [meet]
    module, _, attribute = name.partition(" ")
    found: Any = getattr(importlib.import_module(f"soapstone.{module}"), attribute)
    each: tuple[re.Pattern[Any], ...] = (
        (found,) if isinstance(found, re.Pattern) else tuple(found.values() if isinstance(found, dict) else found)
    )
    if meet == "sub":
        return [partial(one.sub, "") for one in each]
    return [getattr(one, meet) for one in each]


def _check(text: Callable[[int], Any], meet: Callable[[Any], object], bound: int | None) -> None:
    if bound is None:
        check_growth(text, meet)
        return
    longest = text(bound)[:bound]
    times = []
    for _ in range(5):
        began = process_time()
        meet(longest)
        times.append(process_time() - began)
    assert min(times) < CEILING
