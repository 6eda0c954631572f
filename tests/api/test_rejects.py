"""The rejected rows of an import by the REST API."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import httpx


def test_a_file_of_rejects(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    """Its heading names all columns, and what no encoding takes does no harm."""
    made = api.post("/lists", json={"name": "Readers"}).json()["id"]
    # Half a surrogate pair in UTF-16.
    text = "Email,Last_Name,Shoe\r\nnobody,".encode("utf-16-le") + b"\x00\xd8" + ",8\r\n".encode("utf-16-le")
    job = api.post(
        f"/lists/{made}/imports", content=b"\xff\xfe" + text, headers={"Content-Type": "application/octet-stream"}
    ).json()
    run_jobs()
    answer = api.get(f"/imports/{job['id']}/rejects")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert rows[0] == ["line", "reason", "Email", "Last_Name", "Shoe"]
    assert rows[1][0] == "2"
    assert (rows[1][2], rows[1][4]) == ("nobody", "8")
    line = json.loads(api.get(f"/imports/{job['id']}/rejects", params={"form": "ndjson"}).content.decode())
    assert line["fields"] == ["nobody", "\ufffd" * 3, "8"]


def test_nothing_was_rejected(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    made = api.post("/lists", json={"name": "Readers"}).json()["id"]
    headers = {"Content-Type": "text/csv"}
    job = api.post(f"/lists/{made}/imports", content=b"Email\na@example.com\n", headers=headers).json()
    run_jobs()
    assert api.get(f"/imports/{job['id']}/rejects").text.split() == ["line,reason"]
    assert api.get(f"/imports/{job['id']}/rejects", params={"form": "ndjson"}).text == ""
