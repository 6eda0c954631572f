"""How politely another service is called, and what of its answers is not taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from soapstone.listrak.operations import CONTRACT, GetContactListCollection, GetFilteredListCount
from soapstone.migration import source as module
from soapstone.migration.source import Pace, RefusedError, Source, SourceError, TooLargeError
from soapstone.wire.envelope import SOAP_11, SOAP_12, envelope
from soapstone.wire.faults import Fault, render
from soapstone.wire.writer import write_answer

COUNT = CONTRACT.operations_by_name["GetFilteredListCount"]
REQUEST = GetFilteredListCount(ListID=1, ProfileFilter=None)
Answer = tuple[int, dict[str, str], bytes]


class Patient(Pace):
    """A pace that waits for nothing, and notes for how long it would."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.pauses.append(seconds)
        super().sleep(0)


@contextmanager
def answering(*answers: Answer) -> Iterator[str]:
    """Serve these answers, one for each request; the URL."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, fields, body = left.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **fields}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/x.asmx"
        finally:
            server.shutdown()
            thread.join()


def counted(number: int) -> Answer:
    """An answer with a number."""
    return 200, {}, write_answer(COUNT, CONTRACT.namespace, SOAP_12, number)


def call(url: str, pace: Pace, request: object = REQUEST) -> object:
    """Call the operation once."""
    source = Source(url, CONTRACT, lambda: None, pace)
    try:
        return source.call(request)  # type: ignore[arg-type]
    finally:
        source.close()


def test_what_fails_for_the_moment_is_tried_again_after_growing_pauses() -> None:
    pace = Patient()
    failures: list[Answer] = [(503, {"Retry-After": "20"}, b"busy"), (200, {}, b"<not xml"), (500, {}, b"<html/>")]
    with answering(*failures, counted(7)) as url:
        assert call(url, pace) == 7
    assert pace.pauses == [20, 2, 4]


def test_it_gives_up_after_some_attempts() -> None:
    pace = Patient(attempts=3)
    with answering(*[(503, {}, b"")] * 3) as url, pytest.raises(SourceError, match=r"failed 3 times.*HTTP 503"):
        call(url, pace)
    assert pace.pauses == [1, 2]


@pytest.mark.parametrize("version", [SOAP_11, SOAP_12], ids=lambda version: version.name)
def test_a_fault_is_told_and_not_tried_again(version: object) -> None:
    body = render(Fault("[AccessDenied] No."), version)  # type: ignore[arg-type]
    with answering((500, {}, body)) as url, pytest.raises(RefusedError, match=r"GetFilteredListCount: .*No\."):
        call(url, Patient())


def test_an_answer_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ANSWER", 1000)
    body = envelope(SOAP_11, f"<x>{'y' * 5000}</x>")
    with answering((200, {}, body)) as url, pytest.raises(TooLargeError):
        call(url, Patient(), GetContactListCollection())


def test_markup_that_asks_for_more_is_refused() -> None:
    body = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
    with answering((200, {}, body)) as url, pytest.raises(SourceError, match="document type"):
        call(url, Patient(attempts=1))


def test_no_more_calls_a_second_than_allowed_and_only_at_the_hours() -> None:
    hour = iter([12, 21, 22, 23, 5, 6, 22])
    pace = Patient(rate=0.5, hours=(22, 6), local_hour=lambda: next(hour))
    for _ in range(3):
        pace.wait()
    # Twice until 22 o'clock; then calls at 22, 23 and 5, two seconds after each other.
    assert pace.pauses[:2] == [module.HOURS_PACE] * 2
    assert [round(pause) for pause in pace.pauses[2:]] == [2, 4]


def test_a_stopped_migration_ends_its_pauses() -> None:
    pace = Pace()
    pace.stopped.set()
    with pytest.raises(SourceError, match="stopped"):
        pace.sleep(100)


@pytest.mark.parametrize("url", ["ftp://x/", "https://a:b@x/", "http://x.example/", "https://x:99999/", "nothing"])
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Exception, match="URL"):
        Source(url, CONTRACT, lambda: None, Pace())
