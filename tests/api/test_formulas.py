"""Files that people open in spreadsheets: nothing in them runs, and our imports read them as they were meant."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

NAMES = [
    "=1+1",
    "'=1+1",
    "''=1",
    "@SUM(A1)",
    "+A1",
    "-A1",
    "-5",
    "+49 30 1",
    "'",
    "'s",
    "=cmd|'/c calc'!A1",
    "a=1",
    "-",
]
ATTRIBUTES = ["=HYPERLINK(1)", "'@x", "-Colour", "Size"]


def make_list(api: httpx.Client, name: str) -> int:
    number: int = api.post("/lists", json={"name": name}).json()["id"]
    attributes = [{"name": each, "kind": "text"} for each in ATTRIBUTES]
    made = api.post(f"/lists/{number}/profile", json={"name": "Preferences", "attributes": attributes})
    assert made.status_code == 201, made.text
    return number


def members(api: httpx.Client, number: int) -> list[Any]:
    """Address, last name and profile, with the names of attributes, of everybody on a list."""
    (header,) = api.get(f"/lists/{number}/profile").json()
    names = {str(each["id"]): each["name"] for each in header["attributes"]}
    options: dict[str, Any] = {"form": "ndjson", "fields": True, "profile": True}
    lines = map(json.loads, api.get(f"/lists/{number}/export", params=options).text.splitlines())
    return sorted(
        (each["email"], each["fields"]["last_name"], {names[key]: value for key, value in each["profile"].items()})
        for each in lines
    )


def import_file(api: httpx.Client, number: int, content: bytes, run_jobs: Callable[[], None]) -> int:
    job = api.post(f"/lists/{number}/imports", content=content, headers={"Content-Type": "text/csv"})
    assert job.status_code == 202, job.text
    run_jobs()
    found: int = job.json()["id"]
    return found


def unsafe(text: str) -> list[str]:
    """The cells of a file that a spreadsheet would run."""
    cells = (cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row)
    signed = ("+A1", "-A1", "-", "-Colour", "+ann@example.com")
    return [cell for cell in cells if cell[:1] in ("=", "@") or cell in signed]


def test_an_export_is_safe_and_reads_back(api: httpx.Client, client: Any, run_jobs: Callable[[], None]) -> None:
    first = make_list(api, "Café")
    text = io.StringIO()
    writer = csv.writer(text)
    # As another program writes it; values that begin with an apostrophe before a formula are escaped already.
    writer.writerow(["Email", "Last_Name", *ATTRIBUTES[:1], "''@x", *ATTRIBUTES[2:]])
    emails = ["+ann@example.com", *(f"p{number}@example.com" for number in range(1, len(NAMES)))]
    for email, name in zip(emails, NAMES, strict=True):
        given = f"'{name}" if name.startswith(("'=", "''=")) else name
        writer.writerow([email, given, given, "x", given, "y"])
    import_file(api, first, text.getvalue().encode(), run_jobs)
    before = members(api, first)
    assert [(email, name) for email, name, _ in before] == sorted(zip(emails, NAMES, strict=True))
    assert all(set(profile) == set(ATTRIBUTES) for _, _, profile in before)
    exported = api.get(f"/lists/{first}/export", params={"fields": True, "profile": True})
    assert (
        exported.headers["content-disposition"] == "attachment; filename=\"Cafe.csv\"; filename*=UTF-8''Caf%C3%A9.csv"
    )
    assert exported.headers["x-content-type-options"] == "nosniff"
    assert unsafe(exported.text) == []
    assert "'+ann@example.com" in exported.text
    second = make_list(api, "Copy")
    # Blank names and values come first, so that the file has to bring them.
    import_file(api, second, b"Email,Last_Name\n" + b"".join(f"{each},x\n".encode() for each in emails), run_jobs)
    import_file(api, second, exported.content, run_jobs)
    assert members(api, second) == before


def test_rejects_are_safe_and_read_back(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    number = make_list(api, "Readers")
    rows = "".join(f'no address,"{name}",{index}\n' for index, name in enumerate(NAMES))
    job = import_file(api, number, f"Email,Last_Name,=1+1\n{rows}".encode(), run_jobs)
    answer = api.get(f"/imports/{job}/rejects")
    disposition = f"attachment; filename=\"job-{job}-rejects.csv\"; filename*=UTF-8''job-{job}-rejects.csv"
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert unsafe(answer.text) == []
    lines = api.get(f"/imports/{job}/rejects", params={"form": "ndjson"})
    assert lines.headers["x-content-type-options"] == "nosniff"
    assert lines.headers["content-disposition"].startswith(f'attachment; filename="job-{job}-rejects.ndjson"')
    again = import_file(api, number, answer.content, run_jobs)
    repeated = api.get(f"/imports/{again}/rejects", params={"form": "ndjson"}).text.splitlines()
    told = [json.loads(line)["fields"] for line in lines.text.splitlines()]
    assert [json.loads(line)["fields"][2:] for line in repeated] == told


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_exports_are_saved_and_never_shown(api: httpx.Client, form: str) -> None:
    number = api.post("/lists", json={"name": '<script>"; x'}).json()["id"]
    answer = api.get(f"/lists/{number}/export", params={"form": form})
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="_script___ x.{form}"; ')
    assert answer.headers["x-content-type-options"] == "nosniff"
