"""Clicks and opens that are answered before the parser: each answer and record is the one that the app would give.

Two servers have the same records: one answers what it knows, the other one works everything out. Both get the same
bytes, and must give the same answers and spool the same.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from tests.tracking.ledger import Sent, send
from uvicorn.server import ServerState

from soapstone.connection import Connection
from soapstone.connection_limits import ConnectionLimits
from soapstone.listening import listen
from soapstone.local_server import serving
from soapstone.product import Product
from soapstone.server import Application
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import tracked_links
from soapstone.tracking.spool import SpoolRecord, read_records
from soapstone.vocabulary.tracking import MailEventKind as Kind
from soapstone.wire.shortcut import Place

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
# As Firefox sends it to a link without TLS.
BROWSER = (
    f"Host: mail.example\r\nUser-Agent: {AGENT}\r\nAccept: text/html,application/xhtml+xml\r\n"
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nDNT: 1\r\nSec-GPC: 1\r\n"
    "Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nPriority: u=0, i\r\n\r\n"
)
LAST = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
# What an answer tells of its moment alone.
MOMENT = re.compile(rb"x-request-id: [^\r]*\r\n")


class Transport:
    """A connection's transport that notes what is written; `on_write` is called before."""

    def __init__(self, on_write: Callable[[], None]) -> None:
        self.written, self.closed, self._on_write = b"", False, on_write

    def write(self, data: Any) -> None:
        self._on_write()
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("192.0.2.8", 1), "sockname": ("192.0.2.1", 80)}.get(name)

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Side:
    """A server without sockets, with a spool of its own; `hits` counts what it knew."""

    def __init__(self, database: Database, data: Path, *, knows: bool = True) -> None:
        self.product = Product.open(Settings(data_dir=data), database)
        self.folder = self.product.settings.spool
        self.application = Application(self.product, read_seconds=0.05)
        self.hits = 0
        # Of what was written: how many records were in the spool before.
        self.spooled: list[int] = []
        at_once = self.application.answer_tracked

        def counted(place: Place, data: bytes, reply: Callable[[bytes, bytes], None]) -> bool:
            known = knows and at_once(place, data, reply)
            self.hits += known
            return known

        self.application.answer_tracked = counted  # type: ignore[method-assign]
        self._config = uvicorn.Config(self.application, http=Connection, ws="none", log_config=None, access_log=False)
        self._config.load()
        self._state = ServerState()

    def connect(self) -> tuple[Connection, Transport]:
        transport = Transport(lambda: self.spooled.append(len(self.records())))
        limits = ConnectionLimits(10, 10)
        connection = Connection(self._config, self._state, {}, limits=limits, timeout=60, known=self.application)
        connection.connection_made(transport)  # type: ignore[arg-type]
        return connection, transport

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        while self._state.tasks:
            await asyncio.sleep(0.0005)

    async def ask(self, pieces: Sequence[bytes]) -> bytes:
        """All that a connection gets for these pieces, each of which comes when nothing is under way."""
        connection, transport = self.connect()
        for piece in pieces:
            if not transport.closed:
                connection.data_received(piece)
                await self.idle()
        connection.connection_lost(None)
        await self.idle()
        return MOMENT.sub(b"", transport.written)

    def records(self) -> list[SpoolRecord]:
        found = [each for path in sorted(self.folder.glob("*")) for _, each in read_records(path.read_bytes())]
        return [each._replace(at=0) for each in found]


class Sides:
    """Two servers, of which one answers what it knows, and their loop."""

    def __init__(self, database: Database, folder: Path, runner: asyncio.Runner) -> None:
        self.database, self.run = database, runner.run
        self.known, self.other = Side(database, folder / "known"), Side(database, folder / "other", knows=False)
        account = self.known.product.accounts.create("ACME", time_zone="UTC")
        self.sent: Sent = send(database, account, 2, links=20)
        self.stem = self.known.product.stems.make(self.sent.message_id, self.sent.mails[0])

    def ask(self, *pieces: bytes) -> bytes:
        """The answers, which are the same, and so is what was spooled."""
        mine, its = (self.run(side.ask(pieces)) for side in (self.known, self.other))
        assert mine == its, pieces
        assert self.known.records() == self.other.records(), pieces
        return mine

    def hits(self, *pieces: bytes) -> int:
        """How many of these requests were known."""
        before = self.known.hits
        self.ask(*pieces)
        return self.known.hits - before

    def click(self, position: int = 3, *, head: str = BROWSER) -> bytes:
        return f"GET /c/{self.stem}/{position} HTTP/1.1\r\n{head}".encode()

    def open(self) -> bytes:
        return f"GET /o/{self.stem}.gif HTTP/1.1\r\n{BROWSER}".encode()


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Sides]:
    folder = tmp_path_factory.mktemp("sides")
    path = folder / "soapstone.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    with closing(Database(f"sqlite:///{path}")) as database, asyncio.Runner() as runner:
        made = Sides(database, folder, runner)
        yield made
        for side in (made.known, made.other):
            side.application.close()


@pytest.fixture
def taught(sides: Sides) -> Sides:
    """Both know the browser's headers and the third link."""
    sides.ask(sides.click())
    return sides


def test_what_was_answered_once_is_known(taught: Sides) -> None:
    assert taught.hits(taught.click()) == 1
    assert taught.hits(taught.open()) == 1
    # A link that nobody followed is looked up once.
    assert [taught.hits(taught.click(position)) for position in (4, 4)] == [0, 1]
    other = taught.known.product.stems.make(taught.sent.message_id, taught.sent.mails[1])
    before = len(taught.known.records())
    answer = taught.ask(f"GET /c/{other}/3 HTTP/1.1\r\n{BROWSER}".encode())
    assert b"location: https://shop.example/3?utm_source=soapstone\r\n" in answer
    [record] = taught.known.records()[before:]
    assert record[1:] == (Kind.CLICK, taught.sent.message_id, taught.sent.mails[1], 3, b"192.0.2.8", AGENT.encode())


def test_each_answer_of_a_connection_in_its_order(taught: Sides) -> None:
    answer = taught.ask(taught.click(3), taught.open(), taught.click(3), LAST)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"302", b"200", b"302", b"200"]


def test_over_a_real_server(taught: Sides, tmp_path: Path) -> None:
    side = Side(taught.database, tmp_path)
    with (
        listen("127.0.0.1", 0) as listener,
        serving(side.application, listener, side.product.settings),
        socket.create_connection(listener.getsockname(), timeout=60) as connection,
    ):
        for _ in range(3):
            connection.sendall(taught.click())
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += connection.recv(65536)
            assert re.match(rb"HTTP/1\.1 302 Found\r\ndate: [^\r]+\r\nlocation: https://shop\.example/3\?", answer)
    side.application.close()
    assert (side.hits, len(side.records())) == (2, 3)


def variants(sides: Sides) -> dict[str, list[bytes]]:
    """Requests that are almost a known one, by what is special about them."""
    click, line, head = sides.click(), f"GET /c/{sides.stem}/3 HTTP/1.1\r\n".encode(), BROWSER.encode()
    short = head[:-2]
    upper = sides.stem.upper().encode()
    forged = sides.stem[:-1] + ("b" if sides.stem.endswith("a") else "a")

    def of(first: bytes) -> list[bytes]:
        return [first + b"\r\n" + head]

    def more(line_more: bytes, body: bytes = b"") -> list[bytes]:
        return [line + short + line_more + b"\r\n\r\n" + body]

    return {
        "in two pieces": [click[:40], click[40:]],
        "in two pieces behind the line": [line, head],
        "without its end": [click[:-2]],
        "with one byte behind": [click + b"G"],
        "with a line end before": [b"\r\n" + click],
        "with a line end behind": [click + b"\r\n"],
        "two at once": [click + click],
        "three at once": [click * 3],
        "a head within a head": [line + line + head],
        "line feeds alone": [click.replace(b"\r\n", b"\n")],
        "HEAD": of(b"HEAD /c/%b/3 HTTP/1.1" % sides.stem.encode()),
        "POST": of(b"POST /c/%b/3 HTTP/1.1" % sides.stem.encode()),
        "lower case method": of(b"get /c/%b/3 HTTP/1.1" % sides.stem.encode()),
        "HTTP/1.0": of(b"GET /c/%b/3 HTTP/1.0" % sides.stem.encode()),
        "HTTP/1.2": of(b"GET /c/%b/3 HTTP/1.2" % sides.stem.encode()),
        "no version": of(b"GET /c/%b/3" % sides.stem.encode()),
        "two spaces": of(b"GET  /c/%b/3 HTTP/1.1" % sides.stem.encode()),
        "a space behind": of(b"GET /c/%b/3 HTTP/1.1 " % sides.stem.encode()),
        "whole address": of(b"GET http://mail.example/c/%b/3 HTTP/1.1" % sides.stem.encode()),
        "query": of(b"GET /c/%b/3?x=1 HTTP/1.1" % sides.stem.encode()),
        "fragment": of(b"GET /c/%b/3#x HTTP/1.1" % sides.stem.encode()),
        "junk": of(b"GET /c/%b/3! HTTP/1.1" % sides.stem.encode()),
        "letter behind": of(b"GET /c/%b/3x HTTP/1.1" % sides.stem.encode()),
        "encoded": of(b"GET /c/%b/%%33 HTTP/1.1" % sides.stem.encode()),
        "zero before": of(b"GET /c/%b/03 HTTP/1.1" % sides.stem.encode()),
        "no position": of(b"GET /c/%b/ HTTP/1.1" % sides.stem.encode()),
        "position 0": of(b"GET /c/%b/0 HTTP/1.1" % sides.stem.encode()),
        "unknown position": of(b"GET /c/%b/999999 HTTP/1.1" % sides.stem.encode()),
        "long position": of(b"GET /c/%b/0000003 HTTP/1.1" % sides.stem.encode()),
        "upper case": of(b"GET /c/%b/3 HTTP/1.1" % upper),
        "forged": of(b"GET /c/%b/3 HTTP/1.1" % forged.encode()),
        "short stem": of(b"GET /c/%b/3 HTTP/1.1" % sides.stem[:-1].encode()),
        "forged image": of(b"GET /o/%b.gif HTTP/1.1" % forged.encode()),
        "image of another kind": of(b"GET /o/%b.png HTTP/1.1" % sides.stem.encode()),
        "late image": of(b"GET /r/%b.gif HTTP/1.1" % sides.stem.encode()),
        "connection closes": [click.replace(b"keep-alive", b"close")],
        "connection upgrades": [click.replace(b"Connection: keep-alive", b"Connection: Upgrade\r\nUpgrade: h2c")],
        "empty body": more(b"Content-Length: 0"),
        "body": more(b"Content-Length: 5", b"hello"),
        "request as body": more(b"Content-Length: %d" % len(click), click),
        "chunked": more(b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        "expects": more(b"Expect: 100-continue"),
        "two lengths": more(b"Content-Length: 0\r\nContent-Length: 5", b"hello"),
        "prefetch": more(b"Purpose: prefetch"),
        "secret prefetch": more(b"Sec-Purpose: prefetch;prerender"),
        "preview": more(b"X-Purpose: preview"),
        "moz": more(b"X-Moz: prefetch"),
        "forwarded": more(b"X-Forwarded-For: 203.0.113.9"),
        "cookie": more(b"Cookie: session=secret"),
        "referrer": more(b"Referer: https://webmail.example/inbox/7"),
        "two agents": more(b"User-Agent: curl/8.5.0"),
        "two hosts": more(b"Host: b.example"),
        "no agent": [line + b"Host: a\r\n\r\n"],
        "empty agent": [line + b"Host: a\r\nUser-Agent:\r\n\r\n"],
        "folded agent": [line + b"Host: a\r\nUser-Agent: one\r\n two\r\n\r\n"],
        "no host": [line + b"User-Agent: a\r\n\r\n"],
        "no headers": [line + b"\r\n"],
        "a header without a colon": [line + b"Host: a\r\nAccept\r\n\r\n"],
        "a NUL": [line + b"Host: a\r\nUser-Agent: a\0b\r\n\r\n"],
        "high bytes": [line + b"Host: a\r\nUser-Agent: \xff\xe4 \r\n\r\n"],
        "blanks around": [line + b"Host: a\r\nUser-Agent:  \t b \t \r\n\r\n"],
        "a long head": [line + b"Host: a\r\nUser-Agent: " + b"a" * 3000 + b"\r\n\r\n"],
        "a head that is too long": [line + b"Host: a\r\nAccept: " + b"a" * 70_000 + b"\r\n\r\n"],
    }


@pytest.mark.parametrize("times", [1, 2])
def test_almost_known_requests(taught: Sides, times: int) -> None:
    """Each one alone, twice in a connection, and once more when it may have been learned."""
    for what, pieces in variants(taught).items():
        for _ in range(times):
            taught.ask(*pieces)
        taught.ask(taught.click(), *pieces, taught.click())
        # It has not spoilt what is known.
        assert taught.hits(taught.click()) == 1, what


def test_what_nobody_may_keep(taught: Sides) -> None:
    """Cookies, pages that requests came from and addresses of proxies are in no memory."""
    for more in (b"Cookie: a=SECRET", b"Referer: https://SECRET.example", b"X-Forwarded-For: SECRET"):
        taught.ask(taught.click()[:-2] + more + b"\r\n\r\n")
    tracked = taught.known.application._tracked
    assert tracked is not None
    assert tracked._agents
    assert not any(b"SECRET" in head for head in tracked._agents)


def test_the_memory_is_bounded(taught: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soapstone.subscriber.tracking.MOST_HEADS", 5)
    tracked = taught.known.application._tracked
    assert tracked is not None
    tracked._agents.clear()
    for number in range(8):
        taught.ask(taught.click(head=f"Host: a\r\nUser-Agent: {number}\r\n\r\n"))
    assert len(tracked._agents) == 5


def test_a_link_with_targets_of_its_own_is_not_known(taught: Sides) -> None:
    link = tracked_links.c
    with taught.database.write() as connection:
        connection.execute(update(tracked_links).where(link.position == 9).values(is_dynamic=True))
    signed = taught.known.product.stems.target_signer(taught.stem)(9, "https://shop.example/ann")
    request = f"GET /c/{taught.stem}/9/{signed} HTTP/1.1\r\n{BROWSER}".encode()
    assert taught.hits(request, request) == 0
    for _ in range(2):
        assert b"HTTP/1.1 404" in taught.ask(f"GET /c/{taught.stem}/9 HTTP/1.1\r\n{BROWSER}".encode())


# Edits of a request: a place as a share of its length, what goes away there, and what comes.
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 3),
        st.sampled_from(
            [b"", b"\r\n", b"\n", b" ", b":", b"/", b"a", b"2", b"%", b"\0", b"GET ", b"\r\n\r\n", b"x: y\r\n"]
        ),
    ),
    max_size=3,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(edits=EDITS, twice=st.booleans(), cut=st.none() | st.floats(0, 1))
def test_any_edit_of_a_request(
    taught: Sides, edits: list[tuple[float, int, bytes]], twice: bool, cut: float | None
) -> None:
    data = taught.click()
    for share, away, comes in edits:
        at = int(share * len(data))
        data = data[:at] + comes + data[at + away :]
    place = len(data) if cut is None else int(cut * len(data))
    pieces = [piece for piece in (data[:place], data[place:]) if piece]
    taught.ask(*pieces * (1 + twice))


def directly(sides: Sides, folder: Path, act: Callable[[Side], Awaitable[None]]) -> Side:
    """A server of its own that knows the third link, after this was done with it."""
    made = Side(sides.database, folder)

    async def run() -> None:
        await made.ask([sides.click()])
        made.spooled.clear()
        await act(made)

    sides.run(run())
    made.application.close()
    return made


def test_the_record_is_written_first_and_one_turn_is_one_write(
    sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    real = os.write

    def write(file: int, data: bytes) -> int:
        writes.append(len(data))
        return real(file, data)

    async def act(direct: Side) -> None:
        made = [direct.connect() for _ in range(5)]
        monkeypatch.setattr(os, "write", write)
        for connection, transport in made:
            connection.data_received(sides.click())
            assert transport.written == b""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        monkeypatch.undo()
        assert all(transport.written.startswith(b"HTTP/1.1 302 Found\r\n") for _, transport in made)
        assert direct.spooled == [6] * 5
        for connection, _ in made:
            connection.connection_lost(None)

    directly(sides, tmp_path, act)
    assert len([size for size in writes if size > 20]) == 1


def test_what_comes_before_an_answer_waits_for_it(sides: Sides, tmp_path: Path) -> None:
    """Of one turn of the loop: a second known request, and one that the parser reads."""

    async def act(direct: Side) -> None:
        connection, transport = direct.connect()
        connection.data_received(sides.click())
        connection.data_received(sides.open())
        assert transport.written.count(b"HTTP/1.1 ") == 1
        connection.data_received(LAST)
        assert transport.written.count(b"HTTP/1.1 ") == 2
        while not transport.closed:
            await asyncio.sleep(0.001)
        kinds = re.findall(rb"HTTP/1.1 (\d+).*?content-length: (\d+)", transport.written, re.S)
        assert kinds == [(b"302", b"0"), (b"200", b"43"), (b"200", b"3")]
        connection.connection_lost(None)

    assert len(directly(sides, tmp_path, act).records()) == 3


def test_the_end_comes_behind_the_answer(sides: Sides, tmp_path: Path) -> None:
    async def act(direct: Side) -> None:
        connection, transport = direct.connect()
        connection.data_received(sides.click())
        connection.shutdown()
        assert transport.written.startswith(b"HTTP/1.1 302 Found\r\n")
        assert transport.closed
        connection.connection_lost(None)
        # A client that has gone gets nothing, and what it did counts.
        connection, transport = direct.connect()
        connection.data_received(sides.click())
        transport.close()
        connection.connection_lost(None)
        await asyncio.sleep(0.01)
        assert transport.written == b""

    assert len(directly(sides, tmp_path, act).records()) == 3


def test_answers_go_out_when_nothing_can_be_written(
    sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def act(direct: Side) -> None:
        connection, transport = direct.connect()
        monkeypatch.setattr(os, "write", full)
        connection.data_received(sides.click())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        monkeypatch.undo()
        assert transport.written.startswith(b"HTTP/1.1 302 Found\r\n")
        assert direct.application._spool.fails
        connection.connection_lost(None)

    assert len(directly(sides, tmp_path, act).records()) == 1


def test_a_slow_reader_goes_the_usual_way(sides: Sides, tmp_path: Path) -> None:
    async def act(direct: Side) -> None:
        connection, transport = direct.connect()
        connection.pause_writing()
        connection.data_received(sides.click())
        for _ in range(5):
            await asyncio.sleep(0)
        assert transport.written == b""
        connection.resume_writing()
        while not transport.written.endswith(b"\r\n\r\n"):
            await asyncio.sleep(0.001)
        assert transport.written.count(b"HTTP/1.1 302") == 1
        connection.connection_lost(None)

    assert len(directly(sides, tmp_path, act).records()) == 2
