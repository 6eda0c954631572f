"""The clock of the product can be replaced for a simulation, and comes back afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from soapstone.clock import clock, now


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
