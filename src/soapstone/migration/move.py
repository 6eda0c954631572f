"""What moving from either service has in common: steps, pages, numbers, dates and counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

from soapstone.accounts.account import Account
from soapstone.clock import clock, now
from soapstone.contacts.transfers import Stored
from soapstone.errors import ConflictError
from soapstone.migration.journal import DONE, Journal, Staged
from soapstone.migration.source import Source
from soapstone.product import Product
from soapstone.store.move import Display
from soapstone.store.numbers import LARGEST_CHOSEN

T = TypeVar("T")
# Calls for single contacts that are stored together.
TOGETHER = 50
# Pages after which SQLite's write-ahead log is moved into the database file, or it would grow with all of them.
CHECKPOINT = 20


class Move(ABC):
    """One migration: a source, the account that it fills, and the journal of both."""

    # Names of the steps in their order; the method of a step has its name. Contacts that must get no mail come first.
    STEPS: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, product: Product, account: Account, source: Source, journal: Journal, display: Display, zone: ZoneInfo
    ) -> None:
        self.product = product
        self.account = account
        self.source = source
        self.journal = journal
        self.display = display
        self.zone = zone
        self.counts = journal.counts
        self._saves = 0

    def run(self) -> None:
        """Do all steps that this run has not done."""
        self.prepare()
        for name in self.STEPS:
            if self.journal.position(name) != DONE:
                getattr(self, name)()
                self.save(name, DONE)
        self.journal.end()

    @abstractmethod
    def prepare(self) -> None:
        """Read what all steps need."""

    @abstractmethod
    def count(self) -> dict[str, int]:
        """Return how much there is to move, by as few calls as possible, after `prepare`. Stores nothing."""

    def save(
        self, step: str, position: Any, staged: Iterable[Staged] = (), **numbers: Iterable[tuple[int, int]]
    ) -> None:
        """Store where a step is. What it has stored until here is on the disk before."""
        self.product.database.settle()
        self.journal.save(step, position, numbers, staged)
        self._saves += 1
        if self._saves % CHECKPOINT == 0:
            # A server's worker does so too, but none may run.
            self.product.database.checkpoint()

    def tally(self, what: str, stored: Stored) -> None:
        """Add to the counts of the report."""
        for name in ("new", "changed", "same", "refused"):
            if number := getattr(stored, name):
                self.counts[f"{what}: {name}"] += number

    def pages(self, step: str, fetch: Callable[[int], list[T]]) -> Iterator[tuple[int, list[T]]]:
        """Yield the pages that a step has still to read, from 1, each with its number; stop at an empty one.

        The next page is read while this one is stored.
        """
        first = (self.journal.position(step) or 0) + 1

        def read() -> Iterator[tuple[int, list[T]]]:
            page = first
            while rows := fetch(page):
                yield page, rows
                page += 1

        return self.ahead(read())

    def ahead(self, items: Iterator[T]) -> Iterator[T]:
        """Yield what an iterator gives, which works one item ahead in a thread of its own."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="source")
        over: Any = object()
        try:
            pending = pool.submit(next, items, over)
            while (item := pending.result()) is not over:
                pending = pool.submit(next, items, over)
                yield item
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def compare(self, what: str, count: str, theirs: int, list_id: int) -> None:
        """Remark that a list has another number of people here: people may have come or left meanwhile, on either side.

        A missing name over there removes no contact from a list here.
        """
        found = self.product.lists.get(self.account.id, list_id)
        if found is not None and (ours := getattr(found, count)) != theirs:
            self.journal.remark(f"{what} has {theirs:,} {count} over there, and {ours:,} here.")

    def same_number(
        self, kind: str, theirs: int, there: Iterable[int], add: Callable[[int | None], int], *, name: str
    ) -> tuple[int, bool]:
        """Return our number of one of their objects, and whether it is new.

        `there` are objects here that may be it, stored just before a kill. A new one gets their number, or the next
        free one where that number cannot be given.
        """
        known = self.journal.number(kind, theirs)
        if known is not None:
            return known, False
        used = set(self.journal.numbers(kind).values())
        ours = next((number for number in there if number not in used), None)
        is_new = ours is None
        if ours is None:
            try:
                ours = add(theirs if 1 <= theirs <= LARGEST_CHOSEN else None)
            except ConflictError:
                ours = add(None)
        if ours != theirs:
            self.journal.remark(f"The {kind} {theirs} ({name}) has the number {ours} here: {theirs} was taken.")
        self.journal.keep(kind, theirs, ours)
        self.counts[f"{kind}: new"] += is_new
        return ours, is_new

    def instant(self, told: datetime | None) -> datetime | None:
        """Return the instant of a date of the source; None for a missing one. Without a zone it is the account's.

        An hour that the clock shows twice is taken for the first one.
        """
        if told is None or told.year == 1:
            return None
        return (told if told.tzinfo else told.replace(tzinfo=self.zone)).astimezone(UTC)

    def as_of(self, moment: datetime | None) -> AbstractContextManager[None]:
        """Let what is stored in this context have the date that it has at the source."""
        stamp = moment or now()
        return clock(lambda: stamp)
