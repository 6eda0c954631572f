"""What became of the rows of an import, through a stock client against a started server."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
import zeep
from tests import zeep_services

from soapstone.accounts.account import Accounts
from soapstone.listrak.import_detail import RESULTS
from soapstone.listrak.types import WSImportResultEnum
from soapstone.store.database import Database
from soapstone.vocabulary.rows import ImportOutcome

# Result class → the counter of the history that says how many rows it has.
COUNTERS = {
    "Invalid": "InvalidEmailCount",
    "All": "ProcessedCount",
    "Subscribed": "SubscribedCount",
    "UnSubscribed": "UnSubscribedCount",
    "AlreadySubscribed": "AlreadySubscribedCount",
    "AlreadyUnSubscribed": "AlreadyUnsubscribedCount",
    "Suppressed": "SuppressedCount",
    "Banned": "BannedCount",
    "Skipped": "SkippedCount",
}


def page(listrak: Any, process: int, result: str, number: int = 1) -> list[tuple[str, int]]:
    """Address and contact number of the rows of a page."""
    answer = listrak.ReportImportContactDetail(ImportFileID=process, Page=number, ImportResult=result, WSException=None)
    assert answer is None or answer["WSException"] is None
    rows = answer and answer["ReportImportContactDetailResult"]
    return [(row["EmailAddress"], row["ContactID"]) for row in rows["WSImportContact"]] if rows else []


def pages(listrak: Any, process: int, result: str) -> list[tuple[str, int]]:
    """All rows, asked for as clients do: until a page is empty (lk-30)."""
    found: list[tuple[str, int]] = []
    number = 1
    while rows := page(listrak, process, result, number):
        found += rows
        number += 1
    return found


def agree(listrak: Any, list_id: int, process: int) -> dict[str, list[tuple[str, int]]]:
    """Check that each class has as many rows as its counter says; the rows of each."""
    run = next(run for run in listrak.history(list_id) if run["ImportFileID"] == process)
    found = {result: pages(listrak, process, result) for result in COUNTERS}
    assert {result: len(rows) for result, rows in found.items()} == {
        result: run[counter] for result, counter in COUNTERS.items()
    }
    others = sum(len(rows) for result, rows in found.items() if result != "All")
    assert len(found["All"]) == others + run["PreviouslyUnsubscribedCount"]
    return found


def test_every_outcome_has_its_class() -> None:
    """lk-95: all rows are under All, and under one class more, but for those who had unsubscribed before."""
    assert RESULTS.keys() == set(WSImportResultEnum)
    classes = {
        outcome: {result.value for result, members in RESULTS.items() if outcome in members} - {"All"}
        for outcome in ImportOutcome
    }
    assert RESULTS[WSImportResultEnum.All] == set(ImportOutcome)
    without = {
        ImportOutcome.PREVIOUSLY_UNSUBSCRIBED,
        ImportOutcome.STILL_UNSUBSCRIBED,
        ImportOutcome.STILL_UNSUBSCRIBED_UPDATED,
    }
    assert {outcome for outcome, found in classes.items() if not found} == without
    assert all(len(found) <= 1 for found in classes.values())
    assert classes[ImportOutcome.ADDED] == {"Subscribed"}
    assert classes[ImportOutcome.NOTHING_TO_REMOVE] == {"AlreadyUnSubscribed"}


def test_every_class(listrak: Any, suppress: Any) -> None:
    """lk-93, lk-95: rows in the order of the file, counters and classes agree; contact 0 where there is none."""
    list_id = listrak.create()
    names = ("new", "here", "gone", "dull", "bad", "away")
    new, here, gone, dull, banned, away = (f"{name}@{list_id}.example" for name in names)
    listrak.load(list_id, f"{here}\n{gone}\n".encode())
    listrak.load(list_id, gone.encode(), "RemoveSubscribers")
    suppress(dull, "suppressed", 0)
    suppress(banned, "banned", list_id)
    file = ["nobody", new.upper(), here, gone, "", dull, "two words", banned, new]
    process = listrak.load(list_id, "\r\n".join(f"{address},x" for address in file).encode(), FileName="all.csv")
    found = agree(listrak, list_id, process)
    numbers = {row["EmailAddress"]: int(row["ContactID"]) for row in listrak.subscribed(list_id)}
    assert found["Subscribed"] == [(new, numbers[new])]
    assert found["AlreadySubscribed"] == [(here, numbers[here])]
    assert found["Suppressed"] == [(dull, 0)]
    assert found["Banned"] == [(banned, 0)]
    assert [number for _, number in found["Invalid"]] == [0, 0, 0]
    assert [address or "" for address, _ in found["Invalid"]] == ["nobody", "", "two words"]
    assert [(address.lower(), number) for address, number in found["Skipped"]] == [(new, numbers[new])]
    assert found["UnSubscribed"] == found["AlreadyUnSubscribed"] == []
    assert [(address or "").lower() for address, _ in found["All"]] == [address.lower() for address in file]
    left = found["All"][3][1]
    assert left not in {0, *numbers.values()}

    process = listrak.load(list_id, f"{away}\n{here}\n{gone}\n{new}\n{new}\n".encode(), "RemoveSubscribers")
    found = agree(listrak, list_id, process)
    assert found["UnSubscribed"] == [(here, numbers[here]), (new, numbers[new])]
    assert found["AlreadyUnSubscribed"] == [(away, 0), (gone, left)]
    assert found["Skipped"] == [(new, numbers[new])]

    process = listrak.load(list_id, f"{away}\n{here}\nx\n".encode(), "UpdateSubscribers")
    found = agree(listrak, list_id, process)
    assert found["Skipped"] == [(away, 0)]
    # lk-95: who unsubscribed before is under all only.
    assert found["All"] == [(away, 0), (here, numbers[here]), ("x", 0)]


def test_pages(listrak: Any) -> None:
    """lk-30, lk-31: 2,500 rows of the class on a page, whatever lies between them in the file."""
    list_id = listrak.create()
    good = [f"{number:04}@{list_id}.example" for number in range(5001)]
    file = "\n".join(f"{address}\nbad{number}" for number, address in enumerate(good))
    process = listrak.load(list_id, file.encode())
    found = agree(listrak, list_id, process)
    assert [address for address, _ in found["Subscribed"]] == good
    assert [address for address, _ in found["Invalid"]] == [f"bad{number}" for number in range(5001)]
    assert found["All"][:4] == [found["Subscribed"][0], ("bad0", 0), found["Subscribed"][1], ("bad1", 0)]
    sizes = [len(page(listrak, process, "Subscribed", number)) for number in range(5)]
    assert sizes == [2500, 2500, 2500, 1, 0]
    assert page(listrak, process, "Subscribed", -7) == page(listrak, process, "Subscribed", 1)
    assert page(listrak, process, "All", 2147483647) == []
    assert len(page(listrak, process, "All", 5)) == 2


def test_an_import_of_the_other_contract(listrak: Any, served: Any) -> None:
    """lk-93, lk-95: there an import keeps who has unsubscribed, which has no class here either."""
    list_id = listrak.create()
    ann, bob = f"ann@{list_id}.example", f"bob@{list_id}.example"
    listrak.load(list_id, ann.encode())
    listrak.load(list_id, ann.encode(), "RemoveSubscribers")
    service = zeep_services.service(served.base, zeep_services.MAGNETMAIL)
    header = {"mmAuthHeader": {"sessionId": service.Authenticate("demo", "demo").sessionId}}
    flags = {"replace_group": False, "update_dups": True, "header_line": False}
    data = f"{ann}\n{bob}\ninfo@{list_id}.example\n"
    job = service.uploadListQueue(groupid=list_id, csvData=data, MM_1="Email", **flags, _soapheaders=header)
    listrak.wait(int(job.jobid))
    found = agree(listrak, list_id, int(job.jobid))
    assert [address for address, _ in found["All"]] == data.split()
    assert [address for address, _ in found["Subscribed"]] == [bob]
    # Addresses of roles are refused there.
    assert found["Invalid"] == [(f"info@{list_id}.example", 0)]

    trial = service.uploadListQueueTest(groupid=list_id, csvData=data, MM_1="Email", **flags, _soapheaders=header)
    listrak.wait(int(trial.jobid))
    assert unknown(listrak, int(trial.jobid))


def unknown(listrak: Any, process: int) -> bool:
    """Whether the answer is that of an import that does not exist (lk-16, lk-19)."""
    answer = listrak.ReportImportContactDetail(ImportFileID=process, Page=1, ImportResult="All", WSException=None)
    assert answer["ReportImportContactDetailResult"] is None
    assert answer["WSException"]["SoapMethod"] == "ReportImportContactDetail"
    return bool(
        answer["WSException"]["Description"] == f"[NotFound] Import {process} does not exist or is not accessible."
    )


def test_what_is_no_import(listrak: Any) -> None:
    """lk-19: unknown numbers, sends and attribute updates."""
    list_id = listrak.create()
    listrak.load(list_id, f"ann@{list_id}.example\n".encode())
    update = listrak.UpdateSubscribedContactAttribute(listrak.attribute(list_id, "a"), "x")
    listrak.wait(update)
    # Job 2 of the demo account is a send.
    for number in (0, -1, 987654, 2147483647, 2, update):
        assert unknown(listrak, number)
    assert listrak.GetProcessStatus(2)["ProcessName"] == "Send to List"


def test_lists_that_are_not_granted(listrak: Any, served: Any, client_class: Any) -> None:
    """lk-9, lk-19: nor another account's imports, nor without the analytics permission."""
    list_id = listrak.create()
    process = listrak.load(list_id, f"ann@{list_id}.example\n".encode())
    database = Database(served.product.settings.database)
    accounts = Accounts(database)
    demo = accounts.named("DEMO")
    assert demo is not None
    accounts.add_login(demo, f"granted-{list_id}", "secret", lists=[1])
    accounts.add_login(demo, f"blind-{list_id}", "secret", may_see_analytics=False)
    accounts.add_login(accounts.create(f"STRANGER-{list_id}", time_zone="UTC"), f"stranger-{list_id}", "secret")
    database.close()
    granted, blind, stranger = (
        client_class(served.base, listrak.version, f"{name}-{list_id}", "secret")
        for name in ("granted", "blind", "stranger")
    )
    assert unknown(granted, process)
    assert unknown(stranger, process)
    assert len(page(granted, 1, "All")) == 12
    with pytest.raises(
        zeep.exceptions.Fault, match=r"\[AccessDenied\] The user does not have the Analytics permission"
    ):
        page(blind, process, "All")


def test_a_missing_class_is_the_first_one(listrak: Any, served: Any) -> None:
    """lk-6: Invalid."""
    process = listrak.load(1, b"ann@class.example\nno address\n")
    namespace = "http://webservices.listrak.com/v31/"
    envelope = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="{namespace}">
        <e:Header><WSUser><UserName>demo</UserName><Password>demo</Password></WSUser></e:Header><e:Body>
        <ReportImportContactDetail><ImportFileID>{process}</ImportFileID><Page>1</Page></ReportImportContactDetail>
        </e:Body></e:Envelope>"""
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{namespace}ReportImportContactDetail"'}
    answer = httpx.post(f"{served.base}/v31/IntegrationService.asmx", content=envelope, headers=headers)
    assert answer.status_code == 200
    assert "<EmailAddress>no address</EmailAddress><ContactID>0</ContactID>" in answer.text
    assert answer.text.count("<WSImportContact>") == 1
    assert '<WSException xsi:nil="true" />' in answer.text


def test_a_file_encoded_twice(listrak: Any) -> None:
    """lk-72: rows are those of the file within."""
    list_id = listrak.create()
    process = listrak.load(list_id, base64.b64encode(f"ann@{list_id}.example\nbad\n".encode()))
    found = agree(listrak, list_id, process)
    assert [address for address, _ in found["All"]] == [f"ann@{list_id}.example", "bad"]
