"""The page of an import: its figures while it runs, and its rejected rows however many they are."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, insert, update

from soapstone.console.job_view import JobViews
from soapstone.imports import sweep
from soapstone.imports.imports import Imports
from soapstone.imports.progress import Progress
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.jobs.run import Run
from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.store.tables import jobs, rejected_rows

if TYPE_CHECKING:
    from tests.console.conftest import Browser, Customer


def text(page: str) -> str:
    """What a reader sees of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def submit(product: Product, acme: Customer, data: bytes, **spec: Any) -> Job:
    upload = product.blobs.new()
    upload.write(data)
    given: dict[str, Any] = {"columns": (Column(index=0, target="email"),), **spec}
    return product.imports.submit(
        account=acme.account,
        login=None,
        contact_list=acme.contact_list,
        upload=upload,
        spec=ImportSpec(**given),
        label="people.csv",
    )


def set_job(product: Product, job: Job, **values: Any) -> None:
    with product.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))


def reject(product: Product, job: Job, count: int) -> None:
    """So many rejected rows, on every third line."""
    with product.database.write() as connection:
        connection.execute(
            insert(rejected_rows),
            [
                {"job_id": job.id, "line": 3 * number, "reason": "invalid_address", "fields": [f"bad {number}"]}
                for number in range(1, count + 1)
            ],
        )


PROGRESS = [
    (Progress(read=0, done=0, rows=None, rate=0.0, seconds_left=None), "running · scanning the file", None),
    (
        Progress(read=1_500_000, done=0, rows=None, rate=0.0, seconds_left=None),
        "running · scanning the file · 1,500,000 rows read",
        None,
    ),
    (
        Progress(read=5_000_000, done=1_000_000, rows=5_000_000, rate=41_000.4, seconds_left=97.6),
        "running · merging · 1,000,000 of 5,000,000 rows · 41,000 rows/s · 1 min 38 s left",
        20,
    ),
    (
        Progress(read=10, done=9, rows=10, rate=0.5, seconds_left=0.2),
        "running · merging · 9 of 10 rows · 0.5 rows/s · under 1 s left",
        90,
    ),
    (Progress(read=10, done=10, rows=10, rate=9.0, seconds_left=0.0), "running · removing members · 10 of 10 rows", 99),
]


@pytest.mark.parametrize(("progress", "words", "share"), PROGRESS)
def test_a_running_import_tells_phase_rows_rate_and_time_left(
    visitor: Callable[[str], Browser],
    product: Product,
    acme: Customer,
    monkeypatch: pytest.MonkeyPatch,
    progress: Progress,
    words: str,
    share: int | None,
) -> None:
    job = submit(product, acme, b"a@x.com\n", replace=True)
    set_job(product, job, state="running", started_at=job.submitted_at, counters={"added": 1, "role_address": 2})
    monkeypatch.setattr(Imports, "progress", lambda self, job: progress)
    ann = visitor("ann")
    live = ann.read(f"/jobs/{job.id}/live")
    seen = text(live)
    assert seen.startswith(f" {words} ")
    assert "1 added as new contacts 2 with the address of a role" in seen
    bar = re.search(r'<progress class="large" max="100"(?: value="(\d+)")?', live)
    assert bar is not None
    assert bar[1] == (None if share is None else str(share))
    if progress.read:
        assert f"Rows read {progress.read:,} " in seen
    if progress.rows:
        assert f"Rows done {progress.done:,} of {progress.rows:,} " in seen
    assert ("Time left" in seen) == ("left" in words)
    facts = words.removeprefix("running · ")
    for page in (f"/jobs/{job.id}", "/jobs", "/jobs/live", "/", "/live", f"/lists/{acme.contact_list.id}"):
        assert facts in text(ann.read(page)), page


def test_a_dry_run_compares_and_takes_nobody_off(product: Product, acme: Customer) -> None:
    job = submit(product, acme, b"a@x.com\n", replace=True, dry_run=True)
    set_job(product, job, state="running", started_at=job.submitted_at, checkpoint={"rows": 2, "done": 1})
    view = JobViews(product).of(read(product, job))
    assert (view.title, view.phase) == ("Import (dry run)", "comparing")
    set_job(product, job, checkpoint={"rows": 2, "done": 2})
    assert JobViews(product).of(read(product, job)).phase == ""


def read(product: Product, job: Job) -> Job:
    found = product.jobs.get(None, job.id)
    assert found is not None
    return found


def test_an_import_goes_through_its_phases(
    product: Product, acme: Customer, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    work()
    monkeypatch.setattr(sweep, "SWEEP_ROWS", 1)
    job, views = submit(product, acme, b"new@x.com\nbad\n", replace=True), JobViews(product)
    seen: list[tuple[str, str]] = []
    chunk = Run.chunk

    def watched(run: Run, **how: bool) -> Any:
        view = views.of(read(product, job))
        seen.append((view.phase, view.advance))
        return chunk(run, **how)

    monkeypatch.setattr(Run, "chunk", watched)
    Worker(product.database, product.blobs, runners(product), idle=0.01).run(until=lambda: read(product, job).over)
    phases = list(dict.fromkeys(phase for phase, _ in seen))
    assert phases == ["scanning the file", "merging", "removing members"]
    assert seen[-1][1] == "2 of 2 rows"
    view = views.of(read(product, job))
    assert (view.state, view.phase, view.facts, view.share) == ("completed", "", ["2 of 2 rows"], 100)
    assert view.rate.endswith(" rows/s")


def test_a_job_that_is_asked_to_end_says_so(
    visitor: Callable[[str], Browser], product: Product, acme: Customer
) -> None:
    product.jobs.claim("nobody", [acme.imported.kind], timedelta(minutes=1))
    ann = visitor("ann")
    ann.post(f"/jobs/{acme.imported.id}/cancel")
    page = ann.read(f"/jobs/{acme.imported.id}")
    assert '<span class="state running">cancelling</span>' in page
    assert "Cancel this job" not in page
    assert "cancelling" in ann.read("/jobs")


def test_columns_that_nothing_uses_are_told(
    visitor: Callable[[str], Browser], product: Product, acme: Customer
) -> None:
    job = submit(product, acme, b"a@example.com\n", unused=("Shoe size", "<b>Hat</b>"))
    page = visitor("ann").get(f"/jobs/{job.id}").text
    assert "Columns not used Shoe size &lt;b&gt;Hat&lt;/b&gt;" in text(page)
    other = submit(product, acme, b"a@example.com\n")
    assert "Columns not used" not in visitor("ann").get(f"/jobs/{other.id}").text


def test_rejected_rows_come_page_by_page(visitor: Callable[[str], Browser], product: Product, acme: Customer) -> None:
    job, ann = acme.imported, visitor("ann")
    reject(product, job, 120)
    set_job(product, job, state="running")
    set_job(product, job, state="failed", finished_at=job.submitted_at)
    path, found, pages = f"/jobs/{job.id}", [], 0
    first = ann.read(path)
    assert "First rows" not in first
    while path:
        page = ann.read(path.replace("&amp;", "&"))
        pages += 1
        found += re.findall(r'<td class="figure">([\d,]+)</td><td class="wide">The e-mail address is malformed', page)
        more = re.search(r'<a rel="next" href="([^"#]*)#rejected">', page)
        path = more[1] if more else ""
    assert pages == 3
    assert [int(line.replace(",", "")) for line in found] == [3 * number for number in range(1, 121)]
    assert f'<a href="/jobs/{job.id}#rejected">← First rows</a>' in page
    assert "There are no more rejected rows." in ann.read(f"/jobs/{job.id}?after=360")
    for after in ("0", "-1", "x", "9" * 30, "٣", "1.5", ""):
        ann.read(f"/jobs/{job.id}?after={after}")


def test_newer_rejected_rows_can_be_looked_for(
    visitor: Callable[[str], Browser], product: Product, acme: Customer
) -> None:
    job, ann = acme.imported, visitor("ann")
    product.jobs.claim("nobody", [job.kind], timedelta(minutes=1))
    again = f'<a href="/jobs/{job.id}?after=0#rejected">Look for newer ones</a>'
    page = ann.read(f"/jobs/{job.id}")
    assert "No row was rejected so far." in page
    assert again in page
    reject(product, job, 50)
    assert again in ann.read(f"/jobs/{job.id}")
    assert "no more rejected rows so far" in ann.read(f"/jobs/{job.id}?after=150")


def test_a_page_of_rejected_rows_costs_the_same_wherever_it_is(
    visitor: Callable[[str], Browser], product: Product, acme: Customer
) -> None:
    """Measured in steps of the database, which no other program on the machine can slow down."""
    job, ann, engine = acme.imported, visitor("ann"), product.database.engine
    reject(product, job, 30_000)
    asked: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, sql: str, values: Any, *_: object) -> None:
        if "rejected_row" in sql:
            asked.append((sql, values))

    event.listen(engine, "before_cursor_execute", listen)
    for after in (0, 45_000, 89_000):
        assert "The e-mail address is malformed." in ann.read(f"/jobs/{job.id}?after={after}")
    event.remove(engine, "before_cursor_execute", listen)
    costs = [steps(product, *statement) for statement in asked]
    assert len(costs) == 3
    assert max(costs) - min(costs) < 100
    assert max(costs) < 5000


def steps(product: Product, sql: str, values: Any) -> int:
    """How many steps the database takes for a statement, to ten."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 10
        return 0

    with product.database.read() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(count, 10)
        driver.execute(sql, values).fetchall()
        driver.set_progress_handler(None, 0)
    return counted


def test_the_file_of_rejected_rows_names_fields_and_attributes(
    visitor: Callable[[str], Browser], product: Product, acme: Customer, work: Callable[[], None]
) -> None:
    (attribute,) = product.profiles.attributes(acme.contact_list.id)
    upload = product.blobs.new()
    upload.write(b'x;"red\r\nor ""blue""";1;2\ny\n')
    columns = (Column(index=0, target="email"), Column(index=1, target=f"attribute:{attribute.id}"))
    job = product.imports.submit(
        account=acme.account,
        login=None,
        contact_list=acme.contact_list,
        upload=upload,
        spec=ImportSpec(columns=columns, delimiter=";"),
        label="",
    )
    work()
    ann = visitor("ann")
    answer = ann.get(f"/jobs/{job.id}/rejects.csv")
    assert list(csv.reader(io.StringIO(answer.text, newline=""))) == [
        ["line", "reason", "Email", attribute.name, "", ""],
        ["1", "The e-mail address is malformed.", "x", 'red\r\nor "blue"', "1", "2"],
        ["3", "The e-mail address is malformed.", "y"],
    ]
    nothing = submit(product, acme, b"z@x.com\n")
    work()
    assert ann.get(f"/jobs/{nothing.id}/rejects.csv").text == "line,reason\r\n"


def test_the_file_of_rejected_rows_is_complete(
    visitor: Callable[[str], Browser], product: Product, acme: Customer
) -> None:
    reject(product, acme.imported, 2500)
    rows = list(csv.reader(io.StringIO(visitor("ann").get(f"/jobs/{acme.imported.id}/rejects.csv").text, newline="")))
    assert [row[0] for row in rows] == ["line", *(str(3 * number) for number in range(1, 2501))]


def test_repaired_addresses_and_misfits_are_shown(
    visitor: Callable[[str], Browser], product: Product, acme: Customer, work: Callable[[], None]
) -> None:
    header = product.profiles.add_header(acme.account.id, acme.contact_list.id, "About")
    number = product.profiles.add_attribute(acme.account.id, acme.contact_list.id, header, "<b>Born</b>", kind="date")
    columns = (Column(index=0, target="email"), Column(index=1, target=f"attribute:{number}"))
    job = submit(product, acme, b"Ann <a@x.com>,soon\nb@x.com,later\n", columns=columns, repair=True)
    work()
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/live"):
        page = visitor("ann").read(path)
        assert "&lt;b&gt;Born&lt;/b&gt;: 2 values did not fit and were left out, first on line 1." in page
        assert "1 with an address that was repaired" in text(page)


def test_values_beyond_the_heading_are_shown(
    visitor: Callable[[str], Browser], product: Product, acme: Customer, work: Callable[[], None]
) -> None:
    job = submit(product, acme, b"Email\na@x.com,Ulm\nb@x.com,Bonn\n", header=True)
    work()
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/live"):
        page = visitor("ann").read(path)
        assert "2 rows have values beyond the last heading, which were left out, first on line 2." in page
