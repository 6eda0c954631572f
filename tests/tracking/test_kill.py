"""Server and worker are killed while people click: each redirect that was answered is recorded once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tracking.kill_trial import hold


@pytest.mark.long
def test_each_answered_click_is_recorded_once(tmp_path: Path) -> None:
    """`bench/soak/tracking.py` kills more often, on both databases."""
    trial = hold(tmp_path / "data", kills=4)
    assert trial.wrong() == []
    assert trial.kills == {"worker": 2, "server": 2}
    assert len(trial.answered) == len(set(trial.answered)) >= 600
