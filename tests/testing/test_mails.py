"""The mails that a test server wrote."""

from __future__ import annotations

import re
from email import policy
from email.parser import BytesParser
from typing import Any

import pytest
from tests.conftest import wait_for_jobs

HTML = '<p>Dear {{ First_Name }}, <a href="https://example.com/may">read <b>on</b></a> or <a href="#top">go up</a>.</p>'
PLAIN = "Dear {{ First_Name }}, see https://example.com/plain."


def send(client: Any, subject: str, *emails: str) -> None:
    """Send a mail to addresses, and wait until it is written."""
    message = {"name": subject, "subject": subject, "html": HTML, "plain": PLAIN, "list_id": 1}
    message |= {"from_address": "news@example.com", "from_name": "News"}
    made = client.rest("POST", "/messages", json=message)
    assert made.status_code == 201, made.text
    to = {"kind": "addresses", "list_id": 1, "emails": list(emails)}
    sent = client.rest("POST", "/sends", json={"message_id": made.json()["id"], "to": to})
    assert sent.status_code in (201, 202), sent.text
    wait_for_jobs(client.server.product.jobs)


def mails(client: Any, **query: Any) -> list[dict[str, Any]]:
    answer = client.http.get("/_test/mails", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["mails"]
    return found


def test_a_mail_is_read_whole(client: Any) -> None:
    before = {mail["number"] for mail in mails(client)}
    send(client, "Grüße im Mai", "ada@example.org")
    (mail,) = [mail for mail in mails(client) if mail["number"] not in before]
    assert mail["from"] == "News <news@example.com>"
    assert mail["to"] == mail["recipient"] == "ada@example.org"
    assert (mail["subject"], mail["account"]) == ("Grüße im Mai", "DEMO")
    assert mail["text"].startswith("Dear ")
    # A link leads through the server, and to where its author said.
    link = mail["links"][0]
    assert f'<a href="{link["url"]}">' in mail["html"]
    assert (link["target"], link["text"]) == ("https://example.com/may", "read on")
    assert client.http.get(link["url"]).headers["location"] == link["target"]
    assert "https://example.com/plain" in [link["target"] for link in mail["links"]]
    # What leads to a place in the mail itself is no link.
    assert all(link["url"].startswith("http") for link in mail["links"])
    assert "Message-ID" in dict(mail["headers"])
    assert client.http.get(f"/_test/mails/{mail['number']}").json() == mail
    source = client.http.get(f"/_test/mails/{mail['number']}/source")
    assert source.headers["content-type"] == "message/rfc822"
    parsed = BytesParser(policy=policy.default).parsebytes(source.content)
    assert parsed["Subject"] == "Grüße im Mai"
    assert client.http.get("/_test/mails/999999").status_code == 404
    assert client.http.get("/_test/mails/999999/source").status_code == 404


def test_mails_are_searched_by_recipient_and_subject(client: Any) -> None:
    send(client, "First news", "ada@example.org", "bob@example.org")
    send(client, "Second NEWS", "bob@example.org", "Ada@Example.org")

    def found(**query: Any) -> list[tuple[str, str]]:
        return [(mail["subject"], mail["recipient"].lower()) for mail in mails(client, **query)]

    # In the order of writing.
    written = found(subject="news")
    assert [subject for subject, _ in written] == ["First news"] * 2 + ["Second NEWS"] * 2
    assert found(to="ADA@example.org") == [("First news", "ada@example.org"), ("Second NEWS", "ada@example.org")]
    assert found(to="ada@example.org", subject="second") == [("Second NEWS", "ada@example.org")]
    # A part of an address is no address, and other people get none.
    assert found(to="ada") == found(to="nobody@example.org") == []
    # The newest, the oldest of them first.
    assert found(subject="news", limit=3) == written[1:]
    assert client.http.get("/_test/mails", params={"limit": 0}).status_code == 422


def test_a_mail_is_found_by_its_envelope(client: Any) -> None:
    """The header says an address as name servers know it, the envelope as it was given."""
    send(client, "Umlauts", "ada@bücher.example")
    (mail,) = mails(client, to="ada@bücher.example")
    assert mail["subject"] == "Umlauts"
    address = re.sub(".*<|>.*", "", mail["to"])
    assert [each["number"] for each in mails(client, to=address)] == [mail["number"]]


def test_a_reset_takes_the_mails_along(client: Any) -> None:
    before = mails(client)
    send(client, "Gone", "ada@example.org")
    assert len(mails(client)) == len(before) + 1
    client.server.reset()
    assert mails(client) == before


@pytest.mark.parametrize("subject", ["", "x" * 1001])
def test_searches_are_bounded(client: Any, subject: str) -> None:
    assert client.http.get("/_test/mails", params={"subject": subject}).status_code == (422 if subject else 200)
