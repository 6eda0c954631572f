"""People by list, state and time; what a list knows of its members; exports."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest

from soapstone.contacts import search
from soapstone.product import Product


@pytest.fixture
def made(api: httpx.Client) -> int:
    return int(api.post("/lists", json={"name": "Readers"}).json()["id"])


@pytest.fixture
def people(api: httpx.Client, made: int) -> list[int]:
    """Ten people; those with even numbers are on the list, and every fourth has left it."""
    numbers = []
    for n in range(10):
        lists = [made] if n % 2 == 0 else []
        body = {"email": f"p{n}@example.com", "fields": {"last_name": "Lee" if n < 5 else "Ray"}, "lists": lists}
        numbers.append(int(api.post("/contacts", json=body).json()["id"]))
        if n % 4 == 0:
            assert api.delete(f"/lists/{made}/subscriptions/p{n}@example.com").status_code == 204
    return numbers


def found(api: httpx.Client, **query: Any) -> tuple[list[int], int]:
    """Numbers of the people of all pages, and how many pages that took."""
    numbers: list[int] = []
    pages, cursor = 0, None
    while True:
        answer = api.get("/contacts", params={"limit": 2, **query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        pages += 1
        numbers += [each["id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return numbers, pages


@pytest.mark.parametrize("walk", [3, 20_000])
def test_contacts_by_list_and_state(
    api: httpx.Client, made: int, people: list[int], monkeypatch: pytest.MonkeyPatch, walk: int
) -> None:
    """However few people a page looks at, all pages together have everybody once."""
    monkeypatch.setattr(search, "WALK", walk)
    assert found(api)[0] == people
    assert found(api, list_id=made)[0] == people[::2]
    assert found(api, list_id=made, state="unsubscribed")[0] == people[::4]
    assert found(api, list_id=made, state="subscribed")[0] == people[2::4]
    assert found(api, list_id=made, state="waiting")[0] == []
    assert found(api, list_id=made, last_name="ray")[0] == people[6::2]
    assert found(api, list_id=made, email="P2@example.com")[0] == [people[2]]
    assert found(api, list_id=made, email="p1@example.com")[0] == []
    assert found(api, list_id=made, email="p*")[0] == people[::2]
    assert api.get("/contacts", params={"list_id": made + 1}).status_code == 404
    # A state is one on a list.
    assert api.get("/contacts", params={"state": "waiting"}).status_code == 422


@pytest.mark.parametrize("walk", [3, 20_000])
def test_contacts_updated_since(
    api: httpx.Client, made: int, people: list[int], monkeypatch: pytest.MonkeyPatch, walk: int
) -> None:
    monkeypatch.setattr(search, "WALK", walk)
    last = api.get(f"/contacts/{people[-1]}").json()["updated_at"]
    assert found(api, updated_since=last)[0] == people[-1:]
    since = api.patch(f"/contacts/{people[4]}", json={"fields": {"city": "Rome"}}).json()["updated_at"]
    numbers, pages = found(api, updated_since=since)
    assert numbers == [people[4]]
    assert pages == (1 if walk > 10 else 4)
    assert found(api, updated_since=since, list_id=made)[0] == [people[4]]
    assert found(api, updated_since=since, list_id=made, state="subscribed")[0] == []
    assert found(api, updated_since=since, email="p4@example.com")[0] == [people[4]]
    assert found(api, updated_since=since, email="p3@example.com")[0] == []
    # As the Python client that openapi-generator 7.26 makes writes it.
    assert found(api, updated_since=since.replace("Z", "+0000"))[0] == [people[4]]
    assert api.get("/contacts", params={"updated_since": "yesterday"}).status_code == 422


def test_what_a_list_knows_of_a_member(product: Product, api: httpx.Client, made: int, people: list[int]) -> None:
    header = {
        "name": "Tastes",
        "attributes": [{"name": "Colour", "max_length": 5}, {"name": "Size", "kind": "numeric"}],
    }
    colour, size = (str(each["id"]) for each in api.post(f"/lists/{made}/profile", json=header).json()["attributes"])
    here = f"/lists/{made}/members/{people[2]}"
    member = api.get(here).json()
    assert (member["email"], member["state"], member["profile"]) == ("p2@example.com", "subscribed", {})
    changed = api.patch(here, json={"profile": {colour: "red", size: "7"}})
    assert changed.json()["profile"] == {colour: "red", size: "7"}
    assert api.patch(here, json={"profile": {colour: "blue"}}).json()["profile"] == {colour: "blue", size: "7"}
    # null and blank values empty an attribute.
    assert api.patch(here, json={"profile": {size: None}}).json()["profile"] == {colour: "blue"}
    assert api.patch(here, json={"profile": {colour: ""}}).json()["profile"] == {}
    assert api.patch(here, json={"profile": {size: "large"}}).status_code == 422
    assert api.patch(here, json={"profile": {colour: "orange"}}).status_code == 422
    assert api.patch(here, json={"profile": {"987654": "x"}}).status_code == 422
    assert api.get(here).json()["profile"] == {}
    # Who has left keeps a profile; who never came has none.
    left = f"/lists/{made}/members/{people[4]}"
    assert api.patch(left, json={"profile": {size: "8"}}).json()["state"] == "unsubscribed"
    for method, path in (("GET", people[1]), ("PATCH", people[1]), ("GET", 987654)):
        body: dict[str, Any] | None = {"profile": {}} if method == "PATCH" else None
        assert api.request(method, f"/lists/{made}/members/{path}", json=body).status_code == 404


def test_exports_with_all_that_is_known(api: httpx.Client, made: int, people: list[int]) -> None:
    names = ["Colour", "email", "Subscription", "Plain, really"]
    header = {"name": "Tastes", "attributes": [{"name": name} for name in names]}
    attributes = [str(each["id"]) for each in api.post(f"/lists/{made}/profile", json=header).json()["attributes"]]
    api.patch(f"/lists/{made}/members/{people[2]}", json={"profile": dict(zip(attributes, "abcd", strict=True))})
    plain = list(csv.reader(io.StringIO(api.get(f"/lists/{made}/export").text)))
    names = ["contact_id", "number", "Email", "Custom_Member_Id", "subscription", "added_at", "added_by"]
    assert plain[0] == [*names, "suppression", "unsubscribed_at"]
    assert [row[4] for row in plain[1:]] == ["unsubscribed", "subscribed"] * 2 + ["unsubscribed"]
    query = {"fields": "true", "profile": "true", "state": "subscribed"}
    rows = list(csv.DictReader(io.StringIO(api.get(f"/lists/{made}/export", params=query).text)))
    assert [row["Email"] for row in rows] == ["p2@example.com", "p6@example.com"]
    assert [row["Last_Name"] for row in rows] == ["Lee", "Ray"]
    assert rows[0]["State"] == ""
    # Names of attributes that would mean something else in a file say that they are attributes.
    assert [rows[0][name] for name in ("Colour", "attribute:email", "attribute:Subscription")] == ["a", "b", "c"]
    assert rows[0]["Plain, really"] == "d"
    assert len(rows[0]) == 9 + 40 + 4
    lines = api.get(f"/lists/{made}/export", params={**query, "form": "ndjson"}).text.splitlines()
    told = [json.loads(line) for line in lines]
    assert told[0]["fields"] == {"last_name": "Lee"}
    assert told[0]["profile"] == dict(zip(attributes, "abcd", strict=True))
    assert (told[1]["state"], told[1]["profile"]) == ("subscribed", {})


def test_an_export_can_be_imported_again(api: httpx.Client, made: int, people: list[int], run_jobs: Any) -> None:
    exported = api.get(f"/lists/{made}/export", params={"fields": "true", "profile": "true"}).content
    other = api.post("/lists", json={"name": "Others"}).json()["id"]
    headers = {"Content-Type": "text/csv"}
    job = api.post(f"/lists/{other}/imports", content=exported, headers=headers).json()["id"]
    run_jobs()
    assert api.get(f"/jobs/{job}").json()["counters"] == {"joined": 2, "imported_unsubscribed": 3}
