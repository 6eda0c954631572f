"""Content blocks of profiles are HTML in mails, unless the person may have written them (lk-45)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any

import httpx
import pytest
from markupsafe import Markup

from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.worker import Worker
from soapstone.lists.profiles import AttributeDraft
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.messages.content import Content
from soapstone.sending.messages.message import Draft
from soapstone.sending.messages.template import Template
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.subscriber.app import subscriber
from soapstone.vocabulary.messages import MessageKind

BASE = "https://mail.example.com"
BLOCK = '<table><tr><td>Tea &amp; cake</td><td><a href="https://shop.example.com/?id=1&amp;q=2">2</a></td></tr></table>'
SHOWN = "&lt;table&gt;"
TEXT = "Tea & cake 2 (https://shop.example.com/?id=1&q=2)"
DRAFT = Draft(
    subject="Order {{ Order }}",
    html="<p>{{ Order }}</p><p>{{ Note }}</p>{{ Browser_Link }}",
    from_address="a@example.com",
)


class Shop:
    """A list with a content block and a text attribute, and a subscriber."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.account = product.accounts.create("ACME", time_zone="UTC")
        self.list = product.lists.create(self.account.id, "News")
        attributes = (AttributeDraft(name="Order", kind="content_block"), AttributeDraft(name="Note", kind="text_area"))
        product.profiles.add_header(self.account.id, self.list.id, "Shop", attributes=attributes)
        self.order, self.note = (each.id for each in product.profiles.attributes(self.list.id))
        self.subscriptions = product.subscriptions(BASE)
        self.subscriptions.set(self.account, self.list, "ann@example.com")

    def by_call(self, value: str, email: str = "ann@example.com", update: Any = "update") -> None:
        self.subscriptions.set(self.account, self.list, email, {self.order: value}, update=update)

    def by_update(self, value: str) -> None:
        self.subscriptions.update(self.account, self.list, "ann@example.com", {self.order: value}, update="overwrite")

    def by_member(self, value: str) -> None:
        person = self.person("ann@example.com")
        self.subscriptions.set_profile(self.account, self.list, person.contact_id, {self.order: value})

    def by_import(self, value: str, known: Any = "update") -> None:
        upload = self.product.blobs.new()
        quoted = value.replace('"', '""')
        upload.write(f'ann@example.com,"{quoted}"\n'.encode())
        columns = (Column(index=0, target="email"), Column(index=1, target=f"attribute:{self.order}"))
        spec = ImportSpec(columns=columns, known=known)
        self.product.imports.submit(
            account=self.account, login=None, contact_list=self.list, upload=upload, spec=spec, label="x"
        )
        self.work()

    def by_attribute_update(self, value: str) -> None:
        attribute = self.product.profiles.attribute(self.account.id, self.order)
        assert attribute is not None
        self.product.attribute_updates.submit(account=self.account, login=None, attribute=attribute, value=value)
        self.work()

    def by_form(self, value: str, email: str = "ann@example.com") -> None:
        self.subscriptions.form(self.account, self.list, email, {self.order: value, self.note: value})

    def person(self, email: str) -> Any:
        return self.product.subscriptions().find(self.account, self.list, email)

    def work(self) -> None:
        worker = Worker(self.product.database, self.product.blobs, runners(self.product), idle=0.05)
        worker.run(until=lambda: all(job.over for job in self.product.jobs.find()))

    def mail(self, email: str = "ann@example.com") -> tuple[str, str, str]:
        """Subject, HTML and text of the mail of a send; sample, preview and browser page say the same."""
        before = set(self.product.settings.mail.glob("*.eml"))
        message = self.product.messages.save(self.account.id, self.list.id, DRAFT, kind=MessageKind.SAVED)
        self.product.sends.to_list(account=self.account, login=None, contact_list=self.list, message=message)
        self.work()
        sent = [path.read_bytes() for path in sorted(set(self.product.settings.mail.glob("*.eml")) - before)]
        subject, html, text = next(read(each) for each in sent if email in str(read(each)))
        link = re.search(rf"{BASE}/m/[\w.-]*[\w-]", text)
        assert link is not None
        assert html.strip() in self.page(link[0])
        person = self.person(email)
        sample = read(self.product.samples.mail(self.list, DRAFT, email, person))
        assert sample[0] == subject
        assert without_links(sample) == without_links((subject, html, text))
        preview = self.product.previews.of(message, self.list, contact_id=person.contact_id).rendered
        assert without_links((preview.subject, preview.html or "", preview.plain)) == without_links(
            (subject, html, text)
        )
        return subject, html, text

    def page(self, url: str) -> str:
        async def ask() -> str:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(subscriber(self.product))) as client:
                return (await client.get(url)).text

        return asyncio.run(ask())


def read(mail: bytes) -> tuple[str, str, str]:
    parsed: Any = message_from_bytes(mail, policy=policy.default)
    html, text = (parsed.get_body((kind,)).get_content() for kind in ("html", "plain"))
    return str(parsed["Subject"]), html, text + str(parsed["To"])


def without_links(parts: tuple[str, str, str]) -> list[list[str]]:
    # Samples and previews have no pixels either.
    pixels = rf'<img src="{BASE}/[or]/[^>]*>'
    gone = [re.sub(rf"{pixels}|{BASE}/m/[\w.-]*[\w-]|#browser|\S*@\S*", "", part) for part in parts]
    return [part.split() for part in gone]


@pytest.fixture
def shop(database: Database, tmp_path: Any) -> Shop:
    return Shop(Product.open(Settings(data_dir=tmp_path, public_url=BASE), database))


WAYS: list[Callable[[Shop, str], None]] = [
    Shop.by_call,
    Shop.by_update,
    Shop.by_member,
    Shop.by_import,
    Shop.by_attribute_update,
]


@pytest.mark.parametrize("way", WAYS)
def test_content_blocks_are_html_whichever_way_the_sender_sets_them(shop: Shop, way: Any) -> None:
    """Also where the person had set the same before; in text and subject they are text."""
    shop.by_form(BLOCK)
    subject, html, text = shop.mail()
    assert BLOCK not in html
    assert html.count(SHOWN) == 2
    assert "<table>" in subject
    way(shop, BLOCK)
    subject, html, text = shop.mail()
    assert BLOCK in html
    # The text attribute is text.
    assert html.count(SHOWN) == 1
    assert TEXT in text
    assert subject == f"Order {TEXT}"


def test_what_a_person_sets_is_text(shop: Shop) -> None:
    """lk-59: a form may change a value of the sender, and a newcomer brings values along."""
    shop.by_call(BLOCK)
    assert BLOCK in shop.mail()[1]
    shop.by_form("<b>mine</b>")
    assert "<p>&lt;b&gt;mine&lt;/b&gt;</p>" in shop.mail()[1]
    shop.by_form("<i>new</i>", "bob@example.com")
    assert "<p>&lt;i&gt;new&lt;/i&gt;</p>" in shop.mail("bob@example.com")[1]
    # Neither a change of the address nor a call that leaves the value alone make it the sender's.
    shop.subscriptions.change_address(shop.account, shop.list, "bob@example.com", "eve@example.com")
    assert "<p>&lt;i&gt;new&lt;/i&gt;</p>" in shop.mail("eve@example.com")[1]
    shop.by_call("<i>new</i>", "eve@example.com", "append")
    shop.by_call("<i>new</i>", "eve@example.com", "none")
    shop.by_import("<b>mine</b>", "append")
    shop.by_import("<b>mine</b>", "keep")
    assert "<p>&lt;i&gt;new&lt;/i&gt;</p>" in shop.mail("eve@example.com")[1]
    assert "<p>&lt;b&gt;mine&lt;/b&gt;</p>" in shop.mail()[1]


def test_blank_values_of_forms_change_nothing(shop: Shop) -> None:
    shop.by_call(BLOCK)
    shop.by_form("")
    assert BLOCK in shop.mail()[1]


@pytest.mark.parametrize(
    ("source", "html", "plain"),
    [
        ("{{ Order }}", "<b>x &amp; <i>y</i></b>", "x & y"),
        ("{{ Order | upper }}", "<b>x &amp; <i>y</i></b>", "X & Y"),
        ("{{ Order | e }}{{ Order | escape | title }}", "<b>x &amp; <i>y</i></b>" * 2, "x &amp; yX &amp; Y"),
        ("{{ Order | trim | default('<>') }}", "<b>x &amp; <i>y</i></b>", "x & y"),
        ("{{ City | default(Order) }}", "<b>x &amp; <i>y</i></b>", "x & y"),
        ("{{ City or Order }}{{ City | default('<') }}", "<b>x &amp; <i>y</i></b>&lt;", "x & y<"),
        ("{{ Order if Order else '' }}{% if 'x' in Order %}!{% endif %}", "<b>x &amp; <i>y</i></b>!", "x & y!"),
        ("{{ Plain | upper }}", "A &amp; B", "A & B"),
        ("{{ State | e | upper }}", "&lt;NY&gt;", "&lt;NY&gt;"),
    ],
)
def test_filters_keep_html_safe(source: str, html: str, plain: str) -> None:
    """What was text is escaped once, what was HTML is never taken apart."""
    values = {"order": Markup("<b>x &amp; <i>y</i></b>"), "plain": Markup("a &amp; b"), "state": "<ny>"}
    content = Content(Draft(subject=source, html=source, plain=source))
    rendered = content.render(values)
    assert (rendered.html, rendered.plain, rendered.subject) == (html, plain, plain)
    assert type(Template(source, "text").render(dict.fromkeys(content.names, ""))) is str
