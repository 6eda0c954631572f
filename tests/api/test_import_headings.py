"""Headings of files over the REST API: those of other programs, what is not used, attributes that imports make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.imports.headings_of_products import FILES

CSV = {"Content-Type": "text/csv"}
Imported = Callable[..., dict[str, Any]]


def new_list(api: httpx.Client, name: str = "Readers") -> int:
    return int(api.post("/lists", json={"name": name}).json()["id"])


@pytest.fixture
def made(api: httpx.Client) -> int:
    return new_list(api)


@pytest.fixture
def imported(api: httpx.Client, made: int, run_jobs: Callable[[], None]) -> Imported:
    def run(data: str, path: str = "", **query: Any) -> dict[str, Any]:
        answer = api.post(path or f"/lists/{made}/imports", params=query, content=data.encode(), headers=CSV)
        assert answer.status_code == 202, answer.text
        run_jobs()
        job: dict[str, Any] = api.get(f"/jobs/{answer.json()['id']}").json()
        assert job["state"] == "completed", job
        # What is not used is known from the start.
        assert answer.json()["unused_columns"] == job["unused_columns"]
        return job

    return run


def refused(api: httpx.Client, made: int, data: str, **query: Any) -> str:
    answer = api.post(f"/lists/{made}/imports", params=query, content=data.encode(), headers=CSV)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


def attributes(api: httpx.Client, number: int) -> dict[str, str]:
    """Name → number of the attributes of a list."""
    headers = api.get(f"/lists/{number}/profile").json()
    return {each["name"]: str(each["id"]) for header in headers for each in header["attributes"]}


def member(api: httpx.Client, number: int, email: str = "ann@example.org") -> tuple[dict[str, str], dict[str, str]]:
    """The fields of a member and the values of its attributes, by their names."""
    person = api.get("/contacts", params={"email": email}).json()["items"][0]
    profile = api.get(f"/lists/{number}/members/{person['id']}").json()["profile"]
    names = {number: name for name, number in attributes(api, number).items()}
    return person["fields"], {names[each]: value for each, value in profile.items()}


def test_files_of_other_programs(api: httpx.Client, run_jobs: Callable[[], None]) -> None:
    jobs: dict[str, int] = {}
    for product, file in FILES.items():
        text = file.text.replace("ann@", f"ann{len(jobs)}@")
        number = new_list(api, product)
        answer = api.post(f"/lists/{number}/imports", content=text.encode(), headers=CSV)
        assert answer.status_code == 202, (product, answer.text)
        assert len(answer.json()["unused_columns"]) == file.unused, product
        jobs[product] = number
    run_jobs()
    for count, (product, number) in enumerate(jobs.items()):
        assert member(api, number, f"ann{count}@example.org") == (FILES[product].fields, FILES[product].attributes), (
            product
        )


def test_what_is_not_used_is_told(api: httpx.Client, made: int, imported: Imported) -> None:
    job = imported("Email,Shoe size,,City,Hat\na@example.com,38,x,Rome,L\n")
    assert job["unused_columns"] == ["Shoe size", "Hat"]
    assert imported("Email,City\na@example.com,Rome\n")["unused_columns"] == []
    # Who names the columns has left out the others.
    assert imported("a@example.com,38\n", columns="Email,")["unused_columns"] == []
    assert imported("Email,Unsubscribed\nb@example.com,\n")["unused_columns"] == []
    assert imported("Email,Unsubscribed\nb@example.com,\n", opt_outs="ignore")["unused_columns"] == ["Unsubscribed"]
    assert imported("Email,Name\nb@example.com,Bo\n", "/imports")["unused_columns"] == ["Name"]
    assert [each["unused_columns"] for each in api.get("/jobs", params={"list_id": made}).json()["items"]][:1] == [
        ["Shoe size", "Hat"]
    ]


def test_columns_whose_values_say_nothing_of_mail_are_told_and_kept(
    api: httpx.Client, made: int, run_jobs: Callable[[], None]
) -> None:
    def unused(data: str, **query: Any) -> list[str]:
        answer = api.post(f"/lists/{made}/imports", params=query, content=data.encode(), headers=CSV)
        assert answer.status_code == 202, answer.text
        run_jobs()
        job = api.get(f"/jobs/{answer.json()['id']}").json()
        assert (job["state"], job["counters"].get("unclear_opt_out")) == ("completed", None), job
        return list(job["unused_columns"])

    file = "Email,Status,Hat\nann@example.org,Customer,L\nbob@example.org,Lead,M\n"
    assert unused(file) == ["Hat", "Status"]
    assert unused("Email,Status\nann@example.org,\n") == []
    assert unused("Email,Status\ncid@example.org,enabled\ndan@example.org,disabled\n") == []
    assert unused(file, mode="dry_run") == ["Hat", "Status"]
    # `State` is a field as well.
    assert unused("Email,State\nann@example.org,CA\n") == []
    assert unused(file, make_attributes=True) == []
    assert member(api, made) == ({"state": "CA"}, {"Status": "Customer", "Hat": "L"})
    assert unused(file) == []


def test_attributes_are_made_on_request(api: httpx.Client, made: int, imported: Imported) -> None:
    job = imported("Mail,Shoe size,Größe\nann@example.org,38,L\n", make_attributes=True)
    assert job["unused_columns"] == []
    assert member(api, made) == ({}, {"Shoe size": "38", "Größe": "L"})
    header = api.get(f"/lists/{made}/profile").json()[-1]
    assert (header["name"], {each["kind"] for each in header["attributes"]}) == ("Imported", {"text"})
    before = attributes(api, made)
    # The next file finds them, however it writes them, and its new ones stand beside them.
    imported("Mail,shoe_size,Hat\nann@example.org,39,M\n", make_attributes=True)
    assert member(api, made)[1] == {"Shoe size": "39", "Größe": "L", "Hat": "M"}
    assert {**attributes(api, made), **before} == attributes(api, made)
    assert [each["name"] for each in api.get(f"/lists/{made}/profile").json()] == ["Imported"]
    imported("ann@example.org,7\n", columns="Email,Gloves", make_attributes=True)
    assert member(api, made)[1]["Gloves"] == "7"


def test_attributes_that_cannot_be_made(api: httpx.Client, made: int, imported: Imported) -> None:
    assert "called size" in refused(api, made, "Email,Size,size\na@example.com,1,2\n", make_attributes=True)
    wide = ",".join(f"Size of {n}" for n in range(101))
    assert "at most 100 attributes" in refused(api, made, f"Email,{wide}\na@example.com\n", make_attributes=True)
    # Without the address nothing is made either.
    assert "Accepted are: Email" in refused(api, made, "Size,Name\n1,Ann\n", make_attributes=True)
    for action in ("remove", "remove_with_profile"):
        assert "creates attributes" in refused(api, made, "Email,Hat\n", make_attributes=True, action=action)
    answer = api.post("/imports", params={"make_attributes": True}, content=b"Email,Hat\n", headers=CSV)
    assert answer.status_code == 422
    imported("Email,Hat\na@example.com,M\n", make_attributes=True, mode="dry_run")
    assert attributes(api, made) == {}
    assert api.get(f"/lists/{made}/profile").json() == []


def test_whole_names_are_kept_and_split_on_request(api: httpx.Client, made: int, imported: Imported) -> None:
    assert imported("email,name\nann@example.org,Ann Lee\n")["unused_columns"] == []
    assert member(api, made) == ({}, {"Name": "Ann Lee"})
    imported("email,Full name\nbob@example.org,Bob Ray\n")
    assert member(api, made, "bob@example.org") == ({}, {"Name": "Bob Ray"})
    imported('email,name\ncem@example.org,"Ray, Cem"\n', split_names=True)
    assert member(api, made, "cem@example.org") == ({"first_name": "Cem", "last_name": "Ray"}, {"Name": "Ray, Cem"})
    imported("dan@example.org,Dan de Vries\n", columns="Email,Name", split_names=True, on_existing="append")
    assert member(api, made, "dan@example.org")[0] == {"first_name": "Dan", "last_name": "de Vries"}


def test_names_are_split_without_an_attribute(api: httpx.Client, made: int, imported: Imported) -> None:
    imported("email,name\nann@example.org,Ann Lee\nnobody,No Body\n", split_names=True)
    assert member(api, made) == ({"first_name": "Ann", "last_name": "Lee"}, {})
    assert attributes(api, made) == {}
    imported("email,name\ncem@example.org,Cem Ray\n", "/imports", split_names=True)
    person = api.get("/contacts", params={"email": "cem@example.org"}).json()["items"][0]
    assert person["fields"] == {"first_name": "Cem", "last_name": "Ray"}


def test_removing_people_makes_nothing(api: httpx.Client, made: int, imported: Imported) -> None:
    imported("email\nann@example.org\n")
    assert imported("email,name\nann@example.org,Ann\n", action="remove")["unused_columns"] == ["name"]
    assert attributes(api, made) == {}


def test_defaults_take_the_same_headings(api: httpx.Client, made: int, imported: Imported) -> None:
    imported("E-mail,Postal Code\nann@example.org,\n", default="Zip code=12345")
    assert member(api, made)[0] == {"zip": "12345"}


def test_a_file_without_the_address(api: httpx.Client, made: int) -> None:
    said = refused(api, made, "First Name,Shoe size\nAnn,38\n")
    assert "The file has the headings First Name, Shoe size. Accepted are: Email, Email Address, Mail," in said


def test_making_attributes_once_for_a_repeated_request(api: httpx.Client, made: int, run_jobs: Any) -> None:
    """The same Idempotency-Key: one job, one attribute."""
    headers = {**CSV, "Idempotency-Key": "june"}
    send = {"params": {"make_attributes": True}, "content": b"Email,Hat\nann@example.org,M\n", "headers": headers}
    answers = [api.post(f"/lists/{made}/imports", **send) for _ in range(2)]  # type: ignore[arg-type]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert list(attributes(api, made)) == ["Hat"]
