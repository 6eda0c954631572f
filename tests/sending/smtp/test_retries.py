"""What an attempt leaves its recipient with: state, counts, and when the mail is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from soapstone.sending.smtp.replies import UNTOUCHED, Outcome, Stage, Verdict
from soapstone.sending.smtp.retries import Retries, after

MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RETRIES = Retries(first=MINUTE, limit=timedelta(minutes=3))


def row(**values: Any) -> Any:
    return SimpleNamespace(**{"state": "chosen", "attempts": 0, "doubts": 0, "reply": "", **values})


def outcome(verdict: Verdict) -> Outcome:
    return Outcome(verdict=verdict, stage=Stage.RCPT, reply="said")


@pytest.mark.parametrize(
    ("before", "verdict", "expected"),
    [
        (row(), Verdict.ACCEPTED, ("handed", 1, 0, "said", None)),
        (row(), Verdict.FAILED, ("failed", 1, 0, "said", None)),
        (row(), Verdict.DEFERRED, ("deferred", 1, 0, "said", MOMENT + MINUTE)),
        (row(state="deferred", attempts=1), Verdict.DEFERRED, ("deferred", 2, 0, "said", MOMENT + 2 * MINUTE)),
        # The limit has passed.
        (row(state="deferred", attempts=2), Verdict.DEFERRED, ("failed", 3, 0, "said", None)),
        (row(), Verdict.UNKNOWN, ("uncertain", 1, 1, "said", MOMENT + MINUTE)),
        # Tried once more, and not more often.
        (row(state="uncertain", attempts=1, doubts=1), Verdict.UNKNOWN, ("uncertain", 2, 2, "said", None)),
    ],
)
def test_what_follows_from_an_attempt(before: Any, verdict: Verdict, expected: tuple[Any, ...]) -> None:
    assert after(before, outcome(verdict), RETRIES, MOMENT) == expected


@pytest.mark.parametrize("verdict", sorted(UNTOUCHED))
def test_a_mail_of_which_nothing_was_said_stays_as_it_was_and_waits_for_nobody(verdict: Verdict) -> None:
    assert after(row(reply="old"), outcome(verdict), RETRIES, MOMENT) == ("chosen", 0, 0, "old", None)
    tried = row(state="deferred", attempts=2, doubts=1, reply="old")
    assert after(tried, outcome(verdict), RETRIES, MOMENT) == ("deferred", 2, 1, "old", MOMENT)


def test_an_unknown_outcome_of_an_attempt_before_is_tried_at_once() -> None:
    assert after(row(), outcome(Verdict.UNKNOWN), RETRIES, MOMENT, at_once=True).next_try_at == MOMENT
