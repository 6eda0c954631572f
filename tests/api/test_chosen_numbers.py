"""Numbers that old programs have written in can be chosen by a login that may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from soapstone.accounts.account import Account
from soapstone.product import Product
from soapstone.store.numbers import LARGEST_CHOSEN

Client = Callable[..., httpx.Client]


@pytest.fixture
def chooser(product: Product, account: Account, api: httpx.Client) -> httpx.Client:
    product.accounts.permit(account, "ann", may_choose_numbers=True)
    return api


# What is made → the body of the request.
THINGS: dict[str, dict[str, Any]] = {
    "/lists": {"name": "News"},
    "/lists/{list}/external-events": {"name": "Bought"},
    "/lists/{list}/campaigns": {"name": "Spring"},
    "/lists/{list}/profile": {"name": "About", "attributes": []},
    "/categories?of=lists": {"name": "Shops"},
    "/categories?of=messages": {"name": "Receipts"},
    "/searches": {"name": "Ms", "criteria": {"last_name": "M*"}},
    "/occasions": {"name": "Fair"},
    "/messages": {"list_id": 0, "subject": "Hello", "kind": "saved"},
    "/messages?of=MagnetMail": {"name": "Hello", "subject": "Hello", "kind": "magnetmail"},
}


def ask(api: httpx.Client, thing: str, list_id: int, **more: Any) -> httpx.Response:
    body = {**THINGS[thing], **more}
    if "list_id" in body:
        body["list_id"] = list_id
    return api.post(thing.replace("{list}", str(list_id)), json=body)


@pytest.fixture
def other(product: Product) -> int:
    """The number of another account, whose numbers are taken as well."""
    return product.accounts.create("OTHER", time_zone="UTC").id


@pytest.mark.parametrize("thing", THINGS)
def test_each_thing_takes_a_chosen_number_once(chooser: httpx.Client, thing: str) -> None:
    readers = chooser.post("/lists", json={"name": "Readers"}).json()["id"]
    made = ask(chooser, thing, readers, number=123_456)
    assert (made.status_code, made.json()["id"]) == (201, 123_456), made.text
    again = ask(chooser, thing, readers, number=123_456, **({} if "list_id" in THINGS[thing] else {"name": "Another"}))
    assert again.status_code == 409
    assert again.json()["detail"] == "The number 123456 cannot be given: it is in use, or was before."
    following = ask(chooser, thing, readers, **({} if "list_id" in THINGS[thing] else {"name": "Third"})).json()["id"]
    assert following == (2 if thing == "/lists" else 1)


@pytest.mark.parametrize("thing", THINGS)
def test_to_choose_a_number_needs_a_right_of_its_own(api: httpx.Client, thing: str) -> None:
    readers = api.post("/lists", json={"name": "Readers"}).json()["id"]
    refused = ask(api, thing, readers, number=123_456)
    assert (refused.status_code, refused.json()["detail"]) == (403, "This login may not choose numbers.")
    assert ask(api, thing, readers).status_code == 201


def test_attributes_with_chosen_numbers(api: httpx.Client, product: Product, account: Account) -> None:
    readers = api.post("/lists", json={"name": "Readers"}).json()["id"]
    body = {"name": "About", "attributes": [{"name": "Colour", "number": 77}, {"name": "Size"}]}
    assert api.post(f"/lists/{readers}/profile", json=body).status_code == 403
    product.accounts.permit(account, "ann", may_choose_numbers=True)
    made = api.post(f"/lists/{readers}/profile", json=body).json()
    assert [(each["name"], each["id"]) for each in made["attributes"]] == [("Colour", 77), ("Size", 1)]
    again = api.post(f"/lists/{readers}/profile", json={**body, "name": "More"})
    assert again.status_code == 422
    body["attributes"] = [{"name": "Shoe"}, {"name": "Hat", "number": 77}]
    assert api.post(f"/lists/{readers}/profile", json={**body, "name": "More"}).status_code == 409
    # All of it or nothing.
    assert [each["name"] for each in api.get(f"/lists/{readers}/profile").json()] == ["About"]


def test_numbers_of_other_accounts_are_taken_and_nothing_says_whose(
    chooser: httpx.Client, product: Product, other: int
) -> None:
    product.lists.create(other, "Theirs", number=500)
    deleted = chooser.post("/lists", json={"name": "Gone", "number": 501}).json()["id"]
    assert chooser.delete(f"/lists/{deleted}").status_code == 204
    answers = [chooser.post("/lists", json={"name": "Mine", "number": number}) for number in (500, 501)]
    assert [each.status_code for each in answers] == [409, 409]
    texts = {each.text.replace(str(number), "N") for each, number in zip(answers, (500, 501), strict=True)}
    assert len(texts) == 1


@pytest.mark.parametrize("number", [0, -5, LARGEST_CHOSEN + 1, "7", 1.5])
def test_what_is_no_number_to_choose(chooser: httpx.Client, number: Any) -> None:
    assert chooser.post("/lists", json={"name": "News", "number": number}).status_code == 422
    assert chooser.get("/lists").json()["items"] == []


def test_a_taken_number_uses_up_no_idempotency_key(chooser: httpx.Client) -> None:
    chooser.post("/lists", json={"name": "News", "number": 7})
    key = {"Idempotency-Key": "k"}
    assert chooser.post("/lists", json={"name": "More", "number": 7}, headers=key).status_code == 409
    assert chooser.post("/lists", json={"name": "More", "number": 8}, headers=key).status_code == 201
    replayed = chooser.post("/lists", json={"name": "More", "number": 8}, headers=key)
    assert (replayed.status_code, replayed.json()["id"]) == (201, 8)


def test_the_right_is_given_by_who_has_it(
    api: httpx.Client, client: Client, product: Product, account: Account
) -> None:
    bob = {"name": "bob", "password": "long secret", "may_choose_numbers": True}
    assert api.get("/account").json()["may_choose_numbers"] is False
    assert api.post("/logins", json=bob).status_code == 403
    product.accounts.permit(account, "ann", may_choose_numbers=True)
    assert api.post("/logins", json=bob).json()["may_choose_numbers"] is True
    made = client(auth=("bob", "long secret")).post("/lists", json={"name": "News", "number": 31_337})
    assert made.json()["id"] == 31_337
    assert api.patch("/logins/bob", json={"may_choose_numbers": False}).json()["may_choose_numbers"] is False
    refused = client(auth=("bob", "long secret")).post("/lists", json={"name": "More", "number": 31_338})
    assert refused.status_code == 403
