"""How long a poll waits for the job here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from tests.shadow.conftest import LISTRAK, LOGIN, PASSWORD, found

from soapstone.shadow import player
from soapstone.shadow.exchange import Exchange
from soapstone.shadow.numbers import Numbers
from soapstone.shadow.report import Report
from soapstone.wire.envelope import SOAP_11, envelope

HEADERS = {"content-type": "text/xml; charset=utf-8", "soapaction": f'"{LISTRAK[1]}GetProcessStatus"'}


def answer(status: str) -> bytes:
    result = f"<WSProcessStatus><ProcessID>7</ProcessID><Status>{status}</Status></WSProcessStatus>"
    inner = f'<GetProcessStatusResponse xmlns="{LISTRAK[1]}">{result}</GetProcessStatusResponse>'
    return envelope(SOAP_11, inner)


@dataclass
class SlowServer:
    """A server whose job is done when it has been polled this often; None: never, although it is over."""

    polls: int | None
    asked: int = 0

    def call(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        self.asked += 1
        done = self.polls is not None and self.asked >= self.polls
        return 200, "text/xml; charset=utf-8", answer("ProcessingCompleted" if done else "ProcessingData")

    def may_go_on(self) -> bool:
        return self.polls is not None


@dataclass
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("polls", "seconds", "differs", "asked"),
    [(1, 1, False, 1), (25, 21, False, 25), (1_000, 35, True, 35), (None, 1, True, 2)],
)
def test_a_poll_waits_while_the_job_here_goes_on(
    monkeypatch: pytest.MonkeyPatch, polls: int | None, seconds: int, differs: bool, asked: int
) -> None:
    clock = Clock()
    monkeypatch.setattr(player, "time", clock)
    report = Report("")
    target = SlowServer(polls)
    playing = player.Player(target, LOGIN, PASSWORD, Numbers(), report)
    inner = f'<GetProcessStatus xmlns="{LISTRAK[1]}"><ProcessID>7</ProcessID></GetProcessStatus>'
    user = f'<WSUser xmlns="{LISTRAK[1]}"><UserName>{LOGIN}</UserName><Password>{PASSWORD}</Password></WSUser>'
    asks = envelope(SOAP_11, inner, user)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    done = answer("ProcessingCompleted")
    playing.play(Exchange(at, LISTRAK[0], HEADERS, asks, 200, "text/xml; charset=utf-8", done))
    assert bool(found(report.document, "different")) == differs, report.document
    assert target.asked == asked
    assert clock.now < seconds
