"""Bodies that are prepared once per message are those of mails that are written one by one."""

from __future__ import annotations

import base64
import binascii
import re
from email import policy
from email.header import Header
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soapstone.sending.mail.mime import _encoded, header_text
from soapstone.sending.messages.body import Body
from soapstone.sending.messages.message import CHARSETS, InvalidMessage
from soapstone.sending.messages.template import ALLOWANCE, VALUES, Allowance, Template

# Everything that UTF-8 can hold, with more of what is awkward in mails; much ASCII, for a choice of encodings.
PIECES = st.one_of(
    st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from('\r\n\t =?_.-"\\<>\0\x85\u2028\x7f\ufeffé日𝒳'))),
    st.text(st.sampled_from("\r\n .-=_ab\t"), max_size=200),
    # The line that stands for shared ones, too.
    st.sampled_from(["\x01\n", "a\n\x01\n", "=01\n"]),
    st.sampled_from(["\n", "\r", "\r\n", "x" * 600, "x" * 600 + "\n", "\n--=", "_", "é\n" * 40, "Hello,\nyou\n\n"]),
)

# What stands for the stem of a mail, and a stem.
GAP = "q7x4mzkd2vbn6gw3tjyr5hcs2laepfuo"
STEM = "aebagbafaydqqcikbmga2dqpcaireeyu"


def whole(subtype: str, text: str, charset: str) -> bytes:
    """The body of one mail, all at once: how every mail was written before."""
    text = re.sub("\r\n?", "\n", text)
    text = text if text.endswith("\n") else text + "\n"
    try:
        data = text.encode(charset)
    except UnicodeEncodeError:
        charset, data = "utf-8", text.encode()
    control = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", text)
    if text.isascii() and "--=_" not in text and not control and max(map(len, data.split(b"\n"))) <= 998:
        encoding, body = "7bit", data
    elif sum(byte > 0x7E for byte in data) * 6 > len(data):
        encoding, body = "base64", base64.encodebytes(data.replace(b"\n", b"\r\n"))
    else:
        # A line of 76 octets that ends in a blank becomes too long.
        quoted = re.sub(rb"(?m)^(.{74,})(=20|=09)$", rb"\1=\n\2", binascii.b2a_qp(data))
        encoding, body = "quoted-printable", quoted
    head = f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + body.replace(b"\n", b"\r\n")


def standard(text: str) -> str:
    """What a reader finds in a mail that the standard library has built."""
    mail = EmailMessage(policy=policy.SMTP)
    mail.set_content(text, charset="utf-8", cte="base64")
    return read(mail.as_bytes())


def read(content: bytes) -> str:
    mail = BytesParser(EmailMessage, policy=policy.SMTP).parsebytes(content)
    text: str = mail.get_content()
    return re.sub("\r\n?", "\n", text)


@settings(max_examples=400, deadline=None)
@given(pieces=st.lists(PIECES, max_size=12), fixed=st.sets(st.integers(0, 11)), charset=st.sampled_from(CHARSETS))
@example(pieces=["a\r", "\nb\nc\r", "\n"], fixed={0, 1, 2}, charset="utf-8")
@example(pieces=["a\nb\n--=", "_c\n"], fixed={0}, charset="utf-8")
@example(pieces=["a\n" + "x" * 600, "x" * 600, "\nb\nc"], fixed={0, 2}, charset="utf-8")
@example(pieces=["é\né\né", "日", "\né"], fixed={0, 2}, charset="iso-8859-1")
@example(pieces=[], fixed=set(), charset="utf-8")
@example(pieces=["a\nb\n", ""], fixed={0}, charset="utf-8")
@example(pieces=["a\nb \n", ".\n", " \t\n."], fixed={0, 2}, charset="utf-8")
def test_what_is_prepared_changes_no_mail(pieces: list[str], fixed: set[int], charset: str) -> None:
    body = Body("html", charset, [piece for number, piece in enumerate(pieces) if number in fixed])
    text = "".join(pieces)
    written = body.write(pieces)
    assert written == whole("html", text, charset)
    # Also from what is kept.
    assert body.write(pieces) == written
    assert body.write([*pieces, "\nand é"]) == whole("html", text + "\nand é", charset)
    # Readers of another charset than UTF-8 find C1 controls and the like where the standard library does not write any.
    if charset == "utf-8":
        assert read(written) == standard(text)


@pytest.mark.parametrize("end", [" ", "\t", "  ", "é "])
@pytest.mark.parametrize("length", range(68, 84))
def test_no_line_of_quoted_printable_is_too_long(length: int, end: str) -> None:
    """RFC 2045 6.7 allows 76 octets, also where the blank that ends a line is quoted."""
    text = f"é\n{'a' * length}{end}\nb\n"
    mail = Body("plain").write([text])
    assert b"quoted-printable" in mail
    assert max(map(len, mail.split(b"\r\n"))) <= 76
    assert read(mail) == text


@settings(max_examples=200, deadline=None)
@given(PIECES, PIECES, PIECES, st.booleans())
def test_the_pieces_of_a_template_are_its_text(before: str, value: str, after: str, markup: bool) -> None:
    source = before + "{{ A }}\nsame\nagain\n{% if B %}" + after + "{% endif %}{{ A|upper }}"
    try:
        template = Template(source, "text", markup=markup)
    except InvalidMessage:
        # What stands there happens to be a tag, or cannot be stored.
        return
    for other in ("", "b"):
        values = {"a": value, "b": other}
        pieces = template.pieces(values)
        rendered = template._template.render({VALUES: values, ALLOWANCE: Allowance()})
        assert "".join(pieces) == rendered == template.render(values)
        body = Body("plain", "utf-8", template.fixed)
        assert body.write(pieces) == whole("plain", rendered, "utf-8")


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(PIECES, min_size=1, max_size=6), values=st.lists(PIECES, min_size=5), stem=st.booleans())
@example(texts=["a\nb\nc", "d\ne\nf"], values=["\x01\n", "", "", "", ""], stem=False)
@example(texts=["a\nb\nc\n", ""], values=["", "", "", "", ""], stem=False)
@example(texts=["é\n" + GAP + "\né", "\n.\n"], values=["Zoë", "", "", "", ""], stem=True)
def test_texts_with_values_between_them_are_written_as_a_whole(texts: list[str], values: list[str], stem: bool) -> None:
    pieces = [""] * (2 * len(texts) - 1)
    pieces[::2], pieces[1::2] = texts, values[: len(texts) - 1]
    body, text = Body("plain", "utf-8", texts, GAP if stem else "", texts), "".join(pieces)
    expected = text.replace(GAP, STEM) if stem else text
    assert body.write(pieces, STEM if stem else "") == whole("plain", expected, "utf-8")


def test_what_is_the_same_for_everybody_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    quoted: list[bytes] = []

    def count(data: bytes) -> bytes:
        quoted.append(data)
        return original(data)

    original = binascii.b2a_qp
    monkeypatch.setattr(binascii, "b2a_qp", count)
    template = Template("Grüße\n" * 30 + "Hi {{ Name }}!\n" + "a long text\n" * 300, "text")
    body = Body("plain", "utf-8", template.fixed)
    for name in ("Ann", "Zoë", "Bob"):
        assert name.encode() in body.write(template.pieces({"name": name})).replace(b"=C3=AB", "ë".encode())
    assert sum(len(data) > 1000 for data in quoted) == 1
    assert sum(map(len, quoted)) < 6000


@settings(max_examples=400, deadline=None)
@given(
    text=st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=70), st.text(st.sampled_from("ab é=?_-日,"), max_size=70)
    ),
    header=st.sampled_from(["To", "From", "Subject", "List-Id"]),
    charset=st.sampled_from(CHARSETS),
)
def test_short_headers_are_those_of_the_standard_library(text: str, header: str, charset: str) -> None:
    text = header_text(text)
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    expected = Header(text, charset, maxlinelen=76, header_name=header).encode(linesep="\r\n")
    if text:
        assert _encoded(header, text, charset) == expected


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(PIECES | st.just(GAP) | st.just(f"https://t.example/c/{GAP}/1"), max_size=12),
    fixed=st.sets(st.integers(0, 11)),
    charset=st.sampled_from(CHARSETS),
    shift=st.integers(0, 80),
)
def test_stems_are_joined_into_encoded_lines(pieces: list[str], fixed: set[int], charset: str, shift: int) -> None:
    """Wherever quoted-printable breaks a line: each mail is as if its text were encoded for itself."""
    pieces = [*pieces, "é" + "x" * shift + GAP + "\n", "y\n" + "é" + "x" * shift + GAP + "\nz"]
    shared = [piece for number, piece in enumerate(pieces) if number in fixed]
    body = Body("html", charset, [*shared, pieces[-1]], GAP)
    for stem in (STEM, STEM[::-1], STEM):
        text = "".join(pieces).replace(GAP, stem)
        assert body.write(pieces, stem) == whole("html", text, charset)
