"""A connection greets the SMTP server before its first mail, whatever the way in: open, by STARTTLS or by TLS."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
import uvloop
from tests.sending.smtp_trial import Sink

from soapstone.sending.smtp.connection import Envelope, SmtpConnection
from soapstone.sending.smtp.url import SmtpAddress

ENVELOPE = Envelope(mail_from=b"ann@example.com", rcpt_to=b"bob@example.org", content=b"Subject: News\r\n\r\nHello\r\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that vouches for itself, in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-days",
        "2",
        "-nodes",
    ]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both"
    both.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return both


WAYS = [
    ("smtp", "", (), False),
    ("smtp", "?starttls=never", (), False),
    ("smtp", "", ("certificate",), True),
    ("smtp", "?starttls=require&verify=no", ("certificate",), True),
    ("smtp", "?starttls=never", ("certificate",), False),
    ("smtps", "?verify=no", ("certificate", "--tls"), True),
]
# A server that has TLS wants it before it takes a password.
CASES = [("", *way) for way in WAYS] + [("user:pass%3Aword@", *way) for way in WAYS if way[3] or not way[2]]


@pytest.mark.parametrize(("user", "scheme", "query", "options", "tls"), CASES)
def test_mails_are_taken(
    tmp_path: Path, certificate: Path, user: str, scheme: str, query: str, options: tuple[str, ...], tls: bool
) -> None:
    given: list[str] = []
    for name in options:
        given += ["--certificate", str(certificate)] if name == "certificate" else [name]
    if user:
        given.append("--auth")
    sink = Sink(tmp_path / "accepted.jsonl", *given)

    async def hand() -> list[str]:
        address = SmtpAddress.of(f"{scheme}://{user}127.0.0.1:{sink.port}{query}")
        connection = SmtpConnection(address, timeout=10, local_hostname="client.example")
        await connection.open()
        outcomes = [await connection.send(ENVELOPE) for _ in range(2)]
        await connection.close()
        return [outcome.verdict for outcome in outcomes]

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(hand()) == ["accepted", "accepted"]
        assert [(line["to"], line["tls"], line["user"]) for line in sink.lines()] == [
            ("bob@example.org", tls, user.partition(":")[0])
        ] * 2
    finally:
        sink.stop()
