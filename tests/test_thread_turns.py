"""Short turns end with the last block that wants them."""

from __future__ import annotations

import sys
import threading

import pytest

from soapstone.thread_turns import SHORT, short_turns


def test_turns_are_short_in_blocks_of_any_thread() -> None:
    before, begun, end = sys.getswitchinterval(), threading.Event(), threading.Event()

    def other() -> None:
        with short_turns():
            begun.set()
            end.wait(10)

    thread = threading.Thread(target=other)
    with short_turns():
        assert sys.getswitchinterval() == pytest.approx(SHORT)
        thread.start()
        assert begun.wait(10)
    assert sys.getswitchinterval() == pytest.approx(SHORT)
    end.set()
    thread.join()
    assert sys.getswitchinterval() == pytest.approx(before)
    with pytest.raises(ZeroDivisionError), short_turns():
        raise ZeroDivisionError
    assert sys.getswitchinterval() == pytest.approx(before)
