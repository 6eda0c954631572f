"""A deleted person is gone from every table and folder, stays away, and all figures stay true."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select, update

from soapstone.accounts.account import Account
from soapstone.accounts.audit import COMMAND_LINE
from soapstone.clock import now
from soapstone.contacts.erased_addresses import remember
from soapstone.errors import NotFoundError
from soapstone.personal_data.retention import Retention
from soapstone.product import Product
from soapstone.runners import maintenance
from soapstone.sending.messages.message import Draft
from soapstone.sending.supplied_file import FileForm
from soapstone.store.database import Database
from soapstone.store.tables import contact_events, deliveries, import_parts, jobs, metadata, rejected_rows
from soapstone.tracking import figures
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import Act, record_acts, record_bounces
from soapstone.vocabulary.tracking import MailEventKind

HER = "Erin.Moss@example.com"
OLD = "erin.old@example.com"
ROWS = f"Email,First_Name,City\r\n{OLD},Erin,Moss-Town\r\nrest@example.com,Rest,Oslo\r\n{OLD.upper()},Twice,Rome\r\n"
MESSAGE = {"subject": "News", "plain": "Hello {{ first_name }}", "from_address": "news@example.org"}
TRACES = ("erin.moss@example.com", "erin.old@example.com", "moss-town")


def everything(database: Database) -> str:
    """All values of all tables, in lower case."""
    with database.read() as connection:
        tables = [connection.execute(select(table)).all() for table in metadata.sorted_tables]
    return json.dumps([[[str(value) for value in row] for row in rows] for rows in tables], ensure_ascii=False).lower()


def files_with(folder: Path, text: str) -> list[Path]:
    """The files of a folder that hold a text, letter case aside."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in found if text.encode() in path.read_bytes().lower()]


class Life:
    """A person who was imported, has moved, was sent mail and is in all kinds of rows; `rest` is somebody else."""

    def __init__(self, api: httpx.Client, product: Product, account: Account, run_jobs: Callable[[], None]) -> None:
        self.api, self.product, self.account, self.run_jobs = api, product, account, run_jobs
        self.list = api.post("/lists", json={"name": "Readers"}).json()["id"]
        self.import_ = self.imported(ROWS)
        found = api.get("/contacts", params={"email": OLD}).json()["items"]
        self.id: int = found[0]["id"]
        api.patch(f"/contacts/{self.id}", json={"email": HER}, headers={"Idempotency-Key": "k"})
        api.post("/contacts", json={"email": "made@example.com"}, headers={"Idempotency-Key": "made"})
        message = api.post("/messages", json={"list_id": self.list, **MESSAGE}).json()["id"]
        to_list: dict[str, Any] = {"kind": "list", "list_id": self.list}
        to_her = {"kind": "addresses", "list_id": self.list, "emails": [HER, "x@example.com"], "fields": {}}
        self.sends = [
            api.post("/sends", json={"message_id": message, "to": to, "unsubscribe": "none"}).json()["sends"][0]["id"]
            for to in (to_list, to_her)
        ]
        run_jobs()
        api.post("/suppressions", json={"email": HER})
        api.post(f"/lists/{self.list}/review-group", json={"email": HER})
        api.post("/searches", json={"name": "her", "criteria": {"email": HER}})
        product.audit.sweep()

    def imported(self, rows: str, **how: str) -> int:
        answer = self.api.post(
            f"/lists/{self.list}/imports", content=rows.encode(), headers={"Content-Type": "text/csv"}, params=how
        )
        self.run_jobs()
        return int(answer.json()["id"])

    def mails(self) -> set[str]:
        return {path.name for path in self.product.settings.mail.iterdir()}

    def begun(self, state: str = "chosen") -> int:
        """A send that is not over, with a mail for her."""
        message = self.api.post("/messages", json={"list_id": self.list, **MESSAGE}).json()["id"]
        given = {"message_id": message, "to": {"kind": "list", "list_id": self.list}, "unsubscribe": "none"}
        send: int = self.api.post("/sends", json=given).json()["sends"][0]["id"]
        row = {"account_id": self.account.id, "job_id": send, "message_id": message, "contact_id": self.id}
        row |= {"email": HER, "email_key": HER.lower(), "fields": {}, "state": state}
        with self.product.database.write() as connection:
            connection.execute(insert(deliveries).values(**row))
        return send

    def figures(self) -> list[Any]:
        """Counters of jobs, ledgers in figures, and members of the list that is left."""
        of_jobs = [(job.id, dict(job.counters)) for job in self.product.jobs.find(ascending=True)]
        return [of_jobs, *(self.api.get(f"/sends/{send}").json()["recipients"] for send in self.sends)]


@pytest.fixture
def life(api: httpx.Client, product: Product, account: Account, run_jobs: Callable[[], None]) -> Life:
    return Life(api, product, account, run_jobs)


def test_nothing_is_left_of_a_deleted_person(life: Life, product: Product, tmp_path: Path) -> None:
    before = life.figures()
    for trace in TRACES:
        assert trace in everything(product.database)
    assert files_with(product.settings.mail, "erin.moss")
    assert files_with(product.settings.blobs, "erin.old")

    assert life.api.delete(f"/contacts/{life.id}").status_code == 204

    life.run_jobs()
    for trace in TRACES:
        assert trace not in everything(product.database)
        # Also the SQLite file and its log, in what is free of them.
        assert files_with(tmp_path, trace) == []
    assert "rest@example.com" in everything(product.database)
    assert life.figures() == before
    assert life.api.get(f"/contacts/{life.id}").status_code == 404
    assert life.api.get(f"/lists/{life.list}").json()["members"] == 1
    audit = product.audit.last(life.account.id, 1)[0]
    assert (audit.action, audit.detail) == ("delete", f"contact {life.id}")
    # Who was there beside it can still be asked for.
    outcomes = life.api.get(f"/imports/{life.import_}/outcomes").json()["items"]
    assert [(row["outcome"], row["email"]) for row in outcomes][1] == ("added", "rest@example.com")
    assert life.api.get(f"/sends/{life.sends[0]}/recipients").json()["items"][0]["email"] == ""
    assert life.api.post(f"/sends/{life.sends[0]}/retry").status_code == 409


def test_mails_that_came_in_are_emptied_where_they_name_the_person(life: Life, product: Product) -> None:
    """No signature leads from these mails to a recipient: they are found by what they hold."""
    hers, of_rest = (f"Subject: Away\n\nI, {who}, am away.\n".encode() for who in (HER.upper(), "rest@example.com"))
    octets = {"Content-Type": "application/octet-stream"}
    for raw in (hers, of_rest):
        assert life.api.post("/incoming", content=raw, headers=octets).json()["mails"][0]["outcome"] == "unsigned"
        # Without a login the mail belongs to no account.
        product.incoming_mails.take(raw + b"-- by LMTP\n", [], source="lmtp")
    numbers = [each.id for each in product.incoming_records.after(None)]
    kept = [product.incoming_records.content(None, number) for number in numbers]
    assert kept == [hers, hers + b"-- by LMTP\n", of_rest, of_rest + b"-- by LMTP\n"]
    assert life.api.delete(f"/contacts/{life.id}").status_code == 204
    assert [product.incoming_records.content(None, number) for number in numbers] == [None, None, *kept[2:]]


@pytest.mark.parametrize("how", [{}, {"blocked": "skip"}, {"action": "update"}, {"mode": "dry_run"}])
def test_a_later_file_does_not_bring_the_person_back(life: Life, product: Product, how: dict[str, str]) -> None:
    life.api.delete(f"/contacts/{life.id}")
    job = life.imported(
        f"Email,City\r\nnew@example.com,Oslo\r\n{OLD},Rome\r\n{HER},Moss-Town\r\n{HER.lower()},Again\r\n", **how
    )
    counters = life.api.get(f"/jobs/{job}").json()["counters"]
    assert counters["deleted"] == 2
    assert life.api.get("/contacts", params={"email": "erin*"}).json()["items"] == []
    rejects = life.api.get(f"/imports/{job}/rejects", params={"form": "ndjson"}).text.splitlines()
    deleted = [row for row in map(json.loads, rejects) if row["reason"] == "deleted"]
    assert [(row["line"], row["fields"]) for row in deleted] == [(3, []), (5, [])]
    # Nothing is kept of the row that another one about her supersedes.
    assert "erin" not in "".join(rejects)
    assert product.imports.counts(product.jobs.find(limit=1)[0]).suppressed == 2
    # The file itself goes with the next maintenance.
    assert files_with(product.settings.blobs, "moss-town")
    for task in maintenance(product):
        task()
    product.blobs.sweep(product.jobs.blobs_in_use())
    assert "erin.moss" not in everything(product.database)
    with product.database.read() as connection:
        assert connection.execute(select(jobs.c.blob).where(jobs.c.id == job)).scalar_one() is None


def test_a_later_file_of_a_send_does_not_bring_the_person_back(life: Life, product: Product) -> None:
    life.api.delete(f"/contacts/{life.id}")
    upload = product.blobs.new()
    upload.write(f"EmailAddress,City\n{HER},Moss-Town\nrest@example.com,Oslo\n{HER.lower()},Rome\n".encode())
    contact_list = product.lists.get(life.account.id, life.list)
    assert contact_list is not None
    draft = Draft(subject="News", plain="Hello {{ City }}", from_address="ann@example.com")
    form = FileForm(name="people.csv")
    ticket = product.sends.to_file(
        account=life.account, login=None, contact_list=contact_list, message=draft, upload=upload, file=form
    )
    life.run_jobs()
    rows = product.reports.recipients(life.account.id, job_id=ticket.job.id)
    assert [(row.email, row.state, row.reason) for row in rows] == [
        ("", "skipped", "suppressed"),
        ("rest@example.com", "handed", ""),
        ("", "skipped", "suppressed"),
    ]
    told = everything(product.database)
    assert not [trace for trace in (*TRACES, "Moss-Town", "Rome") if trace in told]
    for task in maintenance(product):
        task()
    assert product.jobs.blobs_in_use() == []


def test_no_mail_goes_to_the_address_before_its_suppression_is_taken_back(life: Life) -> None:
    life.api.delete(f"/contacts/{life.id}")
    api, here = life.api, {"email": HER}
    assert [each["kind"] for each in api.get("/suppressions", params=here).json()["items"]] == ["suppressed"]
    assert api.get("/suppressions").json()["items"] == []
    assert api.post(f"/lists/{life.list}/subscriptions", json=here).status_code == 409
    message = api.post("/messages", json={"list_id": life.list, **MESSAGE}).json()["id"]
    to_her = {"kind": "addresses", "list_id": life.list, "emails": [HER], "fields": {}}

    def state() -> Any:
        send = api.post("/sends", json={"message_id": message, "to": to_her}).json()["sends"][0]["id"]
        life.run_jobs()
        return api.get(f"/sends/{send}").json()["recipients"]

    assert state() == {"skipped": 1}
    # A program may know better than we do, yet nothing is sent.
    again = api.post("/contacts", json={"email": HER, "lists": [life.list]}).json()
    assert again["channels_shut"] == ["email"]
    assert state() == {"skipped": 1}
    assert api.delete("/suppressions", params=here).status_code == 204
    assert api.get("/suppressions", params=here).json()["items"] == []
    assert state() == {"handed": 1}


def test_a_mail_under_way_holds_the_deletion_up(life: Life, product: Product) -> None:
    send = life.begun()
    refused = life.api.delete(f"/contacts/{life.id}")
    assert refused.status_code == 409
    assert str(send) in refused.json()["detail"]
    assert life.api.get(f"/contacts/{life.id}").json()["email"] == HER
    life.api.post(f"/sends/{send}/cancel")
    assert life.api.delete(f"/contacts/{life.id}").status_code == 204
    assert life.api.get(f"/sends/{send}").json()["recipients"] == {"skipped": 1}


def test_others_with_the_address_keep_theirs(api: httpx.Client, product: Product, run_jobs: Callable[[], None]) -> None:
    account = product.accounts.create("BY ID", time_zone="UTC", identifier="custom_id")
    ids = [product.contacts.add(account, {"email": HER, "custom_id": name}) for name in ("a", "b")]
    product.erasure.delete(account, ids[0], COMMAND_LINE)
    assert product.contacts.find(account, email=HER) == ids[1]
    assert product.suppressions.page(account.id, HER) == []
    product.erasure.delete(account, ids[1], COMMAND_LINE)
    assert [each.kind for each in product.suppressions.page(account.id, HER)] == ["suppressed"]


def test_an_address_without_a_contact_is_deleted_too(life: Life, product: Product) -> None:
    gone = product.erasure.delete(life.account, "x@example.com", COMMAND_LINE)
    assert (gone.contact_ids, gone.deliveries, gone.mails) == ((), 1, 1)
    assert "x@example.com" not in everything(product.database)
    for unknown in ("stranger@example.com", "no address", 1 << 40):
        with pytest.raises(NotFoundError):
            product.erasure.delete(life.account, unknown, COMMAND_LINE)


def test_a_person_gets_all_that_is_known_of_it(life: Life, product: Product) -> None:
    found = life.api.get(f"/contacts/{life.id}/export").json()
    assert [person["email"] for person in found["contacts"]] == [HER]
    assert found["addresses"] == [HER.lower(), OLD]
    assert [(row["list_id"], row["state"]) for row in found["memberships"]] == [(life.list, "subscribed")]
    assert {row["kind"] for row in found["history"]} >= {"changed"}
    assert [row["kind"] for row in found["suppressions"]] == ["suppressed"]
    assert len(found["review_copies"]) == len(found["saved_searches"]) == 1
    assert {row["state"] for row in found["mails"]} == {"handed"}
    assert all("Hello Twice" in row["content"][0] for row in found["mails"] if row["send"] == life.sends[0])
    assert [(row["line"], row["outcome"]) for row in found["imports"]] == [(4, "added")]
    assert [row["line"] for row in found["rejected_rows"]] == [2]
    assert life.api.get("/contacts/999999/export").status_code == 404
    assert product.audit.last(life.account.id, 1)[0].action == "export"
    # A document about nobody else.
    assert "rest@example.com" not in json.dumps(found)


@pytest.mark.parametrize("field", [f"Erin <{HER}>;", f"mailto:{HER} {OLD}", f'"{HER}", {OLD}', f"({HER})."])
def test_a_row_that_is_rejected_later_keeps_nothing_of_the_person(life: Life, product: Product, field: str) -> None:
    life.api.delete(f"/contacts/{life.id}")
    quoted = '"' + field.replace('"', '""') + '"'
    job = life.imported(f"Email,First_Name,City\r\n{quoted} x,Erin,Moss-Town\r\nnobody,No,Body\r\n")
    assert not [trace for trace in TRACES if trace in everything(product.database)]
    answer = life.api.get(f"/imports/{job}/rejects", params={"form": "ndjson"})
    assert [json.loads(row)["fields"] for row in answer.text.splitlines()] == [[], ["nobody", "No", "Body"]]


def test_who_is_back_by_a_restore_is_deleted_again(life: Life, product: Product) -> None:
    life.api.delete(f"/contacts/{life.id}")
    number = product.contacts.add(life.account, {"email": HER})
    assert product.erasure.repeat(life.account, COMMAND_LINE) == 1
    assert product.contacts.get(life.account.id, number) is None


@pytest.mark.parametrize("state", ["chosen", "built", "handing", "deferred", "uncertain"])
def test_a_mail_under_way_in_a_backup_does_not_bring_the_person_back(life: Life, product: Product, state: str) -> None:
    send = life.begun(state)
    # What is not over in restored records rests.
    with product.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == send).values(paused=True))
        remember(connection, life.account.id, {HER.lower()}, now())
    assert product.erasure.repeat(life.account, COMMAND_LINE) == 1
    assert life.api.get(f"/contacts/{life.id}").status_code == 404
    assert "erin.moss" not in everything(product.database)
    before = life.mails()
    life.api.post(f"/sends/{send}/resume")
    life.run_jobs()
    assert life.api.get(f"/jobs/{send}").json()["state"] == "completed"
    assert not [
        name for name in life.mails() - before if b"erin" in (product.settings.mail / name).read_bytes().lower()
    ]
    assert min(life.api.get(f"/jobs/{send}").json()["counters"].values()) >= 0


def test_a_contact_with_the_address_of_a_deleted_person_is_skipped_by_a_send_under_way(
    life: Life, product: Product
) -> None:
    life.api.delete("/suppressions", params={"email": HER})
    send = life.begun()
    with product.database.write() as connection:
        ready = {"phase": "build", "place": 0, "first": 1, "last": 1 << 40}
        connection.execute(update(jobs).where(jobs.c.id == send).values(counters={"chosen": 1}, checkpoint=ready))
        remember(connection, life.account.id, {HER.lower()}, now())
    life.run_jobs()
    assert life.api.get(f"/sends/{send}").json()["recipients"] == {"skipped": 1}


def test_figures_of_mails_stay_without_the_person(life: Life, product: Product) -> None:
    """What she did with a mail stays as events of nobody; the server's words and her departure go."""
    send = life.sends[0]
    with product.database.read() as connection:
        mine = (deliveries.c.job_id == send) & (deliveries.c.contact_id == life.id)
        mail = connection.execute(select(deliveries).where(mine)).one()
    bounce = of_reply(f"550 5.1.1 <{HER}>: user unknown")
    with product.database.write() as connection:
        record_acts(connection, [Act(kind=MailEventKind.CLICK, delivery_id=mail.id)])
        record_bounces(connection, {mail.id: bounce})
        left = {"account_id": life.account.id, "contact_id": life.id, "list_id": life.list, "kind": "unsubscribed"}
        connection.execute(insert(contact_events).values(**left, at=now(), message_id=mail.message_id))
    dossier = life.api.get(f"/contacts/{life.id}/export").json()["mails"]
    told = next(each for each in dossier if each["send"] == send)
    assert told["bounce"]["detail"] == f"550 5.1.1 <{HER}>: user unknown"
    assert [event["kind"] for event in told["events"]] == ["sent", "open", "read", "click", "bounce"]
    before = figures.of_sends(product.database, [send])[send]

    assert life.api.delete(f"/contacts/{life.id}").status_code == 204

    after = figures.of_sends(product.database, [send])[send]
    assert after == replace(before, erased_departures=1)
    assert HER.lower() not in everything(product.database)
    events = product.event_reports.of_message(life.account.id, mail.message_id, MailEventKind.CLICK).events
    assert [(event.email, event.contact_id, event.contact_number) for event in events] == [("", None, 0)]


def test_the_links_of_old_mails_concern_nobody(life: Life, product: Product) -> None:
    """Neither is a contact made of a deleted person's click, nor does one without an address leave for her."""
    with product.database.read() as connection:
        mail = connection.execute(select(deliveries.c.id).where(deliveries.c.contact_id == life.id)).scalars().first()
    assert mail is not None
    life.api.delete(f"/contacts/{life.id}")
    before = everything(product.database)
    sent = product.link_actions.find(mail)
    assert sent is not None
    product.link_actions.unsubscribe(sent, by="Unsubscribe Link")
    assert everything(product.database) == before


def test_an_address_without_a_contact_is_deleted_again(life: Life, product: Product) -> None:
    with product.database.write() as connection:
        remember(connection, life.account.id, {"x@example.com"}, now())
    assert product.erasure.repeat(life.account, COMMAND_LINE) == 0
    assert "x@example.com" not in everything(product.database)
    assert "rest@example.com" in everything(product.database)
    assert product.contacts.get(life.account.id, life.id) is not None


def test_rows_and_mails_go_when_their_time_is_over(life: Life, product: Product) -> None:
    send = life.begun()
    figures = life.figures()
    (product.settings.mail / f"{send:08d}-0000009999.eml").write_text("To: rest@example.com")
    retention = Retention(product.database, product.mails, days=40)
    retention.sweep()
    assert len(list(product.settings.mail.iterdir())) == 5
    with product.database.write() as connection:
        old = now() - timedelta(days=41)
        connection.execute(update(jobs).where(jobs.c.finished_at.is_not(None)).values(finished_at=old))
    for path in product.settings.mail.iterdir():
        os.utime(path, (0, 0))
    Retention(product.database, product.mails, days=0).sweep()
    with product.database.read() as connection:
        assert connection.execute(select(rejected_rows)).all()
    retention.sweep()
    with product.database.read() as connection:
        assert connection.execute(select(rejected_rows)).all() == []
        assert connection.execute(select(import_parts)).all() == []
    assert {int(path.name.partition("-")[0]) for path in product.settings.mail.iterdir()} == {send}
    # A send that failed while it handed a mail over may be retried, and looks then whether the mail is there.
    with product.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == send).values(state="failed", finished_at=old))
        connection.execute(update(deliveries).where(deliveries.c.job_id == send).values(state="handing"))
    retention.sweep()
    assert len(list(product.settings.mail.iterdir())) == 1
    with product.database.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.job_id == send).values(state="handed"))
    retention.sweep()
    assert list(product.settings.mail.iterdir()) == []
    # A poll of the old job answers as ever.
    assert life.figures() == figures
    assert life.api.get(f"/jobs/{life.import_}").json()["state"] == "completed"
    assert life.api.get(f"/imports/{life.import_}/outcomes").json()["items"] == []
