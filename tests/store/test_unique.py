"""Many want the same name at the same moment: one gets it, and the others get the answer that it is taken."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select

from soapstone.accounts.account import Account
from soapstone.contacts import contacts as recipients
from soapstone.contacts.changes import Changes
from soapstone.errors import ConflictError, InvalidError, NameTakenError
from soapstone.product import Product
from soapstone.sending.messages.message import Draft, Traits
from soapstone.settings import Settings
from soapstone.store import tables
from soapstone.store.database import Database
from soapstone.vocabulary.messages import MessageKind

THREADS = 8


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    return Product.open(Settings(data_dir=tmp_path), database)


def outcomes(database: Database, work: Callable[[], Any]) -> Counter[Any]:
    """What many threads get that do the same at once; each has looked before any of them inserts, where it can."""
    barrier = threading.Barrier(THREADS)
    found: list[Any] = []
    waited = threading.local()

    def hold(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        # On PostgreSQL the first insert of each thread waits until all have looked.
        if statement.lstrip().startswith("INSERT") and not getattr(waited, "over", False):
            waited.over = True
            with suppress(threading.BrokenBarrierError):
                barrier.wait(1)

    def run() -> None:
        waited.over = False
        try:
            made = work()
        except Exception as error:
            found.append(type(error))
        else:
            found.append(made if made is None or isinstance(made, bool) else "made")

    if database.kind == "postgresql":
        event.listen(database.engine, "before_cursor_execute", hold)
    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if database.kind == "postgresql":
        event.remove(database.engine, "before_cursor_execute", hold)
    return Counter(found)


def count(database: Database, table: Any) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_accounts_of_one_name(product: Product) -> None:
    def work() -> Account:
        return product.accounts.create("Acme", time_zone="UTC")

    assert outcomes(product.database, work) == {"made": 1, NameTakenError: THREADS - 1}
    assert count(product.database, tables.accounts) == 1


def test_logins_of_one_name(product: Product, account: Account) -> None:
    work = lambda: product.accounts.add_login(account, "Ann", "secret")  # noqa: E731
    assert outcomes(product.database, work) == {"made": 1, NameTakenError: THREADS - 1}
    assert count(product.database, tables.logins) == 1


def test_messages_of_one_name(product: Product, account: Account) -> None:
    """mm-96"""

    def work() -> Any:
        return product.messages.save(
            account.id, None, Draft(subject="Hello"), kind=MessageKind.MAGNETMAIL, traits=Traits(name="Été")
        )

    assert outcomes(product.database, work) == {"made": 1, NameTakenError: THREADS - 1}
    assert count(product.database, tables.messages) == 1
    other = product.messages.save(
        account.id, None, Draft(subject="Hello"), kind=MessageKind.MAGNETMAIL, traits=Traits(name="Other")
    )
    for name in ("ÉTÉ", " été"):
        with pytest.raises(NameTakenError):
            product.messages.edit(account.id, other.id, Draft(subject="Hello"), traits={"name": name})
    # A message may keep its name.
    assert product.messages.edit(account.id, other.id, Draft(subject="Hello"), traits={"name": "OTHER"}) is not None


def test_messages_that_get_one_name(product: Product, account: Account) -> None:
    """mm-96"""
    numbers = [
        product.messages.save(
            account.id, None, Draft(subject="Hello"), kind=MessageKind.MAGNETMAIL, traits=Traits(name=f"M{n}")
        ).id
        for n in range(THREADS)
    ]

    def work() -> Any:
        return product.messages.edit(account.id, numbers.pop(), Draft(subject="Hello"), traits={"name": "Same"})

    assert outcomes(product.database, work) == {"made": 1, NameTakenError: THREADS - 1}


def test_messages_of_lists_may_share_a_name(product: Product, account: Account) -> None:
    """mm-96: the names of the other contract are its own."""
    for _ in range(2):
        product.messages.save(
            account.id, None, Draft(subject="Hello"), kind=MessageKind.SAVED, traits=Traits(name="Same")
        )
    assert count(product.database, tables.messages) == 2


def test_groups_of_one_name(product: Product, account: Account) -> None:
    """mm-91"""
    work = lambda: product.lists.create(account.id, "Été", unique_name=True)  # noqa: E731
    assert outcomes(product.database, work) == {"made": 1, NameTakenError: THREADS - 1}
    with pytest.raises(NameTakenError):
        product.lists.create(account.id, "ÉTÉ", unique_name=True)


def test_lists_of_one_name_are_allowed(product: Product, account: Account) -> None:
    """lk-43"""
    assert outcomes(product.database, lambda: product.lists.create(account.id, "News")) == {"made": THREADS}


def test_suppressions_of_one_address(product: Product, account: Account) -> None:
    work = lambda: product.suppressions.add(account.id, "ann@example.com")  # noqa: E731
    assert outcomes(product.database, work) == {True: 1, False: THREADS - 1}
    assert count(product.database, tables.suppressions) == 1


def test_an_address_that_is_suppressed_and_shut_at_once(product: Product, account: Account) -> None:
    """A change of people suppresses an address, while others suppress it by itself."""
    product.contacts.add(account, {"email": "ann@example.com"})
    halves = iter([True, False] * THREADS)
    lock = threading.Lock()

    def work() -> None:
        with lock:
            half = next(halves)
        if half:
            product.suppressions.add(account.id, "ann@example.com")
        else:
            product.channels.shut(account, [{"email": "ann@example.com"}], "email", ["email"])

    assert outcomes(product.database, work) == {None: THREADS}
    assert count(product.database, tables.suppressions) == 1


def test_suppressing_in_a_change_says_whether_it_was_so(product: Product, account: Account) -> None:
    with Changes(product.database).begin(account) as change:
        assert [recipients.suppress(change, "ann@example.com") for _ in range(2)] == [True, False]
    assert count(product.database, tables.suppressions) == 1


def test_review_addresses(product: Product, account: Account) -> None:
    found = product.lists.create(account.id, "News")
    work = lambda: product.review_groups.add(account.id, found.id, "ann@example.com")  # noqa: E731
    assert outcomes(product.database, work) == {"made": THREADS}
    assert count(product.database, tables.review_addresses) == 1


def test_saved_searches_of_one_name(product: Product, account: Account) -> None:
    work = lambda: product.saved_searches.add(account.id, "Mine", {"city": "Bonn"})  # noqa: E731
    assert outcomes(product.database, work) == {"made": 1, InvalidError: THREADS - 1}


def test_an_idempotency_key_is_taken_by_one_request(product: Product, account: Account) -> None:
    login = product.accounts.add_login(account, "ann", "secret")
    work = lambda: product.idempotency_keys.begin(login, "key", "hash")  # noqa: E731
    assert outcomes(product.database, work) == {None: 1, ConflictError: THREADS - 1}


def test_a_secret_is_the_same_for_all(database: Database) -> None:
    from soapstone.accounts.secrets import Secrets

    values = set()
    outcomes(database, lambda: values.add(Secrets(database).get("links")))
    assert len(values) == 1


def test_headers_and_attributes_of_one_name(product: Product, account: Account) -> None:

    found = product.lists.create(account.id, "News")
    work = lambda: product.profiles.add_header(account.id, found.id, "Likes")  # noqa: E731
    assert outcomes(product.database, work) == {"made": 1, InvalidError: THREADS - 1}


def test_people_of_one_address(product: Product, account: Account) -> None:
    from soapstone.contacts.contacts import RecipientExistsError

    work = lambda: product.contacts.add(account, {"email": "ann@example.com"})  # noqa: E731
    assert outcomes(product.database, work) == {"made": 1, RecipientExistsError: THREADS - 1}
