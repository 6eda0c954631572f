"""An export is imported again as it is, and leaves the list as it was; so are the rows that an import rejected."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from soapstone.imports.formulas import escaped
from soapstone.vocabulary.attributes import AttributeKind

# Names that mean something else in a file: columns that our own files add, fields, opt-outs, forms of headings.
NASTY = [
    *("Reason", "Line", "reason", "line", "number", "Number", "Subscription", "suppression", "added_by", "contact_id"),
    *("Email", "E-mail", "first_name", "Zip Code", "Name", "Full Name", "Status", "Bounced", "unsubscribed", "opt out"),
    *("attribute:1", "attribute:Reason", "attribute:", "1", "=1+1", "'=1", "-", "@x", "a,b", 'say "x"', "a;b\tc|d"),
    *("two\nlines", "Größe", "ß", "SS!", "column 3", "sep=;"),
]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NAMES = st.lists(
    st.one_of(st.sampled_from(NASTY), TEXT.map(str.strip).filter(bool)),
    min_size=1,
    max_size=6,
    unique_by=str.casefold,
)
VALUES = {
    "check_box": st.sampled_from(["", "on", "off"]),
    "radio_button": st.sampled_from(["", "on", "off"]),
    "numeric": st.sampled_from(["", "0", "-1.50", "+3", ".25", "12345678901234567890"]),
    "date": st.dates().map(lambda day: f"{day:%m/%d}/{day.year:04}") | st.just(""),
}


@st.composite
def lists(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[list[str]]]:
    """Attributes, name and kind, and members: state, last name, a value for each attribute."""
    attributes = [(name, draw(st.sampled_from([kind.value for kind in AttributeKind]))) for name in draw(NAMES)]
    people = []
    for _ in range(draw(st.integers(1, 4))):
        state = draw(st.sampled_from(["subscribed", "subscribed", "unsubscribed", "waiting"]))
        people.append([state, draw(TEXT), *(draw(VALUES.get(kind, TEXT)) for _, kind in attributes)])
    return attributes, people


def make_list(api: httpx.Client, attributes: Sequence[tuple[str, str]], *, max_length: int = 0) -> int:
    listed = api.post("/lists", json={"name": str(uuid4())})
    assert listed.status_code == 201, listed.text
    made: int = listed.json()["id"]
    drafts = [{"name": name, "kind": kind, "max_length": max_length} for name, kind in attributes]
    answer = api.post(f"/lists/{made}/profile", json={"name": "All", "attributes": drafts})
    assert answer.status_code == 201, answer.text
    return made


def written(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(escaped(row) for row in rows)
    return text.getvalue().encode()


def import_file(
    api: httpx.Client, number: int, content: bytes, run_jobs: Callable[[], None], **options: Any
) -> dict[str, Any]:
    answer = api.post(f"/lists/{number}/imports", content=content, headers={"Content-Type": "text/csv"}, params=options)
    assert answer.status_code == 202, answer.text
    run_jobs()
    job: dict[str, Any] = api.get(f"/jobs/{answer.json()['id']}").json()
    assert job["state"] == "completed", job
    return job


def exported(api: httpx.Client, number: int) -> bytes:
    answer = api.get(f"/lists/{number}/export", params={"fields": True, "profile": True})
    assert answer.status_code == 200
    return answer.content


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def of_people(content: bytes) -> list[list[str]]:
    """The rows of an export without what belongs to a list or a time: numbers, and when and how people came."""
    heading, *rows = rows_of(content)
    own = [heading.index(name) for name in ("contact_id", "number", "added_at", "added_by")]
    kept = [[cell for index, cell in enumerate(row) if index not in own] for row in [heading, *rows]]
    return [kept[0], *sorted(kept[1:])]


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(lists())
@example(([(name, "text") for name in ["Reason", "Line", *NASTY[5:10]]], [["subscribed", "x", *"abcdefg"]]))
@example(([(name, "text") for name in NASTY[12:]], [["unsubscribed", "x", *(["=x"] * len(NASTY[12:]))]]))
def test_an_export_is_imported_as_it_is(
    api: httpx.Client, run_jobs: Callable[[], None], drawn: tuple[list[tuple[str, str]], list[list[str]]]
) -> None:
    attributes, people = drawn
    first = make_list(api, attributes)
    (header,) = api.get(f"/lists/{first}/profile").json()
    columns = ["Email", "subscriber_status", "Last_Name", *(f"attribute:{each['id']}" for each in header["attributes"])]
    rows = [[f"p{number}.{first}@example.com", *person] for number, person in enumerate(people)]
    import_file(api, first, written(rows), run_jobs, columns=",".join(columns), header=False)
    before = exported(api, first)
    heading = rows_of(before)[0]
    assert len({name.casefold() for name in heading}) == len(heading), heading

    copy = make_list(api, attributes)
    job = import_file(api, copy, before, run_jobs)
    assert job["misfits"] == []
    assert of_people(exported(api, copy)) == of_people(before)

    again = import_file(api, first, before, run_jobs)["counters"]
    assert again.keys() <= {"unchanged", "imported_unsubscribed", "imported_unconfirmed"}, again
    assert exported(api, first) == before


def test_suppressed_subscribers_stay_subscribers(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    """On their own list; another list takes them as unsubscribed."""
    number = make_list(api, [("Shoe", "text")])
    import_file(api, number, b"Email,Shoe\na@example.com,1\nb@example.com,2\nc@example.com,3\n", run_jobs)
    for email, kind in (("a@example.com", "suppressed"), ("b@example.com", "banned")):
        assert api.post("/suppressions", json={"email": email, "kind": kind}).status_code == 201
    before = exported(api, number)
    assert import_file(api, number, before, run_jobs)["counters"] == {"unchanged": 3}
    assert exported(api, number) == before
    copy = make_list(api, [("Shoe", "text")])
    import_file(api, copy, before, run_jobs)
    heading, *rows = rows_of(exported(api, copy))
    state = heading.index("subscription")
    assert [row[state] for row in rows] == ["unsubscribed", "unsubscribed", "subscribed"]


ADDED = ["Reason", "Line", "number", "Subscription", "added_by"]


def test_own_columns_are_no_attributes(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    """Neither an export without profile nor rejected rows fill attributes that are called like their columns."""
    number = make_list(api, [(name, "text") for name in ADDED])
    import_file(api, number, written([["Email", *ADDED], ["a@example.com", *"abcde"], ["nobody", *"vwxyz"]]), run_jobs)
    before = exported(api, number)
    assert rows_of(before)[1][-5:] == list("abcde")
    plain = api.get(f"/lists/{number}/export").content
    import_file(api, number, plain, run_jobs)
    assert exported(api, number) == before


def test_rejected_rows_come_back(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    number = make_list(api, [(name, "text") for name in ADDED])
    rows = [["Email Address", *ADDED, "Shoe"], ["nobody", *"vwxyz", "=8"], ["Ann <ann@example.com>", *"abcde", "9"]]
    job = import_file(api, number, written(rows), run_jobs)
    rejects = api.get(f"/imports/{job['id']}/rejects").content
    heading, row = rows_of(rejects)
    assert heading == ["line", "reason", *rows[0]]
    assert row == ["2", "The e-mail address is malformed.", "nobody", *"vwxyz", "'=8"]
    second = import_file(api, number, rejects, run_jobs)
    assert second["counters"] == {"invalid_address": 1}
    # The rejected rows of rejected rows are corrected.
    again = api.get(f"/imports/{second['id']}/rejects").content
    assert rows_of(again)[0] == ["line", "reason", "line", "reason", *rows[0]]
    import_file(api, number, again.replace(b"nobody", b"zoe@example.com"), run_jobs)
    values = {row[2]: row[-5:] for row in rows_of(exported(api, number))}
    assert values == {
        "Email": ["Reason", "Line", "attribute:number", "attribute:Subscription", "attribute:added_by"],
        "ann@example.com": list("abcde"),
        "zoe@example.com": list("vwxyz"),
    }


def test_rejected_rows_of_an_export_come_back(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    number = make_list(api, [("number", "text"), ("Shoe", "numeric")])
    import_file(api, number, b"Email,attribute:number,Shoe\nann@example.com,seven,8\n", run_jobs)
    broken = exported(api, number).replace(b"ann@example.com", b"ann")
    job = import_file(api, number, broken, run_jobs)
    rejects = api.get(f"/imports/{job['id']}/rejects").content
    copy = make_list(api, [("number", "text"), ("Shoe", "numeric")])
    assert import_file(api, copy, rejects.replace(b"ann,", b"bob@example.com,"), run_jobs)["counters"] == {"added": 1}
    assert rows_of(exported(api, copy))[1][-2:] == ["seven", "8"]


def test_columns_without_a_meaning_fill_nothing(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    """No heading that a file of rejected rows adds is the name of an attribute, and --make-attributes makes none."""
    number = make_list(api, [(f"column {n}", "text") for n in (2, 3)])
    job = import_file(api, number, b"nobody,x,y\n", run_jobs, columns="Email", header=False)
    other = import_file(api, number, b"Email,column 2\nnoone,own,y,z\n", run_jobs)
    for name, counted in (("nobody", job), ("noone", other)):
        rejects = api.get(f"/imports/{counted['id']}/rejects").content
        again = rejects.replace(name.encode(), f"{name}@example.com".encode())
        assert import_file(api, number, again, run_jobs, make_attributes=True)["unused_columns"] == []
    heading, *rows = rows_of(exported(api, number))
    assert heading[-2:] == ["column 2", "column 3"]
    assert {row[2]: row[-2:] for row in rows} == {"nobody@example.com": ["", ""], "noone@example.com": ["own", ""]}


@pytest.mark.parametrize("header", [True, False])
def test_a_heading_says_what_columns_were_taken_for(
    api: httpx.Client, run_jobs: Callable[[], None], header: bool
) -> None:
    """Where the words of the file would be read in another way, or there are none."""
    number = make_list(api, [("Status", "text"), ("Shoe", "text")])
    content = b"City,Kind,Size,Shoe\n" if header else b""
    content += b"nobody,gold,7,x\n"
    options = {"columns": "Email,attribute:Status,attribute:Shoe", "header": header}
    job = import_file(api, number, content, run_jobs, **options)
    heading = rows_of(api.get(f"/imports/{job['id']}/rejects").content)[0]
    assert heading[:5] == ["line", "reason", "Email", "attribute:Status", "Shoe"]
    lines = api.get(f"/imports/{job['id']}/rejects", params={"form": "ndjson"}).text.splitlines()
    assert [json.loads(line)["fields"] for line in lines] == [["nobody", "gold", "7", "x"]]
    rejects = api.get(f"/imports/{job['id']}/rejects").content.replace(b"nobody", b"ann@example.com")
    if not header:
        import_file(api, number, rejects, run_jobs)
        assert rows_of(exported(api, number))[1][-2:] == ["gold", "7"]


def test_a_number_goes_before_a_name(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    number = make_list(api, [("Shoe", "text"), ("Hat", "text")])
    (header,) = api.get(f"/lists/{number}/profile").json()
    shoe = header["attributes"][0]["id"]
    import_file(api, number, f"Email,attribute:{shoe},attribute:HAT\na@example.com,8,9\n".encode(), run_jobs)
    assert rows_of(exported(api, number))[1][-2:] == ["8", "9"]
    refused = api.post(
        f"/lists/{number}/imports", content=b"Email,attribute:Coat\n", headers={"Content-Type": "text/csv"}
    )
    assert (refused.status_code, refused.json()["detail"]) == (422, "The list has no profile attribute Coat.")
