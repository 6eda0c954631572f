"""Account matters by the REST API: what the contracts only read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from soapstone.accounts.account import Accounts
from soapstone.store.database import Database

SERVED_ON = ("sqlite", "postgresql")


@pytest.fixture(scope="module")
def rest(served: Any) -> Iterator[httpx.Client]:
    """A client of an account of its own."""
    database = Database(served.product.settings.database)
    accounts = Accounts(database)
    accounts.add_login(accounts.create("MATTERS", time_zone="UTC"), "matters", "secret")
    database.close()
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=("matters", "secret"), timeout=30) as client:
        yield client


@pytest.fixture
def made(rest: httpx.Client) -> int:
    return int(rest.post("/lists", json={"name": str(uuid4())}).json()["id"])


def test_things_of_a_list(rest: httpx.Client, made: int) -> None:
    here = f"/lists/{made}"
    event = rest.post(f"{here}/external-events", json={"name": "Bought"}).json()
    blocked = rest.patch(f"{here}/external-events/{event['id']}", json={"active": False}).json()
    assert (blocked["active"], blocked["name"]) == (False, "Bought")
    assert [each["id"] for each in rest.get(f"{here}/external-events").json()] == [event["id"]]
    assert rest.patch(f"{here}/external-events/987654", json={"active": False}).status_code == 404
    campaign = rest.post(f"{here}/campaigns", json={"name": "Spring"}).json()
    assert [each["name"] for each in rest.get(f"{here}/campaigns").json()] == ["Spring"]
    assert rest.delete(f"{here}/campaigns/{campaign['id']}").status_code == 204
    assert rest.delete(f"{here}/campaigns/{campaign['id']}").status_code == 404
    assert rest.post(f"{here}/review-group", json={"email": "boss@example.com"}).json() == ["boss@example.com"]
    assert rest.post(f"{here}/review-group", json={"email": "boss"}).status_code == 422
    assert rest.delete(f"{here}/review-group/boss@example.com").status_code == 204
    assert rest.get(f"{here}/review-group").json() == []
    header = {"name": "Tastes", "attributes": [{"name": "Colour"}, {"name": "Size", "kind": "numeric"}]}
    profile = rest.post(f"{here}/profile", json=header).json()
    assert [each["kind"] for each in profile["attributes"]] == ["text", "numeric"]
    assert rest.post(f"{here}/profile", json=header).status_code == 422
    assert rest.delete(f"{here}/profile/{profile['id']}").status_code == 409
    for attribute in profile["attributes"]:
        assert rest.delete(f"{here}/attributes/{attribute['id']}").status_code == 204
    assert rest.delete(f"{here}/profile/{profile['id']}").status_code == 204
    assert rest.get(f"{here}/profile").json() == []


def test_things_of_the_account(rest: httpx.Client) -> None:
    for of in ("lists", "messages"):
        category = rest.post("/categories", params={"of": of}, json={"name": "Clubs"}).json()
        assert category["id"] in [each["id"] for each in rest.get("/categories", params={"of": of}).json()["items"]]
        assert rest.delete(f"/categories/{category['id']}", params={"of": of}).status_code == 204
        assert rest.delete(f"/categories/{category['id']}", params={"of": of}).status_code == 404
    saved = rest.post("/searches", json={"name": "Millers", "criteria": {"last_name": "Mil*"}}).json()
    assert rest.post("/searches", json={"name": "Millers", "criteria": {}}).status_code == 422
    assert rest.post("/searches", json={"name": "Shoes", "criteria": {"shoe": "x"}}).status_code == 422
    assert rest.delete(f"/searches/{saved['id']}").status_code == 204
    mapping = rest.post("/mappings", json={"object_type": "Committee", "identifier": "C7", "own_id": 1}).json()
    assert rest.get("/mappings").json()["items"] == [mapping]
    assert rest.delete(f"/mappings/{mapping['id']}").status_code == 204
    party = rest.post("/occasions", json={"name": "Party"}).json()
    assert rest.patch(f"/occasions/{party['id']}", json={"open": False}).json()["open"] is False
    assert rest.get(f"/occasions/{party['id']}/sign-ups").json()["items"] == []
    assert rest.get("/occasions/987654/sign-ups").status_code == 404
    email = f"{uuid4().hex}@example.com"
    assert rest.post("/suppressions", json={"email": email}).json()["added"] is True
    assert rest.post("/suppressions", json={"email": email}).json()["added"] is False


def test_logins_and_settings(rest: httpx.Client, made: int, served: Any) -> None:
    """lk-9, mm-120"""
    name = uuid4().hex
    login = {"name": name, "password": "long secret", "lists": [made]}
    assert rest.post("/logins", json=login).json()["lists"] == [made]
    assert rest.post("/logins", json=login).status_code == 409
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=(name, "long secret")) as other:
        assert other.get("/account").json()["all_lists"] is False
        assert other.get("/logins").status_code == 403
        assert other.patch("/account", json={"time_zone": "UTC"}).status_code == 403
        assert rest.patch(f"/logins/{name}", json={"all_lists": True}).json()["all_lists"] is True
        # It may not see reports, so it cannot let others see them; nor can it raise itself.
        assert other.post("/logins", json={**login, "name": "x" + name, "may_see_analytics": True}).status_code == 403
        assert other.patch(f"/logins/{name}", json={"may_see_analytics": True}).status_code == 409
    assert rest.patch("/logins/nobody", json={}).status_code == 404
    changed = rest.patch("/account", json={"unsubscribe_type": "lists", "field_labels": {"custom1": "Size"}}).json()
    assert (changed["unsubscribe_type"], changed["field_labels"]) == ("lists", {"custom1": "Size"})
    assert rest.patch("/account", json={"time_zone": "Nowhere/Else"}).status_code == 422
    child = rest.post("/account/children", json={"name": f"C{name[:10]}"}).json()
    assert rest.get("/account/children").json()["items"] == [child]
    assert rest.post("/account/children", json={"name": child["name"]}).status_code == 409
    assert rest.put("/account/networks", json={"networks": ["127.0.0.0/8", "::1/128"]}).status_code == 200
    assert rest.put("/account/networks", json={"networks": ["here"]}).status_code == 422
    assert rest.put("/account/networks", json={"networks": []}).status_code == 200
