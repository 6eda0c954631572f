"""The REST API on a started server: what a program of today does with it."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from soapstone.accounts.account import Accounts
from soapstone.store.database import Database

SERVED_ON = ("sqlite", "postgresql")

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def rest(served: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=("demo", "demo"), timeout=30) as client:
        yield client


@pytest.fixture
def made(rest: httpx.Client) -> int:
    """A new list."""
    answer = rest.post("/lists", json={"name": str(uuid4()), "from_address": "news@example.com"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def finished(rest: httpx.Client, job: int) -> dict[str, Any]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found: dict[str, Any] = rest.get(f"/jobs/{job}").json()
        if found["finished_at"]:
            return found
        time.sleep(0.05)
    raise AssertionError(f"job {job} does not end")


def upload(rest: httpx.Client, made: int, data: bytes, **query: Any) -> dict[str, Any]:
    answer = rest.post(f"/lists/{made}/imports", params=query, content=data, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 202, answer.text
    return finished(rest, answer.json()["id"])


def test_who_may_call(served: Any, rest: httpx.Client) -> None:
    """Tokens and passwords; lk-9."""
    for auth in (None, ("demo", "wrong")):
        refused = httpx.get(f"{served.base}/api/v1/lists", auth=auth)
        assert (refused.status_code, refused.headers["content-type"]) == (401, PROBLEM)
        assert "Bearer" in refused.headers["www-authenticate"]
    token = rest.post("/tokens", json={"name": "shop"}).json()
    bearer = {"Authorization": f"Bearer {token['token']}"}
    assert httpx.get(f"{served.base}/api/v1/account", headers=bearer).json()["name"] == "DEMO"
    kept = next(each for each in rest.get("/tokens").json()["items"] if each["id"] == token["id"])
    assert "token" not in kept
    assert kept["last_used_at"] is not None
    assert rest.delete(f"/tokens/{token['id']}").status_code == 204
    assert rest.delete(f"/tokens/{token['id']}").status_code == 404
    assert httpx.get(f"{served.base}/api/v1/account", headers=bearer).status_code == 401


def test_granted_lists(served: Any, rest: httpx.Client, made: int) -> None:
    """lk-9: what was not granted is not there."""
    database = Database(served.product.settings.database)
    accounts = Accounts(database)
    demo = accounts.named("DEMO")
    assert demo is not None
    name = uuid4().hex
    accounts.add_login(demo, name, "secret", lists=[made])
    database.close()
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=(name, "secret")) as client:
        assert [each["id"] for each in client.get("/lists").json()["items"]] == [made]
        assert client.get("/lists/1").status_code == 404
        assert client.get("/contacts").status_code == 403
        assert client.get("/jobs").status_code == 403
        assert client.get("/jobs/1").status_code == 404


def test_problems(rest: httpx.Client) -> None:
    for answer, status in (
        (rest.get("/lists/987654"), 404),
        (rest.get("/nothing"), 404),
        (rest.put("/lists"), 405),
        (rest.post("/lists", json={"name": ""}), 422),
        (rest.post("/lists", json={"name": "x", "unknown": 1}), 422),
        (rest.get("/lists", params={"cursor": "x"}), 400),
        (rest.get("/lists", params={"limit": 0}), 422),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
        told = answer.json()
        assert told["status"] == status
        assert told["title"]
    described = rest.get("/openapi.json").json()
    assert described["openapi"].startswith("3.")


def test_lists(rest: httpx.Client) -> None:
    name = str(uuid4())
    key = {"Idempotency-Key": uuid4().hex}
    first = rest.post("/lists", json={"name": name}, headers=key)
    again = rest.post("/lists", json={"name": name}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert rest.post("/lists", json={"name": name + "x"}, headers=key).status_code == 422
    assert rest.post("/lists", json={"name": name}).status_code == 409
    number = first.json()["id"]
    changed = rest.patch(f"/lists/{number}", json={"double_opt_in": True, "visible": False}).json()
    assert (changed["double_opt_in"], changed["visible"], changed["name"]) == (True, False, name)
    assert changed["updated_at"] is not None
    assert rest.patch(f"/lists/{number}", json={"from_address": "nobody"}).status_code == 422
    assert rest.patch(f"/lists/{number}", json={"name": " "}).status_code == 422
    assert rest.post("/lists", json={"name": " "}).status_code == 422
    seen, cursor = [], None
    while True:
        page = rest.get("/lists", params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted(set(seen))
    assert number in seen
    assert rest.delete(f"/lists/{number}").status_code == 204
    assert rest.get(f"/lists/{number}").status_code == 404


def test_tracking_of_lists(rest: httpx.Client) -> None:
    made = rest.post("/lists", json={"name": str(uuid4()), "untracked_domains": ["B.example", "a.example"]}).json()
    path = f"/lists/{made['id']}"
    members = ("tracking", "untracked_domains", "track_visible_urls")
    assert [made[name] for name in members] == ["", ["a.example", "b.example"], None]
    given = {"tracking": "figures", "untracked_domains": [], "track_visible_urls": False}
    changed = rest.patch(path, json=given).json()
    assert [changed[name] for name in members] == ["figures", [], False]
    assert rest.patch(path, json={"name": str(uuid4())}).json()["track_visible_urls"] is False
    changed = rest.patch(path, json={"tracking": "", "track_visible_urls": None}).json()
    assert [changed[name] for name in members] == ["", [], None]
    for wrong in ({"tracking": "some"}, {"untracked_domains": ["https://a.example/"]}, {"track_visible_urls": "yes"}):
        assert rest.patch(path, json=wrong).status_code == 422
    assert rest.delete(path).status_code == 204


def test_tracking_of_the_account(rest: httpx.Client) -> None:
    assert rest.get("/account").json()["tracking"] == "full"
    assert rest.patch("/account", json={"tracking": "off"}).json()["tracking"] == "off"
    assert rest.patch("/account", json={"tracking": ""}).status_code == 422
    assert rest.patch("/account", json={"tracking": "full"}).json()["tracking"] == "full"


def test_contacts(rest: httpx.Client, made: int) -> None:
    email = f"{uuid4().hex}@example.com"
    added = rest.post("/contacts", json={"email": email, "fields": {"last_name": "Lee"}, "lists": [made]})
    assert added.status_code == 201
    person = added.json()
    assert rest.post("/contacts", json={"email": email.upper()}).status_code == 409
    assert rest.post("/contacts", json={}).status_code == 422
    assert rest.post("/contacts", json={"email": email, "fields": {"shoe": "x"}}).status_code == 422
    assert rest.post("/contacts", json={"email": f"x{email}", "lists": [987654]}).status_code == 422
    assert rest.get(f"/contacts/{person['id']}/lists").json() == [made]
    changed = rest.patch(f"/contacts/{person['id']}", json={"fields": {"city": "Rome"}}).json()
    assert changed["fields"] == {"last_name": "Lee", "city": "Rome"}
    found = rest.get("/contacts", params={"email": f"{email[:20]}*", "last_name": "LEE"}).json()["items"]
    assert [each["id"] for each in found] == [person["id"]]
    assert rest.get("/contacts/987654").status_code == 404


def test_subscriptions(rest: httpx.Client, made: int) -> None:
    email = f"{uuid4().hex}@example.com"
    here = f"/lists/{made}/subscriptions"
    assert rest.post(here, json={"email": email}).json()["outcome"] == "subscribed"
    assert rest.post(here, json={"email": email}).json()["outcome"] == "changed"
    assert rest.post(here, json={"email": "nobody"}).status_code == 422
    assert rest.post(here, json={"email": email, "profile": {"987654": "x"}}).status_code == 422
    assert rest.get(f"/lists/{made}").json()["subscribed"] == 1
    assert rest.delete(f"{here}/{email}").status_code == 204
    assert rest.delete(f"{here}/{email}").status_code == 204
    assert rest.delete(f"{here}/x{email}").status_code == 404
    assert rest.post(here, json={"email": email}).status_code == 409
    members = rest.get(f"/lists/{made}/members", params={"state": "unsubscribed"}).json()["items"]
    assert [each["email"] for each in members] == [email]
    assert rest.post(here, json={"email": email, "override": True}).json()["outcome"] == "subscribed"


def test_imports_and_exports(rest: httpx.Client, made: int) -> None:
    data = b'Email,Last_Name,Shoe\nann@example.com,Lee,7\nno address,"X, Y",8\nbob@example.com,Ray,9\n'
    job = upload(rest, made, data, label="people.csv")
    assert (job["state"], job["label"]) == ("completed", "people.csv")
    assert job["progress"]
    assert sum(job["counters"].values()) == 3
    rows = list(csv.reader(io.StringIO(rest.get(f"/imports/{job['id']}/rejects").text)))
    assert [row[0] for row in rows] == ["line", "3"]
    assert rows[1][2:] == ["no address", "X, Y", "8"]
    line = json.loads(rest.get(f"/imports/{job['id']}/rejects", params={"form": "ndjson"}).text)
    assert line["fields"] == ["no address", "X, Y", "8"]
    exported = list(csv.DictReader(io.StringIO(rest.get(f"/lists/{made}/export").text)))
    assert [each["Email"] for each in exported] == ["ann@example.com", "bob@example.com"]
    lines = rest.get(f"/lists/{made}/export", params={"form": "ndjson", "state": "subscribed"}).text.splitlines()
    assert [json.loads(each)["state"] for each in lines] == ["subscribed", "subscribed"]
    trial = upload(rest, made, b"eve@example.com\n", columns="Email", mode="dry_run")
    assert trial["kind"] == "trial_import"
    gone = upload(rest, made, b"bob@example.com\n", columns="Email", action="remove")
    assert gone["counters"] == {"removed": 1}
    found = rest.get("/jobs", params={"list_id": made, "kind": "import"}).json()["items"]
    assert [each["id"] for each in found] == [job["id"], gone["id"]]


def test_a_form_and_its_key(rest: httpx.Client, made: int, served: Any) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    files = {"file": ("people.csv", b"Email\nann@example.com\n", "text/csv")}
    first = rest.post(f"/lists/{made}/imports", files=files, headers=key)
    assert first.status_code == 202, first.text
    assert first.json()["label"] == "people.csv"
    again = rest.post(f"/lists/{made}/imports", files=files, headers=key)
    assert again.json()["id"] == first.json()["id"]
    finished(rest, first.json()["id"])
    for refused in (
        rest.post(f"/lists/{made}/imports", files={"other": ("x", b"x")}),
        rest.post(f"/lists/{made}/imports", content=b"Shoe\n7\n", headers={"Content-Type": "text/csv"}),
    ):
        assert refused.status_code == 422
    unread = rest.post(f"/lists/{made}/imports", content=b"x", headers={"Content-Type": "image/png"})
    assert unread.status_code == 415
    unknown = rest.post("/lists/987654/imports", content=b"x", headers={"Content-Type": "text/csv"})
    assert unknown.status_code == 404


def test_a_job_as_it_moves(rest: httpx.Client, made: int) -> None:
    data = b"Email\n" + b"".join(b"p%d@example.com\n" % n for n in range(2000))
    started = rest.post(f"/lists/{made}/imports", content=data, headers={"Content-Type": "text/csv"})
    number = started.json()["id"]
    with rest.stream("GET", f"/jobs/{number}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        text = "".join(stream.iter_text())
    told = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert told[-1]["state"] == "completed"
    mark = [line[4:] for line in text.splitlines() if line.startswith("id: ")][-1]
    assert rest.get(f"/jobs/{number}/events", headers={"Last-Event-ID": mark}).status_code == 204
    assert rest.post(f"/jobs/{number}/cancel").status_code == 409
    assert rest.post(f"/jobs/{number}/retry").status_code == 409
    assert rest.get("/jobs/987654").status_code == 404
