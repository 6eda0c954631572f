"""Group commit: what several threads have to store at the same time is stored by one transaction."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from sqlalchemy import Connection

from soapstone.store.database import Database
from soapstone.store.transient_errors import RecordsUnavailable

log = logging.getLogger(__name__)

Given = TypeVar("Given")
Made = TypeVar("Made")

# Most pieces of work in one transaction.
MOST = 50


class _Piece(Future[Made], Generic[Given, Made]):
    """A piece of work, and what will be made of it. `call` is the same for the pieces of one call of `run`."""

    def __init__(self, given: Given, call: object) -> None:
        super().__init__()
        self.given = given
        self.call = call


class GroupCommit(Generic[Given, Made]):
    """Does pieces of work in durable transactions.

    `work` does several pieces in the caller's transaction, and returns what it made of each. Whoever comes while a
    transaction runs waits, and all who wait share the next one, unless they are about the same `subject`.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[Connection, Sequence[Given]], Sequence[Made]],
        subject: Callable[[Given], Hashable],
    ) -> None:
        self._database = database
        self._work = work
        self._subject = subject
        self._changed = threading.Condition()
        self._is_busy = False
        self._waiting: deque[_Piece[Given, Made]] = deque()

    def run(self, pieces: Sequence[Given]) -> list[Made]:
        """Return what was made of each piece, once it is on disk.

        An error of one piece is raised here alone, unless it is RecordsUnavailable, which is the same for all.
        """
        call = object()
        mine = [_Piece[Given, Made](piece, call) for piece in pieces]
        with self._changed:
            self._waiting.extend(mine)
        while group := self._next(mine):
            try:
                self._commit(group)
            finally:
                for each in group:
                    if not each.done():
                        each.set_exception(RecordsUnavailable("The transaction was broken off."))
                with self._changed:
                    self._give_up(group)
                    self._is_busy = False
                    self._changed.notify_all()
        return [each.result() for each in mine]

    def _next(self, mine: Sequence[_Piece[Given, Made]]) -> list[_Piece[Given, Made]]:
        """Wait until it is this thread's turn; return the pieces of its transaction, none if others have done its own.

        Others may have come before, so it may be its turn several times.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._is_busy or all(each.done() for each in mine))
            if all(each.done() for each in mine):
                return []
            self._is_busy = True
            group: dict[Hashable, _Piece[Given, Made]] = {}
            later = []
            while self._waiting and len(group) < MOST:
                each = self._waiting.popleft()
                if group.setdefault(self._subject(each.given), each) is not each:
                    later.append(each)
            self._waiting.extendleft(reversed(later))
            return list(group.values())

    def _give_up(self, group: Sequence[_Piece[Given, Made]]) -> None:
        """End the calls whose pieces met records that were away: each further attempt would take as long."""
        met = {each.call: error for each in group if isinstance(error := each.exception(), RecordsUnavailable)}
        for each in [waiting for waiting in self._waiting if waiting.call in met]:
            self._waiting.remove(each)
            each.set_exception(met[each.call])

    def _commit(self, group: Sequence[_Piece[Given, Made]]) -> None:
        try:
            with self._database.write(durable=True) as connection:
                made = self._work(connection, [each.given for each in group])
        except BaseException as error:
            is_fault = isinstance(error, Exception) and not isinstance(error, RecordsUnavailable)
            if is_fault and len(group) > 1:
                log.warning("%d pieces of work are done one by one after a fault", len(group), exc_info=error)
                for each in group:
                    self._commit([each])
                return
            if not isinstance(error, Exception):
                raise
            for each in group:
                each.set_exception(error)
        else:
            for each, result in zip(group, made, strict=True):
                each.set_result(result)
