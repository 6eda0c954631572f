"""Logins by the REST API: rights, disabling, deleting, and the account's audit trail."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from soapstone.accounts.account import Account, Login
from soapstone.product import Product

Client = Callable[..., httpx.Client]

BOB = {"name": "bob", "password": "long secret"}


def test_a_login_is_disabled_and_enabled(api: httpx.Client, client: Client) -> None:
    api.post("/logins", json=BOB)
    bob = client(auth=("bob", "long secret"))
    token = bob.post("/tokens", json={"name": "shop"}).json()["token"]
    program = client(auth=None)
    program.headers["Authorization"] = f"Bearer {token}"
    assert (bob.get("/account").status_code, program.get("/account").status_code) == (200, 200)
    assert api.patch("/logins/bob", json={"disabled": True}).json()["disabled"] is True
    assert (bob.get("/account").status_code, program.get("/account").status_code) == (401, 401)
    assert api.patch("/logins/bob", json={"may_call_api": True}).json()["disabled"] is True
    assert api.patch("/logins/bob", json={"disabled": False}).json()["disabled"] is False
    assert (bob.get("/account").status_code, program.get("/account").status_code) == (200, 200)


def test_a_login_has_a_name(api: httpx.Client) -> None:
    assert api.post("/logins", json={"name": " ", "password": "long secret"}).status_code == 422
    assert api.post("/logins", json={"name": " eve ", "password": "long secret"}).json()["name"] == "eve"


def test_no_login_enables_one_that_may_do_more(product: Product, account: Account, api: httpx.Client) -> None:
    product.accounts.add_login(account, "bob", "long secret")
    product.accounts.permit(account, "ann", may_use_console=False)
    assert api.patch("/logins/bob", json={"disabled": True}).status_code == 200
    assert api.patch("/logins/bob", json={"disabled": False}).status_code == 403
    assert api.patch("/logins/bob", json={"may_use_console": False}).status_code == 200
    assert api.patch("/logins/bob", json={"disabled": False}).json()["disabled"] is False


def test_a_child_account_stands_in_the_trail_of_its_parent(api: httpx.Client) -> None:
    assert api.post("/account/children", json={"name": "CHILD"}).status_code == 201
    assert "account CHILD is created" in [each["detail"] for each in api.get("/account/audit").json()["items"]]


def test_a_login_is_deleted(api: httpx.Client, client: Client) -> None:
    api.post("/logins", json=BOB)
    bob = client(auth=("bob", "long secret"))
    made = bob.post("/lists", json={"name": "Readers"}).json()["id"]
    assert api.delete("/logins/Bob").status_code == 204
    assert api.delete("/logins/bob").status_code == 404
    assert api.patch("/logins/bob", json={"disabled": False}).status_code == 404
    assert bob.get("/account").status_code == 401
    assert [each["name"] for each in api.get("/logins").json()["items"]] == ["ann"]
    assert api.get(f"/lists/{made}").json()["name"] == "Readers"
    assert api.post("/logins", json=BOB).status_code == 201


def test_a_login_neither_disables_nor_deletes_itself(api: httpx.Client) -> None:
    """So an account always has a login that may manage it, whatever is done by this API."""
    assert api.patch("/logins/ANN", json={"disabled": True}).status_code == 409
    assert api.delete("/logins/ANN").status_code == 409
    assert api.get("/account").status_code == 200


def test_logins_of_other_accounts_do_not_exist(product: Product, api: httpx.Client, client: Client) -> None:
    other = product.accounts.create("OTHER", time_zone="UTC")
    product.accounts.add_login(other, "olaf", "long secret")
    assert api.delete("/logins/olaf").status_code == 404
    assert api.patch("/logins/olaf", json={"disabled": True}).status_code == 404
    assert client(auth=("olaf", "long secret")).get("/account").status_code == 200


def test_a_login_that_sees_some_lists_manages_no_logins(product: Product, account: Account, client: Client) -> None:
    contact_list = product.lists.create(account.id, "News")
    product.accounts.add_login(account, "bob", "long secret", lists=[contact_list.id])
    product.accounts.add_login(account, "cat", "long secret")
    bob = client(auth=("bob", "long secret"))
    assert bob.delete("/logins/cat").status_code == 403
    assert bob.patch("/logins/cat", json={"disabled": True}).status_code == 403
    assert bob.get("/account/audit").status_code == 403


def test_the_right_to_use_the_console_is_given_by_those_who_have_it(
    product: Product, account: Account, api: httpx.Client, login: Login
) -> None:
    made = api.post("/logins", json=BOB).json()
    assert (made["may_use_console"], made["may_call_api"], made["disabled"]) == (False, True, False)
    assert api.get("/account").json()["may_use_console"] is True
    assert api.patch("/logins/bob", json={"may_use_console": True}).json()["may_use_console"] is True
    product.accounts.permit(account, "ann", may_use_console=False)
    assert api.post("/logins", json={**BOB, "name": "cat", "may_use_console": True}).status_code == 403
    assert api.patch("/logins/bob", json={"may_use_console": True}).status_code == 403
    assert api.patch("/logins/bob", json={"may_use_console": False}).json()["may_use_console"] is False


def test_the_audit_trail_of_the_account(product: Product, api: httpx.Client, client: Client) -> None:
    other = product.accounts.create("OTHER", time_zone="UTC")
    product.accounts.add_login(other, "olaf", "long secret")
    here = client(peer="192.0.2.7")
    for _ in range(3):
        here.get("/account")
    contact_list = here.post("/lists", json={"name": "Readers"}).json()["id"]
    here.post("/logins", json=BOB)
    here.get(f"/lists/{contact_list}/export", params={"form": "ndjson"})
    found: list[dict[str, object]] = []
    cursor = None
    while True:
        page = here.get("/account/audit", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [(each["action"], each["login_name"], each["address"]) for each in found] == [
        ("rights", "", ""),
        ("rights", "", ""),
        ("logon", "ann", "192.0.2.7"),
        ("rights", "ann", "192.0.2.7"),
        ("export", "ann", "192.0.2.7"),
    ]
    assert found[2]["detail"] == "REST"
    assert str(found[3]["detail"]).startswith("login bob is added: may_call_api=True, may_see_analytics=False")
    assert found[4]["detail"] == f"members of list {contact_list} as ndjson"
    assert str(found[4]["at"]).endswith("Z")
    assert "long secret" not in str(found)
    olaf = client(auth=("olaf", "long secret")).get("/account/audit").json()["items"]
    assert {each["login_name"] for each in olaf} == {"", "olaf"}
