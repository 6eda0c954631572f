"""The retry policy: a recipient's state after an attempt, and the time of the next one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from soapstone.backoff import backoff
from soapstone.sending.ledger import Recipient
from soapstone.sending.smtp.replies import UNTOUCHED, Outcome, Verdict


@dataclass(frozen=True, kw_only=True)
class Retries:
    """Retry delays: `first`, doubled for each further retry, at most `longest`.

    A mail is given up once `limit` has passed since the first attempt.
    """

    first: timedelta = timedelta(seconds=60)
    longest: timedelta = timedelta(hours=1)
    limit: timedelta = timedelta(hours=24)

    def delay(self, attempts: int) -> timedelta | None:
        """Return the delay after this number of attempts; None if the mail is given up."""
        waited = sum((self._step(number) for number in range(1, attempts)), timedelta())
        return self._step(attempts) if waited < self.limit else None

    def _step(self, attempt: int) -> timedelta:
        first, longest = self.first.total_seconds(), self.longest.total_seconds()
        return timedelta(seconds=backoff(attempt, first, max(first, longest)))


# The ledger's state of a mail by the server's verdict.
STATES = {
    Verdict.ACCEPTED: "handed",
    Verdict.DEFERRED: "deferred",
    Verdict.FAILED: "failed",
    Verdict.UNKNOWN: "uncertain",
}


class Standing(NamedTuple):
    """A recipient's state after an attempt; `next_try_at` is None if no retry follows."""

    state: str
    attempts: int
    unknown_outcomes: int
    reply: str
    next_try_at: datetime | None


class Earlier(NamedTuple):
    """A recipient as it was before its mail was taken for sending."""

    id: int
    state: str
    attempts: int
    doubts: int
    reply: str

    @classmethod
    def of(cls, row: Recipient) -> Earlier:
        """Return it for a row of the ledger. A mail that may have been sent stays uncertain until it surely was."""
        state = "uncertain" if row.doubts else "deferred" if row.attempts else "chosen"
        return cls(row.id, state, row.attempts, row.doubts, row.reply)


def after(
    row: Recipient | Earlier, outcome: Outcome, retries: Retries, moment: datetime, *, at_once: bool = False
) -> Standing:
    """Return the state of a recipient after an attempt that ended at `moment`.

    With `at_once` a mail whose outcome is unknown is retried without delay.
    """
    verdict, attempts, unknown_outcomes = outcome.verdict, row.attempts + 1, row.doubts
    if verdict in UNTOUCHED:
        # The server did not judge the mail, which stays as it was.
        due = moment if row.state != "chosen" else None
        return Standing(row.state, row.attempts, unknown_outcomes, row.reply, due)
    state, delay = STATES[verdict], None
    if verdict is Verdict.UNKNOWN:
        unknown_outcomes += 1
        # It is retried once, so a recipient gets it at most twice.
        if unknown_outcomes == 1:
            delay = timedelta() if at_once else retries.delay(attempts)
    elif verdict is Verdict.DEFERRED:
        delay = retries.delay(attempts)
        state = "failed" if delay is None else state
    return Standing(state, attempts, unknown_outcomes, outcome.reply, None if delay is None else moment + delay)
