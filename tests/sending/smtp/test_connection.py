"""What becomes of a mail, whatever the server says and whenever it leaves; with and without pipelining."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from soapstone.sending.smtp import connection as connection_module
from soapstone.sending.smtp.connection import Envelope, SmtpConnection
from soapstone.sending.smtp.errors import SmtpConnectError
from soapstone.sending.smtp.replies import Outcome, Stage, Verdict
from soapstone.sending.smtp.url import SmtpAddress

ENVELOPE = Envelope(mail_from=b"ann@example.com", rcpt_to=b"bob@example.org", content=b"Subject: a\r\n\r\n.b\r\n..\r\n")
# Says goodbye by closing the connection, at once or after the replies before it.
GONE = b""


class Server:
    """Answers by the first word of what it gets: `replies`, and "END" for the end of a mail. Keeps all lines."""

    def __init__(self, replies: dict[str, bytes], *, pipelining: bool) -> None:
        offered = b"250-server\r\n250-PIPELINING\r\n250 8BITMIME\r\n" if pipelining else b"250 server\r\n"
        usual = {"EHLO": offered, "MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "DATA": b"354 go\r\n"}
        usual |= {"END": b"250 queued\r\n", "RSET": b"250 ok\r\n", "QUIT": b"221 bye\r\n"}
        self.replies = {**usual, **replies}
        self.lines: list[bytes] = []
        self.mails: list[bytes] = []
        # Seconds before the reply to a word.
        self.delays: dict[str, float] = {}
        # How many commands had come at the moment of each reply.
        self.ahead = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 server\r\n")
        try:
            while line := await reader.readline():
                self.lines.append(line)
                word = line[:4].decode().upper().strip()
                if word == "MAIL":
                    # Time for what was sent along.
                    await asyncio.sleep(0.01)
                    self.ahead = max(self.ahead, bytes(reader._buffer).count(b"\r\n"))  # type: ignore[attr-defined]
                await asyncio.sleep(self.delays.get(word, 0.0))
                reply = self.replies[word]
                if reply == GONE:
                    break
                writer.write(reply)
                if word == "DATA" and reply.startswith(b"354"):
                    mail = b""
                    while (line := await reader.readline()) != b".\r\n":
                        if not line:
                            return
                        mail += line
                    self.mails.append(mail)
                    if self.replies["END"] == GONE:
                        break
                    writer.write(self.replies["END"])
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


def converse(
    server: Server, what: Callable[[SmtpConnection], Coroutine[Any, Any, Any]], *, timeout: float = 5.0
) -> Any:
    """Do something with a connection to the server, and close both."""

    async def run() -> Any:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        address = SmtpAddress.of(f"smtp://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        connection = SmtpConnection(address, timeout=timeout, local_hostname="client.example")
        try:
            await connection.open()
            return await what(connection)
        finally:
            await connection.close()
            listening.close()

    return asyncio.run(run())


@pytest.fixture(params=[True, False], ids=["pipelining", "one by one"])
def pipelining(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def twice(connection: SmtpConnection) -> tuple[Outcome, Outcome]:
    return await connection.send(ENVELOPE), await connection.send(ENVELOPE._replace(rcpt_to=b"cy@example.org"))


def test_mails_go_out_one_after_another(pipelining: bool) -> None:
    server = Server({}, pipelining=pipelining)
    first, second = converse(server, twice)
    assert first == second == Outcome(verdict=Verdict.ACCEPTED, stage=Stage.CONTENT, reply="250 queued")
    # Points at the start of a line are doubled.
    assert server.mails == [b"Subject: a\r\n\r\n..b\r\n...\r\n"] * 2
    assert b"RCPT TO:<cy@example.org>\r\n" in server.lines
    assert server.ahead == (2 if pipelining else 0)
    assert server.lines[-1] == b"QUIT\r\n"


@pytest.mark.parametrize(
    ("replies", "verdict", "reply"),
    [
        ({"MAIL": b"550 no\r\n", "RCPT": b"503 no MAIL\r\n", "DATA": b"503 no\r\n"}, "refuses sender", "550 no"),
        ({"MAIL": b"552 5.3.4 big\r\n", "RCPT": b"503 no\r\n", "DATA": b"503 no\r\n"}, "failed", "552 5.3.4 big"),
        ({"RCPT": b"550-not\r\n550 here\r\n", "DATA": b"554 no recipients\r\n"}, "failed", "550 not here"),
        ({"RCPT": b"451 later\r\n", "DATA": b"503 no\r\n"}, "deferred", "451 later"),
        # It waits for a mail though it has nobody for it.
        ({"RCPT": b"550 not here\r\n", "END": b"554 no recipients\r\n"}, "failed", "550 not here"),
        ({"DATA": b"452 full\r\n"}, "deferred", "452 full"),
        ({"END": b"552 too large\r\n"}, "failed", "552 too large"),
        ({"END": b"450 busy\r\n"}, "deferred", "450 busy"),
    ],
)
def test_refusals_are_told_and_the_connection_goes_on(
    pipelining: bool, replies: dict[str, bytes], verdict: str, reply: str
) -> None:
    server = Server(replies, pipelining=pipelining)

    async def then(connection: SmtpConnection) -> tuple[Outcome, Outcome]:
        refused = await connection.send(ENVELOPE)
        server.replies |= Server({}, pipelining=pipelining).replies
        return refused, await connection.send(ENVELOPE)

    refused, taken = converse(server, then)
    assert (refused.verdict, refused.reply) == (verdict, reply)
    assert taken.verdict is Verdict.ACCEPTED
    # The refused mail was not sent, but where its content was what was refused.
    assert [mail for mail in server.mails if mail] == [b"Subject: a\r\n\r\n..b\r\n...\r\n"] * (
        1 + ("END" in replies and "RCPT" not in replies)
    )


@pytest.mark.parametrize(
    ("replies", "verdict", "stage"),
    [
        ({"MAIL": GONE}, "busy", "MAIL"),
        ({"RCPT": GONE}, "deferred", "RCPT"),
        ({"DATA": GONE}, "deferred", "DATA"),
        ({"END": GONE}, "unknown", "content"),
        ({"MAIL": b"421 closing\r\n"}, "busy", "MAIL"),
        ({"RCPT": b"421 closing\r\n"}, "deferred", "RCPT"),
        ({"DATA": b"421 closing\r\n"}, "deferred", "DATA"),
        ({"END": b"421 closing\r\n"}, "deferred", "content"),
        ({"RCPT": b"what is this\r\n"}, "deferred", "RCPT"),
        ({"END": b"what is this\r\n"}, "unknown", "content"),
    ],
)
def test_the_end_of_the_connection(pipelining: bool, replies: dict[str, bytes], verdict: str, stage: str) -> None:
    server = Server(replies, pipelining=pipelining)

    async def then(connection: SmtpConnection) -> tuple[Outcome, bool, Outcome]:
        return await connection.send(ENVELOPE), connection.connected, await connection.send(ENVELOPE)

    outcome, connected, after = converse(server, then)
    assert (outcome.verdict, outcome.stage) == (verdict, stage)
    assert not connected
    assert after == Outcome(verdict=Verdict.BUSY, stage=Stage.MAIL, reply="Connection lost")


@pytest.mark.parametrize("reset", [GONE, b"421 4.7.0 too many errors\r\n", b"503 no\r\n"])
def test_a_server_that_leaves_after_a_refusal_has_refused_one_mail(pipelining: bool, reset: bytes) -> None:
    """Postfix says so in reply to RSET; what was refused before the end was refused."""
    server = Server({"RCPT": b"550 not here\r\n", "DATA": b"554 no\r\n", "RSET": reset}, pipelining=pipelining)
    first, second = converse(server, twice)
    assert (first.verdict, first.stage) == (Verdict.FAILED, Stage.RCPT)
    assert (second.verdict, second.stage) == (Verdict.BUSY, Stage.RSET)


def test_no_mail_begins_too_long_after_the_last_look() -> None:
    """A server that takes long for RSET holds up the mail behind it."""
    server = Server({"RCPT": b"550 not here\r\n"}, pipelining=False)
    server.delays["RSET"] = 0.1

    async def then(connection: SmtpConnection) -> tuple[Outcome, Outcome]:
        refused = await connection.send(ENVELOPE)
        return refused, await connection.send(ENVELOPE, begin_by=asyncio.get_running_loop().time() + 0.05)

    refused, late = converse(server, then)
    assert refused.verdict is Verdict.FAILED
    assert (late.verdict, late.stage, late.reply) == (Verdict.BUSY, Stage.MAIL, "")
    assert [line[:4] for line in server.lines].count(b"MAIL") == 1


@pytest.mark.parametrize("replies", [{"RCPT": b"251 will forward\r\n"}, {"RCPT": b"252 cannot verify\r\n"}])
@pytest.mark.parametrize("end", [b"250 queued\r\n", b"200 ok\r\n", b"251 forwarded\r\n"])
def test_every_reply_that_begins_with_2_is_a_success(pipelining: bool, replies: dict[str, bytes], end: bytes) -> None:
    """RFC 5321 4.2.1: the first digit decides. The recipient gets one mail, and it is not empty."""
    server = Server({**replies, "END": end}, pipelining=pipelining)
    first, second = converse(server, twice)
    assert first.verdict is second.verdict is Verdict.ACCEPTED
    assert server.mails == [b"Subject: a\r\n\r\n..b\r\n...\r\n"] * 2


def test_a_recipient_gets_no_empty_mail_when_the_sender_was_refused() -> None:
    """A server that refuses MAIL and goes on all the same would take the end of the content for a mail."""
    server = Server({"MAIL": b"450 not now\r\n"}, pipelining=True)
    outcome = converse(server, lambda connection: connection.send(ENVELOPE))
    assert outcome.verdict is Verdict.BUSY
    assert server.mails == []


@pytest.mark.parametrize(("silent", "verdict"), [("RCPT", "deferred"), ("END", "unknown")])
def test_a_server_that_falls_silent(
    pipelining: bool, monkeypatch: pytest.MonkeyPatch, silent: str, verdict: str
) -> None:
    monkeypatch.setattr(connection_module, "CONTENT_PATIENCE", 1)
    server = Server({silent: b"250-and so on\r\n"}, pipelining=pipelining)
    outcome = converse(server, lambda connection: connection.send(ENVELOPE), timeout=0.3)
    assert outcome.verdict == verdict


def test_each_mail_has_the_whole_time_however_long_the_connection_is_open(pipelining: bool) -> None:
    """One timer serves all mails of a connection: neither those before it nor a pause shortens the time of a mail."""
    server = Server({}, pipelining=pipelining)
    server.delays["DATA"] = 0.5

    async def then(connection: SmtpConnection) -> list[Outcome]:
        outcomes = [await connection.send(ENVELOPE) for _ in range(3)]
        await asyncio.sleep(1.2)
        return [*outcomes, await connection.send(ENVELOPE)]

    outcomes = converse(server, then, timeout=1.0)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED] * 4


def test_the_long_time_for_a_content_does_not_hold_for_the_next_envelope(
    pipelining: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "CONTENT_PATIENCE", 1000)
    server = Server({}, pipelining=pipelining)

    async def then(connection: SmtpConnection) -> Outcome:
        accepted = await connection.send(ENVELOPE)
        # So late that the timer goes on by the time of the content.
        await asyncio.sleep(0.4)
        assert accepted.verdict is Verdict.ACCEPTED
        server.replies["RCPT"] = b"250-and so on\r\n"
        return await asyncio.wait_for(connection.send(ENVELOPE), 30.0)

    assert converse(server, then, timeout=0.3).verdict is Verdict.DEFERRED


def test_a_mail_that_is_stopped_while_it_is_under_way_is_uncertain(pipelining: bool) -> None:
    server = Server({"END": b"250-and so on\r\n"}, pipelining=pipelining)

    async def stop(connection: SmtpConnection) -> Outcome:
        sending = asyncio.ensure_future(connection.send(ENVELOPE))
        while not server.mails:
            await asyncio.sleep(0.01)
        sending.cancel()
        return await sending

    assert converse(server, stop).verdict is Verdict.UNKNOWN


def test_addresses_do_not_end_commands(pipelining: bool) -> None:
    server = Server({}, pipelining=pipelining)
    envelope = ENVELOPE._replace(rcpt_to=b"bob@example.org>\r\nRCPT TO:<eve@example.org")
    assert converse(server, lambda connection: connection.send(envelope)).verdict is Verdict.FAILED
    assert not [line for line in server.lines if b"eve" in line]


def test_other_letters_before_the_at_sign_go_to_servers_that_take_them(pipelining: bool) -> None:
    envelope = ENVELOPE._replace(rcpt_to="jörg@example.org".encode(), smtputf8=True)
    server = Server({}, pipelining=pipelining)
    assert converse(server, lambda connection: connection.send(envelope)).verdict is Verdict.FAILED
    server = Server({"EHLO": b"250-server\r\n250 SMTPUTF8\r\n"}, pipelining=pipelining)
    assert converse(server, lambda connection: connection.send(envelope)).verdict is Verdict.ACCEPTED
    assert b"MAIL FROM:<ann@example.com> SMTPUTF8\r\n" in server.lines


def test_a_server_that_greets_with_a_refusal_is_not_connected(pipelining: bool) -> None:
    server = Server({"EHLO": b"554 go away\r\n", "HELO": b"554 go away\r\n"}, pipelining=pipelining)
    with pytest.raises(SmtpConnectError, match="554 go away"):
        converse(server, twice)
