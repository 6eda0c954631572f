"""While the database is stuck, only so many writers of a process wait for it, whoever gives up meanwhile."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from soapstone.store import waiting
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.store.waiting import LONGEST_WAIT, MOST_WAITING, STUCK, Waiting


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


def test_writers_beyond_the_first_give_up_once_the_database_is_stuck(clock: Clock) -> None:
    queue = Waiting()
    with ExitStack() as stack:
        writers = [stack.enter_context(queue.one()) for _ in range(MOST_WAITING + 1)]
        clock.now += STUCK + 0.1
        gives_up = [queue.gives_up(writer, LONGEST_WAIT) for writer in writers]
        assert gives_up == [False] * MOST_WAITING + [True]
        with pytest.raises(RecordsUnavailable), queue.one():
            pass
        queue.got_on()
        assert not queue.gives_up(writers[-1], LONGEST_WAIT)


def test_the_database_stays_stuck_when_the_first_give_up(clock: Clock) -> None:
    """Later ones do not wait for as long again: nothing has got on since the first began to wait."""
    queue = Waiting()
    with ExitStack() as late:
        with queue.one():
            clock.now += LONGEST_WAIT
            writers = [late.enter_context(queue.one()) for _ in range(MOST_WAITING - 1)]
        # The first is gone; with one more as many wait as may.
        writers.append(late.enter_context(queue.one()))
        assert queue.full
        with pytest.raises(RecordsUnavailable), queue.one():
            pass
        assert not queue.gives_up(writers[0], LONGEST_WAIT)
    # When all are gone, nothing is known.
    with queue.one():
        assert not queue.full
