"""Keys of requests: whatever happens, nothing is made twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select, update

from soapstone.clock import now
from soapstone.errors import InvalidError
from soapstone.lists.lists import Lists
from soapstone.product import Product
from soapstone.store.tables import idempotent_answers

PROBLEM = "application/problem+json"


def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


@pytest.fixture
def made(api: httpx.Client) -> int:
    return int(api.post("/lists", json={"name": "Readers", "from_address": "news@example.com"}).json()["id"])


# Path → body. Each can be asked again without a key, and would make another one, or be refused.
CREATIONS: dict[str, Any] = {
    "/account/children": {"name": "CHILD"},
    "/logins": {"name": "bob", "password": "long secret"},
    "/lists": {"name": "Others"},
    "/contacts": {"email": "bob@example.com"},
    "/categories": {"name": "Clubs"},
    "/categories?of=messages": {"name": "Clubs"},
    "/searches": {"name": "Millers", "criteria": {"last_name": "Mil*"}},
    "/mappings": {"object_type": "Committee", "identifier": "C7", "own_id": 1},
    "/occasions": {"name": "Party"},
    "/suppressions": {"email": "bob@example.com"},
    "/lists/{made}/external-events": {"name": "Bought"},
    "/lists/{made}/campaigns": {"name": "Spring"},
    "/lists/{made}/review-group": {"email": "boss@example.com"},
    "/lists/{made}/profile": {"name": "Tastes", "attributes": [{"name": "Colour"}]},
    "/lists/{made}/subscriptions": {"email": "bob@example.com"},
}
# These do nothing that a second time could repeat: a job that is over is refused.
OTHERS = {
    # A mail names itself.
    "/incoming",
    "/messages/{message_id}/preview",
    "/sends/{send_id}/pause",
    "/sends/{send_id}/resume",
    "/sends/{send_id}/cancel",
    "/jobs/{job_id}/cancel",
    "/jobs/{job_id}/retry",
}
# They have tests of their own.
APART = {"/tokens", "/imports", "/lists/{list_id}/imports"}


@pytest.mark.parametrize("path", CREATIONS)
def test_every_creation_takes_a_key(api: httpx.Client, made: int, path: str) -> None:
    body, keyed, there = CREATIONS[path], key(), path.format(made=made)
    first = api.post(there, json=body, headers=keyed)
    assert first.status_code in (200, 201), first.text
    assert "idempotent-replayed" not in first.headers
    again = api.post(there, json=body, headers=keyed)
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert again.headers["idempotent-replayed"] == "true"
    other = {**body, next(iter(body)): "other@example.com"}
    assert api.post(there, json=other, headers=keyed).status_code == 422


def test_no_creation_is_forgotten(api: httpx.Client) -> None:
    described = api.get("/openapi.json").json()["paths"]
    creations = {path.removeprefix("/api/v1") for path, found in described.items() if "post" in found} - OTHERS
    tested = {path.replace("{made}", "{list_id}").partition("?")[0] for path in CREATIONS} | APART
    # Messages and sends have tests of their own.
    assert {path for path in creations if "message" not in path and "send" not in path} == tested
    for path in creations:
        named = [each["name"] for each in described[f"/api/v1{path}"]["post"]["parameters"]]
        assert "Idempotency-Key" in named, path


def test_a_refusal_lets_go_of_the_key(api: httpx.Client, made: int) -> None:
    keyed = key()
    body = {"email": "bob@example.com", "lists": [made + 1]}
    assert api.post("/contacts", json=body, headers=keyed).status_code == 422
    assert api.post("/lists", json={"name": "Others"}).json()["id"] == made + 1
    assert api.post("/contacts", json=body, headers=keyed).status_code == 201


def test_a_fault_after_the_commit(
    product: Product, api: httpx.Client, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made is not made again, although its answer got lost."""
    create = Lists.create

    def broken(*arguments: Any, **named: Any) -> Any:
        create(*arguments, **named)
        raise OSError("the answer got lost")

    keyed = key()
    with monkeypatch.context() as patched:
        patched.setattr(Lists, "create", broken)
        answers = [api.post("/lists", json={"name": "Others"}, headers=keyed)]
    answers.append(api.post("/lists", json={"name": "Others"}, headers=keyed))
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert [each["name"] for each in api.get("/lists").json()["items"]].count("Others") == 1


def test_somebody_who_cannot_be_shown(api: httpx.Client, made: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that comes after the commit lets go of nothing."""
    from soapstone.api.contacts import ContactOut

    def refuse(*_: object) -> None:
        raise InvalidError("This contact is not shown.")

    keyed, body = key(), {"email": "bob@example.com"}
    with monkeypatch.context() as patched:
        patched.setattr(ContactOut, "of", refuse)
        assert api.post("/contacts", json=body, headers=keyed).status_code == 500
    assert api.post("/contacts", json=body, headers=keyed).status_code == 500


def test_a_request_that_was_broken_off(product: Product, api: httpx.Client, made: int) -> None:
    """Nobody knows what it made, so the key is kept as long as others."""
    keyed, table = key(), idempotent_answers.c
    first = api.post("/lists", json={"name": "Others"}, headers=keyed)
    with product.database.write() as connection:
        values: dict[str, Any] = {"status": None, "answer": None, "created_at": now() - timedelta(hours=23)}
        connection.execute(update(idempotent_answers).values(**values))
    assert api.post("/lists", json={"name": "Others"}, headers=keyed).status_code == 409
    product.idempotency_keys.sweep()
    with product.database.write() as connection:
        assert connection.execute(select(table.id)).all()
        connection.execute(update(idempotent_answers).values(created_at=now() - timedelta(hours=25)))
    product.lists.delete(product.accounts.all()[0].id, first.json()["id"])
    assert api.post("/lists", json={"name": "Others"}, headers=keyed).status_code == 201


def test_secrets_are_not_kept(product: Product, api: httpx.Client) -> None:
    """The secret of a token is told once; nothing that is kept tells of a password."""
    keyed = key()
    first = api.post("/tokens", json={"name": "shop"}, headers=keyed)
    assert first.status_code == 201
    again = api.post("/tokens", json={"name": "shop"}, headers=keyed)
    assert (again.status_code, again.headers["content-type"]) == (409, PROBLEM)
    assert str(first.json()["id"]) in again.json()["detail"]
    assert len(api.get("/tokens").json()["items"]) == 1
    with product.database.read() as connection:
        kept = repr(connection.execute(select(idempotent_answers)).all())
    assert first.json()["token"] not in kept


def test_imports_by_key(api: httpx.Client, made: int, run_jobs: Callable[[], None]) -> None:
    keyed = {**key(), "Content-Type": "text/csv"}
    jobs = [api.post(f"/lists/{made}/imports", content=b"Email\na@example.com\n", headers=keyed) for _ in range(2)]
    assert jobs[0].json() == jobs[1].json()
    refused = api.post(f"/lists/{made}/imports", content=b"Email\nb@example.com\n", headers=keyed)
    assert refused.status_code == 422
