"""Imports by the REST API: how a file is read, and what became of each row."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.imports.workbooks import excel_xml, html, xls, xlsx

from soapstone.product import Product
from soapstone.settings import Settings

CSV = {"Content-Type": "text/csv"}
PROBLEM = "application/problem+json"


@pytest.fixture
def made(api: httpx.Client) -> int:
    return int(api.post("/lists", json={"name": "Readers"}).json()["id"])


@pytest.fixture
def imported(api: httpx.Client, made: int, run_jobs: Callable[[], None]) -> Callable[..., dict[str, Any]]:
    def run(data: bytes, path: str = "", headers: dict[str, str] | None = None, **query: Any) -> dict[str, Any]:
        where = path or f"/lists/{made}/imports"
        answer = api.post(where, params=query, content=data, headers={**CSV, **(headers or {})})
        assert answer.status_code == 202, answer.text
        run_jobs()
        found: dict[str, Any] = api.get(f"/jobs/{answer.json()['id']}").json()
        return found

    return run


def test_without_a_list(api: httpx.Client, imported: Callable[..., dict[str, Any]]) -> None:
    """mm-61"""
    job = imported(b"Email,City\na@example.com,Rome\n", "/imports")
    assert (job["list_id"], job["counters"]) == (None, {"added": 1})
    person = api.get("/contacts", params={"email": "a@example.com"}).json()["items"][0]
    assert person["fields"] == {"city": "Rome"}
    assert api.get(f"/contacts/{person['id']}/lists").json() == []
    for query in ({"action": "remove"}, {"mode": "replace"}):
        refused = api.post("/imports", params=query, content=b"Email\na@example.com\n", headers=CSV)
        assert refused.status_code == 422


def test_what_became_of_each_row(
    product: Product, api: httpx.Client, made: int, imported: Callable[..., dict[str, Any]]
) -> None:
    imported(b"Email\nold@example.com\n")
    rows = b"Email,City\nold@example.com,Rome\nnobody,x\nnew@example.com,y\nNEW@example.com,z\n"
    job = imported(rows)["id"]
    told: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = api.get(f"/imports/{job}/outcomes", params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["items"]) == 1
        told += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [(each["line"], each["outcome"], each["email"]) for each in told] == [
        (2, "updated", "old@example.com"),
        (3, "invalid_address", "nobody"),
        (4, "duplicate", "new@example.com"),
        (5, "added", "NEW@example.com"),
    ]
    assert told[1]["contact_id"] is None
    assert told[1]["text"] == "The e-mail address is malformed."
    assert told[0]["text"] == ""
    member = api.get(f"/lists/{made}/members/{told[0]['contact_id']}").json()
    assert member["number"] == told[0]["number"]
    picked = api.get(f"/imports/{job}/outcomes", params={"outcome": ["added", "updated"]}).json()
    assert ([each["line"] for each in picked["items"]], picked["next"]) == ([2, 5], None)
    assert api.get(f"/imports/{job}/outcomes", params={"outcome": "lost"}).status_code == 422
    assert api.get("/imports/987654/outcomes").status_code == 404


def test_how_a_file_is_read(api: httpx.Client, made: int, imported: Callable[..., dict[str, Any]]) -> None:
    imported("Email,City\na@example.com,Kraków\n".encode("utf-16"), encoding="utf-16")
    # A heading that says nothing is passed over; columns say what there is.
    imported("x,y\nb@example.com,Málaga\n".encode("cp1252"), columns="Email,City", header=True, encoding="windows-1252")
    imported(b"c@example.com,\nd@example.com,Bern\n", columns="Email,City", default="City=Rome,Italy")
    found = api.get("/contacts", params={"list_id": made}).json()["items"]
    assert [each["fields"]["city"] for each in found] == ["Kraków", "Málaga", "Rome,Italy", "Bern"]
    for query in (
        {"header": False},
        {"encoding": "klingon"},
        {"charset": "klingon"},
        {"charset": "utf-8", "encoding": "utf-16"},
        {"delimiter": ";;"},
        {"skip": -1},
        {"skip": 1001},
        {"default": "City=Rome"},
        {"default": "Rome"},
        {"default": "Shoe=7"},
        {"columns": "Email,City", "default": ["City=Rome", "city=Bern"]},
    ):
        refused = api.post(f"/lists/{made}/imports", params=query, content=b"Email\nx@example.com\n", headers=CSV)
        assert refused.status_code == 422, query


@pytest.mark.parametrize(
    ("data", "query", "headers"),
    [
        ("Email;City\na@x.example;Kraków\n".encode(), {}, {}),
        ("Email\tCity\na@x.example\tKraków\n".encode("utf-16"), {}, {}),
        ("Email|City\na@x.example|Kraków\n".encode(), {"delimiter": "|"}, {}),
        ("sep=;\r\nEmail;City\r\na@x.example;Kraków\r\n".encode(), {}, {}),
        ("Our, people\n2024\nEmail;City\na@x.example;Kraków\n".encode(), {"skip": 2}, {}),
        ("Title\na@x.example;Kraków\n".encode(), {"skip": 1, "columns": "Email,City"}, {}),
        ('"\ufeffEmail",City\na@x.example,Kraków\n'.encode(), {}, {}),
        ("\ufeff\ufeffEmail,City\na@x.example,Kraków\n".encode(), {}, {}),
        ("Email,City\na@x.example,Kraków\n".encode("cp1250"), {"charset": "windows-1250"}, {}),
        ("Email,City\na@x.example,Kraków\n".encode("cp852"), {"encoding": "cp852"}, {}),
        ("Email,City\na@x.example,Kraków\n".encode("iso8859-2"), {}, {"Content-Type": "text/csv; charset=ISO-8859-2"}),
        (
            "Email,City\na@x.example,Kraków\n".encode("iso8859-2"),
            {"charset": "iso-8859-2"},
            {"Content-Type": 'text/csv; header=present; charset="utf-8"'},
        ),
        ("Email,City\na@x.example,Kraków\n".encode(), {}, {"Content-Type": "application/vnd.ms-excel"}),
        ("Email,City\na@x.example,Kraków\n".encode(), {}, {"Content-Type": "application/x-csv"}),
        ("Email,City\na@x.example,Kraków\n".encode(), {}, {"Content-Type": "binary/octet-stream"}),
        ("Email,City\na@x.example,Kraków\n".encode(), {}, {"Content-Type": "text/tab-separated-values"}),
        (gzip.compress("Email,City\na@x.example,Kraków\n".encode()), {}, {"Content-Type": "application/x-gzip"}),
    ],
    ids=range(17),
)
def test_files_as_programs_write_them(
    api: httpx.Client,
    made: int,
    imported: Callable[..., dict[str, Any]],
    data: bytes,
    query: dict[str, Any],
    headers: dict[str, str],
) -> None:
    """lk-68; the content tells, and what is said about the file."""
    assert imported(data, headers=headers, **query)["counters"] == {"added": 1}
    found = api.get("/contacts", params={"list_id": made}).json()["items"]
    assert [(each["email"], each["fields"]["city"]) for each in found] == [("a@x.example", "Kraków")]


def test_the_charset_of_a_part(api: httpx.Client, made: int, run_jobs: Callable[[], None]) -> None:
    files = {"file": ("people.csv", "Email;City\na@x.example;ポ｜\n".encode("cp932"), "text/csv; charset=Shift_JIS")}
    answer = api.post(f"/lists/{made}/imports", files=files)
    assert answer.status_code == 202, answer.text
    run_jobs()
    assert api.get("/contacts", params={"list_id": made}).json()["items"][0]["fields"] == {"city": "ポ｜"}
    files = {"file": ("people.csv", b"Email\nb@x.example\n", "text/csv; charset=klingon")}
    refused = api.post(f"/lists/{made}/imports", files=files)
    assert (refused.status_code, "no encoding klingon" in refused.text) == (422, True)


def test_rejected_rows_have_the_lines_of_the_file(api: httpx.Client, imported: Callable[..., dict[str, Any]]) -> None:
    job = imported(b"sep=;\nPeople\nEmail;City\nnobody;Rome\na@x.example;Bern\n", skip=2)
    assert job["counters"] == {"invalid_address": 1, "added": 1}
    told = api.get(f"/imports/{job['id']}/outcomes").json()["items"]
    assert [(each["line"], each["outcome"]) for each in told] == [(4, "invalid_address"), (5, "added")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (xlsx({"P": [["Email"]]}), "office document"),
        (xls({"P": [["Email"]]}), "Excel workbook"),
        (html([["Email"], ["a@x.example"]]), "HTML page"),
        (excel_xml({"P": [["Email"]]}), "XML of Excel 2003"),
    ],
    ids=range(4),
)
@pytest.mark.parametrize("media", ["application/vnd.ms-excel", "text/csv"])
def test_tables_that_are_no_text_are_named(
    api: httpx.Client, made: int, data: bytes, words: str, media: str, run_jobs: Callable[[], None]
) -> None:
    headers = {"Content-Type": media}
    refused = api.post(f"/lists/{made}/imports", content=data, headers=headers)
    assert (refused.status_code, words in refused.json()["detail"]) == (422, True)
    # Without a header the job says so.
    taken = api.post(f"/lists/{made}/imports", content=data, headers=headers, params={"columns": "Email"})
    assert taken.status_code == 422
    assert words in taken.json()["detail"]


@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded", "application/a+json"])
def test_bodies_that_are_no_file(api: httpx.Client, made: int, media: str) -> None:
    refused = api.post(f"/lists/{made}/imports", content=b"Email\na@x.example\n", headers={"Content-Type": media})
    assert refused.status_code == 415
    assert media in refused.json()["detail"]


def test_whom_a_file_is_about(
    product: Product, api: httpx.Client, made: int, imported: Callable[..., dict[str, Any]]
) -> None:
    """mm-55, mm-59, lk-75"""
    job = imported(b"Email\ninfo@example.com\nann@example.com\n", reject_roles=True)
    assert job["counters"] == {"role_address": 1, "added": 1}
    api.delete(f"/lists/{made}/subscriptions/ann@example.com")
    assert imported(b"Email\nann@example.com\n", blocked="keep")["counters"] == {"still_unsubscribed": 1}
    assert imported(b"Email\nann@example.com\n", blocked="skip")["counters"] == {"previously_unsubscribed": 1}
    account = product.accounts.create("CUSTOM", time_zone="UTC", identifier="custom_id")
    product.accounts.add_login(account, "eve", "long secret")
    eve = {"auth": ("eve", "long secret")}
    refused = api.post("/imports", content=b"Email\na@example.com\n", headers=CSV, **eve)  # type: ignore[arg-type]
    assert refused.status_code == 422
    query = {"identified_by": "email"}
    taken = api.post("/imports", content=b"Email\na@example.com\n", headers=CSV, params=query, **eve)  # type: ignore[arg-type]
    assert taken.status_code == 202


def test_a_body_packed_on_the_way(
    product: Product, api: httpx.Client, made: int, imported: Callable[..., dict[str, Any]]
) -> None:
    """Content-Encoding: gzip, of a file or of a form; the file is kept as it was before."""
    packed = {"Content-Encoding": "gzip"}
    data = b"Email\na@example.com\n"
    job = imported(gzip.compress(data), headers=packed)
    assert job["counters"] == {"added": 1}
    kept = product.jobs.get(None, job["id"])
    assert kept is not None
    assert kept.blob_size == len(data)
    form = httpx.Request("POST", "http://x", files={"file": ("people.csv", b"Email\nb@example.com\n")})
    headers = {**packed, "Content-Type": form.headers["content-type"]}
    answer = api.post(f"/lists/{made}/imports", content=gzip.compress(form.read()), headers=headers)
    assert (answer.status_code, answer.json()["label"]) == (202, "people.csv")
    for content, encoding, status in (
        (gzip.compress(data)[:-9], "gzip", 400),
        (b"no gzip", "gzip", 400),
        (data, "br", 415),
        (gzip.compress(data), "gzip, gzip", 415),
        # More than 200 times as large, and than 8 MiB.
        (gzip.compress(b"Email\n" + b" " * (20 << 20)), "gzip", 413),
    ):
        headers = {**CSV, "Content-Encoding": encoding}
        refused = api.post(f"/lists/{made}/imports", content=content, headers=headers)
        assert (refused.status_code, refused.headers["content-type"]) == (status, PROBLEM), encoding
    # Other requests are small and come as they are.
    body = gzip.compress(json.dumps({"name": "x"}).encode())
    refused = api.post("/lists", content=body, headers={"Content-Type": "application/json", **packed})
    assert (refused.status_code, refused.headers["content-type"]) == (415, PROBLEM)


@pytest.fixture
def product(database: Any, tmp_path: Any, request: pytest.FixtureRequest) -> Product:
    return Product.open(Settings(data_dir=tmp_path / "data", max_upload_bytes=25 << 20), database)


def test_unpacked_it_is_no_larger_than_others(api: httpx.Client, made: int) -> None:
    """The limit of files counts what comes out."""
    import random

    data = random.Random(1).randbytes(1 << 20).hex().encode() * 16
    packed = gzip.compress(data, compresslevel=1)
    assert len(packed) < 25 << 20 < len(data)
    headers = {**CSV, "Content-Encoding": "gzip"}
    refused = api.post(f"/lists/{made}/imports", content=packed, headers=headers)
    assert (refused.status_code, refused.headers["content-type"]) == (413, PROBLEM)
    form = httpx.Request("POST", "http://x", files={"file": ("people.csv", data)})
    headers["Content-Type"] = form.headers["content-type"]
    packed = gzip.compress(form.read(), compresslevel=1)
    assert api.post(f"/lists/{made}/imports", content=packed, headers=headers).status_code == 413
