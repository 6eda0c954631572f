"""The clock of the product can be replaced for a simulation, and comes back afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from soapstone.clock import clock, instant_of, now


def test_a_simulated_clock_holds_inside_its_block_only() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    with clock(lambda: moment):
        assert now() == moment
        with clock(lambda: moment + timedelta(days=1)):
            assert now() == moment + timedelta(days=1)
        assert now() == moment
    assert abs(now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_clock_comes_back_after_an_error() -> None:
    with pytest.raises(RuntimeError), clock(lambda: datetime(2030, 1, 1, tzinfo=UTC)):
        raise RuntimeError
    assert now().year != 2030 or datetime.now(UTC).year == 2030


def test_the_instant_of_a_wall_clock_time() -> None:
    """lk-23, mm-31: of a time that comes twice either instant; one that does not exist moves forward, in each zone."""
    berlin, lord_howe = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
    for local, zone, earlier, later in (
        (datetime(2026, 7, 1, 12), berlin, "07-01T10:00", "07-01T10:00"),
        (datetime(2026, 10, 25, 2, 30), berlin, "10-25T00:30", "10-25T01:30"),
        (datetime(2026, 3, 29, 2, 30), berlin, "03-29T01:30", "03-29T01:30"),
        (datetime(2026, 10, 4, 2, 15), lord_howe, "10-03T15:45", "10-03T15:45"),
        (datetime(2026, 4, 5, 1, 45), lord_howe, "04-04T14:45", "04-04T15:15"),
    ):
        found = [instant_of(local, zone, later=each) for each in (False, True)]
        assert [f"{each:%m-%dT%H:%M}" for each in found] == [earlier, later]
