"""Messages and sends over the REST API: from a text to the truth about each recipient."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from soapstone.accounts.account import Accounts
from soapstone.store.database import Database
from soapstone.store.tables import deliveries

SERVED_ON = ("sqlite", "postgresql")

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def rest(served: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=("demo", "demo"), timeout=30) as client:
        yield client


def new_list(rest: httpx.Client, *people: str) -> int:
    """A new list with these people."""
    answer = rest.post("/lists", json={"name": str(uuid4()), "from_name": "Ann", "from_address": "news@example.com"})
    number = int(answer.json()["id"])
    for email in people:
        assert rest.post(f"/lists/{number}/subscriptions", json={"email": email}).status_code == 200
    return number


def stored(rest: httpx.Client, number: int, **parts: Any) -> int:
    answer = rest.post("/messages", json={"list_id": number, "subject": "News", "plain": "Hello", **parts})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def sent(rest: httpx.Client, message: int, at: str | None = None, **to: Any) -> list[int]:
    answer = rest.post("/sends", json={"message_id": message, "to": to, "at": at})
    assert answer.status_code == 202, answer.text
    return [each["id"] for each in answer.json()["sends"]]


def over(rest: httpx.Client, send: int) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found: dict[str, Any] = rest.get(f"/sends/{send}").json()
        if found["finished_at"]:
            return found
        time.sleep(0.05)
    raise AssertionError(f"send {send} does not end")


def people(rest: httpx.Client, send: int, **query: Any) -> list[tuple[str, str, str]]:
    found = rest.get(f"/sends/{send}/recipients", params=query).json()["items"]
    return [(each["email"], each["state"], each["reason"]) for each in found]


def test_a_message_is_made_read_changed_and_previewed(rest: httpx.Client) -> None:
    number = new_list(rest, "ann@example.com")
    key = {"Idempotency-Key": uuid4().hex}
    body = {"list_id": number, "name": "June", "subject": "News for {{ First_Name }}", "html": "<p>{{ Email }}</p>"}
    first, again = (rest.post("/messages", json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    message = first.json()["id"]
    assert [each["id"] for each in rest.get("/messages", params={"list_id": number}).json()["items"]] == [message]
    changed = rest.patch(f"/messages/{message}", json={"subject": "Neu für {{ Email }}", "archived": True}).json()
    assert (changed["subject"], changed["html"], changed["name"]) == ("Neu für {{ Email }}", body["html"], "June")
    assert rest.get(f"/messages/{message}").json() == changed
    found = rest.get("/messages", params={"list_id": number, "archived": False}).json()
    assert found == {"items": [], "next": None}
    seen = rest.post(f"/messages/{message}/preview", json={"email": "Zoë@example.com"}).json()
    assert seen == {
        "from_name": "Ann",
        "from_address": "news@example.com",
        "to_name": "",
        "subject": "Neu für Zoë@example.com",
        "html": '<p>Zoë@example.com</p><hr><p><a href="#unsubscribe">Unsubscribe</a></p>',
        "plain": "Zoë@example.com\n\n--------------------\n\nUnsubscribe (#unsubscribe)\n",
    }


def test_addresses_that_readers_take_in_two_ways_are_a_warning(rest: httpx.Client) -> None:
    html = '<a href="https://a.example/?a=1&reg_id=5">x</a>'
    made = rest.post("/messages", json={"list_id": new_list(rest), "subject": "x", "html": html})
    assert (made.status_code, made.json()["undelimited_references"]) == (201, ["&reg_id"])
    path = f"/messages/{made.json()['id']}"
    fixed = rest.patch(path, json={"html": html.replace("&", "&amp;")})
    assert fixed.json()["undelimited_references"] == []


def test_encoded_merge_tags_of_addresses_are_a_warning(rest: httpx.Client) -> None:
    html = '<a href="https://a.example/?n=%7B%7B%20City%20%7D%7D">x</a>'
    made = rest.post("/messages", json={"list_id": new_list(rest), "subject": "x", "html": html})
    assert (made.status_code, made.json()["encoded_fields"]) == (201, ["%7B%7B%20City%20%7D%7D"])
    path = f"/messages/{made.json()['id']}"
    fixed = rest.patch(path, json={"html": html.replace("%7B%7B%20City%20%7D%7D", "{{ City }}")})
    assert (fixed.json()["encoded_fields"], fixed.json()["unknown_fields"]) == ([], [])


def test_merge_fields_that_the_account_does_not_know_are_a_warning(rest: httpx.Client) -> None:
    """A file that is sent to may bring them along (lk-87), so the message is stored."""
    number, other = new_list(rest), new_list(rest)
    name = f"Size{uuid4().hex}"
    plain = f"{{{{ First_Name }}}} {{{{ {name} }}}} {{{{ Unsubscribe_Link }}}} {{{{ Shoe }}}}"
    made = rest.post("/messages", json={"list_id": number, "subject": "{{ Hat }}", "plain": plain})
    assert (made.status_code, made.json()["unknown_fields"]) == (201, ["Hat", name, "Shoe"])
    body = {"name": "Clothes", "attributes": [{"name": name.upper()}]}
    assert rest.post(f"/lists/{other}/profile", json=body).status_code == 201
    path = f"/messages/{made.json()['id']}"
    # An attribute of another list of the account is known.
    assert rest.get(path).json()["unknown_fields"] == ["Hat", "Shoe"]
    changed = rest.patch(path, json={"subject": "{{ field['Glove size'] }}"})
    assert (changed.status_code, changed.json()["unknown_fields"]) == (200, ["Glove size", "Shoe"])
    assert rest.patch(path, json={"subject": "", "plain": ""}).json()["unknown_fields"] == []


def test_mails_to_a_list_need_a_link_to_unsubscribe(rest: httpx.Client) -> None:
    number = new_list(rest, "ann@example.com")
    assert rest.get(f"/lists/{number}").json()["removal_link"] is True
    assert rest.patch(f"/lists/{number}", json={"removal_link": False}).json()["removal_link"] is False
    message = stored(rest, number, from_address="a@example.com")
    lists = ({"kind": "list", "list_id": number}, {"kind": "groups", "list_ids": [new_list(rest), number]})
    for to in lists:
        refused = rest.post("/sends", json={"message_id": message, "to": to})
        assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
        for remedy in (
            "{{ Unsubscribe_Link }}",
            f"PATCH /lists/{number}",
            '"removal_link": true',
            '"unsubscribe": "none"',
        ):
            assert remedy in refused.json()["detail"]
    assert rest.get("/sends", params={"list_id": number}).json()["items"] == []
    for to in lists:
        answer = rest.post("/sends", json={"message_id": message, "to": to, "unsubscribe": "none"})
        assert (answer.status_code, answer.json()["sends"][-1]["unsubscribe"]) == (202, "none")
    # Mails to single people need no link.
    for test in (True, False):
        (send,) = sent(rest, message, kind="addresses", list_id=number, emails=["ann@example.com"], test=test)
        assert over(rest, send)["unsubscribe"] is None
    with_field = stored(rest, number, html='<p><a href="{{ unsubscribe_link }}">Leave</a></p>')
    (send,) = sent(rest, with_field, kind="list", list_id=number)
    found = over(rest, send)
    assert (found["unsubscribe"], found["state"], found["recipients"]) == ("link", "completed", {"handed": 1})
    # A subject is no place for a link.
    in_subject = stored(rest, number, subject="{{ Unsubscribe_Link }}")
    assert rest.post("/sends", json={"message_id": in_subject, "to": lists[0]}).status_code == 422
    made = rest.post("/lists", json={"name": str(uuid4()), "removal_link": False})
    assert made.json()["removal_link"] is False


def test_a_link_needs_a_server_that_knows_its_address(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    number = new_list(api, "ann@example.com")
    message = stored(api, number)
    body: dict[str, Any] = {"message_id": message, "to": {"kind": "list", "list_id": number}}
    refused = api.post("/sends", json=body)
    assert refused.status_code == 422
    assert "SOAPSTONE_PUBLIC_URL is not set" in refused.json()["detail"]
    send = api.post("/sends", json={**body, "unsubscribe": "none"}).json()["sends"][0]["id"]
    run_jobs()
    assert api.get(f"/sends/{send}").json()["recipients"] == {"handed": 1}


def test_pages_of_messages(rest: httpx.Client) -> None:
    number = new_list(rest)
    made = [stored(rest, number, kind="transactional" if n % 2 else "saved") for n in range(5)]
    seen: list[int] = []
    cursor = None
    while True:
        found = rest.get("/messages", params={"list_id": number, "limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [each["id"] for each in found.json()["items"]]
        assert "html" not in found.json()["items"][0]
        cursor = found.json()["next"]
        if cursor is None:
            break
    assert seen == made
    only = rest.get("/messages", params={"list_id": number, "kind": "transactional"}).json()["items"]
    assert [each["id"] for each in only] == made[1::2]


def test_what_is_refused(rest: httpx.Client) -> None:
    number = new_list(rest, "ann@example.com")
    message = stored(rest, number, plain="{{ Nonsense }}")
    good = stored(rest, number)
    to_list = {"kind": "list", "list_id": number}
    for answer, status, words in (
        (rest.post("/messages", json={"list_id": number, "subject": "{{"}), 422, "not a correct template"),
        (rest.post("/messages", json={"list_id": number, "from_address": "x"}), 422, "sender address"),
        (rest.post("/messages", json={"list_id": number, "campaign_id": 987654}), 422, "campaign"),
        (rest.post("/messages", json={"list_id": 987654}), 404, "list"),
        (rest.post("/messages", json={"list_id": number, "charset": "klingon"}), 422, "malformed"),
        (rest.get("/messages/987654"), 404, "message"),
        (rest.post(f"/messages/{message}/preview", json={}), 422, "Nonsense"),
        (rest.post("/sends", json={"message_id": message, "to": to_list}), 422, "Nonsense"),
        (rest.post("/sends", json={"message_id": 987654, "to": to_list}), 404, "message"),
        (rest.post("/sends", json={"message_id": good, "to": {"kind": "all"}}), 422, "malformed"),
        (rest.post("/sends", json={"message_id": good, "to": to_list, "at": "2030-01-01T00:00:00"}), 422, "malformed"),
        (rest.post("/sends", json={"message_id": good, "to": to_list, "at": 5}), 422, "malformed"),
        (rest.post("/sends", json={"message_id": good, "to": {"kind": "list", "list_id": 987654}}), 404, "list"),
        (
            rest.post(
                "/sends",
                json={
                    "message_id": good,
                    "to": {**to_list, "filter": [{"attribute_id": 987654, "compare": "equals", "value": "x"}]},
                },
            ),
            422,
            "no profile attribute",
        ),
        (rest.get("/sends/987654"), 404, "send"),
        (rest.get("/sends/987654/recipients"), 404, "send"),
        (rest.post("/sends/987654/pause"), 404, "send"),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
        assert words in answer.json()["detail"], answer.text
    assert rest.get("/sends", params={"list_id": number}).json()["items"] == []


def test_a_send_to_a_list_is_made_once_and_tells_what_became_of_everybody(rest: httpx.Client) -> None:
    cat = f"{uuid4().hex}@example.com"
    number = new_list(rest, "ann@example.com", "bob@example.com", cat, "dan@example.com")
    assert rest.delete(f"/lists/{number}/subscriptions/dan@example.com").status_code == 204
    suppressed = rest.post("/suppressions", json={"email": cat})
    assert suppressed.status_code == 201, suppressed.text
    message = stored(rest, number)
    key, body = {"Idempotency-Key": uuid4().hex}, {"message_id": message, "to": {"kind": "list", "list_id": number}}
    first, again = (rest.post("/sends", json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    (send,) = (each["id"] for each in first.json()["sends"])
    found = over(rest, send)
    assert (found["state"], found["source_id"], found["purpose"]) == ("completed", message, "list")
    assert (found["recipients"], found["skipped"]) == ({"handed": 2, "skipped": 1}, {"suppressed": 1})
    assert [each["id"] for each in rest.get("/sends", params={"list_id": number}).json()["items"]] == [send]
    assert people(rest, send, state="handed") == [("ann@example.com", "handed", ""), ("bob@example.com", "handed", "")]
    assert people(rest, send, state=["handed", "skipped"])[-1] == (cat, "skipped", "suppressed")
    page = rest.get(f"/sends/{send}/recipients", params={"limit": 2}).json()
    rest_of_it = rest.get(f"/sends/{send}/recipients", params={"limit": 2, "cursor": page["next"]}).json()
    assert [each["email"] for each in rest_of_it["items"]] == [cat]
    assert rest_of_it["next"] is None


def test_a_profile_filter(rest: httpx.Client) -> None:
    number = new_list(rest)
    header = rest.post(f"/lists/{number}/profile", json={"name": "Clothes", "attributes": [{"name": "Size"}]})
    assert header.status_code == 201, header.text
    attribute = header.json()["attributes"][0]["id"]
    for email, size in (("ann@example.com", "9"), ("bob@example.com", "41"), ("cat@example.com", "38")):
        body = {"email": email, "profile": {str(attribute): size}}
        assert rest.post(f"/lists/{number}/subscriptions", json=body).status_code == 200
    message = stored(rest, number)
    terms = [
        {"attribute_id": attribute, "compare": "above", "value": "38", "inclusive": True},
        {"attribute_id": attribute, "compare": "equals", "value": "41", "negated": True},
    ]
    (send,) = sent(rest, message, kind="list", list_id=number, filter=terms)
    over(rest, send)
    assert people(rest, send) == [("cat@example.com", "handed", "")]


def test_groups_and_addresses(rest: httpx.Client) -> None:
    one = new_list(rest, "ann@example.com", "bob@example.com")
    two = new_list(rest, "bob@example.com", "eve@example.com")
    message = stored(rest, one, from_address="a@example.com")
    first, second = sent(rest, message, kind="groups", list_ids=[one, two, one])
    over(rest, first)
    over(rest, second)
    assert people(rest, second) == [("bob@example.com", "skipped", "had"), ("eve@example.com", "handed", "")]
    receipt = stored(rest, one, kind="transactional", subject="Order {{ Number }}")
    (send,) = sent(rest, receipt, kind="addresses", list_id=one, emails=["zoe@example.com"], fields={"number": "7"})
    assert over(rest, send)["purpose"] == "transactional"
    (test,) = sent(rest, message, kind="addresses", list_id=one, emails=["me@example.com"], test=True)
    assert over(rest, test)["is_test"] is True
    listed = {each["id"] for each in rest.get("/sends", params={"list_id": one}).json()["items"]}
    assert {first, send} <= listed
    assert test not in listed
    with_tests = rest.get("/sends", params={"list_id": one, "tests": True}).json()["items"]
    assert test in {each["id"] for each in with_tests}


def test_resting_going_on_ending_and_a_message_in_the_queue(rest: httpx.Client) -> None:
    number = new_list(rest, "ann@example.com")
    message = stored(rest, number, from_address="a@example.com")
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    (send,) = sent(rest, message, at=later, kind="groups", list_ids=[number])
    assert rest.get(f"/sends/{send}").json()["due_at"].startswith(later[:19])
    assert rest.patch(f"/messages/{message}", json={"subject": "x"}).status_code == 409
    paused = rest.post(f"/sends/{send}/pause")
    assert (paused.status_code, paused.json()["paused"]) == (202, True)
    assert rest.post(f"/sends/{send}/pause").status_code == 409
    assert rest.post(f"/sends/{send}/resume").json()["paused"] is False
    assert rest.post(f"/sends/{send}/resume").status_code == 409
    assert rest.post(f"/sends/{send}/retry").status_code == 409
    assert rest.post(f"/sends/{send}/cancel").json()["state"] == "cancelled"
    assert rest.post(f"/sends/{send}/cancel").status_code == 409
    assert rest.patch(f"/messages/{message}", json={"subject": "x"}).status_code == 200


def test_those_who_failed_are_tried_again(served: Any, rest: httpx.Client) -> None:
    number = new_list(rest, "ann@example.com", "bob@example.com")
    (send,) = sent(rest, stored(rest, number), kind="list", list_id=number)
    over(rest, send)
    assert rest.post(f"/sends/{send}/retry").status_code == 409
    database = Database(served.product.settings.database)
    with database.write() as connection:
        mine = deliveries.c.job_id == send, deliveries.c.email == "bob@example.com"
        connection.execute(deliveries.update().where(*mine).values(state="failed", reply="550 No such mailbox"))
    database.close()
    (told,) = rest.get(f"/sends/{send}/recipients", params={"state": "failed"}).json()["items"]
    assert told["reply"] == "550 No such mailbox"
    key = {"Idempotency-Key": uuid4().hex}
    first, again = (rest.post(f"/sends/{send}/retry", headers=key) for _ in range(2))
    assert (first.status_code, again.json()) == (202, first.json())
    retried = first.json()["sends"][0]["id"]
    over(rest, retried)
    assert people(rest, retried) == [("bob@example.com", "handed", "")]


def test_granted_lists(served: Any, rest: httpx.Client) -> None:
    """lk-9: what was not granted is not there, and nobody looks at people of other lists by a preview."""
    mine, other = new_list(rest, "ann@example.com"), new_list(rest)
    given = {"email": f"{uuid4().hex}@example.com", "fields": {"first_name": "Secret"}}
    answer = rest.post("/contacts", json=given)
    assert answer.status_code == 201, answer.text
    person = answer.json()
    database = Database(served.product.settings.database)
    accounts = Accounts(database)
    demo = accounts.named("DEMO")
    assert demo is not None
    name = uuid4().hex
    accounts.add_login(demo, name, "secret", lists=[mine])
    database.close()
    text = "Dear {{ First_Name }}"
    (ann,) = rest.get("/contacts", params={"email": "ann@example.com", "list_id": mine}).json()["items"]
    assert rest.patch(f"/contacts/{ann['id']}", json={"fields": {"first_name": "Ann"}}).status_code == 200
    readable, hidden = stored(rest, mine, plain=text), stored(rest, other)
    (send,) = sent(rest, hidden, kind="list", list_id=other)
    seen = rest.post(f"/messages/{readable}/preview", json={"email": person["email"]}).json()
    assert "Secret" in seen["plain"]
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=(name, "secret"), timeout=30) as client:
        assert client.get(f"/messages/{readable}").status_code == 200
        unseen = client.post(f"/messages/{readable}/preview", json={"email": person["email"]})
        assert unseen.status_code == 200
        assert "Secret" not in unseen.json()["plain"]
        # Nor by a mail to them, which a sender may read in the console.
        for emails in (["ann@example.com"], [person["email"]]):
            for purpose in ("test", "transactional"):
                to = {"kind": "addresses", "list_id": mine, "emails": emails, "test": purpose == "test"}
                made = client.post("/sends", json={"message_id": readable, "to": to}).json()["sends"][0]["id"]
                over(rest, made)
                (row,) = client.get(f"/sends/{made}/recipients").json()["items"]
                assert (row["state"], row["contact_id"] is None) == ("handed", emails == [person["email"]])
                (mail,) = (served.data / "mail").glob(f"{made:08}-*.eml")
                assert "Secret" not in mail.read_text()
                assert ("Dear Ann" in mail.read_text()) == (emails == ["ann@example.com"])
        for path in (f"/messages/{hidden}", f"/sends/{send}", f"/sends/{send}/recipients"):
            assert client.get(path).status_code == 404
        assert client.post(f"/sends/{send}/cancel").status_code == 404
        assert client.get("/messages").status_code == 403
        assert client.get("/sends").status_code == 403
        body = {"message_id": readable, "to": {"kind": "groups", "list_ids": [mine, other]}}
        assert client.post("/sends", json=body).status_code == 404
        assert client.post("/sends", json={**body, "to": {"kind": "list", "list_id": mine}}).status_code == 202


def test_a_message_that_is_too_large_is_refused(rest: httpx.Client) -> None:
    """So is a preview whose merged text is."""
    number = new_list(rest)
    answer = rest.post("/messages", json={"list_id": number, "subject": "News", "plain": "{{ Email }}" * 1_001})
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert "more than 1,000 merge tags" in answer.text
    message = stored(rest, number, plain="{{ a }}" * 1_000)
    answer = rest.post(f"/messages/{message}/preview", json={"email": "a@example.com", "fields": {"a": "a" * 10_000}})
    assert answer.status_code == 422
    assert "more than 3,000,000 characters" in answer.text
