"""Signatures are verified by dkimpy and PyNaCl, which share no code with the signer."""

from __future__ import annotations

import base64
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_elliptic_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tests.sending.conftest import Office
from tests.sending.mail.test_mime import MAIL, NAMES, TEXT
from tests.sending.smtp_trial import Sink

from soapstone.accounts.link_keys import LinkKeys
from soapstone.errors import InvalidError
from soapstone.runners import dkim_signer
from soapstone.sending.mail.builder import MailBuilder, MailOptions
from soapstone.sending.mail.dkim import ONCE_AT_MOST, WHERE_PRESENT, DkimKey, DkimSigner
from soapstone.sending.mail.mime import Mail
from soapstone.sending.runner import SendRunner
from soapstone.sending.signed_links import Links
from soapstone.sending.smtp.server import SmtpServer
from soapstone.sending.smtp.url import SmtpAddress
from soapstone.settings import Settings


def pem(key: object, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    content: bytes = key.private_bytes(Encoding.PEM, form, NoEncryption())  # type: ignore[attr-defined]
    return content


RSA = DkimKey("june", pem(generate_private_key(65537, 2048)))
ED25519 = DkimKey("june-ed", pem(Ed25519PrivateKey.generate()))
SIGNERS = {
    "rsa": DkimSigner("example.com", [RSA]),
    "ed25519": DkimSigner("example.com", [ED25519]),
    "both": DkimSigner("example.com", [RSA, ED25519]),
}
BOTH = SIGNERS["both"]


def verdicts(content: bytes, signer: DkimSigner = BOTH) -> list[bool]:
    """What dkimpy says of each signature, with the signer's records in the DNS."""

    def look_up(name: bytes, timeout: int = 0) -> bytes | None:
        record = signer.records.get(name.decode().removesuffix("."))
        return record.encode() if record else None

    def verdict(index: int) -> bool:
        try:
            return bool(dkim.DKIM(content).verify(idx=index, dnsfunc=look_up))
        except dkim.DKIMException:
            return False

    return [verdict(index) for index in range(content.count(b"DKIM-Signature: "))]


def tags(content: bytes) -> list[dict[str, str]]:
    """The tags of each signature, without blanks."""
    head = content.partition(b"\r\n\r\n")[0].decode()
    found = re.findall(r"^DKIM-Signature: ([^\r]*(?:\r\n [^\r]*)*)", head, re.MULTILINE)
    return [dict(tag.split("=", 1) for tag in re.sub(r"\s", "", each).split(";")) for each in found]


LOCAL = st.text(st.sampled_from("annbob.é日ö_+-"), min_size=1, max_size=30).map(
    lambda text: f"x{text}x".replace(".", "")
)
DOMAINS = st.sampled_from(("example.com", "news.example.com", "EXAMPLE.com"))
# Lines with what relaxed canonicalization leaves out: blanks at their ends, runs of blanks, empty lines at the end.
BLANK = st.lists(
    st.text(st.sampled_from("ab =.\t \t  "), max_size=90) | st.sampled_from(("", " ", "\t", "x" * 1000, "é")),
    max_size=12,
).map("\r\n".join)
BODIES = TEXT | BLANK


@st.composite
def mails(draw: st.DrawFn) -> Mail:
    return replace(
        MAIL,
        from_name=draw(NAMES),
        from_address=f"{draw(LOCAL)}@{draw(DOMAINS)}",
        to_name=draw(NAMES),
        to_address=f"{draw(LOCAL)}@{draw(st.sampled_from(('example.org', 'müller.example')))}",
        reply_address=draw(st.sampled_from(("", "desk@example.com", "jörg@example.com"))),
        subject=draw(TEXT),
        list_name=draw(TEXT),
        list_key=draw(st.sampled_from(("", "list-3"))),
        unsubscribe=draw(st.sampled_from(("", "https://lists.example/u/1.x", "http://lists.example/u/1.x"))),
        charset=draw(st.sampled_from(("utf-8", "iso-8859-1"))),
        html=draw(st.none() | BODIES),
        plain=draw(BODIES),
    )


@pytest.mark.parametrize("name", SIGNERS)
@settings(max_examples=60, deadline=None)
@given(mail=mails())
@example(mail=replace(MAIL, plain=""))
@example(mail=replace(MAIL, plain=" \t\r\n\t\r\n\r\n"))
@example(mail=replace(MAIL, plain="a \t b\t \r\n\r\n \r\n", subject="x y " * 80))
@example(mail=replace(MAIL, plain="Привет", from_address="jörg@example.com", from_name="Jörg", html="<p>é</p>"))
def test_dkimpy_verifies_all_mails_that_are_written_here(name: str, mail: Mail) -> None:
    """RSA (RFC 8301), ed25519 (RFC 8463), and senders with other letters (RFC 8616)."""
    signer, content = SIGNERS[name], mail.content()
    signed = signer.sign(content)
    assert signed.endswith(b"\r\n" + content)
    assert verdicts(signed, signer) == [True] * len(signer.records)
    head = signed.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.removesuffix(content.partition(b"\r\n\r\n")[0]).split(b"\r\n"))) <= 78


@settings(max_examples=100, deadline=None)
@given(mail=mails(), place=st.floats(0, 1, exclude_max=True))
def test_a_changed_byte_breaks_both_signatures(mail: Mail, place: float) -> None:
    content = mail.content()
    signed = BOTH.sign(content)
    index = len(signed) - len(content) + int(len(content) * place)
    # Only what is within a line: dkimpy reads lines that end otherwise, too.
    assume(signed[index] not in b"\r\n")
    start = signed.rfind(b"\n", 0, index) + 1
    assume(not signed.startswith(b"Precedence:", start))
    changed = bytearray(signed)
    changed[index] ^= 1
    assert verdicts(bytes(changed)) == [False, False]


@pytest.mark.parametrize("name", [*ONCE_AT_MOST, *WHERE_PRESENT])
@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_header_that_is_added_breaks_both_signatures(name: bytes, at_the_end: bool) -> None:
    """RFC 6376 8.15: mail programs might show an added From or Subject instead of the signed one."""
    more = b"CFBL-Address: fbl@example.com; report=arf\r\nCFBL-Feedback-ID: a\r\nFeedback-ID: a:b:c:d\r\n"
    content = BOTH.sign(more + replace(MAIL, unsubscribe="https://lists.example/u/1.x").content())
    head, blank, body = content.partition(b"\r\n\r\n")
    added = name.title() + b": eve@example.org"
    changed = head + b"\r\n" + added + blank + body if at_the_end else added + b"\r\n" + content
    assert verdicts(content) == [True, True]
    assert verdicts(changed) == [False, False]


def test_what_a_relay_may_add_breaks_nothing() -> None:
    content = BOTH.sign(MAIL.content())
    added = (
        b"Received: from a by b; Sun, 01 Mar 2026 12:30:06 +0000\r\nSender: a@example.com\r\nList-Unsubscribe: <x:>\r\n"
    )
    assert verdicts(added + content) == [True, True]


def test_the_tags_of_a_signature() -> None:
    mail = replace(MAIL, unsubscribe="https://lists.example/u/1.x", reply_address="desk@example.com")
    content = BOTH.sign(mail.content())
    first, second = tags(content)
    assert (first["a"], first["s"], second["a"], second["s"]) == ("rsa-sha256", "june", "ed25519-sha256", "june-ed")
    for found in (first, second):
        assert (found["v"], found["c"], found["d"]) == ("1", "relaxed/relaxed", "example.com")
        # Neither a part of the body (RFC 6376 8.2) nor another identity than the domain.
        assert not {"l", "i"} & found.keys()
        names = found["h"].split(":")
        there = {
            line.partition(b":")[0].decode().lower() for line in mail.content().partition(b"\r\n\r\n")[0].split(b"\r\n")
        }
        assert {"from", "subject", "to", "list-id", "list-unsubscribe", "list-unsubscribe-post"} <= there & set(names)
        assert {name: names.count(name) for name in names} == {name: 1 + (name in there) for name in names}
    assert first["bh"] == second["bh"]


def test_several_headers_of_a_name_are_signed_from_the_last_to_the_first() -> None:
    """RFC 6376 5.4.2"""
    content = b"List-Id: <a.example.com>\r\nFrom: a@example.com\r\nList-Id:\r\n\t<b.example.com>\r\n\r\nHello\r\n"
    signed = BOTH.sign(content)
    assert tags(signed)[0]["h"].split(":").count("list-id") == 3
    assert verdicts(signed) == [True, True]
    assert verdicts(signed.replace(b"<a.", b"<c.")) == [False, False]


@pytest.mark.parametrize(
    ("domain", "address", "signed"),
    [
        ("example.com", "ann@example.com", True),
        ("example.com", "ann@EXAMPLE.COM", True),
        ("Example.com.", "ann@example.com", True),
        ("example.com", "ann@news.example.com", True),
        ("example.com", "ann@example.org", False),
        ("example.com", "ann@notexample.com", False),
        ("news.example.com", "ann@example.com", False),
        ("müller.example", "ann@xn--mller-kva.example", True),
        ("xn--mller-kva.example", "jörg@müller.example", True),
        ("müller.example", "jörg@post.müller.example", True),
        ("example", "jörg@müller.example", True),
    ],
)
def test_a_key_signs_for_its_domain_and_those_below_it(domain: str, address: str, signed: bool) -> None:
    """RFC 7489 3.1.1: DMARC counts signatures of the sender's organization only."""
    assert DkimSigner(domain, [RSA]).signs_for(address) is signed


def test_a_domain_with_other_letters_signs_as_name_servers_know_it() -> None:
    """RFC 8616 6"""
    signer = DkimSigner("Müller.example", [RSA, ED25519])
    assert [*signer.records] == ["june._domainkey.xn--mller-kva.example", "june-ed._domainkey.xn--mller-kva.example"]
    content = signer.sign(replace(MAIL, from_address="jörg@müller.example").content())
    assert verdicts(content, signer) == [True, True]


def test_the_record_of_an_ed25519_key() -> None:
    """The key pair that RFC 8463 A.1 prints."""
    seed = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    key = DkimKey("brisbane", pem(Ed25519PrivateKey.from_private_bytes(seed)))
    assert key.record == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "record"),
    [
        ("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {}", "openssl pkey -in {} -pubout"),
        ("openssl genrsa -traditional -out {} 2048", "openssl pkey -in {} -pubout"),
        ("openssl genpkey -algorithm ed25519 -out {}", "openssl pkey -in {} -pubout -outform DER"),
    ],
)
def test_keys_of_openssl(tmp_path: Path, make: str, record: str) -> None:
    """PKCS#8 and PKCS#1, published as docs/sending.md says it."""
    file = tmp_path / "key.pem"
    subprocess.run(make.format(file).split(), check=True, capture_output=True)
    shown = subprocess.run(record.format(file).split(), check=True, capture_output=True).stdout
    key = DkimKey.of("june", str(file))
    if "ed25519" in make:
        assert key.record == "v=DKIM1; k=ed25519; p=" + base64.b64encode(shown[-32:]).decode()
    else:
        assert key.record == "v=DKIM1; k=rsa; p=" + "".join(shown.decode().splitlines()[1:-1])
    signer = DkimSigner("example.com", [key])
    assert verdicts(signer.sign(MAIL.content()), signer) == [True]


def test_a_file_with_windows_line_ends_is_a_key(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem(generate_private_key(65537, 1024)).replace(b"\n", b"\r\n"))
    assert DkimKey.of("june", str(file)).algorithm == "rsa-sha256"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not a private key in PEM form"),
        (b"no key", "it is not a private key in PEM form"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "it is not a private key in PEM form"),
        (
            Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "it is not a private key in PEM form",
        ),
        (
            Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
            ),
            "it has a password",
        ),
        (pem(generate_elliptic_key(SECP256R1())), "it is neither an RSA nor an ed25519 key"),
    ],
)
def test_keys_that_cannot_be_used(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(InvalidError) as refused:
        DkimKey.of("june", str(file))
    assert str(refused.value) == f"The DKIM key {file} cannot be used: {reason}."


def test_an_rsa_key_is_long_enough(tmp_path: Path) -> None:
    """RFC 8301 3.2"""
    file = tmp_path / "key"
    # The library that makes the other keys makes none so short.
    make = f"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1016 -out {file}"
    subprocess.run(make.split(), check=True, capture_output=True)
    with pytest.raises(InvalidError, match=r"it has 1016 bits, and RSA keys need 1024 at least\."):
        DkimKey.of("june", str(file))


def test_what_is_missing_or_wrong(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"The DKIM key .*/nothing cannot be read: No such file or directory\."):
        DkimKey.of("june", str(tmp_path / "nothing"))
    with pytest.raises(InvalidError, match="is not made of letters"):
        DkimKey("june; d=example.org", pem(generate_private_key(65537, 1024)))
    for domain in ("", ".", "example com", "example..com", "x" * 64, "a;b.example"):
        with pytest.raises(InvalidError, match="needs the domain that signs"):
            DkimSigner(domain, [RSA])
    with pytest.raises(InvalidError, match=r"the same selector, june\."):
        DkimSigner("example.com", [RSA, DkimKey("June", pem(generate_private_key(65537, 1024)))])


# --- sends -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_smtp", [False, True])
def test_mails_of_a_send_arrive_signed(office: Office, tmp_path: Path, by_smtp: bool) -> None:
    """As they are received: lines that begin with a point are doubled on the way by SMTP."""
    server, sink = None, None
    if by_smtp:
        mails = tmp_path / "arrived"
        mails.mkdir()
        sink = Sink(tmp_path / "accepted.jsonl", "--mails", str(mails))
        server = SmtpServer(SmtpAddress.of(f"smtp://127.0.0.1:{sink.port}"))
    else:
        mails = office.mail
    options = MailOptions(links=Links("https://lists.example", LinkKeys.single("key")), signer=BOTH)
    office.sender = SendRunner(office.database, office.mail, office.drafts, server=server, options=options)
    office.contact("ann@example.org", first_name="Zoë")
    office.contact("bob@example.org", first_name="Bob")
    office.to_list(subject="To {{ First_Name }}", plain=".\r\n..\t \r\n\r\n", html="<p>{{ First_Name }}  \n</p>\n\n")
    office.to_list(from_address="ann@news.example.com")
    try:
        office.work()
    finally:
        if sink is not None:
            sink.stop()
    found = [path.read_bytes() for path in mails.glob("*.eml")]
    assert len(found) == 4
    for content in found:
        assert verdicts(content) == [True, True]
        assert b"\r\nPrecedence: bulk\r\n" in content
        assert {"list-id", "list-unsubscribe", "list-unsubscribe-post"} <= set(tags(content)[0]["h"].split(":"))


def test_mails_of_other_senders_go_unsigned_and_the_log_says_so_once(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.sender = SendRunner(office.database, office.mail, office.drafts, options=MailOptions(signer=BOTH))
    office.contact("ann@example.org")
    office.contact("bob@example.org")
    ticket = office.to_list(from_address="ann@example.net")
    office.work()
    assert [path.read_bytes().count(b"DKIM-Signature") for path in office.mail.glob("*.eml")] == [0, 0]
    told = f"job {ticket.job.id}: mails from example.net are not signed, since the DKIM key is of example.com"
    assert warnings(caplog) == [told]
    # A send that waited and goes on says it no more.
    job = replace(office.job(ticket), attempt=2)
    MailBuilder(office.database, job, ticket.message.id, MailOptions(signer=BOTH))
    assert warnings(caplog) == [told]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log warns of signatures."""
    return [each.getMessage() for each in caplog.records if each.levelname == "WARNING" and "signed" in each.message]


# --- settings --------------------------------------------------------------------------------------------------------


def test_one_key_or_two(tmp_path: Path) -> None:
    rsa, ed25519 = tmp_path / "rsa.pem", tmp_path / "ed25519.pem"
    rsa.write_bytes(pem(generate_private_key(65537, 1024)))
    ed25519.write_bytes(pem(Ed25519PrivateKey.generate()))
    one, two = f"example.com:june:{rsa}", f"example.com:june-ed:{ed25519}"
    assert dkim_signer(Settings()) is None
    for keys, algorithms in (([one], ["rsa-sha256"]), ([one, two], ["rsa-sha256", "ed25519-sha256"])):
        signer = dkim_signer(Settings(dkim_keys=keys))
        assert signer is not None
        assert [found["a"] for found in tags(signer.sign(MAIL.content()))] == algorithms
