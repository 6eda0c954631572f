"""The links of mails: unsubscribing by a button or by the mail program's own, and reading a mail in a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest

from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.messages.message import Draft
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.subscriber.app import subscriber

BASE = "https://mail.example.com"


class Browser:
    """Asks an app."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, url: str) -> httpx.Response:
        return self._ask("GET", url)

    def post(self, url: str, **content: Any) -> httpx.Response:
        return self._ask("POST", url, **content)

    def _ask(self, method: str, url: str, **content: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app)) as client:
                return await client.request(method, url, **content)

        return asyncio.run(ask())


class Post:
    """A list with two people who were sent a message, and a browser."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.account = product.accounts.create("ACME", time_zone="UTC")
        settings = {"from_address": "news@example.com", "removal_link": True, "browser_link": True}
        self.list = product.lists.create(self.account.id, "News", settings=settings)
        for name in ("ann", "bob"):
            product.contacts.add(self.account, {"email": f"{name}@example.com", "first_name": name}, [self.list.id])
        draft = Draft(subject="Hello", html="<p>Dear {{ First_Name }}</p>")
        product.sends.to_list(account=self.account, login=None, contact_list=self.list, message=draft)
        worker = Worker(product.database, product.blobs, runners(product), idle=0.05)
        worker.run(until=lambda: all(job.over for job in product.jobs.find()))
        self.browser = Browser(subscriber(product))

    def mail(self, name: str) -> Any:
        paths = sorted(self.product.settings.mail.glob("*.eml"))
        mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
        return next(mail for mail in mails if name in str(mail["To"]))

    def link(self, name: str, kind: str) -> str:
        text = self.mail(name).get_body(("plain",)).get_content()
        found = re.search(rf"{BASE}/{kind}/[\w.-]*[\w-]", text)
        assert found, text
        return found[0]

    def state(self, name: str) -> tuple[str, str]:
        members = {each.email: each for each in self.product.members.page(self.list.id)}
        removed = {each.email: each.removed_by for each in self.product.members.removed(self.list.id)}
        email = f"{name}@example.com"
        return members[email].state, removed.get(email, "")


@pytest.fixture
def post(database: Database, tmp_path: Path) -> Post:
    return Post(Product.open(Settings(data_dir=tmp_path, public_url=BASE), database))


def test_the_button_of_the_page(post: Post) -> None:
    """lk-110: looking at the link does nothing."""
    url = post.link("ann", "u")
    shown = post.browser.get(url)
    assert (shown.status_code, "<button>" in shown.text) == (200, True)
    assert post.state("ann") == ("subscribed", "")
    for _ in range(2):
        assert "no more mail of News" in post.browser.post(url).text
    assert post.state("ann") == ("unsubscribed", "Unsubscribe Link")
    assert post.state("bob") == ("subscribed", "")
    told = post.product.unsubscribes.page(post.account.id, "unsubscribed")
    assert [(each.list_id, each.message_name) for each in told] == [(post.list.id, "Hello")]


def test_the_button_of_the_mail_program(post: Post) -> None:
    """lk-110, RFC 8058"""
    mail = post.mail("bob")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = str(mail["List-Unsubscribe"]).strip("<>")
    content = "List-Unsubscribe=One-Click"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert post.browser.post(url, content=content, headers=headers).status_code == 200
    assert post.state("bob") == ("unsubscribed", "Mail Header")


def test_the_button_of_the_mail_program_by_the_other_form(post: Post) -> None:
    """lk-110: RFC 8058 3.2 allows multipart/form-data (RFC 7578), too."""
    url = post.link("bob", "u")
    assert post.browser.post(url, files={"List-Unsubscribe": (None, "One-Click")}).status_code == 200
    assert post.state("bob") == ("unsubscribed", "Mail Header")


@pytest.mark.parametrize(
    "content",
    [
        b"--b\nContent-Type: text/plain\ncontent-disposition:form-data;name=List-Unsubscribe\n\nOne-Click\n--b--",
        b'before\r\n--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'
        b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\nbehind',
    ],
)
def test_the_other_form_as_programs_write_it(post: Post, content: bytes) -> None:
    """lk-110"""
    headers = {"Content-Type": "Multipart/Form-Data; boundary=b"}
    assert post.browser.post(post.link("bob", "u"), content=content, headers=headers).status_code == 200
    assert post.state("bob") == ("unsubscribed", "Mail Header")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", ""),
        (b"List-Unsubscribe=Two-Clicks", "application/x-www-form-urlencoded"),
        (
            b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nOne-Click\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
        (b"no parts", "multipart/form-data; boundary=b"),
        (b"no boundary", "multipart/form-data"),
        (b"--b\r\n", "multipart/form-data; boundary*=idna''%41"),
        (b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n', "multipart/form-data; boundary=b"),
    ],
)
def test_every_other_form_is_a_person_with_a_link(post: Post, content: bytes, kind: str) -> None:
    """lk-110"""
    answer = post.browser.post(post.link("ann", "u"), content=content, headers={"Content-Type": kind})
    assert answer.status_code == 200
    assert post.state("ann") == ("unsubscribed", "Unsubscribe Link")


def test_a_form_that_is_too_large_is_not_read(post: Post) -> None:
    url, read = post.link("ann", "u"), []

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            read.append(1)
            yield b"x" * 1000

    assert post.browser.post(url, content=endless()).status_code == 413
    assert len(read) < 20
    assert post.state("ann") == ("subscribed", "")


def test_reading_in_a_browser(post: Post) -> None:
    shown = post.browser.get(post.link("ann", "m"))
    assert "<p>Dear ann</p>" in shown.text
    assert "sandbox" in shown.headers["content-security-policy"]


def test_links_that_are_none_of_ours(post: Post) -> None:
    url = post.link("ann", "u")
    for other in (url[:-2], url.replace("/u/", "/m/"), f"{BASE}/u/1", f"{BASE}/m/x"):
        assert post.browser.get(other).status_code == 404
    assert post.browser.post(url[:-2]).status_code == 404
    assert post.state("ann") == ("subscribed", "")
    post.product.lists.delete(post.account.id, post.list.id)
    assert post.browser.post(url).status_code == 404
