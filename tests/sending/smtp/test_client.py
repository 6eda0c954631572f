"""Clients report over a queue: who waits for them is woken by what it waits for."""

from __future__ import annotations

import asyncio
from typing import Any

from soapstone.sending.smtp.client import Finished, Refused, Report, Reports, Resting
from soapstone.sending.smtp.replies import Outcome, Stage, Verdict

OUTCOME = Outcome(verdict=Verdict.ACCEPTED, stage=Stage.CONTENT, reply="250 ok")


def finished(row: Any) -> Finished:
    return Finished(row, OUTCOME)


def test_reports_come_in_order_and_once() -> None:
    reports = Reports()
    given: list[Report] = [Resting("away"), finished(1), Refused("535 no")]
    for report in given:
        reports.put(report)
    assert reports.take() == given
    assert reports.take() == []


def test_a_report_wakes_who_waits() -> None:
    async def run() -> bool:
        reports = Reports()
        asyncio.get_running_loop().call_later(0.01, reports.put, Resting("away"))
        return await reports.wait(10.0) and await reports.wait(10.0) and bool(reports.take())

    assert asyncio.run(asyncio.wait_for(run(), 5.0))


def test_who_waits_for_mails_is_not_woken_before_all_have_finished() -> None:
    async def run() -> tuple[bool, int, bool]:
        reports, loop = Reports(), asyncio.get_running_loop()
        given: list[Report] = [finished(1), Resting("away"), finished(2)]
        for moment, report in enumerate(given):
            loop.call_later(0.01 * moment, reports.put, report)
        came = await reports.wait(10.0, finished=2)
        count = len(reports.take())
        loop.call_soon(reports.put, finished(3))
        return came, count, await reports.wait(0.05, finished=2)

    assert asyncio.run(asyncio.wait_for(run(), 5.0)) == (True, 3, False)
