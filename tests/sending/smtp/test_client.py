"""Clients report to the delivery at once, and who waits is woken by what it waits for."""

from __future__ import annotations

import asyncio
from typing import Any

from soapstone.sending.smtp.client import Finished, Refused, Report, Reports, Resting
from soapstone.sending.smtp.replies import Outcome, Stage, Verdict

OUTCOME = Outcome(verdict=Verdict.ACCEPTED, stage=Stage.CONTENT, reply="250 ok")


def finished(row: Any) -> Finished:
    return Finished(row, OUTCOME)


def calls(report: Report) -> bool:
    """Everything but a mail that has finished calls for who waits."""
    return not isinstance(report, Finished)


class Ear:
    """Hears all reports, and is called by each of them."""

    def __init__(self) -> None:
        self.heard: list[Report] = []

    def __call__(self, report: Report) -> bool:
        self.heard.append(report)
        return True


def test_reports_are_heard_in_order_and_once() -> None:
    ear = Ear()
    reports = Reports(ear)
    given: list[Report] = [Resting("away"), finished(1), Refused("535 no")]
    for report in given:
        reports.put(report)
    assert ear.heard == given


def test_a_report_wakes_who_waits_or_will_wait_once() -> None:
    async def run() -> list[bool]:
        reports, loop = Reports(calls), asyncio.get_running_loop()
        loop.call_later(0.01, reports.put, Resting("away"))
        woken = [await reports.wait(10.0)]
        reports.put(Resting("away"))
        return [*woken, await reports.wait(10.0), await reports.wait(0.01)]

    assert asyncio.run(asyncio.wait_for(run(), 5.0)) == [True, True, False]


def test_a_report_that_calls_for_nobody_wakes_nobody() -> None:
    async def run() -> bool:
        reports = Reports(calls)
        asyncio.get_running_loop().call_soon(reports.put, finished(1))
        return await reports.wait(0.05)

    assert not asyncio.run(asyncio.wait_for(run(), 5.0))


def test_who_waits_for_mails_is_not_woken_before_all_have_finished() -> None:
    async def run() -> tuple[bool, list[Report], bool]:
        ear = Ear()
        reports, loop = Reports(ear), asyncio.get_running_loop()
        given: list[Report] = [finished(1), Resting("away"), finished(2)]
        for moment, report in enumerate(given):
            loop.call_later(0.01 * moment, reports.put, report)
        came = await reports.wait(10.0, finished=2)
        known = ear.heard[:]
        loop.call_soon(reports.put, finished(3))
        return came, known, await reports.wait(0.05, finished=2)

    came, known, again = asyncio.run(asyncio.wait_for(run(), 5.0))
    assert (came, len(known), again) == (True, 3, False)
