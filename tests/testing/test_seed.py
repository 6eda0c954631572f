"""Seeds: what a document makes, and how a useless one is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.testing.wire import call, logon, member, poll

from soapstone.testing.errors import UnusableSeed
from soapstone.testing.server import TestServer, local_test_server

DOCUMENT = """\
accounts:
  - name: shop
    time_zone: Europe/Berlin
    lists:
      - number: 7001
        name: Customers
        attributes:
          - {name: Size, number: 9001}
          - {name: Since, kind: date}
        contacts:
          - {email: ann@example.org, fields: {first_name: Ann}, attributes: {Size: "42"}}
          - {email: left@example.org, state: unsubscribed}
          - {email: waits@example.org, state: waiting}
          - {email: ill@example.org, blocked: suppressed}
          - {email: bad@example.org, blocked: banned}
        messages:
          - {number: 8001, name: News, subject: Hello, html: <p>Hello</p>}
        jobs:
          - label: big.csv
            counters: {added: 199998}
            rejected_rows:
              - {line: 3, reason: invalid_address, fields: [no address]}
              - {line: 9, reason: duplicate, fields: [ann@example.org]}
          - {state: failed, error: The file holds no rows., login: shop-reader}
    logins:
      - {name: shop, password: secret, lists: [7001]}
      - {name: shop-reader, password: secret, may_call_api: false}
"""


def plant(server: TestServer, document: str, media_type: str = "application/yaml", query: str = "") -> httpx.Response:
    headers = {"Content-Type": media_type}
    return httpx.post(f"{server.base}/_test/seed{query}", content=document.encode(), headers=headers)


def counted(server: TestServer, job: int) -> dict[str, str]:
    session = member(logon(server.base, "shop", "secret"), "sessionId")
    answer = poll(server.base, job, session)
    names = ("status", "total_records", "good_records", "new_added", "user_filename", "msg")
    return {name: member(answer, name) for name in names if f"<{name}>" in answer.text}


def test_a_seed_makes_what_clients_see(server: TestServer) -> None:
    answer = plant(server, DOCUMENT)
    assert answer.status_code == 200, answer.text
    [account] = answer.json()["accounts"]
    [made] = account["lists"]
    assert (account["name"], made["number"]) == ("SHOP", 7001)
    assert made["attributes"][0] == {"name": "Size", "number": 9001}
    assert made["messages"] == [{"name": "News", "number": 8001}]
    product = server.product
    found = product.accounts.named("SHOP")
    assert found is not None
    people = {each.email: each.state for each in product.members.page(7001, limit=10)}
    assert people == {
        "ann@example.org": "subscribed",
        "left@example.org": "unsubscribed",
        "waits@example.org": "waiting",
        "ill@example.org": "subscribed",
        "bad@example.org": "subscribed",
    }
    (left,) = product.unsubscribes.page(found.id, "unsubscribed")
    assert (left.list_id, product.contacts.find(found, email="left@example.org")) == (7001, left.contact_id)
    kinds = {each.email: each.kind for each in product.suppressions.page(found.id)}
    assert kinds == {"ill@example.org": "suppressed", "bad@example.org": "banned"}
    done, failed = (job["number"] for job in made["jobs"])
    assert counted(server, done) | {"msg": ""} == {
        "status": "2",
        "total_records": "200000",
        "good_records": "199998",
        "new_added": "199998",
        "user_filename": "big.csv",
        "msg": "",
    }
    assert [(row.line, row.reason, row.fields) for row in product.imports.rejected(done)] == [
        (3, "invalid_address", ["no address"]),
        (9, "duplicate", ["ann@example.org"]),
    ]
    assert counted(server, failed)["status"] == "3"
    assert counted(server, failed)["msg"] == "The file holds no rows."
    assert member(logon(server.base, "shop-reader", "secret"), "authenticated") == "false"


def test_json_and_an_account_that_is_there(server: TestServer) -> None:
    document = {"accounts": [{"name": "DEMO", "lists": [{"number": 1, "contacts": [{"email": "new@example.org"}]}]}]}
    answer = plant(server, json.dumps(document), "application/json")
    assert answer.status_code == 200, answer.text
    [account] = answer.json()["accounts"]
    assert account["lists"][0]["name"] == "Newsletter"
    assert account["lists"][0]["contacts"][0]["name"] == "new@example.org"


@pytest.mark.parametrize("identifier", ["email", "custom_id"])
def test_a_contact_on_several_lists_is_one_with_all_that_is_said_of_it(server: TestServer, identifier: str) -> None:
    first = {"email": "ann@example.org", "custom_id": "7", "fields": {"first_name": "Ann", "city": "Rome"}}
    second = {"email": "Ann@example.org", "custom_id": "7", "fields": {"first_name": "Anna"}}
    lists = [{"name": "A", "contacts": [first]}, {"name": "B", "contacts": [second]}]
    answer = plant(server, json.dumps({"accounts": [{"name": "SHOP", "identifier": identifier, "lists": lists}]}))
    assert answer.status_code == 200, answer.text
    made = [each["contacts"][0]["number"] for each in answer.json()["accounts"][0]["lists"]]
    assert made[0] == made[1]
    account = server.product.accounts.named("SHOP")
    assert account is not None
    found = server.product.contacts.get(account.id, made[0])
    assert found is not None
    assert tuple(found.fields[name] for name in ("first_name", "city", "custom_id")) == ("Anna", "Rome", "7")


def test_a_reset_undoes_a_seed_unless_it_is_kept(server: TestServer) -> None:
    def there() -> bool:
        return member(logon(server.base, "shop", "secret"), "authenticated") == "true"

    before = call(server.base, "Authenticate", "").text
    assert plant(server, DOCUMENT).status_code == 200
    assert there()
    server.reset()
    assert not there()
    with local_test_server() as other:
        assert plant(other, DOCUMENT, query="?keep=true").status_code == 200
        other.reset()
        assert member(logon(other.base, "shop", "secret"), "authenticated") == "true"
    assert call(server.base, "Authenticate", "").text == before


@pytest.mark.parametrize(
    ("path", "media_type", "most"),
    [
        ("seed", "application/yaml", 32 << 20),
        ("seed", "application/json", 32 << 20),
        ("faults", "application/json", 1 << 20),
        ("clock", "application/json", 1 << 20),
        ("transitions", "application/json", 1 << 20),
    ],
)
def test_a_body_has_a_largest_size(server: TestServer, path: str, media_type: str, most: int) -> None:
    headers = {"Content-Type": media_type}
    answer = httpx.post(f"{server.base}/_test/{path}", content=b" " * (most + 1), headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (413, f"The request is larger than {most} bytes.")
    # Half a minute goes by until YAML's reader has seen as many blanks.
    if media_type == "application/json":
        allowed = httpx.post(f"{server.base}/_test/{path}", content=b" " * most, headers=headers)
        assert allowed.status_code == 422


@pytest.mark.parametrize(
    ("document", "status", "told"),
    [
        ("accounts: [{name: A, lists: [{contacts: [{email: 5}]}]}]", 422, "body.accounts.0.lists.0.contacts.0.email"),
        ("accounts: [{name: A, colour: red}]", 422, "body.accounts.0.colour"),
        ("accounts: [{name: A}, {name: B, time_zone: Moon}]", 409, "accounts.1: "),
        ("accounts: [{name: A, logins: [{name: demo, password: x}]}]", 409, "accounts.0.logins.0: There is a login"),
        ("accounts: [{name: A, lists: [{number: 1}]}]", 409, "accounts.0.lists.0: The number 1 cannot be given"),
        (
            "accounts: [{name: A, lists: [{contacts: [{email: none}]}]}]",
            409,
            "contacts.0: none is no e-mail address.",
        ),
        (
            "accounts: [{name: A, lists: [{contacts: [{email: a@example.org, attributes: {X: '1'}}]}]}]",
            409,
            "accounts.0.lists.0.contacts.0: The list has no attribute X.",
        ),
        (
            f"accounts: [{{name: A, lists: [{{jobs: [{{rejected_rows: [{{line: {10**30}, reason: duplicate}}]}}]}}]}}]",
            422,
            "body.accounts.0.lists.0.jobs.0.rejected_rows.0.line",
        ),
        (
            f"accounts: [{{name: A, lists: [{{jobs: [{{counters: {{added: {10**30}}}}}]}}]}}]",
            422,
            "body.accounts.0.lists.0.jobs.0.counters.added",
        ),
        (
            f"accounts: [{{name: A, lists: [{{jobs: [{{counters: {{added: {2**31 - 1}, joined: 1}}}}]}}]}}]",
            422,
            "body.accounts.0.lists.0.jobs.0",
        ),
        ("accounts: [", 400, "line 1, column 12"),
        ("accounts: [{name: A,\n name: B}]", 400, "line 2: name stands there twice."),
        ("a: &a [1]\nb: *a", 400, "line 2: aliases are not taken."),
    ],
)
def test_a_useless_document_makes_nothing_and_tells_the_place(
    server: TestServer, document: str, status: int, told: str
) -> None:
    answer = plant(server, document)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.text
    assert [account.name for account in server.product.accounts.all()] == ["DEMO"]


def test_the_description_has_the_members_of_a_seed(server: TestServer) -> None:
    described = httpx.get(f"{server.base}/_test/openapi.json").json()
    content = described["paths"]["/_test/seed"]["post"]["requestBody"]["content"]
    assert content.keys() == {"application/json", "application/yaml"}
    schemas: dict[str, Any] = described["components"]["schemas"]
    assert "rejected_rows" in schemas["JobSeed"]["properties"]


def test_a_file_is_there_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "seed.yaml"
    file.write_text(DOCUMENT)
    with local_test_server(file) as server:
        assert member(logon(server.base, "shop", "secret"), "authenticated") == "true"
        server.reset()
        assert member(logon(server.base, "shop", "secret"), "authenticated") == "true"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("accounts: [{name: A, colour: red}]", "accounts.0.colour: "),
        ("accounts: [", "line 1, column 12"),
        ("", "A seed has members, such as accounts; this has none."),
        ("- accounts", "A seed has members, such as accounts; this has none."),
        ("accounts: [{name: A, lists: [{contacts: [{email: none}]}]}]", "accounts.0.lists.0.contacts.0: none is no e-"),
    ],
)
def test_an_error_names_the_file(tmp_path: Path, document: str, told: str) -> None:
    file = tmp_path / "seed.yaml"
    file.write_text(document)
    with pytest.raises(UnusableSeed) as error, local_test_server(file):
        pass
    assert str(error.value).startswith(f"Cannot use {file}: {told}")
