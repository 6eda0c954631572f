"""What belongs to an account: page by page, and what an administrator changes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from soapstone.clock import now
from soapstone.product import Product
from soapstone.store.tables import jobs

Client = Callable[..., httpx.Client]


def all_pages(api: httpx.Client, path: str, **query: Any) -> list[Any]:
    """The items of all pages, two on each."""
    found: list[Any] = []
    cursor = None
    while True:
        answer = api.get(path, params={"limit": 2, **query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= 2
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


MANY: dict[str, Callable[[int], dict[str, Any]]] = {
    "/tokens": lambda n: {"name": f"T{n}"},
    "/account/children": lambda n: {"name": f"C{n}"},
    "/categories": lambda n: {"name": f"C{n}"},
    "/categories?of=messages": lambda n: {"name": f"C{n}"},
    "/searches": lambda n: {"name": f"S{n}", "criteria": {}},
    "/mappings": lambda n: {"object_type": "Committee", "identifier": f"C{n}", "own_id": n + 1},
    "/occasions": lambda n: {"name": f"O{n}"},
    "/suppressions": lambda n: {"email": f"p{n}@example.com"},
}


@pytest.mark.parametrize("path", MANY)
def test_pages(api: httpx.Client, path: str) -> None:
    for n in range(5):
        assert api.post(path, json=MANY[path](n)).status_code == 201
    where, _, query = path.partition("?")
    found = all_pages(api, where, **dict([query.split("=")] if query else []))
    assert len(found) == 5
    key = "email" if path == "/suppressions" else "id"
    assert [each[key] for each in found] == sorted({each[key] for each in found})
    assert api.get(where, params={"cursor": "InwwIg=="}).status_code == 400
    # The cursor of other pages.
    assert api.get(where, params={"cursor": "W251bGwsIDFd"}).status_code == 400


def test_pages_of_logins_and_sign_ups(product: Product, api: httpx.Client) -> None:
    for n in range(3):
        api.post("/logins", json={"name": f"login {n}", "password": "long secret"})
    assert [each["name"] for each in all_pages(api, "/logins")] == ["ann", "login 0", "login 1", "login 2"]
    party = api.post("/occasions", json={"name": "Party"}).json()["id"]
    account = product.accounts.named("ACME")
    assert account is not None
    occasion = product.event_sign_ups.get(account.id, party)
    assert occasion is not None
    product.event_sign_ups.sign_up(occasion, [{"email": f"p{n}@example.com"} for n in range(5)], live=True)
    found = all_pages(api, f"/occasions/{party}/sign-ups")
    assert [each["email"] for each in found] == [f"p{n}@example.com" for n in range(5)]


def test_suppressions(api: httpx.Client) -> None:
    """Looked up, and taken back; also an address with a slash."""
    email = "Ann/Bob@example.com"
    person = api.post("/contacts", json={"email": email}).json()
    for kind in ("suppressed", "banned"):
        assert api.post("/suppressions", json={"email": email, "kind": kind}).json()["added"] is True
    assert api.get(f"/contacts/{person['id']}").json()["channels_shut"] == ["email"]
    found = api.get("/suppressions", params={"email": email.upper()}).json()["items"]
    assert [(each["email"], each["kind"]) for each in found] == [
        ("ann/bob@example.com", "banned"),
        ("ann/bob@example.com", "suppressed"),
    ]
    assert found[0]["created_at"].endswith("Z")
    assert api.get("/suppressions", params={"email": "x@example.com"}).json()["items"] == []
    assert api.delete("/suppressions", params={"email": email, "kind": "banned"}).status_code == 204
    assert [each["kind"] for each in api.get("/suppressions").json()["items"]] == ["suppressed"]
    assert api.delete("/suppressions", params={"email": email}).status_code == 204
    assert api.delete("/suppressions", params={"email": email}).status_code == 404
    assert api.get(f"/contacts/{person['id']}").json()["channels_shut"] == []


def test_a_shut_channel_is_opened(api: httpx.Client, product: Product) -> None:
    """mm-125: lifting the suppression of the address leaves it shut."""
    email = "shut@example.com"
    person = api.post("/contacts", json={"email": email}).json()
    account = product.accounts.named("ACME")
    assert account is not None
    product.channels.shut(account, [{"email": email}], "email", ["email", "sms"])
    assert api.delete("/suppressions", params={"email": email}).status_code == 204
    shown = f"/contacts/{person['id']}"
    assert api.get(shown).json()["channels_shut"] == ["email", "sms"]
    assert api.delete(f"{shown}/channels-shut/email").status_code == 204
    assert api.get(shown).json()["channels_shut"] == ["sms"]
    again = api.delete(f"{shown}/channels-shut/email")
    assert (again.status_code, again.json()["detail"]) == (404, "There is no such shut channel.")
    assert api.delete(f"{shown}/channels-shut/letter").status_code == 422
    assert api.delete("/contacts/999999/channels-shut/sms").status_code == 404


def test_addresses_with_a_slash(api: httpx.Client) -> None:
    made = api.post("/lists", json={"name": "Readers"}).json()["id"]
    email = "ann/sales@example.com"
    for written in (email, "ann%2Fsales@example.com"):
        api.post(f"/lists/{made}/subscriptions", json={"email": email, "override": True})
        assert api.delete(f"/lists/{made}/subscriptions/{written}").status_code == 204
        assert api.get(f"/lists/{made}").json()["subscribed"] == 0
        api.post(f"/lists/{made}/review-group", json={"email": email})
        assert api.delete(f"/lists/{made}/review-group/{written}").status_code == 204
        assert api.get(f"/lists/{made}/review-group").json() == []
    api.post("/logins", json={"name": "shop/1", "password": "long secret"})
    assert api.patch("/logins/shop/1", json={"may_see_analytics": True}).json()["may_see_analytics"] is True


def test_nobody_locks_himself_out(client: Client) -> None:
    """lk-9"""
    here = client(peer="192.0.2.7")
    assert here.get("/account/networks").json() == {"networks": []}
    refused = here.put("/account/networks", json={"networks": ["198.51.100.0/24", "192.0.2.0/30"]})
    assert refused.status_code == 409
    assert "192.0.2.7" in refused.json()["detail"]
    assert here.get("/account/networks").json() == {"networks": []}
    networks = ["192.0.2.0/24", "198.51.100.0/24"]
    assert here.put("/account/networks", json={"networks": [*networks, "192.0.2.0/24"]}).json()["networks"] == networks
    assert here.get("/account/networks").json() == {"networks": networks}
    assert client(peer="203.0.113.9").get("/account").status_code == 403
    # An IPv4 caller of a socket of both families.
    assert client(peer="::ffff:192.0.2.9").put("/account/networks", json={"networks": networks}).status_code == 200
    assert here.put("/account/networks", json={"networks": []}).status_code == 200
    assert client(peer="203.0.113.9").get("/account").status_code == 200


def test_a_new_password_ends_tokens(product: Product, api: httpx.Client, client: Client) -> None:
    token = api.post("/tokens", json={"name": "shop"}).json()["token"]
    api.post("/logins", json={"name": "bob", "password": "long secret"})
    other = client(auth=("bob", "long secret")).post("/tokens", json={"name": "shop"}).json()["token"]

    def status(secret: str) -> int:
        return client(auth=None).get("/account", headers={"Authorization": f"Bearer {secret}"}).status_code

    assert (status(token), status(other)) == (200, 200)
    assert product.accounts.set_password("ann", "another secret")
    assert (status(token), status(other)) == (401, 200)


def test_the_category_of_a_list(api: httpx.Client) -> None:
    clubs, others = (api.post("/categories", json={"name": name}).json()["id"] for name in ("Clubs", "Others"))
    made = api.post("/lists", json={"name": "Readers", "category_id": clubs}).json()
    here = f"/lists/{made['id']}"
    assert made["category_id"] == clubs
    assert api.patch(here, json={"category_id": others}).json()["category_id"] == others
    assert api.patch(here, json={"visible": True}).json()["category_id"] == others
    assert api.patch(here, json={"category_id": 987654}).status_code == 422
    assert api.post("/lists", json={"name": "x", "category_id": 987654}).status_code == 422
    assert api.patch(here, json={"category_id": None}).json()["category_id"] is None
    assert api.get(here).json()["category_id"] is None


def test_jobs_by_state_and_time(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    made = api.post("/lists", json={"name": "Readers"}).json()["id"]
    jobs = []
    for _ in range(3):
        headers = {"Content-Type": "text/csv"}
        jobs.append(api.post(f"/lists/{made}/imports", content=b"Email\na@example.com\n", headers=headers).json())
    numbers = [job["id"] for job in jobs]
    api.post(f"/jobs/{numbers[0]}/cancel")
    run_jobs()
    assert [each["id"] for each in all_pages(api, "/jobs", state="completed")] == numbers[1:]
    assert [each["id"] for each in all_pages(api, "/jobs", state="cancelled")] == numbers[:1]
    assert api.get("/jobs", params={"state": "resting"}).status_code == 422
    since = jobs[1]["submitted_at"]
    assert [each["id"] for each in all_pages(api, "/jobs", submitted_since=since)] == numbers[1:]
    assert [each["id"] for each in all_pages(api, "/jobs", submitted_before=since)] == numbers[:1]
    later = (now() + timedelta(hours=1)).isoformat()
    assert all_pages(api, "/jobs", submitted_since=later) == []
    for wrong in ("2026-01-01T00:00:00", "2026-01-01", "0.5", "1767225600"):
        assert api.get("/jobs", params={"submitted_since": wrong}).status_code == 422


def test_events_of_a_job_that_is_over(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    """A browser that comes back after the end is told to stay away."""
    made = api.post("/lists", json={"name": "Readers"}).json()["id"]
    headers = {"Content-Type": "text/csv"}
    job = api.post(f"/lists/{made}/imports", content=b"Email\na@example.com\n", headers=headers).json()["id"]
    run_jobs()
    told = api.get(f"/jobs/{job}/events")
    assert told.status_code == 200
    assert told.headers["cache-control"] == "no-cache"
    assert told.headers["x-accel-buffering"] == "no"
    lines = told.text.splitlines()
    assert json.loads(lines[2].removeprefix("data: "))["state"] == "completed"
    mark = lines[0].removeprefix("id: ")
    end = api.get(f"/jobs/{job}/events", headers={"Last-Event-ID": mark})
    assert (end.status_code, end.content) == (204, b"")
    assert api.get(f"/jobs/{job}/events", headers={"Last-Event-ID": "other"}).status_code == 200


def test_what_one_counter_loses_and_another_gains_is_told(
    api: httpx.Client, product: Product, run_jobs: Callable[[], None]
) -> None:
    """As where a deferred mail is handed over, or somebody who was chosen is skipped."""
    made = api.post("/lists", json={"name": "Readers"}).json()["id"]
    headers = {"Content-Type": "text/csv"}
    job = api.post(f"/lists/{made}/imports", content=b"Email\na@example.com\n", headers=headers).json()["id"]
    run_jobs()

    def mark(**counters: int) -> str:
        with product.database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job).values(counters=counters))
        told: str = api.get(f"/jobs/{job}/events").text
        return told.splitlines()[0].removeprefix("id: ")

    assert mark(chosen=2, deferred=1, skipped=0) != mark(chosen=1, deferred=1, skipped=1)
    assert mark(deferred=1, handed=0) != mark(deferred=0, handed=1)
