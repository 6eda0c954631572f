"""What a request by REST has made is answered as it was stored, whatever happens right after the commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from soapstone.product import Product
from soapstone.store.database import Database
from soapstone.store.transient_errors import NO_ANSWER, RecordsUnavailable

Place = dict[str, int]

# What is created → path and content of its request.
CREATIONS: dict[str, Callable[[Place], tuple[str, Any]]] = {
    "account": lambda _: ("/account/children", {"name": "CHILD"}),
    "campaign": lambda it: (f"/lists/{it['list']}/campaigns", {"name": "Spring"}),
    "category": lambda _: ("/categories", {"name": "Papers"}),
    "contact": lambda it: ("/contacts", {"email": "dan@example.com", "lists": [it["list"]]}),
    "event": lambda it: (f"/lists/{it['list']}/external-events", {"name": "Fair"}),
    "header": lambda it: (
        f"/lists/{it['list']}/profile",
        {"name": "Person", "attributes": [{"name": "Size", "kind": "text"}]},
    ),
    "list": lambda _: ("/lists", {"name": "More"}),
    "login": lambda it: ("/logins", {"name": "cy", "password": "a long secret", "lists": [it["list"]]}),
    "mapping": lambda it: ("/mappings", {"object_type": "crm", "identifier": "7", "own_id": it["list"]}),
    "message": lambda it: ("/messages", {"list_id": it["list"], "subject": "Hello", "plain": "Hello {{ Size }}"}),
    "occasion": lambda _: ("/occasions", {"name": "Ball"}),
    "reviewer": lambda it: (f"/lists/{it['list']}/review-group", {"email": "eve@example.com"}),
    "search": lambda _: ("/searches", {"name": "Bobs", "criteria": {"first_name": "Bob"}}),
    "subscription": lambda it: (f"/lists/{it['list']}/subscriptions", {"email": "fay@example.com"}),
    "suppression": lambda _: ("/suppressions", {"email": "gil@example.com"}),
    "token": lambda _: ("/tokens", {"name": "robot"}),
}
creations = pytest.mark.parametrize("kind", CREATIONS)


@pytest.fixture
def place(api: httpx.Client, product: Product) -> Place:
    number = api.post("/lists", json={"name": "News"}).json()["id"]
    # The first subscription makes the account's key of links.
    api.post(f"/lists/{number}/subscriptions", json={"email": "ann@example.com"})
    return {"list": number}


@contextmanager
def gone_after_creation(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Once a transaction has stored something new, nothing can be read or written any more."""
    read, write, stored = Database.read, Database.write, list[str]()

    def refuse() -> None:
        if stored:
            raise RecordsUnavailable(NO_ANSWER)

    @contextmanager
    def reading(self: Database, **given: Any) -> Iterator[Any]:
        refuse()
        with read(self, **given) as connection:
            yield connection

    @contextmanager
    def writing(self: Database, **given: Any) -> Iterator[Any]:
        refuse()
        made = list[str]()

        def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            if statement.startswith("INSERT") and "idempotent_answer" not in statement:
                made.append(statement)

        with write(self, **given) as connection:
            event.listen(connection, "before_cursor_execute", note)
            yield connection
        stored.extend(made)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", reading)
        patch.setattr(Database, "write", writing)
        yield stored


def ask(api: httpx.Client, place: Place, kind: str, **headers: str) -> httpx.Response:
    path, content = CREATIONS[kind](place)
    return api.post(path, json=content, headers=headers)


@creations
def test_what_was_made_is_no_failure(
    api: httpx.Client, place: Place, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that is told of a failure asks again, and there are two, or its second request is refused."""
    caplog.set_level(logging.CRITICAL)
    with gone_after_creation(monkeypatch) as stored:
        answer = ask(api, place, kind)
    assert stored
    assert answer.status_code in (200, 201), answer.text


@creations
def test_a_key_makes_nothing_twice(
    api: httpx.Client, place: Place, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer could not be kept, so that it cannot be repeated."""
    caplog.set_level(logging.CRITICAL)
    with gone_after_creation(monkeypatch) as stored:
        answer = ask(api, place, kind, **{"Idempotency-Key": "one"})
    assert stored
    assert answer.status_code in (200, 201), answer.text
    again = ask(api, place, kind, **{"Idempotency-Key": "one"})
    assert (again.status_code, "still being answered" in again.text) == (409, True)
