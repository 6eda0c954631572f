"""The answer to a submission tells of the job as it was stored, whatever happens right after the commit."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import work

from soapstone.jobs.queue import Jobs
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.messages.message import Draft, Traits
from soapstone.server import Application
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.transient_errors import NO_ANSWER, RecordsUnavailable
from soapstone.vocabulary.jobs import JobKind
from soapstone.vocabulary.messages import MessageKind

BASE = "http://server.example"
NAMESPACES = {
    "/mmapi.asmx": "http://www.magnetmail.net/",
    "/v31/IntegrationService.asmx": "http://webservices.listrak.com/v31/",
}
MESSAGE = "<Subject>News</Subject><TextBody>Hello</TextBody>"
BULK = (
    "<fileMappings><WSFileMappings><FileColumn>0</FileColumn><IsEmailAddressColumn>true</IsEmailAddressColumn>"
    "</WSFileMappings></fileMappings><WSImportDirectives><ImportTypeEnum>AddSubscribers</ImportTypeEnum>"
    "</WSImportDirectives><ImportFileStream>YkBleGFtcGxlLmNvbQ==</ImportFileStream>"
)


class Site:
    """A server in this process with a list, a member, a message and an attribute, and no worker."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.account = product.accounts.create("ACME", time_zone="UTC")
        self.login = product.accounts.add_login(self.account, "ann", "secret")
        self.list = product.lists.create(self.account.id, "News", settings={"from_address": "news@example.com"})
        self.contact = product.contacts.add(self.account, {"email": "bob@example.com"}, [self.list.id])
        draft = Draft(subject="Hello", plain="Hello", from_address="news@example.com")
        named = Traits(name="Hello")
        self.message = product.messages.save(self.account.id, None, draft, kind=MessageKind.MAGNETMAIL, traits=named)
        self.saved = product.messages.save(self.account.id, self.list.id, draft, kind=MessageKind.SAVED, traits=named)
        header = product.profiles.add_header(self.account.id, self.list.id, "Person")
        self.attribute = product.profiles.add_attribute(self.account.id, self.list.id, header, "Size")
        self.session = product.sessions.open(product.logons.identify("ann", "secret", None))
        self.app = Application(product)

    def post(self, path: str, **given: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as client:
                return await client.post(path, **given)

        return asyncio.run(ask())

    def soap(self, path: str, operation: str, members: str) -> httpx.Response:
        namespace = NAMESPACES[path]
        header = f"""<mmAuthHeader xmlns="{namespace}"><sessionId>{self.session}</sessionId></mmAuthHeader>"""
        if "listrak" in namespace:
            header = f"""<WSUser xmlns="{namespace}"><UserName>ann</UserName><Password>secret</Password></WSUser>"""
        body = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>{header}</e:Header><e:Body>
            <{operation} xmlns="{namespace}">{members}</{operation}></e:Body></e:Envelope>"""
        return self.post(path, content=body, headers={"Content-Type": "text/xml", "SOAPAction": namespace + operation})

    def magnetmail(self, operation: str, members: str) -> httpx.Response:
        return self.soap("/mmapi.asmx", operation, members)

    def listrak(self, operation: str, members: str) -> httpx.Response:
        return self.soap("/v31/IntegrationService.asmx", operation, members)

    def jobs(self) -> int:
        return len(self.product.jobs.find(account_id=self.account.id))


def upload(site: Site) -> httpx.Response:
    rows = "<csvData>c@example.com</csvData><MM_1>Email</MM_1><header_line>false</header_line>"
    return site.magnetmail("uploadListQueue", f"<groupid>{site.list.id}</groupid>{rows}")


def to_individual(site: Site) -> httpx.Response:
    people = f"<recipients><string>{site.contact}</string></recipients><recp_type>recipient_id</recp_type>"
    return site.magnetmail("sendEmailToIndividual", f"<message_id>{site.message.id}</message_id>{people}")


def to_group(site: Site) -> httpx.Response:
    members = f"""<message_id>{site.message.id}</message_id><group_ids><int>{site.list.id}</int></group_ids>
        <sendDespiteBadFrom>true</sendDespiteBadFrom>"""
    return site.magnetmail("sendMessageToGroup", members)


def bulk_load(site: Site) -> httpx.Response:
    return site.listrak("BulkLoadContacts", f"<ListID>{site.list.id}</ListID>{BULK}")


def set_attribute(site: Site) -> httpx.Response:
    members = f"<AttributeID>{site.attribute}</AttributeID><Value>40</Value>"
    return site.listrak("UpdateSubscribedContactAttribute", members)


def send_message(site: Site) -> httpx.Response:
    return site.listrak("SendListMessage", f"<WSMessage><ListID>{site.list.id}</ListID>{MESSAGE}</WSMessage>")


def send_to_list(site: Site) -> httpx.Response:
    body = f"""<SendToList><UserName>ann</UserName><Password>secret</Password><ListID>{site.list.id}</ListID>
        <Message>{MESSAGE}</Message></SendToList>"""
    return site.post("/xml/SendToList", content=body, headers={"Content-Type": "application/xml"})


def send_to_file(site: Site) -> httpx.Response:
    body = f"""<SendToFile><UserName>ann</UserName><Password>secret</Password><ListID>{site.list.id}</ListID>
        <Message>{MESSAGE}</Message><File HasColumnNames="false">YkBleGFtcGxlLmNvbQ==</File></SendToFile>"""
    return site.post("/xml/SendToFile", content=body, headers={"Content-Type": "application/xml"})


def import_by_rest(site: Site, **headers: str) -> httpx.Response:
    headers |= {"Content-Type": "text/csv"}
    path = f"/api/v1/lists/{site.list.id}/imports"
    return site.post(path, content=b"Email\nd@example.com\n", headers=headers, auth=("ann", "secret"))


def send_by_rest(site: Site, **headers: str) -> httpx.Response:
    given = {"message_id": site.saved.id, "to": {"kind": "list", "list_id": site.list.id}, "unsubscribe": "none"}
    return site.post("/api/v1/sends", json=given, headers=headers, auth=("ann", "secret"))


BY_REST = [import_by_rest, send_by_rest]
OF_CONTRACTS = [upload, to_individual, to_group, bulk_load, set_attribute, send_message, send_to_list, send_to_file]
Submission = Callable[[Site], httpx.Response]
of_contracts = pytest.mark.parametrize("submit", OF_CONTRACTS, ids=lambda submit: submit.__name__)


@pytest.fixture
def site(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr("soapstone.server.REFUSAL_PAUSE", 0.0)
    monkeypatch.setattr("soapstone.magnetmail.sends.PATIENCE_SECONDS", 0.0)
    return Site(Product.open(Settings(data_dir=tmp_path, public_url=BASE), database))


@contextmanager
def after_commit(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[Database], object], *, durable: bool = True
) -> Iterator[None]:
    """Call `act` as soon as a transaction is committed; only a durable one, such as one with a job, unless told."""
    write = Database.write

    @contextmanager
    def writing(self: Database, **given: Any) -> Iterator[Any]:
        with write(self, **given) as connection:
            yield connection
        if given.get("durable") or not durable:
            act(self)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", writing)
        yield


@contextmanager
def unreadable_after_commit(monkeypatch: pytest.MonkeyPatch, *, durable: bool = True) -> Iterator[None]:
    """Right after the commit the records cannot be read."""
    read, committed = Database.read, list[bool]()

    @contextmanager
    def reading(self: Database, **given: Any) -> Iterator[Any]:
        if committed:
            raise RecordsUnavailable(NO_ANSWER)
        with read(self, **given) as connection:
            yield connection

    with monkeypatch.context() as patch, after_commit(patch, lambda _: committed.append(True), durable=durable):
        patch.setattr(Database, "read", reading)
        yield
    assert committed


@pytest.mark.parametrize("submit", [*OF_CONTRACTS, *BY_REST], ids=lambda submit: submit.__name__)
def test_a_stored_submission_is_no_failure(
    site: Site, submit: Submission, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that is told of a failure submits again, and people get a mail twice."""
    caplog.set_level(logging.CRITICAL)
    with unreadable_after_commit(monkeypatch):
        answer = submit(site)
    assert (answer.status_code, site.jobs()) == (202 if submit in BY_REST else 200, 1), answer.text
    error = re.search("<error>(.*)</error>", answer.text)
    assert error is None or error[1] == "0"


@pytest.mark.parametrize("submit", BY_REST, ids=lambda submit: submit.__name__)
def test_a_key_brings_no_second_job(
    site: Site, submit: Callable[..., httpx.Response], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The second request makes nothing, and gets the answer of the first one."""
    caplog.set_level(logging.CRITICAL)
    key = {"Idempotency-Key": "one"}
    with unreadable_after_commit(monkeypatch):
        submit(site, **key)
    again = submit(site, **key)
    assert (again.status_code, again.headers.get("idempotent-replayed"), site.jobs()) == (202, "true", 1)


@of_contracts
def test_an_answer_does_not_depend_on_the_worker(
    site: Site, submit: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that begins at once changes nothing of what the client is told (mm-41, lk-88)."""
    waiting = submit(site)

    def begin(database: Database) -> None:
        if (job := Jobs(database).claim("a worker", list(JobKind), timedelta(hours=1))) is not None:
            with write(database) as connection:
                connection.exec_driver_sql(f"UPDATE job SET step = 1 WHERE id = {job.id}")

    write = Database.write
    Jobs(site.product.database).cancel(None, site.product.jobs.find(limit=1)[0].id)
    with after_commit(monkeypatch, begin):
        begun = submit(site)
    assert [job.state for job in site.product.jobs.find(limit=2)] == ["running", "cancelled"]
    assert told(begun) == told(waiting)


def told(answer: httpx.Response) -> str:
    """What an answer tells besides numbers of jobs and messages, and times."""
    numbers = r"(?<=<jobid>)\d+|(?<=Result>)\d+|(?<=StatusID>)\d+|(?<=MsgID>)\d+|upload_\d+|(?<=xsd:int\">)\d+|job \d+"
    return re.sub(numbers + r"|\d{4}-\d\d-\d\dT[\d:.Z]+", "N", answer.text)


def test_what_else_is_stored_is_no_failure(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """mm-127"""
    occasion = site.product.event_sign_ups.add(site.account.id, "Ball")
    people = [{"email": f"{name}@example.com", "reference": name} for name in "ab"]
    with unreadable_after_commit(monkeypatch, durable=False):
        made = site.product.event_sign_ups.sign_up(occasion, people, live=True)
    assert [(each.reference, each.call_id) for each in made] == [("a", made[0].id), ("b", made[0].id)]
    assert made == site.product.event_sign_ups.signed_up(occasion)
    with unreadable_after_commit(monkeypatch, durable=False):
        child = site.product.accounts.create("CHILD", time_zone="UTC", parent="ACME")
    assert child == site.product.accounts.named("CHILD")
    with unreadable_after_commit(monkeypatch, durable=False):
        changed = site.product.accounts.change(child, time_zone="Europe/Berlin")
    assert changed == site.product.accounts.named("CHILD") != child


@pytest.mark.parametrize("submit", [upload, bulk_load, send_to_file], ids=lambda submit: submit.__name__)
def test_a_job_that_may_be_stored_keeps_its_file(
    site: Site, submit: Submission, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection broke during the commit, which succeeded: the job runs, although its client does not know."""
    caplog.set_level(logging.CRITICAL)

    def lose_answer(_: Database) -> None:
        raise RecordsUnavailable(NO_ANSWER, undone=False)

    with after_commit(monkeypatch, lose_answer):
        assert submit(site).status_code in (500, 503)
    work(site.product.database, site.product.blobs, **runners(site.product))
    (job,) = site.product.jobs.find(account_id=site.account.id)
    assert (job.state, job.error) == ("completed", "")


def test_rest_tells_of_a_send_as_it_was_stored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with after_commit(monkeypatch, lambda found: Jobs(found).claim("a worker", list(JobKind), timedelta(hours=1))):
        sent, imported = send_by_rest(site).json()["sends"][0], import_by_rest(site).json()
    assert [each["state"] for each in (sent, imported)] == ["queued"] * 2
