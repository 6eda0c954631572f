"""Mails go over TLS, from the first byte or begun on the way, with a login, on the loop of the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from tests.sending.smtp_trial import Sink
from tests.test_tls import certificate

from soapstone.sending.smtp.connection import Envelope, SmtpConnection
from soapstone.sending.smtp.errors import SmtpConnectError, SmtpRefusedError
from soapstone.sending.smtp.replies import Outcome
from soapstone.sending.smtp.url import SmtpAddress

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("smtp-tls")


@pytest.fixture(scope="module")
def pair(folder: Path) -> Path:
    """Certificate and key in one file."""
    one, other = certificate(folder, "sink")
    both = folder / "both.pem"
    both.write_bytes(one.read_bytes() + other.read_bytes())
    return both


@pytest.fixture(scope="module", params=["smtps", "starttls"])
def sink(request: pytest.FixtureRequest, folder: Path, pair: Path) -> Iterator[tuple[Sink, str]]:
    """A server that wants a login, and how it is called up."""
    options = ["--certificate", str(pair), "--auth", *(["--tls"] if request.param == "smtps" else [])]
    running = Sink(folder / f"{request.param}.jsonl", *options)
    scheme, query = ("smtps", "?verify=no") if request.param == "smtps" else ("smtp", "?starttls=require&verify=no")
    yield running, f"{scheme}://{{}}@127.0.0.1:{running.port}{query}"
    running.stop()


@pytest.mark.parametrize("loop", LOOPS)
def test_mails_over_tls(sink: tuple[Sink, str], loop: str) -> None:
    server, url = sink
    before = len(server.lines())
    outcomes = send(LOOPS[loop], url.format("user:pass%3Aword"), 3)
    assert {outcome.verdict for outcome in outcomes} == {"accepted"}
    lines = server.lines()[before:]
    assert [line["id"] for line in lines] == [f"<{loop}.{number}@example.com>" for number in range(3)]
    # The sink sees no TLS that it did not begin itself.
    assert all(line["tls"] or url.startswith("smtps:") for line in lines)
    assert all(line["user"] == "user" for line in lines)


def test_a_wrong_password_is_refused(sink: tuple[Sink, str]) -> None:
    with pytest.raises(SmtpRefusedError, match=r"^535 "):
        send(uvloop.new_event_loop, sink[1].format("user:wrong"), 1)


def test_a_certificate_that_nobody_vouches_for(sink: tuple[Sink, str]) -> None:
    with pytest.raises(SmtpConnectError, match=r"(?i)certificate"):
        send(uvloop.new_event_loop, sink[1].format("user:pass%3Aword").replace("verify=no", "verify=yes"), 1)


def send(new_loop: Callable[[], asyncio.AbstractEventLoop], url: str, mails: int) -> list[Outcome]:
    """Send so many mails over one connection."""
    name = "uvloop" if new_loop is uvloop.new_event_loop else "asyncio"

    async def run() -> list[Outcome]:
        connection = SmtpConnection(SmtpAddress.of(url), timeout=10, local_hostname="client.example")
        outcomes = []
        try:
            await connection.open()
            for number in range(mails):
                # More than one record of TLS.
                content = f"Message-ID: <{name}.{number}@example.com>\r\n\r\n".encode() + b"x" * 70 + b"\r\n" * 30_000
                envelope = Envelope(mail_from=b"ann@example.com", rcpt_to=b"bob@example.org", content=content)
                outcomes.append(await connection.send(envelope))
        finally:
            await connection.close()
            # What was not opened to the end is closed by the loop.
            await asyncio.sleep(0.1)
        return outcomes

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run())
