"""One mailbox is one contact, whatever form its address has (lk-64)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest

FORMS = ("Ann@bücher.example", "ann@xn--bcher-kva.example", "ANN@BU\u0308CHER.example", "ann@ｂüｃｈｅｒ．example")


@pytest.fixture
def made(api: httpx.Client) -> int:
    return int(api.post("/lists", json={"name": "Readers", "from_address": "ann@example.com"}).json()["id"])


@pytest.mark.parametrize("form", FORMS)
def test_people_are_known_by_every_form(api: httpx.Client, made: int, form: str) -> None:
    person = api.post("/contacts", json={"email": FORMS[0], "lists": [made]})
    assert person.status_code == 201
    assert api.post("/contacts", json={"email": form}).status_code == 409
    found = api.get("/contacts", params={"email": form}).json()["items"]
    assert [each["email"] for each in found] == [FORMS[0]]
    again = api.post(f"/lists/{made}/subscriptions", json={"email": form})
    assert again.json()["outcome"] == "changed"
    assert api.delete(f"/lists/{made}/subscriptions/{quote(form)}").status_code == 204
    members = api.get(f"/lists/{made}/members").json()["items"]
    assert [(each["email"], each["state"]) for each in members] == [(FORMS[0], "unsubscribed")]


@pytest.mark.parametrize("pattern", ["ann@*", "*@bücher.example", "*@BU\u0308CHER.Exam*", "a*@xn--bcher*", "*.example"])
def test_patterns_find_international_domains_by_whole_labels(api: httpx.Client, pattern: str) -> None:
    api.post("/contacts", json={"email": FORMS[0]})
    api.post("/contacts", json={"email": "bob@example.com"})
    found = api.get("/contacts", params={"email": pattern}).json()["items"]
    assert [each["email"] for each in found] == [FORMS[0]]


@pytest.mark.parametrize("form", FORMS[1:])
def test_suppressions_and_review_groups_know_every_form(api: httpx.Client, made: int, form: str) -> None:
    """lk-97, lk-118"""
    assert api.post("/suppressions", json={"email": FORMS[0]}).json()["added"]
    assert not api.post("/suppressions", json={"email": form}).json()["added"]
    assert [each["email"] for each in api.get("/suppressions", params={"email": form}).json()["items"]] == [FORMS[1]]
    assert api.post(f"/lists/{made}/subscriptions", json={"email": form}).status_code == 409
    assert api.delete("/suppressions", params={"email": form}).status_code == 204
    assert api.get("/suppressions").json()["items"] == []
    assert api.post(f"/lists/{made}/review-group", json={"email": FORMS[0]}).json() == [FORMS[0]]
    assert api.post(f"/lists/{made}/review-group", json={"email": form}).json() == [FORMS[0]]
    assert api.delete(f"/lists/{made}/review-group/{quote(form)}").status_code == 204


def test_a_send_to_several_forms_mails_the_mailbox_once(
    api: httpx.Client, made: int, run_jobs: Callable[[], None]
) -> None:
    message = api.post("/messages", json={"list_id": made, "subject": "News", "plain": "Hello"}).json()["id"]
    to = {"kind": "addresses", "list_id": made, "emails": list(FORMS)}
    answer = api.post("/sends", json={"message_id": message, "to": to})
    assert answer.status_code == 202, answer.text
    run_jobs()
    (send,) = api.get("/sends").json()["items"]
    rows = api.get(f"/sends/{send['id']}/recipients").json()["items"]
    assert [row["state"] for row in rows] == ["handed", "skipped", "skipped", "skipped"]
