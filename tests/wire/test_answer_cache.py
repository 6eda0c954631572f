"""Polls that ask the same thing get the same answer, while nothing has changed and for some seconds at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from soapstone.wire import answer_cache

if TYPE_CHECKING:
    from tests.wire.conftest import Driver, Kit, Reply

Ask = Callable[..., "Reply"]


class World:
    """What the records would be: a token that the test changes."""

    token: int | None = 1


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def polled(kit: Kit, world: World) -> Driver:
    return kit.driver(repeatable=("Add", "Fail"), freshness=lambda: world.token)


@pytest.fixture
def ask(polled: Driver, kit: Kit) -> Ask:
    def send(name: str = "Add", inner: str = "<a>1</a><b>2</b>", *, token: str = "good", **options: Any) -> Reply:
        body = kit.envelope(f'<{name} xmlns="{kit.namespace}">{inner}</{name}>', token=token)
        length = ("Content-Length", str(len(body.encode())))
        return polled.post(body, action=f'"{kit.namespace}{name}"', headers=[length], **options)

    return send


def worked(driver: Driver) -> int:
    return sum(step == "handle" for step, _ in driver.service.log)


def test_the_same_request_is_worked_out_once(polled: Driver, ask: Ask) -> None:
    first, second = ask(), ask()
    assert (first.status, first.content, first.headers) == (second.status, second.content, second.headers)
    assert worked(polled) == 1
    one, two = polled.records
    assert (one.operation, one.soap_version, one.caller_name, one.status) == (
        two.operation,
        two.soap_version,
        two.caller_name,
        two.status,
    )


def test_a_change_counts_at_once(polled: Driver, ask: Ask, world: World) -> None:
    ask()
    world.token = 2
    ask()
    assert worked(polled) == 2


def test_without_a_token_nothing_is_repeated(polled: Driver, ask: Ask, world: World) -> None:
    world.token = None
    ask()
    ask()
    assert worked(polled) == 2


def test_an_answer_ages(polled: Driver, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_cache, "LIFETIME", -1.0)
    ask()
    ask()
    assert worked(polled) == 2


def test_any_difference_counts(polled: Driver, ask: Ask) -> None:
    """Another body, other credentials, another caller, another media type: each is a request of its own."""
    ask()
    assert ask(inner="<a>1</a><b>3</b>").result != ask().result
    assert ask(token="bad").status == 500
    assert ask(peer="192.0.2.99").status == 200
    assert ask(content_type="text/xml").status == 200
    assert worked(polled) == 4


def test_faults_and_other_operations_are_not_repeated(polled: Driver, ask: Ask) -> None:
    for _ in range(2):
        assert ask("Fail", "<how>fault</how>").status == 500
        assert ask("Ping", "<word>x</word>").status == 200
        assert ask(token="bad").status == 500
    assert worked(polled) == 4


def test_what_tells_of_nothing_is_not_repeated(polled: Driver, ask: Ask) -> None:
    for _ in range(2):
        assert "<AddResult>0<" in ask(inner="<a>1</a><b>-1</b>").result
    assert worked(polled) == 2


def test_large_requests_are_not_looked_up(polled: Driver, ask: Ask) -> None:
    for _ in range(2):
        ask(inner="<a>1</a><b>2</b>" + " " * answer_cache.LARGEST_BODY)
    assert worked(polled) == 2


def test_a_token_from_before_the_work_is_kept(kit: Kit, world: World) -> None:
    """What changes while an answer is worked out makes it stale."""
    tokens = iter([1, 2, 2])
    driver = kit.driver(repeatable=("Add",), freshness=lambda: next(tokens))
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"><a>1</a><b>2</b></Add>')
    for _ in range(3):
        driver.post(body, action=f'"{kit.namespace}Add"', headers=[("Content-Length", str(len(body.encode())))])
    assert worked(driver) == 2


def test_it_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch, polled: Driver, ask: Ask) -> None:
    monkeypatch.setattr(answer_cache, "MOST_ANSWERS", 2)
    for number in (1, 2, 3):
        ask(inner=f"<a>{number}</a>")
    ask(inner="<a>3</a>")
    assert worked(polled) == 3
    ask(inner="<a>1</a>")
    assert worked(polled) == 4
