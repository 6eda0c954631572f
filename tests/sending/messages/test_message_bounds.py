"""Bounds of messages and merged mails: large ones are refused before they cost, and nobody is lost (docs/limits.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup
from sqlalchemy import update
from tests.growth import check_growth, seconds
from tests.sending.conftest import Office
from tests.sending.smtp_trial import Sink

from soapstone.lists.profiles import AttributeDraft, Profiles
from soapstone.sending.folder import delivery as folder_delivery
from soapstone.sending.messages.content import Content, check_storable, with_links
from soapstone.sending.messages.hyperlinks import hyperlinks
from soapstone.sending.messages.message import (
    LONGEST_BODY,
    LONGEST_LINE,
    MOST_MARKUP,
    MOST_MERGED,
    MOST_SIGNS,
    MOST_TAGS,
    Draft,
    InvalidMessage,
    MergedTooLarge,
)
from soapstone.sending.messages.plain_text import plain_template
from soapstone.sending.messages.template import Template, merge_tags
from soapstone.sending.runner import SendRunner
from soapstone.sending.smtp.server import SmtpServer
from soapstone.sending.smtp.url import SmtpAddress
from soapstone.store.tables import contacts

SETTINGS = {"removal_link": True, "browser_link": True}


def check(draft: Draft) -> Content:
    """What happens to a message when it is stored."""
    check_storable(draft)
    return Content(draft)


TOO_LARGE: dict[str, tuple[Callable[[int], Draft], int, str]] = {
    "subject": (lambda n: Draft(subject="a" * n, plain="x"), LONGEST_LINE, "subject has more than 2,000 characters"),
    "names": (lambda n: Draft(subject="s", from_name="a" * n, plain="x"), LONGEST_LINE, "sender name has more than"),
    "html": (lambda n: Draft(subject="s", html="a" * n), LONGEST_BODY, "HTML body has more than 550,000"),
    "plain": (
        lambda n: Draft(subject="s", plain="a" * n),
        LONGEST_BODY,
        "text body has more than 550,000",
    ),
    "tags of all parts": (
        lambda n: Draft(subject="{{ a }}", html="{{ a }}" * (n // 2), plain="{{ a }}" * (n - n // 2 - 1)),
        MOST_TAGS,
        "more than 1,000 merge tags",
    ),
    "conditions": (
        lambda n: Draft(subject="s", html="{% if a %}" + "{% elif a %}" * (n - 2) + "{% endif %}"),
        MOST_TAGS,
        "more than 1,000 merge tags",
    ),
    "signs": (
        lambda n: Draft(subject="s", html="{% if a in [" + "a," * ((n - 5) // 2) + "a" * (n % 2) + "] %}{% endif %}"),
        MOST_SIGNS,
        "more than 4,000 words and signs",
    ),
    "markup": (lambda n: Draft(subject="s", html="<p>" * n), MOST_MARKUP, "more than 35,000 tags, attributes"),
    "markup beside a text": (
        lambda n: Draft(subject="s", html="&amp;" * n, plain="x"),
        MOST_MARKUP,
        "more than 35,000",
    ),
    "attributes": (lambda n: Draft(subject="s", html="<a " + "b " * (n - 1) + ">"), MOST_MARKUP, "more than 35,000"),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_message_at_its_bound_is_stored_and_sent_and_one_beyond_is_not_stored(name: str) -> None:
    make, bound, sentence = TOO_LARGE[name]
    draft = make(bound)
    check(draft)
    # The links that a list adds have room.
    Content(with_links(draft, SETTINGS), has_links=True)
    hyperlinks(with_links(draft, SETTINGS), None)
    with pytest.raises(InvalidMessage, match=sentence):
        check(make(bound + 1))


def test_a_newsletter_of_500_kB_goes_through() -> None:
    row = '<tr><td class="x" style="padding: 3px"><a href="https://example.com/?a=1&amp;b=2">' + "Some words. " * 150
    draft = Draft(subject="{{ First_Name }}", html=(row + "{{ First_Name or 'you' }}</a>&nbsp;</td></tr>\n") * 200)
    assert 350_000 < len(draft.html) < 500_000
    content = Content(with_links(draft, SETTINGS), has_links=True)
    check(draft)
    merged = content.render({"first_name": "Ann", "unsubscribe_link": "u", "browser_link": "b"})
    assert merged.html is not None
    assert merged.html.count("Ann</a>") == 200


def test_what_cannot_be_read_is_no_fault_of_the_server() -> None:
    with pytest.raises(InvalidMessage, match="a number that is too long"):
        Template("{{ " + "1" * 5000 + " }}", "text")
    for text in (r"\ud800", r"\0"):
        with pytest.raises(InvalidMessage):
            Template(f'{{{{ "{text}" }}}}', "text")
        with pytest.raises(InvalidMessage):
            Template(f'{{{{ field["{text}"] | upper }}}}', "text")
    with pytest.raises(InvalidMessage):
        merge_tags("{{" * 100_000)


@pytest.mark.parametrize("text", ["{{ a }}", "{% b %}", "{{{{%%{%", 'x "quoted" \\n {{', "{", "a{b", "{{\n}}"])
def test_braces_of_a_text_stay_text(text: str) -> None:
    html = "<p>" + text.replace("&", "&amp;").replace("{", "&#123;") + "</p>{{ a }}"
    merged = Template(plain_template(html), "text").render({"a": "A"})
    assert merged.split() == [*text.split(), "A"]
    # Each part between two tags is one text at most.
    assert len(merge_tags(plain_template("&#123;&#123; " * 1000 + "{{ a }}"))) <= 2


VALUES: dict[str, tuple[str, str]] = {
    "many": ("{{ a }}" * 100, "a" * (MOST_MERGED // 50)),
    "escaped": ("{{ a }}" * 100, '"' * (MOST_MERGED // 200)),
    "long": ("{% if a %}x{% endif %}", "a" * (MOST_MERGED + 1)),
    "filtered": ("{% if a|upper|lower == 'b' %}{% endif %}" * 100, "a" * 10_000),
    "quoted again and again": ("{{ a" + "|urlencode" * 80 + "}}", "%" * 20_000),
    "searched": ("{% if 'b' in a %}{% endif %}" * 100, "a" * 20_000),
    "markup": ("{{ a }}", Markup("<b>" * (MOST_MARKUP + 1))),
    "a text that is the same for all": ("{{ " + "'a'" + "|urlencode" * 5 + " }}{{ a }}", "a" * MOST_MERGED),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_mail_whose_values_are_too_large_is_not_merged(name: str) -> None:
    html, value = VALUES[name]
    content = check(Draft(subject="s", html=html))
    assert content.merge({"a": "b"})
    with pytest.raises(MergedTooLarge):
        content.merge({"a": value})


def test_a_merged_subject_has_a_bound() -> None:
    content = check(Draft(subject="{{ a }}", plain="x"))
    content.merge({"a": "a" * LONGEST_LINE})
    with pytest.raises(MergedTooLarge, match="more than 2,000 characters"):
        content.merge({"a": "a" * (LONGEST_LINE + 1)})


def test_two_values_with_markup_are_counted_together() -> None:
    block = Markup("<b>" * (MOST_MARKUP // 2 + 1))
    content = check(Draft(subject="s", html="{{ a }}{{ b }}"))
    content.merge({"a": block, "b": ""})
    with pytest.raises(MergedTooLarge):
        content.merge({"a": block, "b": block})


GROWTH: dict[str, Callable[[int], Any]] = {
    "tags": lambda n: "{{a}}" * n,
    "filters": lambda n: "{{ a" + "|e" * min(n, 80) + "}}" + ("{{ a" + "|e" * 40 + "}}") * (n // 40),
    "fallbacks": lambda n: ("{{ " + " or ".join(["a"] * 40) + "}}") * (n // 40),
    "nested": lambda n: ("{% if a %}" * 40 + "{% endif %}" * 40) * (n // 80),
    "elif": lambda n: "{% if a %}" + "{% elif a %}" * (n // 2) + "{% endif %}",
}


@pytest.mark.parametrize("name", GROWTH)
def test_the_time_of_a_template_grows_with_it(name: str) -> None:
    check_growth(GROWTH[name], lambda text: Template(text, "text"), begin=160, longest=320)


HTML: dict[str, Callable[[int], Any]] = {
    "tags": lambda n: "<a>" * n,
    "attributes": lambda n: "<a " + "b=c " * n,
    "different attributes": lambda n: "<a " + " ".join(f"b{each}" for each in range(n)) + ">",
    "comments": lambda n: "<!--a--" * n,
    "references": lambda n: "&Aacute" * n,
    "braces": lambda n: "&#123;" * n,
    "links": lambda n: '<a href="x">y' * n,
    "conditions in a tag": lambda n: "<a " + "{% if a %}b{% endif %}" * min(n, 400) + ">",
}


@pytest.mark.parametrize("name", HTML)
def test_the_time_of_html_grows_with_it(name: str) -> None:
    check_growth(HTML[name], plain_template, begin=100, longest=MOST_MARKUP // 4)


def test_a_chain_of_filters_costs_no_more_than_as_many_tags() -> None:
    chains = ("{{ a" + "|e" * 80 + "}}") * 5
    assert min(seconds(lambda text: Template(text, "text"), chains) for _ in range(3)) < 1


def grow(office: Office, email: str, size: int) -> None:
    """Give a contact a first name of that length."""
    with office.database.write() as connection:
        connection.execute(update(contacts).where(contacts.c.email == email).values(first_name="a" * size))


def test_a_mail_that_is_too_large_fails_for_its_recipient_alone(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_delivery, "BUILD_MAILS", 2)
    for name in ("ann", "bob", "cat", "dan", "eve"):
        office.contact(f"{name}@example.com", first_name=name)
    for name in ("bob", "eve"):
        grow(office, f"{name}@example.com", 1_000_000)
    ticket = office.to_list(html="{{ First_Name }}" * 10, plain="")
    office.work()
    assert office.job(ticket).state == "completed"
    assert {row.email.partition("@")[0]: row.state for row in office.rows(ticket)} == {
        "ann": "handed",
        "bob": "failed",
        "cat": "handed",
        "dan": "handed",
        "eve": "failed",
    }
    assert {row.reply for row in office.rows(ticket) if row.state == "failed"} == {
        "The mail has more than 3,000,000 characters."
    }
    assert office.job(ticket).counters == {"chosen": 5, "skipped": 0, "built": 3, "handed": 3, "failed": 2}
    assert office.mails().keys() == {"ann@example.com", "cat@example.com", "dan@example.com"}
    assert office.left_over() == []


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    opened = Sink(tmp_path / "accepted.jsonl")
    yield opened
    opened.stop()


def test_a_mail_that_is_too_large_is_not_handed_to_a_server(office: Any, sink: Sink) -> None:
    server = SmtpServer(SmtpAddress.of(f"smtp://127.0.0.1:{sink.port}"), connections=2, local_hostname="a.example")
    office.sender = SendRunner(office.database, office.mail, office.drafts, server=server)
    for name in ("ann", "bob", "cat", "dan"):
        office.contact(f"{name}@example.com", first_name=name)
    for name in ("ann", "bob", "dan"):
        grow(office, f"{name}@example.com", 1_000_000)
    ticket = office.to_list(html="{{ First_Name }}" * 10, plain="")
    office.work()
    assert office.job(ticket).state == "completed"
    assert [row.state for row in office.rows(ticket)] == ["failed", "failed", "handed", "failed"]
    assert office.job(ticket).counters == {"chosen": 4, "skipped": 0, "handed": 1, "failed": 3}
    assert [line["to"] for line in sink.lines()] == ["cat@example.com"]
    # The ones who failed may be tried again, when their values are shorter.
    grow(office, "bob@example.com", 3)
    assert office.sends.to_failed(account=office.account, login=None, job=office.job(ticket)) is not None
    office.work()
    assert sorted(line["to"] for line in sink.lines()) == ["bob@example.com", "cat@example.com"]


def test_only_some_have_the_values(office: Any) -> None:
    """A content block of an import may be as long as 1 MB."""
    attribute = AttributeDraft(name="Block", kind="content_block")
    Profiles(office.database).add_header(office.account.id, office.list.id, "H", attributes=(attribute,))
    (found,) = Profiles(office.database).attributes(office.list.id)
    office.contact("ann@example.com", profile={str(found.id): "<p>text</p>" * 10_000})
    office.contact("bob@example.com", profile={str(found.id): "<p>" * 300_000})
    ticket = office.to_list(html="{{ Block }}", plain="")
    office.work()
    assert [row.state for row in office.rows(ticket)] == ["handed", "failed"]
    assert "more than 35,000 tags" in office.rows(ticket)[1].reply
