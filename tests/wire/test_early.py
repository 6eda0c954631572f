"""What is kept of a call before its caller is known, and of a call that is over."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from soapstone.wire.call import Call
from soapstone.wire.reader import EARLY_PIECE, MAX_EARLY, Reader

if TYPE_CHECKING:
    from tests.wire.conftest import Driver, Kit


NO_CUTS: Sequence[int] = ()


def alive(*kinds: type, but: Sequence[object] = ()) -> list[Any]:
    """The objects of these types in this process, but for those that other tests left."""
    left = {id(each) for each in but}
    return [each for each in gc.get_objects() if type(each) in kinds and id(each) not in left]


def test_little_is_kept_when_the_credentials_are_checked(kit: Kit) -> None:
    driver = kit.driver()
    kept: list[int] = []
    authorise = driver.service.authorise
    before = alive(Reader)

    def watched(*arguments: Any) -> Any:
        kept.append(max(reader.kept for reader in alive(Reader, but=before)))
        return authorise(*arguments)

    driver.service.authorise = watched
    note = f"<a>1</a><b>2</b><note>{'x' * 2_000_000}</note>"
    body = kit.envelope(f'<Add xmlns="{kit.namespace}">{note}</Add>', token="bad")
    for cuts in (NO_CUTS, range(0, len(body), 100_000), range(0, 20_000, 100)):
        assert driver.post(body, action=f"{kit.namespace}Add", cuts=cuts).fault[1].endswith("[Denied] No such ticket.")
    assert len(kept) == 3
    assert max(kept) < 2 * EARLY_PIECE
    # The same of a caller who may.
    assert "<AddResult>3<" in driver.post(body.replace(">bad<", ">good<"), action=f"{kit.namespace}Add").text


@pytest.mark.parametrize("inner", ["<x>{}</x>", "<!--{}-->", "<x a='{}'/>"])
def test_a_header_that_is_too_long(driver: Driver, kit: Kit, inner: str) -> None:
    body = f'<Add xmlns="{kit.namespace}"><a>1</a></Add>'
    for cuts in (NO_CUTS, range(0, 90_000, 1000)):
        said = driver.post(kit.envelope(body, header=inner.format("x" * MAX_EARLY)), cuts=cuts).fault
        assert said == (
            "Client",
            "Server was unable to read request. ---> The header does not end within the first 65536 bytes.",
        )
        assert (
            driver.post(
                kit.envelope(body, header=inner.format("x" * (MAX_EARLY - EARLY_PIECE - 1000))), cuts=cuts
            ).status
            == 200
        )
    assert [name for name, _ in driver.service.log].count("authorise") == 2


def test_a_call_without_header_that_is_too_long(driver: Driver) -> None:
    """It has its credentials in the body, or none."""
    for cuts in (NO_CUTS, range(0, 90_000, 1000)):
        said = driver.call("Ping", f"<word>{'x' * MAX_EARLY}</word>", cuts=cuts).fault
        assert said == ("Client", "Server was unable to read request. ---> The request is too long.")
        assert driver.call("Ping", f"<word>{'x' * (MAX_EARLY - 1000)}</word>", cuts=cuts).status == 200


@pytest.mark.parametrize("end", ["good", "denied", "broken", "too long", "refused", "cut off"])
def test_a_call_leaves_nothing_behind(driver: Driver, kit: Kit, end: str) -> None:
    """Its memory is free when it is over, and does not wait for the garbage collector."""
    inner = f"<a>1</a><note>{'x' * 200_000}</note>" + ("<" if end == "broken" else "")
    body = kit.envelope(f'<Add xmlns="{kit.namespace}">{inner}</Add>', token="bad" if end == "denied" else "good")
    if end == "too long":
        driver = kit.driver(max_member=100_000)
    if end == "refused":
        body = body.replace("Add", "Fail").replace("<a>1</a>", "<how>fault</how>")
    gc.collect()
    before = alive(Call, Reader)
    gc.disable()
    try:
        if end == "cut off":
            messages = [{"type": "http.request", "body": body.encode()[:150_000], "more_body": True}]
            driver.request("POST", headers=[("content-type", "text/xml"), ("host", "h")], messages=messages)
        else:
            driver.post(body, cuts=range(0, len(body), 50_000))
        assert driver.service.log
        # The thread that did the last of it may be a moment behind its answer.
        until = time.monotonic() + 5
        while found := alive(Call, Reader, but=before):
            assert time.monotonic() < until, found
            del found
            time.sleep(0.01)
    finally:
        gc.enable()
