"""What follows from an attempt for its recipient: the state in the ledger, and when the mail is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row

from soapstone.backoff import backoff
from soapstone.sending.smtp.replies import UNTOUCHED, Outcome, Verdict


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How a mail is tried again: after `first`, after twice as long each further time, at most `longest`.

    It is given up when `limit` has passed since the first attempt.
    """

    first: timedelta = timedelta(seconds=60)
    longest: timedelta = timedelta(hours=1)
    limit: timedelta = timedelta(hours=24)

    def delay(self, attempts: int) -> timedelta | None:
        """Return how long to wait after so many attempts; None when the mail is given up."""
        waited = sum((self._step(number) for number in range(1, attempts)), timedelta())
        return self._step(attempts) if waited < self.limit else None

    def _step(self, attempt: int) -> timedelta:
        first, longest = self.first.total_seconds(), self.longest.total_seconds()
        return timedelta(seconds=backoff(attempt, first, max(first, longest)))


# What the ledger says of a mail of which the server said something.
STATES = {
    Verdict.ACCEPTED: "handed",
    Verdict.DEFERRED: "deferred",
    Verdict.FAILED: "failed",
    Verdict.UNKNOWN: "uncertain",
}


class Standing(NamedTuple):
    """Where a recipient stands after an attempt; `next_try_at` is None when there is no further one."""

    state: str
    attempts: int
    unknown_outcomes: int
    reply: str
    next_try_at: datetime | None


def after(row: Row[Any], outcome: Outcome, retries: Retries, moment: datetime, *, at_once: bool = False) -> Standing:
    """Return where the recipient of a row of the ledger stands after an attempt that ended at a moment.

    With `at_once` a mail whose outcome is unknown is tried again without a pause.
    """
    verdict, attempts, unknown_outcomes = outcome.verdict, row.attempts + 1, row.doubts
    if verdict in UNTOUCHED:
        # Nothing was said of the mail: it waits for nobody.
        due = moment if row.state != "chosen" else None
        return Standing(row.state, row.attempts, unknown_outcomes, row.reply, due)
    state, delay = STATES[verdict], None
    if verdict is Verdict.UNKNOWN:
        unknown_outcomes += 1
        # It is tried once more: who has it already gets it twice, and not more often.
        if unknown_outcomes == 1:
            delay = timedelta() if at_once else retries.delay(attempts)
    elif verdict is Verdict.DEFERRED:
        delay = retries.delay(attempts)
        state = "failed" if delay is None else state
    return Standing(state, attempts, unknown_outcomes, outcome.reply, None if delay is None else moment + delay)
