"""Tracked links and images: what is answered, what is recorded of it, and what is not."""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from tests.tracking.ledger import send

from soapstone.http.client_address import Origins
from soapstone.listening import listen
from soapstone.local_server import serving
from soapstone.product import Product
from soapstone.server import Application
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import tracked_links
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.subscriber import tracking
from soapstone.subscriber.tracking import GIF, TrackingApp
from soapstone.tracking.spool import Spool, SpoolRecord, read_records
from soapstone.vocabulary.tracking import MailEventKind as Kind

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"


class Site:
    """An app on records with one send, and its spool."""

    def __init__(self, database: Database, folder: Path, *, mails: int = 2, **options: Any) -> None:
        self.product = Product.open(Settings(data_dir=folder), database)
        account = self.product.accounts.create("ACME", time_zone="UTC")
        self.sent = send(database, account, mails, links=20)
        self.folder = folder / "spool"
        self.spool = Spool(self.folder)
        origins = Origins(["10.0.0.0/8"])
        self.app = TrackingApp(database, self.product.stems, self.spool, origins, **options)
        self.stem = self.product.stems.make(self.sent.message_id, self.sent.mails[0])

    def ask(self, *paths: str, method: str = "GET", peer: str = "198.51.100.7", **headers: str) -> list[httpx.Response]:
        """Answers to requests at the same time."""

        async def ask() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app, client=(peer, 1234))
            async with httpx.AsyncClient(transport=transport, base_url="https://mail.example") as client:
                given = {"User-Agent": BROWSER} | {name.replace("_", "-"): value for name, value in headers.items()}
                return await asyncio.gather(*(client.request(method, path, headers=given) for path in paths))

        return asyncio.run(ask())

    def records(self) -> list[SpoolRecord]:
        return [each for path in sorted(self.folder.glob("*")) for _, each in read_records(path.read_bytes())]


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[Site]:
    made = Site(database, tmp_path, read_seconds=0.05)
    yield made
    made.spool.close()


def test_a_link_leads_to_its_target(site: Site) -> None:
    [answer] = site.ask(f"/c/{site.stem}/3")
    assert (answer.status_code, answer.content) == (302, b"")
    assert answer.headers["location"] == "https://shop.example/3?utm_source=soapstone"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert "set-cookie" not in answer.headers
    [record] = site.records()
    assert record[1:] == (
        Kind.CLICK,
        site.sent.message_id,
        site.sent.mails[0],
        3,
        b"198.51.100.7",
        BROWSER.encode(),
    )
    assert abs(record.at / 1e6 - time.time()) < 60


def test_what_readers_take_into_a_link(site: Site) -> None:
    """lk-107: junk behind the number is ignored unless it begins with a letter or digit."""
    for junk in ("!", "?", "*", "%3E", ")", ").", "/", "/!", "_x", "%0D%0ASet-Cookie:x", "?url=https://evil.example"):
        [answer] = site.ask(f"/c/{site.stem.upper()}/15{junk}")
        assert answer.headers.get("location") == "https://shop.example/15?utm_source=soapstone", junk
    for junk in ("x", "0", "%C3%A4", "%D9%A1"):
        assert site.ask(f"/c/{site.stem}/15{junk}")[0].status_code == 404, junk
    assert {record.position for record in site.records()} == {15}


def test_a_link_with_a_target_of_its_own(site: Site) -> None:
    link = tracked_links.c
    with site.product.database.write() as connection:
        connection.execute(update(tracked_links).where(link.position == 2).values(is_dynamic=True))
    stems = site.product.stems
    signed = stems.target_signer(site.stem)(2, "https://shop.example/ann?x=1")
    for junk in ("", "!", ")", "%3E"):
        assert site.ask(f"/c/{site.stem}/2/{signed}{junk}")[0].headers["location"] == "https://shop.example/ann?x=1"
    other = stems.make(site.sent.message_id, site.sent.mails[1])
    for path in (f"{site.stem}/2", f"{site.stem}/2/x", f"{site.stem}/1x/{signed}", f"{other}/2/{signed}"):
        assert site.ask(f"/c/{path}")[0].status_code == 404
    assert len(site.records()) == 4


@pytest.mark.parametrize("target", ["javascript:alert(1)", "https://shop.example/\r\nX: y", "https://shöp.example/"])
def test_no_other_targets(site: Site, target: str) -> None:
    with site.product.database.write() as connection:
        connection.execute(update(tracked_links).values(target=target))
    assert site.ask(f"/c/{site.stem}/1")[0].status_code == 404


def test_head_and_prefetch_are_recorded_as_nothing(site: Site) -> None:
    paths = (f"/c/{site.stem}/1", f"/o/{site.stem}.gif", f"/r/{site.stem}.gif")
    got = [dict(answer.headers) for answer in site.ask(*paths)]
    assert Counter(record.kind for record in site.records()) == {Kind.CLICK: 1, Kind.OPEN: 1, Kind.READ: 1}
    assert [dict(answer.headers) for answer in site.ask(*paths, method="HEAD")] == got
    for name, value in (
        ("Purpose", "prefetch"),
        ("Sec_Purpose", "prefetch;prerender"),
        ("X_Moz", "prefetch"),
        ("X_Purpose", "preview"),
    ):
        assert site.ask(paths[0], **{name: value})[0].status_code == 302
        assert site.ask(paths[1], **{name: value})[0].content == GIF
        assert site.ask(paths[2], **{name: value})[0].content == GIF
    assert len(site.records()) == 3
    assert [answer.status_code for answer in site.ask(*paths, method="POST")] == [405] * 3


def test_images(site: Site) -> None:
    unknown = "a" * 32
    for path in (f"/o/{site.stem}.gif", f"/o/{unknown}.gif", f"/r/{unknown}.gif", "/o/", "/r/x", "/o/" + "é" * 40):
        [answer] = site.ask(path)
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, GIF, "image/gif")
        assert answer.headers["content-length"] == "43"
        assert answer.headers["cache-control"] == "no-store"
    assert [record.kind for record in site.records()] == [Kind.OPEN]


def test_who_may_read(site: Site) -> None:
    """lk-107: an empty agent and image proxies get the image at once, and tell of no reading."""
    for agent in ("", "Mozilla/5.0", "Mozilla/5.0 (via ggpht.com GoogleImageProxy)", "curl/8.5.0"):
        assert site.ask(f"/r/{site.stem}.gif", User_Agent=agent)[0].content == GIF
    assert site.records() == []
    assert site.ask(f"/r/{site.stem}.gif", User_Agent="Evolution/3.46.4")[0].content == GIF
    assert [record.kind for record in site.records()] == [Kind.READ]


def test_addresses_behind_proxies(site: Site) -> None:
    site.ask(f"/o/{site.stem}.gif", peer="10.0.0.1", X_Forwarded_For="203.0.113.9, 192.0.2.5")
    site.ask(f"/o/{site.stem}.gif", peer="192.0.2.99", X_Forwarded_For="203.0.113.9")
    site.ask(f"/o/{site.stem}.gif", peer="::ffff:192.0.2.77")
    assert [record.address for record in site.records()] == [b"192.0.2.5", b"192.0.2.99", b"192.0.2.77"]


def test_more_images_than_may_wait(database: Database, tmp_path: Path) -> None:
    unheld: list[int] = []
    site = Site(database, tmp_path, read_seconds=0.3, most_held=3, on_unheld=lambda: unheld.append(1))
    began = time.monotonic()
    assert {answer.content for answer in site.ask(*[f"/r/{site.stem}.gif"] * 10)} == {GIF}
    assert time.monotonic() - began < 5
    assert len(site.records()) == 3
    assert len(unheld) == 7
    site.spool.close()


def test_with_the_records_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.ask(f"/c/{site.stem}/1")

    def fail(self: Database) -> Any:
        raise RecordsUnavailable("away")

    monkeypatch.setattr(Database, "read", fail)
    known, unknown, image = site.ask(f"/c/{site.stem}/1", f"/c/{site.stem}/2", f"/o/{site.stem}.gif")
    assert (known.status_code, unknown.status_code, image.content) == (302, 503, GIF)
    assert unknown.headers["retry-after"] == "5"
    assert Counter(record.kind for record in site.records()) == {Kind.CLICK: 2, Kind.OPEN: 1}


def test_with_a_spool_that_cannot_be_written(site: Site) -> None:
    site.folder.write_text("a file")
    link, image = site.ask(f"/c/{site.stem}/1", f"/o/{site.stem}.gif")
    assert (link.status_code, image.content) == (302, GIF)
    assert site.spool.fails


def test_targets_in_memory_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soapstone.subscriber.tracking.MOST_TARGETS", 5)
    for position in (*range(1, 21), 1):
        assert site.ask(f"/c/{site.stem}/{position}")[0].status_code == 302
    assert len(site.app._targets) == 5


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_any_path(any_site: Site, path: str) -> None:
    for room in "cor":
        assert asyncio.run(status(any_site.app, f"/{room}/{path}")) == (404 if room == "c" else 200)


async def status(app: TrackingApp, path: str) -> int:
    """The status of an answer, without what a client costs."""
    sent: list[Any] = []

    async def take(message: Any) -> None:
        sent.append(message)

    async def give() -> dict[str, Any]:
        return {"type": "http.request"}

    await app({"type": "http", "method": "GET", "path": path, "headers": [], "client": ("::1", 1)}, give, take)
    return int(sent[0]["status"])


def test_changed_stems(any_site: Site) -> None:
    """No stem but the one that was made leads anywhere, and none fails."""
    site, dice = any_site, random.Random(17)
    letters = "abcdefghijklmnopqrstuvwxyz234567"

    async def ask() -> list[int]:
        found = []
        for number in range(10_000):
            place = number % 32
            letter = dice.choice(letters.replace(site.stem[place], ""))
            changed = site.stem[:place] + letter + site.stem[place + 1 :]
            path = f"/c/{changed}/{dice.randrange(1, 21)}" if number % 2 else f"/o/{changed}.gif"
            found.append(await status(site.app, path))
        return found

    assert Counter(asyncio.run(ask())) == {404: 5_000, 200: 5_000}
    assert site.records() == []


@pytest.fixture(scope="module")
def any_site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(sqlite_template, folder / "soapstone.sqlite")
    database = Database(f"sqlite:///{folder / 'soapstone.sqlite'}")
    made = Site(database, folder)
    yield made
    made.spool.close()
    database.close()


class Reader:
    """A mail program that asks a real server for an image, and may leave before it is complete."""

    def __init__(self, base: str, path: str) -> None:
        host, _, port = base.partition("://")[2].partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {BROWSER}\r\n\r\n".encode())

    def head(self) -> bytes:
        """Everything that comes before the image."""
        found = b""
        while not found.endswith(b"\r\n\r\n"):
            found += self._socket.recv(1)
        return found

    def body(self) -> bytes:
        return self._socket.recv(len(GIF), socket.MSG_WAITALL)

    def leave(self) -> None:
        self._socket.close()


def test_a_mail_that_stays_open_is_read(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """lk-107: the head comes at once, the image later; who leaves before has not read."""
    goes_on, stays_open = threading.Event(), tracking._stays

    async def later(receive: Any, seconds: float) -> bool:
        assert await asyncio.to_thread(goes_on.wait, 60)
        return await stays_open(receive, seconds)

    monkeypatch.setattr(tracking, "_stays", later)
    site = Site(database, tmp_path)
    application = Application(site.product, read_seconds=0.5)
    with listen("127.0.0.1", 0) as listener, serving(application, listener, site.product.settings):
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        other = site.product.stems.make(site.sent.message_id, site.sent.mails[1])
        stays, leaves = Reader(base, f"/r/{site.stem}.gif"), Reader(base, f"/r/{other}.gif")
        for reader in (stays, leaves):
            assert b"content-length: 43" in reader.head().lower()
        leaves.leave()
        began = time.monotonic()
        goes_on.set()
        assert stays.body() == GIF
        assert time.monotonic() - began > 0.4
        stays.leave()
    application.close()
    assert [(record.kind, record.delivery_id) for record in site.records()] == [(Kind.READ, site.sent.mails[0])]
