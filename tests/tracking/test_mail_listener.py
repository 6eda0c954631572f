"""The listener for bounces: LMTP and SMTP, spoken by a plain socket and by libraries (RFC 2033, RFC 5321)."""

from __future__ import annotations

import smtplib
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.conftest import Served
from tests.sending.conftest import Office
from tests.tracking.reports import block, complaint, report
from tests.tracking.test_incoming_mails import DOMAIN, STEMS, Post

from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, incoming_mails
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.tracking import mail_listener
from soapstone.tracking.mail_listener import MOST_ERRORS, MailListener, UnusablePlace, listening


class Client:
    """A plain socket that speaks lines."""

    def __init__(self, where: str) -> None:
        if where.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(where.removeprefix("unix:"))
        else:
            host, _, port = where.rpartition(":")
            self.socket = socket.create_connection((host, int(port)))
        self.socket.settimeout(30)
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply()

    def reply(self) -> str:
        """The last line of a reply."""
        while True:
            line = self.file.readline().decode().rstrip("\r\n")
            if line[3:4] != "-":
                return line

    def say(self, *lines: str) -> list[str]:
        """Send commands at once; return the replies."""
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())
        return [self.reply() for _ in lines]

    def send(self, content: bytes, replies: int = 1) -> list[str]:
        """Send a mail after DATA; return the replies."""
        dotted = content.replace(b"\r\n", b"\n").replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
        self.socket.sendall(dotted.removesuffix(b"\r\n") + b"\r\n.\r\n")
        return [self.reply() for _ in range(replies)]

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Place:
    """A post with a listener."""

    def __init__(self, post: Post, where: str) -> None:
        self.post = post
        self.where = where

    def client(self) -> Client:
        return Client(self.where)


@pytest.fixture
def place(office: Office) -> Iterator[Place]:
    post = Post(office)
    with listening(MailListener(post.incoming, DOMAIN, "mx.example.com"), "127.0.0.1:0") as where:
        yield Place(post, where)


def test_one_reply_for_each_recipient(place: Place) -> None:
    """RFC 2033 4.2, R12: each recipient is an event of its own."""
    ann, bea = place.post.send("ann@receiver.example", "bea@receiver.example")
    addresses = [place.post.address(ann), place.post.address(bea).upper()]
    with place.client() as client:
        assert client.greeting.startswith("220 mx.example.com ")
        replies = client.say("LHLO relay.example", "MAIL FROM:<>", *(f"RCPT TO:<{each}>" for each in addresses), "DATA")
        assert [reply[:3] for reply in replies] == ["250", "250", "250", "250", "354"]
        raw = report(block("old@receiver.example", status="5.1.1"), to=addresses[0])
        assert client.send(raw, 2) == ["250 2.0.0 Ok"] * 2
        # The replies are on time: nothing else is there, and the connection goes on.
        assert client.say("NOOP", "QUIT") == ["250 2.0.0 Ok", "221 2.0.0 Bye"]
    assert [place.post.state(row) for row in (ann, bea)] == ["bounced", "bounced"]


def test_what_is_taken(place: Place) -> None:
    """No relay, and no bounces of bounces: only what was signed here, complaints and postmaster."""
    (ann,) = place.post.send("ann@receiver.example")
    mine = place.post.address(ann)
    stem = STEMS.make(ann.message_id, ann.id)
    wrong = stem[:-1] + ("a" if stem[-1] != "a" else "b")
    with place.client() as client:
        client.say("EHLO relay.example", "MAIL FROM:<stranger@example.net> SIZE=1000 BODY=8BITMIME")
        for refused in (
            "ann@receiver.example",
            f"b+{wrong}@{DOMAIN}",
            f"b+{stem}@example.net",
            f"news@{DOMAIN}",
            f"@{DOMAIN}",
            "",
        ):
            assert client.say(f"RCPT TO:<{refused}>") == ["550 5.1.1 No such address here"]
        for taken in (
            mine,
            mine.upper(),
            f"prvs=0123abcdef={mine}",
            f"fbl@{DOMAIN}",
            f"PostMaster@{DOMAIN}",
            "Postmaster",
        ):
            assert client.say(f"RCPT TO:<{taken}>") == ["250 2.1.5 Ok"]
        assert client.say("RSET", "DATA") == ["250 2.0.0 Ok", "503 5.5.1 No valid recipients"]


def test_by_smtp_and_again(place: Place) -> None:
    (ann,) = place.post.send("ann@receiver.example")
    raw = report(block(ann.email, status="5.1.1"), to=place.post.address(ann))
    host, _, port = place.where.rpartition(":")
    for _ in range(2):
        with smtplib.SMTP(host, int(port), timeout=30) as client:
            assert client.sendmail("", [place.post.address(ann), f"postmaster@{DOMAIN}"], raw) == {}
    assert place.post.state(ann) == "bounced"
    assert place.post.figures(ann).bounced == 1


def test_complaints_by_their_address(place: Place) -> None:
    """RFC 9477: believed by the stem inside alone."""
    (ann,) = place.post.send("ann@receiver.example")
    with place.client() as client:
        for returned in ("From: x@y.example\n\n", f"CFBL-Feedback-ID: {STEMS.make(ann.message_id, ann.id)}\n\n"):
            before = place.post.figures(ann).complaints
            assert before == 0
            client.say("LHLO relay.example", "MAIL FROM:<fbl@provider.example>", f"RCPT TO:<fbl@{DOMAIN}>", "DATA")
            raw = complaint(returned=returned).replace(b"<c1@", f"<{len(returned)}@".encode())
            assert client.send(raw) == ["250 2.0.0 Ok"]
    assert place.post.figures(ann).complaints == 1


def test_sequence_and_syntax(place: Place) -> None:
    (ann,) = place.post.send("ann@receiver.example")
    mine = place.post.address(ann)
    with place.client() as client:
        replies = client.say(
            "MAIL FROM:<>",
            f"RCPT TO:<{mine}>",
            "DATA",
            "HELO relay.example",
            "MAIL <>",
            "MAIL FROM:<>",
            "MAIL FROM:<>",
            "RCPT <x>",
            "TURN",
            "VRFY ann",
        )
        assert [reply[:3] for reply in replies] == [
            "503",
            "503",
            "503",
            "250",
            "501",
            "250",
            "503",
            "501",
            "500",
            "252",
        ]
        assert client.say("RSET", "MAIL FROM:<> SIZE=99999999")[1].startswith("552 5.3.4")


def test_points_and_a_mail_within_a_mail(place: Place) -> None:
    """Only a point between two CR LF ends a mail: no other line break lets a sender begin another one."""
    (ann,) = place.post.send("ann@receiver.example")
    mine = place.post.address(ann)
    raw = report(block(ann.email, status="5.1.1", diagnostic="550 5.1.1 no\n.\nMAIL FROM:<x@y.example>"), to=mine)
    with place.client() as client:
        client.say("LHLO relay.example", "MAIL FROM:<>", f"RCPT TO:<{mine}>", "DATA")
        client.socket.sendall(raw.replace(b"\n", b"\r\n").replace(b"\r\n.\r\n", b"\n.\r\n"))
        client.socket.sendall(b"\r\n..a\r\n.\n\r\n.")
        client.socket.sendall(b"\r\nNOOP\r\n")
        assert [client.reply(), client.reply()] == ["250 2.0.0 Ok"] * 2
    assert place.post.state(ann) == "bounced"


def test_large_mails(place: Place) -> None:
    (ann,) = place.post.send("ann@receiver.example")
    mine = place.post.address(ann)
    raw = report(block(ann.email, status="5.1.1"), to=mine)
    with place.client() as client:
        start = ["MAIL FROM:<>", f"RCPT TO:<{mine}>", "DATA"]
        client.say("LHLO relay.example", *start)
        assert client.send(raw + b"x" * (11 << 20))[0].startswith("552 5.3.4")
        client.say(*start)
        # One line without an end.
        assert client.send(raw + b"x" * (9 << 20)) == ["250 2.0.0 Ok"]
        client.socket.sendall(b"x" * 10_000 + b"\r\n")
        assert client.reply().startswith("500 5.5.2")
        assert client.file.read() == b""
    assert place.post.state(ann) == "bounced"


def test_too_many(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with place.client() as client:
        replies = client.say(*["TURN"] * (MOST_ERRORS - 1))
        assert all(reply.startswith("500") for reply in replies)
        client.socket.sendall(b"TURN\r\n")
        assert client.reply().startswith("500")
        assert client.reply().startswith("421 4.7.0")
    monkeypatch.setattr(mail_listener, "MOST_CONNECTIONS", 1)
    with place.client() as one, place.client() as other:
        assert one.say("NOOP") == ["250 2.0.0 Ok"]
        assert other.greeting.startswith("421 4.3.2")


def test_records_that_are_away(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay keeps the mail, for each recipient that could not be stored."""
    ann, bea = place.post.send("ann@receiver.example", "bea@receiver.example")
    take = place.post.incoming.take

    def failing(raw: bytes, recipients: list[str], **how: Any) -> Any:
        if recipients == [place.post.address(ann)]:
            raise RecordsUnavailable("The disk of the server is full.")
        return take(raw, recipients, **how)

    monkeypatch.setattr(place.post.incoming, "take", failing)
    addresses = [f"RCPT TO:<{place.post.address(row)}>" for row in (ann, bea)]
    raw = report(block("old@receiver.example", status="5.1.1"))
    with place.client() as client:
        client.say("LHLO relay.example", "MAIL FROM:<>", *addresses, "DATA")
        assert [reply[:3] for reply in client.send(raw, 2)] == ["451", "250"]
        client.say("EHLO relay.example", "MAIL FROM:<>", *addresses, "DATA")
        assert client.send(raw)[0][:3] == "451"
    assert [place.post.state(row) for row in (ann, bea)] == ["handed", "bounced"]


def test_a_socket_file(office: Office, tmp_path: Path) -> None:
    post = Post(office)
    where = f"unix:{tmp_path}/bounces"
    # One of a server that was killed.
    old = socket.socket(socket.AF_UNIX)
    old.bind(f"{tmp_path}/bounces")
    old.close()
    with listening(MailListener(post.incoming, DOMAIN, "mx.example.com"), where) as listens, Client(listens) as client:
        assert client.say("LHLO relay.example")[0].startswith("250 ")
        assert stat.S_IMODE(Path(f"{tmp_path}/bounces").stat().st_mode) == 0o666
    assert not Path(f"{tmp_path}/bounces").exists()


def test_a_place_that_is_taken(office: Office) -> None:
    listener = MailListener(Post(office).incoming, DOMAIN, "mx.example.com")
    with (
        listening(listener, "127.0.0.1:0") as where,
        pytest.raises(UnusablePlace, match="Cannot take bounces at 127"),
        listening(listener, where),
    ):
        pass


def test_a_server_process(tmp_path: Path) -> None:
    """From a mail that was sent to its bounce by LMTP, with the server killed as soon as it has said 250."""
    held = socket.create_server(("127.0.0.1", 0))
    port = held.getsockname()[1]
    held.close()
    served = Served(tmp_path / "data", bounce_address=f"b+@{DOMAIN}", bounce_listen=f"127.0.0.1:{port}")
    database = Database(f"sqlite:///{served.data / 'soapstone.sqlite'}")
    try:
        with database.read() as connection:
            sent = connection.execute(select(deliveries).where(deliveries.c.state == "handed").limit(1)).one()
        product = Product.open(Settings(data_dir=served.data), database)
        address = f"b+{product.stems.make(sent.message_id, sent.id)}@{DOMAIN}"
        with Client(f"127.0.0.1:{port}") as client:
            client.say("LHLO relay.example", "MAIL FROM:<>", f"RCPT TO:<{address}>", "DATA")
            assert client.send(report(block(sent.email, status="5.1.1"), to=address)) == ["250 2.0.0 Ok"]
            served.process.kill()
        with database.read() as connection:
            query = select(deliveries.c.state).where(deliveries.c.id == sent.id)
            assert connection.execute(query).scalar_one() == "bounced"
            assert connection.execute(select(func.count()).select_from(incoming_mails)).scalar_one() == 1
    finally:
        database.close()
        served.stop()
