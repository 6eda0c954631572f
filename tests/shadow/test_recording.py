"""Recordings and HAR files: written, read again, damaged, and played."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import LocalServed
from tests.shadow.conftest import LISTRAK, LOGIN, PASSWORD, Client

from soapstone.errors import InvalidError
from soapstone.shadow.exchange import Exchange, frame, read_frame
from soapstone.shadow.masking import unmasked
from soapstone.shadow.numbers import Numbers
from soapstone.shadow.player import Player
from soapstone.shadow.recording import Recording, read_recording
from soapstone.shadow.report import Report, decision
from soapstone.shadow.targets import Remote

CALL = Exchange(
    datetime(2026, 1, 1, tzinfo=UTC),
    LISTRAK[0],
    {"content-type": "text/xml; charset=utf-8", "soapaction": '"x"'},
    b"<a>1</a>",
    200,
    "text/xml; charset=utf-8",
    b"<b>\xc3\xa4</b>",
    0.5,
)
XML = b'<?xml version="1.0" encoding="utf-8"?>'


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    for masks in (True, False):
        with closing(Recording(path, masks=masks)) as recording:
            assert recording.add(CALL)
            assert not recording.add(Exchange(CALL.at, "/", {}, b"no XML", 200, "", b""))
    for call in read_recording(path):
        assert call == Exchange(**vars(CALL) | {"request": XML + CALL.request, "answer": XML + CALL.answer})
    assert len(list(read_recording(path))) == 2


def test_a_line_that_a_killed_process_left_is_no_call(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    with closing(Recording(path)) as recording:
        recording.add(CALL)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"at": "2026')
    assert len(list(read_recording(path))) == 1
    with closing(Recording(path)) as recording:
        recording.add(CALL)
    with pytest.raises(InvalidError, match="Line 3"):
        list(read_recording(path))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"Email\n", b'{"soapstone recording": 2}\n', b'{"log": {"entries": [{}]}}']
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InvalidError):
        list(read_recording(path))
    if content:
        with pytest.raises(InvalidError):
            Recording(path)
    with pytest.raises(InvalidError):
        list(read_recording(tmp_path / "missing"))


def test_frames_pass_any_bytes(tmp_path: Path) -> None:
    call = Exchange(CALL.at, "/\u00e4", {"content-type": "\u00ff"}, b"\n\0\xff", 500, "", b"{\n", 0.25)
    path = tmp_path / "pipe"
    path.write_bytes(frame(call, more=1) * 2 + frame(call)[:-1])
    with path.open("rb") as pipe:
        for _ in range(2):
            taken = read_frame(pipe)
            assert taken is not None
            assert taken[0] == call
            assert taken[1]["more"] == 1
        assert read_frame(pipe) is None


def entry(client: Client, answer: str, *, encoded: bool, method: str = "POST") -> dict[str, Any]:
    text = {"text": base64.b64encode(answer.encode()).decode(), "encoding": "base64"} if encoded else {"text": answer}
    return {
        "startedDateTime": "2026-01-01T10:00:00.000Z",
        "time": 20,
        "request": {
            "method": method,
            "url": f"https://api.vendor.example{LISTRAK[0]}?x=1",
            "headers": [{"name": "Content-Type", "value": "text/xml; charset=utf-8"}],
            "postData": {"mimeType": "text/xml", "text": client.sent[-1]},
        },
        "response": {"status": 200, "content": {"mimeType": "text/xml; charset=utf-8", **text}},
    }


def test_a_har_file_is_played(live: LocalServed, tmp_path: Path) -> None:
    client = Client(live.base)
    entries: list[dict[str, Any]] = [{"request": {"method": "GET"}, "response": {}}]
    # As axios-har-tracker writes them.
    for encoded, method in ((False, "POST"), (True, "post")):
        answer = client.listrak("GetCharacterSetCollection")
        entries.append(entry(client, answer, encoded=encoded, method=method))
    path = tmp_path / "calls.har"
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    report = Report("")
    player = Player(Remote(live.base), LOGIN, PASSWORD, Numbers(), report)
    for call in read_recording(path):
        assert call.path == LISTRAK[0]
        player.play(call)
    assert decision(report.document) == "1 operation used, 1 available, 0 unexplained differences in 1 second"
    assert report.document["calls"] == 2


@pytest.mark.parametrize("content_type", ["text/xml", "text/xml; charset=iso-8859-1", "Text/XML; Charset=utf-8"])
def test_a_har_file_is_decoded_whatever_its_declarations_say(tmp_path: Path, content_type: str) -> None:
    """As mitmproxy 11 writes it: the text is decoded, and its XML declaration names the encoding of before."""
    text = '<?xml version="1.0" encoding="iso-8859-1"?><Name>Zoé</Name>'
    path = tmp_path / "calls.har"
    body = {"mimeType": content_type, "text": text}
    sent: dict[str, Any] = {"method": "POST", "url": "https://api.vendor.example/x", "postData": body}
    sent["headers"] = [{"name": "Content-Type", "value": content_type}]
    found = {"startedDateTime": "2026-01-01T10:00:00Z", "request": sent, "response": {"status": 200, "content": body}}
    path.write_text(json.dumps({"log": {"entries": [found]}}))
    (call,) = map(unmasked, read_recording(path))
    assert call is not None
    assert call.request.decode() == call.answer.decode() == '<?xml version="1.0" encoding="utf-8"?><Name>Zoé</Name>'


def test_a_server_that_is_not_there_answers_nothing(live: LocalServed, tmp_path: Path) -> None:
    client = Client(live.base)
    answer = client.listrak("GetCharacterSetCollection")
    call = Exchange(CALL.at, LISTRAK[0], CALL.headers, client.sent[-1].encode(), 200, "text/xml", answer.encode())
    report = Report("")
    Player(Remote("http://127.0.0.1:9"), LOGIN, PASSWORD, Numbers(), report).play(call)
    assert report.document["skipped"] == {"no answer here": 1}
    assert decision(report.document).endswith("; 1 of 1 call not compared")


def test_numbers_survive_and_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "numbers"
    monkeypatch.setattr("soapstone.shadow.numbers.MOST_NUMBERS", 2)
    numbers = Numbers(path)
    assert [
        numbers.learn("c", "list", *pair) for pair in (("1", "7"), ("1", "8"), ("2", "7"), ("0", "0"), ("0", "1"))
    ] == [
        True,
        False,
        False,
        True,
        False,
    ]
    numbers.close()
    path.write_text(path.read_text() + '["c", "li')
    again = Numbers(path)
    assert again.ours("c", "list", " 1 ") == "7"
    assert again.is_taken("c", "list", "7")
    for live, ours in (("3", "9"), ("4", "10")):
        assert again.learn("c", "list", live, ours)
    again.close()
    assert again.ours("c", "list", "1") is None
    assert not again.is_taken("c", "list", "7")
