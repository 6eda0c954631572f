"""No skip, no repeat: a send whose worker is killed and whose SMTP server is restarted tells the truth at its end."""

from __future__ import annotations

from pathlib import Path

from tests.sending.sink import fate
from tests.sending.smtp_trial import SmtpTrial


def test_kills_and_restarts_skip_nobody_and_repeat_only_what_the_ledger_says(tmp_path: Path) -> None:
    trial = SmtpTrial(tmp_path, people=600, connections=4)
    verdict = trial.run(kills=5, restarts=3, seed=1, patience=120)
    assert (verdict.kills, verdict.restarts) == (5, 3)
    refused = sum(fate(email, 5, 1) == "refused" for email in trial.eligible)
    assert refused > 0
    assert verdict.states.get("failed") == refused
