"""Every member of every report of tracking against an oracle in plain Python, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from tests.listrak.mailings import Mailings
from tests.listrak.reports_comparison import KINDS, Comparison
from tests.listrak.reports_oracle import History
from tests.listrak.tracked_history import Maker

SERVED_ON = ("sqlite", "postgresql")
# `bench/soak/tracking.py` lets 100,000 happen.
ACTS = 3_000


@pytest.fixture(scope="module")
def made(served: Any) -> tuple[str, History]:
    """The name of an account and its login, and what happened there."""
    accounts = served.product.accounts
    account = accounts.create(uuid4().hex, time_zone="America/New_York")
    accounts.add_login(account, account.name, "secret")
    return account.name, Maker(Mailings(served.product, account), seed=17, acts=ACTS).make()


@pytest.fixture
def history(made: tuple[str, History]) -> History:
    return made[1]


@pytest.fixture
def comparison(listrak: Any, made: tuple[str, History]) -> Iterator[Comparison]:
    """The stock client with a login of that account."""
    with login(listrak, made[0]):
        yield Comparison(listrak, made[1])


@contextmanager
def login(listrak: Any, name: str) -> Iterator[None]:
    before = listrak.login, listrak.password
    listrak.login, listrak.password = name, "secret"
    try:
        yield
    finally:
        listrak.login, listrak.password = before


def test_what_happened_is_enough(history: History) -> None:
    kinds = Counter(each.kind for each in history.done)
    assert all(kinds[kind] >= 20 for kind in ("sent", "open", "read", "click", "bounce", "left")), kinds
    dates = [each.at for each in history.done if each.kind != "left"]
    assert dates == sorted(dates)
    assert dates[0] < datetime(2026, 3, 8, tzinfo=UTC)
    assert dates[-1] > datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize("kind", KINDS)
def test_reports_of_recipients(comparison: Comparison, kind: str) -> None:
    """lk-107, lk-110, lk-111"""
    comparison.of_recipients(kind)
    assert comparison.rows > 20


def test_other_reports_and_every_member(comparison: Comparison) -> None:
    """lk-106 to lk-109, lk-113 to lk-115, lk-123: and no member of any of the 36 reports is left out."""
    comparison.of_activities()
    comparison.of_links()
    comparison.of_lists()
    comparison.of_contacts()
    comparison.what_is_empty()
    comparison.of_unknown_numbers()
    for kind in KINDS:
        comparison.of_recipients(kind, ranges=1)
    comparison.assert_complete()
