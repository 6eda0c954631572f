"""What is written is what other mail programs read."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soapstone.sending.mail.mime import Mail, header_text

MAIL = Mail(
    key="17.4",
    date=datetime(2026, 3, 1, 12, 30, 5, 999999, tzinfo=UTC),
    from_name="Ann",
    from_address="ann@example.com",
    to_name="Bob",
    to_address="bob@example.org",
    reply_address="",
    subject="News",
    list_name="Newsletter",
    list_key="list-3",
    html=None,
    plain="Hello",
)

# Everything that UTF-8 can hold, with more of what is awkward in mails.
TEXT = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from('\r\n\t =?_.-"\\<>()@,;:\0\x85\u2028\u2029\ufeffé日𝒳'),
    ),
    max_size=400,
)
# Long ones of ASCII are folded.
SUBJECTS = TEXT | st.text(st.sampled_from("ab .,=?"), min_size=50, max_size=400)
NAMES = st.one_of(TEXT, st.text(st.sampled_from("Aab é.,\"\\'@=?_-日"), max_size=90))


def parse(mail: Mail) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.SMTP).parsebytes(mail.content())


def lines(text: str) -> list[str]:
    """Lines of a body whatever their ends; the last break is not of the text."""
    parts = re.split("\r\n|\r|\n", text)
    return parts[:-1] if parts[-1] == "" else parts


def test_a_mail_byte_by_byte() -> None:
    assert MAIL.content() == (
        b"Date: Sun, 01 Mar 2026 12:30:05 +0000\r\n"
        b"From: Ann <ann@example.com>\r\n"
        b"To: Bob <bob@example.org>\r\n"
        b"Subject: News\r\n"
        b"Message-ID: <17.4@example.com>\r\n"
        b"List-Id: Newsletter <list-3.example.com>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Precedence: bulk\r\n"
        b'Content-Type: text/plain; charset="utf-8"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hello\r\n"
    )


def test_two_bodies() -> None:
    mail = parse(replace(MAIL, html="<p>Grüße</p>", reply_address="desk@example.com"))
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content() for part in mail.iter_parts()] == ["Hello\r\n", "<p>Grüße</p>\r\n"]
    assert str(mail["Reply-To"]) == "desk@example.com"
    assert mail.defects == []


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://lists.example/u/1.x", ["List-Unsubscribe", "List-Unsubscribe-Post"]),
        ("HTTPS://lists.example/u/1.x", ["List-Unsubscribe", "List-Unsubscribe-Post"]),
        ("http://127.0.0.1:8080/u/1.x", ["List-Unsubscribe"]),
        ("", []),
    ],
)
def test_one_click_takes_https(url: str, headers: list[str]) -> None:
    """RFC 8058 3.1"""
    mail = parse(replace(MAIL, unsubscribe=url))
    assert [name for name in mail.keys() if name.startswith("List-Un")] == headers  # noqa: SIM118 - names repeat
    assert mail.get("List-Unsubscribe", "<>") == f"<{url}>"


@pytest.mark.parametrize(("list_key", "there"), [("list-3", ["bulk"]), ("", None)])
def test_mail_of_a_list_asks_programs_not_to_answer(list_key: str, there: list[str] | None) -> None:
    """RFC 3834 2"""
    mail = parse(replace(MAIL, list_key=list_key))
    assert mail.get_all("Precedence") == there
    assert (mail["List-Id"] is None) is (there is None)


def test_the_same_values_make_the_same_mail() -> None:
    assert replace(MAIL, html="<p>Grüße</p>").content() == replace(MAIL, html="<p>Grüße</p>").content()


@pytest.mark.parametrize(
    ("subject", "lines"),
    [
        ("word " * 12 + "six", [f"Subject:{' word' * 12}", " six"]),
        ("word " * 11 + "  word six", [f"Subject:{' word' * 11}", "   word six"]),
        ("word " * 40 + "six", [f"Subject:{' word' * 12}", *[" word" * 12] * 2, " word" * 4 + " six"]),
        ("w" * 60 + " six", [f"Subject: {'w' * 60}", " six"]),
        ("=?word " + "word " * 12, None),
        ("w" * 61, None),
        ("word " * 12 + "é", None),
        ("word " * 11 + " " * 10 + "word six", None),
    ],
)
def test_a_long_subject_is_folded_where_it_needs_no_encoding(subject: str, lines: list[str] | None) -> None:
    """RFC 5322 2.2.3; RFC 2047 is for what ASCII cannot say"""
    mail = replace(MAIL, subject=subject)
    head = mail.content().decode().partition("\r\n\r\n")[0]
    written = re.search(r"^Subject:[^\r]*(?:\r\n [^\r]*)*", head, re.MULTILINE)
    assert written is not None
    assert written[0].split("\r\n") == lines if lines else "=?utf-8?" in written[0]
    assert str(parse(mail)["Subject"]) == subject.strip()


@settings(max_examples=300, deadline=None)
@given(subject=SUBJECTS, from_name=NAMES, to_name=NAMES, list_name=TEXT, html=st.none() | TEXT, plain=TEXT)
@example("=?utf-8?q?a?= b", '=?x?= "', "Doe, Jane", "", "--=_17.4", "--=_17.4--\r\n--=_17.4")
@example("a\r\nBcc: x@example.com", "a\nBcc: x", "\r\n\r\nbody", "\x85\u2028", "\r", "\x0b\x0c")
@example("x" * 300, "x" * 300, "é" * 300, "x y " * 80, "x" * 2000, "é" * 2000)
def test_what_is_written_is_read_again(
    subject: str, from_name: str, to_name: str, list_name: str, html: str | None, plain: str
) -> None:
    mail = Mail(
        **{
            **MAIL.__dict__,
            **{"subject": subject, "from_name": from_name, "to_name": to_name, "list_name": list_name},
            **{"html": html, "plain": plain},
        }
    )
    content = mail.content()
    assert content.isascii()
    assert content.endswith(b"\r\n")
    assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in content.split(b"\r\n"))
    read = parse(mail)
    # Whatever was merged, no header was added and none lost.
    kind = ["Content-Type"] if html is not None else ["Content-Type", "Content-Transfer-Encoding"]
    assert read.keys() == [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "List-Id",
        "MIME-Version",
        "Precedence",
        *kind,
    ]
    assert str(read["Subject"]) == header_text(subject)
    for header, name, address in (("From", from_name, "ann@example.com"), ("To", to_name, "bob@example.org")):
        (found,) = read[header].addresses
        assert found.addr_spec == address
        # The older reader of the two, since the newer one leaves blanks between encoded words of a name (3.11).
        shown, written = parseaddr(str(message_from_bytes(content)[header]))
        assert written == address
        # Readers fold runs of blanks in names.
        assert str(make_header(decode_header(shown))).split() == header_text(name).split()
    bodies = [part.get_content() for part in read.walk() if not part.is_multipart()]
    assert [lines(body) for body in bodies] == [lines(text) or [""] for text in (plain, html) if text is not None]


@pytest.mark.parametrize(
    ("address", "header", "domain"),
    [
        ("jörg@example.com", "jörg@example.com", "example.com"),
        ("ann@müller.example", "ann@xn--mller-kva.example", "xn--mller-kva.example"),
        ("bob@example", "bob@example", "example"),
    ],
)
def test_addresses_with_other_letters(address: str, header: str, domain: str) -> None:
    """Domains go as name servers know them; other letters before the @ as they are (RFC 6532)."""
    mail = replace(MAIL, from_address=address, from_name="", to_name="", to_address=address)
    content = mail.content().decode()
    assert f"From: {header}\r\nTo: {header}\r\n" in content
    assert f"Message-ID: <17.4@{domain}>\r\n" in content


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain", "7bit"),
        ("a\tb\n\nc", "7bit"),
        ("Grüße an alle, die das hier lesen, und auch an alle anderen", "quoted-printable"),
        ("Привет", "base64"),
        ("x" * 1000, "quoted-printable"),
        ("a\x0bb", "quoted-printable"),
    ],
)
def test_the_transfer_encoding_suits_the_text(text: str, encoding: str) -> None:
    mail = parse(replace(MAIL, plain=text))
    assert mail["Content-Transfer-Encoding"] == encoding
    assert mail.get_content().replace("\r\n", "\n") == text + "\n"
