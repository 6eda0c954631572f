"""A shadow before another server of ours, whose numbers, zone and texts are others."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from tests.conftest import LocalServed
from tests.shadow.conftest import LOGIN, PASSWORD, Client, found, shadowing, wait_for

from soapstone.sending.messages.message import Draft
from soapstone.shadow.report import as_page, as_text, decision

CREATE = (
    "<ListName>Shoes</ListName><FromName>Ann</FromName><FromEmail>ann@example.com</FromEmail>"
    "<EnableRemovalLink>true</EnableRemovalLink><BounceHandling>1</BounceHandling><VmtaID>0</VmtaID>"
)
ROWS = b"ada@example.com\nbob@example.com\nnobody\n"


def number(answer: str, member: str) -> str:
    match = re.search(f"<{member}>([0-9]+)</{member}>", answer)
    assert match, answer
    return match[1]


def load(client: Client, list_id: str) -> str:
    answer = client.listrak(
        "BulkLoadContacts",
        f"<ListID>{list_id}</ListID><WSImportDirectives><ImportTypeEnum>AddSubscribers</ImportTypeEnum>"
        "<FileDelimiter>,</FileDelimiter></WSImportDirectives><fileMappings><WSFileMappings><FileColumn>0</FileColumn>"
        "<IsEmailAddressColumn>true</IsEmailAddressColumn></WSFileMappings></fileMappings>"
        f"<ImportFileStream>{base64.b64encode(ROWS).decode()}</ImportFileStream>",
    )
    return number(answer, "BulkLoadContactsResult")


def use(client: Client, live: LocalServed) -> int:
    """Calls of both contracts on records of their own; the number of calls.

    Recipients of MagnetMail are those of the account, so their addresses are new as well.
    """
    list_id = number(client.listrak("CreateContactList", CREATE), "ListID")
    assert int(list_id) > 2, "the numbers are the same"
    job = load(client, list_id)
    live.settle()
    client.listrak("GetProcessStatus", f"<ProcessID>{job}</ProcessID>")
    client.listrak("GetContactList", f"<ListID>{list_id}</ListID>")
    contact = f"<ListID>{list_id}</ListID><ContactEmailAddress>ada@example.com</ContactEmailAddress>"
    client.listrak("GetContact", contact)
    client.listrak("UnsubscribeContact", contact)
    client.listrak("ReportSubscribedContacts", f"<ListID>{list_id}</ListID><Page>1</Page>")
    client.listrak("GetContactList", "<ListID>999999</ListID>")
    client.log_in()
    client.magnetmail("getRecipientFields")
    group = number(client.magnetmail("addGroup", f"<group_name>Hats of {list_id}</group_name>"), "id")
    client.magnetmail("getGroupDetails", f"<groupId>{group}</groupId>")
    client.magnetmail("addRecipient", f"<email>di{list_id}@example.com</email><groups><int>{group}</int></groups>")
    text = f"Email\ncy{list_id}@example.com\n"
    mapping = f"<groupid>{group}</groupid><csvData>{text}</csvData><header_line>true</header_line><MM_1>email</MM_1>"
    job = number(client.magnetmail("uploadListQueue", mapping), "jobid")
    live.settle()
    client.magnetmail("getUploadJobStatus", f"<jobid>{job}</jobid>")
    client.magnetmail("getErrorDetails", "<error_nbr>1</error_nbr>")
    return 16


def test_calls_on_new_records_agree_whatever_the_numbers(live: LocalServed, folder: Path) -> None:
    with shadowing(live.base, folder) as shadow:
        calls = use(Client(shadow.base), live)
        document = shadow.report(calls)
        page = httpx.get(f"{shadow.base}/_shadow").text
        text = httpx.get(f"{shadow.base}/_shadow.txt").text
        data = httpx.get(f"{shadow.base}/_shadow.json").json()
    assert decision(document).startswith("15 operations used, 15 available, 0 unexplained differences in "), text
    assert text.startswith(decision(document))
    assert decision(document) in page
    assert data["operations"] == document["operations"]
    assert "GetProcessStatus WSProcessStatus/ListID" in found(document, "renumbered")
    assert "GetProcessStatus WSProcessStatus/ProcessStartTime" in found(document, "time")


def test_a_mail_to_single_people_goes_to_those_who_are_meant(live: LocalServed, folder: Path) -> None:
    """Their numbers stand among texts, which may be addresses as well."""
    other = live.product.accounts.named("OTHER")
    assert other is not None
    live.product.contacts.add(other, {"email": "first@example.com"})
    with shadowing(live.base, folder) as shadow:
        client = Client(shadow.base)
        client.log_in()
        person = number(client.magnetmail("addRecipient", "<email>single@example.com</email>"), "id")
        details = (
            "<message_name>Single</message_name><SubjectLine>Hello</SubjectLine><text_version>Hello</text_version>"
        )
        details += "<FromAddress>ann@example.com</FromAddress>"
        made = client.magnetmail("createMagnetMailMessage", f"<message>{details}</message>")
        message = number(made, "message_id")
        for named, kind in ((person, "recipient_id"), ("single@example.com", "email")):
            members = f"<recipients><string>{named}</string></recipients><recp_type>{kind}</recp_type>"
            sent = client.magnetmail("sendEmailToIndividual", f"<message_id>{message}</message_id>{members}")
            assert "<emails_sent>1</emails_sent>" in sent
        assert found(shadow.report(5), "different") == set()


def test_credentials_that_the_live_service_refuses_are_not_tried_here(live: LocalServed, folder: Path) -> None:
    with shadowing(live.base, folder) as shadow:
        wrong = Client(shadow.base, password="wrong")
        assert "Fault" in wrong.listrak("GetContactListCollection")
        assert "<authenticated>false" in wrong.log_in()
        document = shadow.report(2)
    assert document["skipped"] == {"a login that the live service refused": 2}
    assert "; 2 of 2 calls not compared" in decision(document)


def test_numbers_from_before_are_no_differences(live: LocalServed, folder: Path) -> None:
    account = live.product.accounts.named("ACME")
    assert account is not None
    before = live.product.lists.create(account.id, "From before").id
    with shadowing(live.base, folder) as shadow:
        client = Client(shadow.base)
        client.listrak("GetContactListCollection")
        client.listrak("CreateContactList", CREATE.replace("Shoes", "Boots"))
        client.listrak("GetContactList", f"<ListID>{before}</ListID>")
        # The number that the new list has here.
        client.listrak("GetContactList", "<ListID>1</ListID>")
        document = shadow.report(4)
    assert document["skipped"]["records from before"] >= 1
    entry = document["operations"]["IntegrationService: GetContactList"]
    assert not any(counts.get("different") for counts in entry["members"].values()), entry


def test_an_empty_list_of_an_object_from_before_is_no_difference(live: LocalServed, folder: Path) -> None:
    product = live.product
    account = product.accounts.named("ACME")
    assert account is not None
    before = product.lists.create(account.id, "With a header").id
    product.profiles.add_header(account.id, before, "About")
    with shadowing(live.base, folder) as shadow:
        answer = Client(shadow.base).listrak("GetProfileHeaderCollection", f"<ListID>{before}</ListID>")
        assert "About" in answer
        document = shadow.report(1)
    assert document["skipped"] == {"records from before": 1}


def test_processes_of_an_interface_that_is_not_played_are_no_difference(live: LocalServed, folder: Path) -> None:
    """lk-83: SendToList and SendToFile are no SOAP, and each service has its own form of them."""
    with shadowing(live.base, folder) as shadow:
        client = Client(shadow.base)
        made = number(client.listrak("CreateContactList", CREATE.replace("Shoes", "Caps")), "ListID")
        assert "<WSLegacyProcessStatus>" not in client.listrak("GetLegacyProcessStatus", f"<ListID>{made}</ListID>")
        account = live.product.accounts.named("ACME")
        assert account is not None
        here = live.product.lists.get(account.id, int(made))
        assert here is not None
        draft = Draft(subject="News", plain="Hello", from_address="ann@example.com")
        live.product.sends.to_list(account=account, login=None, contact_list=here, message=draft)
        assert "<WSLegacyProcessStatus>" in client.listrak("GetLegacyProcessStatus", f"<ListID>{made}</ListID>")
        document = shadow.report(3)
    assert document["skipped"] == {"sends by XML over HTTP": 1}
    assert found(document, "different") == set()


def test_a_session_from_before_is_one_here(live: LocalServed, folder: Path) -> None:
    client = Client(live.base)
    client.log_in()
    with shadowing(live.base, folder) as shadow:
        client.base = shadow.base
        client.magnetmail("getRecipientFields")
        document = shadow.report(1)
    assert decision(document).startswith("1 operation used, 1 available, 0 unexplained differences in ")


def test_the_report_and_the_numbers_survive_a_restart(live: LocalServed, folder: Path) -> None:
    with shadowing(live.base, folder) as shadow:
        client = Client(shadow.base)
        list_id = number(client.listrak("CreateContactList", CREATE.replace("Shoes", "Coats")), "ListID")
        shadow.report(1)
    with shadowing(live.base, folder) as shadow:
        Client(shadow.base).listrak("GetContactList", f"<ListID>{list_id}</ListID>")
        document = shadow.report(2)
    assert decision(document).startswith("2 operations used, 2 available, 0 unexplained differences in ")
    assert "GetContactList WSContactList/ListID" in found(document, "renumbered")


def test_a_killed_half_reaches_no_client_and_is_started_again(live: LocalServed, folder: Path) -> None:
    with shadowing(live.base, folder) as shadow:
        client = Client(shadow.base)
        client.listrak("GetContactListCollection")
        shadow.report(1)
        assert shadow.feed.pid is not None
        os.kill(shadow.feed.pid, signal.SIGKILL)
        answers = [client.listrak("GetContactListCollection") for _ in range(20)]
        assert all("GetContactListCollectionResult" in answer for answer in answers)
        # Each further call tells our half what was lost with the one before it.
        wait_for(
            lambda: client.listrak("GetContactListCollection") and shadow.pages.document()["calls"] >= 22,
            "no half plays again, or a lost call is not counted",
        )


def test_a_half_that_hangs_is_bounded(live: LocalServed, folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("soapstone.shadow.feed.MOST_WAITING", 5)
    monkeypatch.setattr("soapstone.shadow.feed.STOP_SECONDS", 1)
    with shadowing(live.base, folder) as shadow:
        client = Client(shadow.base)
        client.listrak("GetContactListCollection")
        shadow.report(1)
        assert shadow.feed.pid is not None
        os.kill(shadow.feed.pid, signal.SIGSTOP)
        answers = [client.listrak("GetContactListCollection", f"<!--{'x' * 50_000}-->") for _ in range(20)]
        assert all("GetContactListCollectionResult" in answer for answer in answers)
        assert shadow.feed.waiting == 5
        assert shadow.feed.skipped["dropped"] > 0
        assert "dropped" in as_text(shadow.pages.document())
        assert "dropped" in as_page(shadow.pages.document())


def test_a_folder_that_cannot_be_used_reaches_no_client(live: LocalServed, folder: Path) -> None:
    folder.mkdir()
    (folder / "records").write_text("no folder")
    with shadowing(live.base, folder) as shadow:
        assert "GetContactListCollectionResult" in Client(shadow.base).listrak("GetContactListCollection")


def test_the_command_serves_records_and_reports(live: LocalServed, tmp_path: Path) -> None:
    record = tmp_path / "calls.jsonl"
    command = [
        sys.executable,
        "-m",
        "soapstone",
        "serve",
        "--port",
        "0",
        "--data",
        str(tmp_path),
        "--shadow",
        live.base,
    ]
    process = subprocess.Popen([*command, "--record", str(record)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        base = next(line.split()[-1] for line in process.stdout if "shadow serves on" in line)
        calls = use(Client(base), live)
        wait_for(lambda: httpx.get(f"{base}/_shadow.json").json()["calls"] >= calls, "no report")
        report = httpx.get(f"{base}/_shadow.txt").text
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert "0 unexplained differences" in out, report
    kept = record.read_text()
    assert len(kept.splitlines()) == calls + 1
    assert record.stat().st_mode & 0o077 == 0
    for secret in (LOGIN, PASSWORD, "ada@", "bob@", "ann@", base64.b64encode(ROWS).decode()):
        assert secret not in kept
    assert not re.search("(?:di|cy)[0-9]+@", kept)

    played = subprocess.run(
        [sys.executable, "-m", "soapstone", "replay", str(record)], capture_output=True, text=True, check=False
    )
    assert "0 unexplained differences" in played.stdout.splitlines()[0], played.stdout + played.stderr
    assert played.returncode == 0
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    remote = ["replay", str(record), "--url", live.base, "--login", LOGIN, "--password-file", str(password), "--json"]
    played = subprocess.run([sys.executable, "-m", "soapstone", *remote], capture_output=True, text=True, check=False)
    assert '"GetContactListCollection"' not in played.stdout
    assert '"calls": 16' in played.stdout, played.stdout + played.stderr
