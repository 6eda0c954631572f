"""Addresses as people write them are repaired, in files and in single calls, and values that fit nothing are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from soapstone.store.database import Database

ATTRIBUTES = [
    {"name": "Size", "kind": "numeric"},
    {"name": "Born", "kind": "date"},
    {"name": "Club", "kind": "radio_button"},
    {"name": "Note", "kind": "text", "max_length": 3},
    {"name": "Free", "kind": "text_area"},
]
FILE = (
    "Email,Size,Born,Club,Note,Free\n"
    "Ann <ann@example.com>,42,2000-02-29,on,abc,x\n"
    "mailto:bob@example.com,large,2001-02-29,perhaps,abcd,y\n"
    "cleo@example.com;,41.5,29.2.2000,off,,\n"
    "dan@example.com\xa0,1.234,,,   \u200b,\n"
    "eve@example.com fay@example.com,huge,,,,\n"
    "gil@example.com,tall,,,abcdef,\n"
    "gil@example.com,38,,,abcdef,\n"
)


@pytest.fixture
def number(api: httpx.Client) -> int:
    made: int = api.post("/lists", json={"name": "Readers"}).json()["id"]
    answer = api.post(f"/lists/{made}/profile", json={"name": "All", "attributes": ATTRIBUTES})
    assert answer.status_code == 201, answer.text
    return made


def job_of(api: httpx.Client, path: str, content: str, run_jobs: Callable[[], None], **options: Any) -> Any:
    answer = api.post(path, content=content.encode(), headers={"Content-Type": "text/csv"}, params=options)
    assert answer.status_code == 202, answer.text
    run_jobs()
    return api.get(f"/jobs/{answer.json()['id']}").json()


def test_a_file(api: httpx.Client, number: int, run_jobs: Callable[[], None]) -> None:
    job = job_of(api, f"/lists/{number}/imports", FILE, run_jobs)
    assert job["counters"] == {"added": 5, "invalid_address": 1, "duplicate": 1, "repaired": 4}
    told = {each.pop("attribute"): each for each in job["misfits"]}
    assert all(each.pop("attribute_id") for each in told.values())
    assert told == {
        "Size": {"values": 2, "line": 3, "cut": False},
        "Born": {"values": 2, "line": 3, "cut": False},
        "Club": {"values": 1, "line": 3, "cut": False},
        "Note": {"values": 3, "line": 3, "cut": True},
    }
    emails = {each["email"] for each in api.get("/contacts").json()["items"]}
    assert emails == {f"{name}@example.com" for name in ("ann", "bob", "cleo", "dan", "gil")}
    # The row that was not taken has the address of the file; the duplicate is about its contact.
    rows = api.get(f"/imports/{job['id']}/outcomes").json()["items"]
    assert [row["email"] for row in rows if row["outcome"] == "invalid_address"] == ["eve@example.com fay@example.com"]


def test_repeated_addresses_are_found(api: httpx.Client, number: int, run_jobs: Callable[[], None]) -> None:
    content = "Email,Size\nann@example.com,1\nAnn <ANN@example.com>,2\n"
    job = job_of(api, f"/lists/{number}/imports", content, run_jobs)
    assert job["counters"] == {"added": 1, "duplicate": 1, "repaired": 1}
    (row,) = [row for row in api.get(f"/imports/{job['id']}/outcomes").json()["items"] if row["outcome"] == "added"]
    assert (row["line"], row["email"]) == (3, "ANN@example.com")
    roles = job_of(api, f"/lists/{number}/imports", "Email\nOffice <info@example.com>\n", run_jobs, reject_roles=True)
    assert roles["counters"] == {"role_address": 1}


def test_single_calls(api: httpx.Client, number: int) -> None:
    made = api.post("/contacts", json={"email": "Ann <ann@example.com>"})
    assert (made.status_code, made.json()["email"]) == (201, "ann@example.com")
    changed = api.patch(f"/contacts/{made.json()['id']}", json={"email": "mailto:ann2@example.com"})
    assert changed.json()["email"] == "ann2@example.com"
    subscribed = api.post(f"/lists/{number}/subscriptions", json={"email": "'ann2@example.com';"})
    assert subscribed.status_code in (200, 201), subscribed.text
    (member,) = api.get(f"/lists/{number}/members").json()["items"]
    assert member["email"] == "ann2@example.com"
    group = api.post(f"/lists/{number}/review-group", json={"email": "Bob <bob@example.com>"}).json()
    assert group == ["bob@example.com"]
    shut = api.post("/suppressions", json={"email": "<cleo@example.com>", "kind": "suppressed"})
    assert shut.json()["email"] == "cleo@example.com"
    assert api.get("/suppressions", params={"email": "cleo@example.com;"}).json()["items"]
    for filtered in ("mailto:ann2@example.com", "ann2@*"):
        (person,) = api.get("/contacts", params={"email": filtered}).json()["items"]
        assert person["email"] == "ann2@example.com"
    for two in ("ann@example.com, bob@example.com", "Ann", "bob@example.com <ann@example.com>"):
        assert api.post("/contacts", json={"email": two}).status_code == 422


def test_a_value_that_does_not_fit_is_refused(api: httpx.Client, number: int) -> None:
    """A single call says so, rather than drop or cut the value."""
    headers = api.get(f"/lists/{number}/profile").json()
    known = {each["name"]: str(each["id"]) for header in headers for each in header["attributes"]}
    for name, value in (("Size", "large"), ("Born", "31.02.2020"), ("Note", "much too long a note for this attribute")):
        refused = api.post(
            f"/lists/{number}/subscriptions", json={"email": "ann@example.com", "profile": {known[name]: value}}
        )
        assert refused.status_code == 422, (name, refused.text)
    assert api.get(f"/lists/{number}/members").json()["items"] == []


def test_what_is_misfit_is_counted_over_chunks(
    api: httpx.Client, number: int, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr("soapstone.imports.runner.CHUNK_ROWS", {database.kind: 2})
    content = "Email,Size\n" + "".join(f"p{n}@example.com;,{'x' if n > 1 else n}\n" for n in range(9))
    job = job_of(api, f"/lists/{number}/imports", content, run_jobs)
    assert job["counters"] == {"added": 9, "repaired": 9}
    assert [(each["values"], each["line"]) for each in job["misfits"]] == [(7, 4)]


def test_values_beyond_the_header_are_told(
    api: httpx.Client, number: int, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr("soapstone.imports.runner.CHUNK_ROWS", {database.kind: 2})
    path = f"/lists/{number}/imports"
    content = (
        "Email,First Name,City\nann@example.com,Ann,Rome,, \nsu@example.com,Lee, Ann,Berlin\n\nbo@example.com\n"
        "bad,Lee, Ann,Berlin\ncy@example.com,Lee, Cy,Bonn\ncy@example.com,Lee, Cy,Bonn\n"
    )
    job = job_of(api, path, content, run_jobs)
    assert job["counters"] == {"added": 4, "invalid_address": 1, "duplicate": 1}
    # Rows that are rejected are kept as a whole.
    assert (job["surplus"], job["misfits"]) == ({"rows": 2, "line": 3}, [])
    quoted = 'Email\n"ann@example.com",Ulm\n'
    assert job_of(api, path, quoted, run_jobs, delimiter=",")["surplus"] == {"rows": 1, "line": 2}
    # A column without a heading is none, unless it was asked for by its number.
    nameless = "Email,City,,\nann@example.com,Ulm,x,\n"
    assert job_of(api, path, nameless, run_jobs)["surplus"] == {"rows": 1, "line": 2}
    for whole in ("Email,City\nann@example.com,Ulm,,\n", "Email,City\nann@example.com\n"):
        assert job_of(api, path, whole, run_jobs)["surplus"] is None
    numbered = "Email\nann@example.com,x,Ulm\n"
    taken = job_of(api, path, numbered, run_jobs, columns="Email,,City", header=True, delimiter=",")
    assert taken["surplus"] is None
    named = job_of(api, path, "ann@example.com,Ulm,x\n", run_jobs, columns="Email", header=False)
    assert named["surplus"] is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_last_line_of_ctrl_z_is_the_end(
    api: httpx.Client, number: int, run_jobs: Callable[[], None], encoding: str
) -> None:
    path, headers = f"/lists/{number}/imports", {"Content-Type": "text/csv"}
    for content, counters in (
        ('Email,Free\r\nann@example.com,"x"\r\n\x1a', {"added": 1}),
        ("Email\n\x1a", {}),
        ("Email\n\x1a\nann@example.com\n", {"unchanged": 1, "invalid_address": 1}),
    ):
        answer = api.post(path, content=content.encode(encoding), headers=headers)
        run_jobs()
        assert api.get(f"/jobs/{answer.json()['id']}").json()["counters"] == counters
