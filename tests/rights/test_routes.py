"""Every route of the REST API as docs/rights.md says: with a login that lacks exactly the right, with one that has it,
and with numbers of another account (lk-9, lk-19)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.api.conftest import Within
from tests.contracts.calls import NOBODY, Ground, Things
from tests.rights.records import Records
from tests.rights.table import rights

from soapstone.api.app import rest

RIGHTS = rights("REST API")
DESCRIPTION = "GET /openapi.json"
FUTURE = "2099-01-01T00:00:00Z"

Asked = tuple[str, Any]


def at(path: str, body: Any = None) -> Callable[[Things], Asked]:
    """A request whose path names things, `{list}`; so do texts of the body that are such a name and nothing else."""

    def filled(it: Things, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(it, each) for key, each in value.items()}
        if isinstance(value, list):
            return [filled(it, each) for each in value]
        if isinstance(value, str) and (found := re.fullmatch(r"\{(\w+)\}", value)):
            return getattr(it, found[1])
        return value

    return lambda it: (path.format(**it.__dict__), filled(it, body))


LIST = "/lists/{list}"
# Route → a request for it, about the things that are given.
ROUTES: dict[str, Callable[[Things], Asked]] = {
    DESCRIPTION: at("/openapi.json"),
    "GET /account": at("/account"),
    "PATCH /account": at("/account", {"field_labels": {"city": "Town"}}),
    "GET /account/audit": at("/account/audit"),
    "GET /account/children": at("/account/children"),
    "POST /account/children": at("/account/children", {"name": "CHILD"}),
    "GET /account/networks": at("/account/networks"),
    "PUT /account/networks": at("/account/networks", {"networks": ["127.0.0.0/8"]}),
    "GET /logins": at("/logins"),
    "POST /logins": at("/logins", {"name": "new", "password": "long secret"}),
    "PATCH /logins/{name}": at("/logins/bob", {"lists": ["{list}"]}),
    "DELETE /logins/{name}": at("/logins/bob"),
    "GET /tokens": at("/tokens"),
    "POST /tokens": at("/tokens", {"name": "new"}),
    "DELETE /tokens/{token_id}": at("/tokens/{token}"),
    "GET /lists": at("/lists"),
    "POST /lists": at("/lists", {"name": "New"}),
    "GET /lists/{list_id}": at(LIST),
    "PATCH /lists/{list_id}": at(LIST, {"name": "Mine now"}),
    "DELETE /lists/{list_id}": at("/lists/{bare_list}"),
    "GET /lists/{list_id}/members": at(f"{LIST}/members"),
    "GET /lists/{list_id}/members/{contact_id}": at(f"{LIST}/members/{{contact}}"),
    "PATCH /lists/{list_id}/members/{contact_id}": at(f"{LIST}/members/{{contact}}", {"profile": {}}),
    "POST /lists/{list_id}/subscriptions": at(f"{LIST}/subscriptions", {"email": "new@example.com"}),
    "DELETE /lists/{list_id}/subscriptions/{email}": at(f"{LIST}/subscriptions/{{email}}"),
    "GET /lists/{list_id}/external-events": at(f"{LIST}/external-events"),
    "POST /lists/{list_id}/external-events": at(f"{LIST}/external-events", {"name": "New"}),
    "PATCH /lists/{list_id}/external-events/{event_id}": at(f"{LIST}/external-events/{{event}}", {"active": False}),
    "GET /lists/{list_id}/campaigns": at(f"{LIST}/campaigns"),
    "POST /lists/{list_id}/campaigns": at(f"{LIST}/campaigns", {"name": "New"}),
    "DELETE /lists/{list_id}/campaigns/{campaign_id}": at(f"{LIST}/campaigns/{{campaign}}"),
    "GET /lists/{list_id}/review-group": at(f"{LIST}/review-group"),
    "POST /lists/{list_id}/review-group": at(f"{LIST}/review-group", {"email": "new@example.com"}),
    "DELETE /lists/{list_id}/review-group/{email}": at(f"{LIST}/review-group/{{email}}"),
    "GET /lists/{list_id}/profile": at(f"{LIST}/profile"),
    "POST /lists/{list_id}/profile": at(f"{LIST}/profile", {"name": "New", "attributes": []}),
    "DELETE /lists/{list_id}/profile/{header_id}": at(f"{LIST}/profile/{{bare_header}}"),
    "DELETE /lists/{list_id}/attributes/{attribute_id}": at(f"{LIST}/attributes/{{attribute}}"),
    "GET /lists/{list_id}/export": at(f"{LIST}/export?fields=true&profile=true"),
    "POST /lists/{list_id}/imports": at(f"{LIST}/imports", b"Email\nnew@example.com\n"),
    "GET /contacts": at("/contacts?list_id={list}"),
    "POST /contacts": at("/contacts", {"email": "new@example.com", "lists": ["{list}"]}),
    "GET /contacts/{contact_id}": at("/contacts/{contact}"),
    "PATCH /contacts/{contact_id}": at("/contacts/{contact}", {"fields": {"city": "Oslo"}}),
    "GET /contacts/{contact_id}/lists": at("/contacts/{contact}/lists"),
    "DELETE /contacts/{contact_id}": at("/contacts/{contact}"),
    "DELETE /contacts/{contact_id}/channels-shut/{channel}": at("/contacts/{shut_contact}/channels-shut/fax"),
    "GET /contacts/{contact_id}/export": at("/contacts/{contact}/export"),
    "GET /categories": at("/categories"),
    "POST /categories": at("/categories", {"name": "New"}),
    "DELETE /categories/{category_id}": at("/categories/{category}"),
    "GET /searches": at("/searches"),
    "POST /searches": at("/searches", {"name": "New", "criteria": {}}),
    "DELETE /searches/{search_id}": at("/searches/{search}"),
    "GET /mappings": at("/mappings"),
    "POST /mappings": at("/mappings", {"object_type": "Committee", "identifier": "New", "own_id": 1}),
    "DELETE /mappings/{mapping_id}": at("/mappings/{mapping}"),
    "GET /occasions": at("/occasions"),
    "POST /occasions": at("/occasions", {"name": "New"}),
    "PATCH /occasions/{occasion_id}": at("/occasions/{occasion}", {"open": False}),
    "GET /occasions/{occasion_id}/sign-ups": at("/occasions/{occasion}/sign-ups"),
    "GET /suppressions": at("/suppressions?email=shut-{email}"),
    "POST /suppressions": at("/suppressions", {"email": "new@example.com"}),
    "DELETE /suppressions": at("/suppressions?email=shut-{email}"),
    "POST /imports": at("/imports", b"Email\nnew@example.com\n"),
    "GET /incoming": at("/incoming"),
    "GET /incoming/{incoming_id}/content": at("/incoming/{incoming}/content"),
    "POST /incoming": at("/incoming", b"Subject: Hello\n\nHello\n"),
    "GET /imports/{job_id}/outcomes": at("/imports/{job}/outcomes"),
    "GET /imports/{job_id}/rejects": at("/imports/{job}/rejects"),
    "GET /jobs": at("/jobs?list_id={list}"),
    "GET /jobs/{job_id}": at("/jobs/{job}"),
    "POST /jobs/{job_id}/cancel": at("/jobs/{waiting}/cancel"),
    "POST /jobs/{job_id}/retry": at("/jobs/{job}/retry"),
    "GET /jobs/{job_id}/events": at("/jobs/{job}/events"),
    "GET /messages": at("/messages?list_id={list}"),
    "POST /messages": at("/messages", {"list_id": "{list}", "subject": "New", "plain": "New"}),
    "GET /messages/{message_id}": at("/messages/{message}"),
    "PATCH /messages/{message_id}": at("/messages/{message}", {"subject": "New"}),
    "POST /messages/{message_id}/preview": at("/messages/{message}/preview", {"email": "{email}"}),
    "GET /messages/{message_id}/figures": at("/messages/{sent}/figures"),
    "GET /messages/{message_id}/links": at("/messages/{sent}/links"),
    "GET /messages/{message_id}/events": at("/messages/{sent}/events?kind=sent"),
    "GET /events": at("/events?kind=sent&list_id={list}"),
    "GET /sends": at("/sends?list_id={list}"),
    "POST /sends": at(
        "/sends",
        {"message_id": "{message}", "to": {"kind": "list", "list_id": "{list}"}, "at": FUTURE, "unsubscribe": "none"},
    ),
    "GET /sends/{send_id}": at("/sends/{send}"),
    "GET /sends/{send_id}/recipients": at("/sends/{send}/recipients"),
    "GET /sends/{send_id}/figures": at("/sends/{send}/figures"),
    "GET /sends/{send_id}/events": at("/sends/{send}/events?kind=sent"),
    "GET /sends/{send_id}/bounces": at("/sends/{send}/bounces"),
    "POST /sends/{send_id}/retry": at("/sends/{send}/retry"),
    "POST /sends/{send_id}/pause": at("/sends/{waiting}/pause"),
    "POST /sends/{send_id}/resume": at("/sends/{waiting}/resume"),
    "POST /sends/{send_id}/cancel": at("/sends/{waiting}/cancel"),
}
# What is in no state for it is refused, when it is visible.
IN_ANOTHER_STATE = {"POST /jobs/{job_id}/retry", "POST /sends/{send_id}/retry", "POST /sends/{send_id}/resume"}


def routes(*reaches: str) -> pytest.MarkDecorator:
    """All routes of these reaches."""
    return pytest.mark.parametrize("route", [route for route in ROUTES if RIGHTS[route].reach in reaches])


class Callers:
    """Asks as one login or another."""

    def __init__(self, ground: Ground) -> None:
        self._app = Within(rest(ground.product))

    def ask(self, route: str, login: Any, things: Things, token: int = NOBODY) -> httpx.Response:
        path, body = ROUTES[route](replace(things, token=token))
        auth = None if login is None else (login.name, "secret")
        with httpx.Client(transport=self._app, base_url="http://127.0.0.1/api/v1", auth=auth) as client:
            method = route.split()[0]
            if isinstance(body, bytes):
                media = "message/rfc822" if path == "/incoming" else "text/csv"
                return client.request(method, path, content=body, headers={"Content-Type": media})
            return client.request(method, path, json=body)


@pytest.fixture(scope="module")
def callers(furnished: Ground) -> Callers:
    return Callers(furnished)


def said(answer: httpx.Response) -> Any:
    return answer.status_code, answer.text


def names(answer: httpx.Response) -> set[str]:
    """Whose things an answer tells of."""
    return {name for name in ("mine", "hidden", "foreign") if name in answer.text}


def test_every_route_has_a_row(ground: Ground) -> None:
    described = rest(ground.product).openapi()["paths"]
    there = {
        f"{method.upper()} {path.removeprefix('/api/v1')}" for path, all_of in described.items() for method in all_of
    }
    assert RIGHTS.keys() == ROUTES.keys() == there | {DESCRIPTION}


@pytest.mark.parametrize("route", ROUTES)
def test_permission(ground: Ground, callers: Callers, records: Records, route: str) -> None:
    """lk-9"""
    if RIGHTS[route].permission == "none":
        assert callers.ask(route, None, ground.mine).status_code == 200
        return
    assert callers.ask(route, None, ground.mine).status_code == 401
    refused = callers.ask(route, ground.mute, ground.mine)
    assert (refused.status_code, refused.json()["detail"]) == (403, "The login does not have the API permission.")
    assert records.written() == set()
    assert callers.ask(route, ground.nan, ground.mine).status_code not in (401, 403)


@routes("list", "job", "list or all lists")
def test_what_is_not_there_for_the_login(ground: Ground, callers: Callers, records: Records, route: str) -> None:
    """lk-19: one answer to unknown, foreign and hidden numbers, and nothing is changed."""
    unknown = said(callers.ask(route, ground.ann, ground.unknown))
    assert unknown[0] == 404
    mixed = [replace(each, list=ground.mine.list) for each in (ground.hidden, ground.foreign)]
    cases = [(ground.ann, ground.foreign), (ground.cat, ground.unknown), (ground.cat, ground.foreign)]
    cases += [(ground.cat, ground.hidden), (ground.bob, ground.mine)]
    if ROUTES[route](mixed[0]) != ROUTES[route](replace(ground.mine, email=ground.hidden.email)):
        # The list is the login's own, and the rest is not.
        cases += [(ground.cat, each) for each in mixed]
    for login, things in cases:
        answer = callers.ask(route, login, things)
        assert answer.status_code == 404, f"{login.name}, {things.name}: {answer.text}"
        assert things in mixed or said(answer) == unknown
        assert records.written() == set()
    if RIGHTS[route].reach == "list or all lists":
        path = re.sub(r"list_id=\d+", "", ROUTES[route](ground.mine)[0])
        for login, status in ((ground.cat, 403), (ground.ann, 200)):
            with httpx.Client(transport=callers._app, base_url="http://127.0.0.1/api/v1") as client:
                answer = client.get(path, auth=(login.name, "secret"))
            assert answer.status_code == status
            assert "foreign" not in answer.text


@routes("list", "job", "list or all lists")
def test_what_is_there(ground: Ground, callers: Callers, records: Records, route: str) -> None:
    for login in (ground.ann, ground.cat):
        if "review-group/" in route:
            ground.product.review_groups.add(ground.acme.id, ground.mine.list, ground.mine.email)
            records.written()
        answer = callers.ask(route, login, ground.mine)
        if route in IN_ANOTHER_STATE:
            assert answer.status_code == 409, answer.text
        else:
            assert answer.status_code < 300, answer.text
            # A profile that is given no values stays as it is.
            if "members/" not in route:
                assert bool(records.written()) == RIGHTS[route].writes
        assert not names(answer) & {"hidden", "foreign"}, answer.text
        records.restore()


@routes("lists")
def test_what_is_left_out(ground: Ground, callers: Callers, records: Records, route: str) -> None:
    for login, expected in ((ground.ann, {"mine", "hidden"}), (ground.cat, {"mine"}), (ground.bob, set())):
        answer = callers.ask(route, login, ground.mine)
        assert answer.status_code == 200
        assert names(answer) == expected
    assert records.written() == set()


@routes("account")
def test_what_all_logins_share(ground: Ground, callers: Callers, records: Records, route: str) -> None:
    for login in (ground.ann, ground.cat, ground.bob):
        answer = callers.ask(route, login, ground.mine)
        assert answer.status_code < 300, answer.text
        assert "foreign" not in names(answer)
        assert bool(records.written()) == RIGHTS[route].writes
        records.restore()


@routes("all lists")
def test_what_concerns_the_whole_account(ground: Ground, callers: Callers, records: Records, route: str) -> None:
    for login in (ground.cat, ground.bob):
        refused = callers.ask(route, login, ground.mine)
        assert refused.status_code == 403, refused.text
        assert refused.json()["detail"] == "This login sees only the lists that it was granted."
    if ROUTES[route](ground.foreign) != ROUTES[route](ground.mine):
        unknown, foreign = (callers.ask(route, ground.ann, things) for things in (ground.unknown, ground.foreign))
        assert re.sub(r"\d+", "0", unknown.text) == re.sub(r"\d+", "0", foreign.text)
        assert unknown.status_code == foreign.status_code
    assert records.written() == set()
    answer = callers.ask(route, ground.ann, ground.mine)
    assert answer.status_code < 300, answer.text
    assert "foreign" not in names(answer)
    assert bool(records.written()) == RIGHTS[route].writes


@routes("own login")
def test_what_is_the_logins_own(ground: Ground, callers: Callers, records: Records, route: str) -> None:
    """The token of another login of the same account is unknown, and so is one that is nobody's."""
    token, _ = ground.product.tokens.add(ground.acme, ground.ann, "of ann")
    records.written()
    for login in (ground.cat, ground.nan):
        answer = callers.ask(route, login, ground.mine, token=token.id)
        assert answer.status_code == (404 if "{" in route else 201 if RIGHTS[route].writes else 200)
        assert "of ann" not in answer.text
        assert "{" not in route or said(answer) == said(callers.ask(route, login, ground.mine))
        assert bool(records.written()) == (RIGHTS[route].writes and "{" not in route)
    answer = callers.ask(route, ground.ann, ground.mine, token=token.id)
    assert answer.status_code < 300
    assert bool(records.written()) == RIGHTS[route].writes


NUMBERED = (
    "POST /lists",
    "POST /lists/{list_id}/external-events",
    "POST /lists/{list_id}/campaigns",
    "POST /lists/{list_id}/profile",
    "POST /categories",
    "POST /searches",
    "POST /occasions",
    "POST /messages",
)


def test_what_can_have_a_chosen_number(ground: Ground) -> None:
    described = rest(ground.product).openapi()
    taking = {
        name for name, each in described["components"]["schemas"].items() if "number" in each.get("properties", {})
    }
    routes = set()
    for path, all_of in described["paths"].items():
        for method, each in all_of.items():
            body = each.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            if body.get("$ref", "").rpartition("/")[2] in taking:
                routes.add(f"{method.upper()} {path.removeprefix('/api/v1')}")
    assert routes == set(NUMBERED)


@pytest.mark.parametrize("route", NUMBERED)
def test_to_choose_a_number_needs_a_right_of_its_own(
    ground: Ground, callers: Callers, records: Records, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    """And a number that another account has is taken."""
    make, number = ROUTES[route], 900_000 + NUMBERED.index(route)

    def numbered(things: Things) -> Any:
        path, body = make(things)
        return path, {**body, "number": number}

    monkeypatch.setitem(ROUTES, route, numbered)
    refused = callers.ask(route, ground.ann, ground.mine)
    assert (refused.status_code, refused.json()["detail"]) == (403, "This login may not choose numbers.")
    assert records.written() == set()
    accounts = ground.product.accounts
    accounts.permit(ground.acme, "ann", may_choose_numbers=True)
    zoe = accounts.add_login(ground.other, "zoe", "secret", may_choose_numbers=True)
    made = callers.ask(route, zoe, ground.foreign)
    assert (made.status_code, made.json()["id"]) == (201, number), made.text
    taken = callers.ask(route, ground.ann, ground.mine)
    assert (taken.status_code, names(taken)) == (409, set()), taken.text
    records.restore()
