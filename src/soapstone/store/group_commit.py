"""Group commit: what several threads have to store at the same time is stored by one transaction."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from sqlalchemy import Connection

from soapstone.store.database import Database
from soapstone.store.transient_errors import RecordsUnavailable

Given = TypeVar("Given")
Made = TypeVar("Made")

# Most pieces of work in one transaction.
MOST = 50


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
        self._turn = threading.Lock()
        self._waiting: deque[tuple[Given, Future[Made]]] = deque()

    def run(self, pieces: Sequence[Given]) -> list[Made]:
        """Return what was made of each piece, once it is on disk.

        An error of one piece is raised here alone, unless it is RecordsUnavailable, which is the same for all.
        """
        mine = [(piece, Future[Made]()) for piece in pieces]
        self._waiting.extend(mine)
        while not all(future.done() for _, future in mine):
            with self._turn:
                # Those of others may be among the first, and others may have done these.
                if not all(future.done() for _, future in mine):
                    self._commit(self._next())
        return [future.result() for _, future in mine]

    def _next(self) -> list[tuple[Given, Future[Made]]]:
        group: list[tuple[Given, Future[Made]]] = []
        later: list[tuple[Given, Future[Made]]] = []
        subjects = set()
        while self._waiting and len(group) < MOST:
            each = self._waiting.popleft()
            subject = self._subject(each[0])
            (later if subject in subjects else group).append(each)
            subjects.add(subject)
        self._waiting.extendleft(reversed(later))
        return group

    def _commit(self, group: Sequence[tuple[Given, Future[Made]]]) -> None:
        try:
            with self._database.write(durable=True) as connection:
                made = self._work(connection, [piece for piece, _ in group])
        except BaseException as error:
            is_fault = isinstance(error, Exception) and not isinstance(error, RecordsUnavailable)
            if is_fault and len(group) > 1:
                for each in group:
                    self._commit([each])
                return
            for _, future in group:
                future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, future), result in zip(group, made, strict=True):
                future.set_result(result)
