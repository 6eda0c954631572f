"""Files of other products, and our own exports, over the REST API: nobody who has left is mailed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.imports.exports_of_products import FILES

from soapstone.accounts.account import Account, Accounts
from soapstone.console.job_view import JobViews
from soapstone.contacts.changes import Changes
from soapstone.product import Product
from soapstone.vocabulary.contacts import OptOutKind

CSV = {"Content-Type": "text/csv"}
RunJobs = Callable[[], None]


def new_list(api: httpx.Client, name: str = "Readers") -> int:
    body = {"name": name, "from_name": "Ann", "from_address": "news@example.com"}
    return int(api.post("/lists", json=body).json()["id"])


def imported(api: httpx.Client, run_jobs: RunJobs, number: int, data: str, **query: Any) -> dict[str, Any]:
    """The job of an import after it is over."""
    answer = api.post(f"/lists/{number}/imports", params=query, content=data.encode(), headers=CSV)
    assert answer.status_code == 202, answer.text
    run_jobs()
    job: dict[str, Any] = api.get(f"/jobs/{answer.json()['id']}").json()
    assert job["state"] == "completed", job
    return job


def states(api: httpx.Client, number: int) -> dict[str, str]:
    """Everybody on the list, with state; those to whom nothing is sent at all are suppressed."""
    blocked = {each["email"] for each in api.get("/suppressions", params={"limit": 1000}).json()["items"]}
    rows = csv.DictReader(io.StringIO(api.get(f"/lists/{number}/export").text))
    return {row["Email"]: "suppressed" if row["Email"] in blocked else row["subscription"] for row in rows}


def mailed(api: httpx.Client, run_jobs: RunJobs, number: int) -> set[str]:
    """Who gets a message that is sent to the list."""
    message = api.post("/messages", json={"list_id": number, "subject": "News", "plain": "Hello"}).json()["id"]
    answer = api.post(
        "/sends", json={"message_id": message, "to": {"kind": "list", "list_id": number}, "unsubscribe": "none"}
    )
    assert answer.status_code == 202, answer.text
    run_jobs()
    found = []
    for send in answer.json()["sends"]:
        found += api.get(f"/sends/{send['id']}/recipients", params={"limit": 1000}).json()["items"]
    return {each["email"] for each in found if each["state"] != "skipped"}


def test_sends_reach_only_those_who_may_be_mailed(
    product: Product, account: Account, api: httpx.Client, run_jobs: RunJobs
) -> None:
    """Whatever product wrote the file."""
    number = new_list(api)
    everybody: dict[str, str] = {}
    for name, (data, expected) in FILES.items():
        trial = imported(api, run_jobs, number, data, mode="dry_run")
        job = imported(api, run_jobs, number, data)
        assert trial["counters"] == job["counters"], name
        out = [state for state in expected.values() if state in ("unsubscribed", "suppressed")]
        assert job["counters"].get("added_unsubscribed", 0) == len(out), name
        assert job["counters"].get("added_unconfirmed", 0) == list(expected.values()).count("waiting"), name
        found = product.jobs.get([account.id], job["id"])
        assert found is not None
        view = JobViews(product).of(found)
        assert ("Imported as unsubscribed", len(out)) in view.figures
        assert ("imported as unsubscribed" in view.summary) == bool(out)
        everybody |= expected
    assert states(api, number) == everybody
    assert mailed(api, run_jobs, number) == {who for who, state in everybody.items() if state == "subscribed"}


def test_opt_outs_can_be_ignored(api: httpx.Client, run_jobs: RunJobs) -> None:
    number = new_list(api)
    job = imported(api, run_jobs, number, FILES["listmonk"][0], opt_outs="ignore")
    assert job["counters"] == {"added": 3}
    assert set(states(api, number).values()) == {"subscribed"}


def test_columns_are_named_in_the_query_or_by_the_heading(api: httpx.Client, run_jobs: RunJobs) -> None:
    number = new_list(api)
    imported(api, run_jobs, number, "a@example.com,yes\nb@example.com,no\n", columns="Email,opt_out")
    data = "Mail,Left\nc@example.com,yes\n"
    imported(api, run_jobs, number, data, columns="Email,opt-out", header=True)
    imported(api, run_jobs, number, "E-mail,Opt Out\nd@example.com,yes\n", columns="Email", header=True)
    assert states(api, number) == {
        "a@example.com": "unsubscribed",
        "b@example.com": "subscribed",
        "c@example.com": "unsubscribed",
        "d@example.com": "unsubscribed",
    }


def test_outcomes_are_told_row_by_row(api: httpx.Client, run_jobs: RunJobs) -> None:
    number = new_list(api)
    job = imported(api, run_jobs, number, "Email,opt_out\na@example.com,yes\nb@example.com,perhaps\n")
    found = api.get(f"/imports/{job['id']}/outcomes").json()["items"]
    assert [(row["line"], row["outcome"]) for row in found] == [(2, "added_unsubscribed"), (3, "unclear_opt_out")]
    picked = api.get(f"/imports/{job['id']}/outcomes", params={"outcome": "added_unsubscribed"}).json()["items"]
    assert [row["email"] for row in picked] == ["a@example.com"]
    rejects = api.get(f"/imports/{job['id']}/rejects").text.splitlines()
    # Corrected, it can be imported again.
    assert rejects[0] == "line,reason,Email,opt_out"
    assert rejects[1].startswith("3,The row does not say clearly whether the contact gets mail.")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["another list", "another account"])
def test_a_list_that_moves_resubscribes_nobody(
    product: Product, account: Account, api: httpx.Client, client: Any, run_jobs: RunJobs, elsewhere: bool
) -> None:
    """The export of a list, imported where nobody of it is known, or where all of them are."""
    number = new_list(api)
    category = api.post("/categories", json={"name": "Offers"}).json()["id"]
    with Changes(product.database).begin(account) as change:
        for name, state in (("in", "subscribed"), ("out", "unsubscribed"), ("waits", "waiting")):
            change.join(number, change.add(email=f"{name}@example.com"), state=state)  # type: ignore[arg-type]
        for name in ("dead", "banned", "here"):
            change.join(number, change.add(email=f"{name}@example.com"))
        averse = change.add(email="averse@example.com")
        change.join(number, averse)
        change.opt_out(averse, OptOutKind.LIST_CATEGORY, category)
    # The list comes into the category after a member has opted out of that.
    assert api.patch(f"/lists/{number}", json={"category_id": category}).status_code == 200
    product.suppressions.add(account.id, "dead@example.com")
    product.suppressions.add(account.id, "banned@example.com", kind="banned")
    product.suppressions.add(account.id, "here@example.com", list_id=number)
    export = api.get(f"/lists/{number}/export", params={"fields": True, "profile": True}).text
    assert mailed(api, run_jobs, number) == {"in@example.com"}
    there = api
    if elsewhere:
        other = Accounts(product.database).create("Elsewhere", time_zone="UTC")
        product.accounts.add_login(other, "eve", "long secret", may_see_analytics=True)
        there = client(auth=("eve", "long secret"))
    moved = new_list(there, "Moved")
    job = imported(there, run_jobs, moved, export)
    assert sum(job["counters"].values()) == 7
    expected = {
        "in@example.com": "subscribed",
        "out@example.com": "unsubscribed",
        "waits@example.com": "waiting",
        "dead@example.com": "suppressed",
        "banned@example.com": "suppressed",
        "here@example.com": "unsubscribed",
        "averse@example.com": "unsubscribed",
    }
    assert states(there, moved) == expected
    assert mailed(there, run_jobs, moved) == {"in@example.com"}
    # Once more, and nothing changes.
    imported(there, run_jobs, moved, export)
    assert states(there, moved) == expected
