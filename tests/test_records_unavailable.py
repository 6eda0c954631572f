"""While nothing can be stored, every interface says so, nothing is half done, and what only reads goes on."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from tests.conftest import work

from soapstone.jobs.heartbeats import Heartbeats
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.messages.message import Draft
from soapstone.server import Application
from soapstone.settings import Settings
from soapstone.store import tables
from soapstone.store.database import Database
from soapstone.store.transient_errors import RecordsUnavailable

BASE = "http://server.example"
LISTRAK = "http://webservices.listrak.com/v31/"
CREATE = (
    "<ListName>More</ListName><FromName>Ann</FromName><FromEmail>ann@example.com</FromEmail>"
    "<EnableRemovalLink>true</EnableRemovalLink><EnableBrowserLink>true</EnableBrowserLink>"
    "<BounceHandling>1</BounceHandling>"
)
SENTENCE = RecordsUnavailable.sentence


class Site:
    """A whole server in this process, with an account, a list and a mail that was sent."""

    def __init__(self, product: Product) -> None:
        product.database.patience = 0.1
        self.product = product
        self.database = product.database
        self.account = product.accounts.create("ACME", time_zone="UTC")
        self.login = product.accounts.add_login(self.account, "ann", "secret")
        self.list: ContactList = product.lists.create(
            self.account.id, "News", settings={"from_address": "news@example.com", "removal_link": True}
        )
        self.contact = product.contacts.add(self.account, {"email": "bob@example.com"}, [self.list.id])
        draft = Draft(subject="Hello", plain="Hello")
        ticket = product.sends.to_list(account=self.account, login=None, contact_list=self.list, message=draft)
        work(product.database, product.blobs, **runners(product))
        delivery = product.reports.recipients(self.account.id, job_id=ticket.job.id)[0]
        assert product.links is not None
        self.unsubscribe = product.links.make("unsubscribe", delivery.id)
        Heartbeats(self.database).begin("a worker")
        self.app = Application(product)

    async def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        # Starlette raises what it has answered with 500; a server logs it.
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            return await client.request(method, path, **given)

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        return asyncio.run(self._ask(method, path, **given))

    def listrak(self, operation: str, members: str) -> httpx.Response:
        body = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><WSUser xmlns="{LISTRAK}">
            <UserName>ann</UserName><Password>secret</Password></WSUser></e:Header><e:Body>
            <{operation} xmlns="{LISTRAK}">{members}</{operation}></e:Body></e:Envelope>"""
        headers = {"Content-Type": "text/xml", "SOAPAction": LISTRAK + operation}
        return self.ask("POST", "/v31/IntegrationService.asmx", content=body, headers=headers)

    def magnetmail(self) -> httpx.Response:
        namespace = "http://www.magnetmail.net/"
        body = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
            <Authenticate xmlns="{namespace}"><username>ann</username><password>secret</password></Authenticate>
            </e:Body></e:Envelope>"""
        headers = {"Content-Type": "text/xml", "SOAPAction": f"{namespace}Authenticate"}
        return self.ask("POST", "/mmapi.asmx", content=body, headers=headers)

    def xml(self) -> httpx.Response:
        body = f"""<SendToList><UserName>ann</UserName><Password>secret</Password><ListID>{self.list.id}</ListID>
            <Message><Subject>News</Subject><TextBody>Hello</TextBody></Message></SendToList>"""
        return self.ask("POST", "/xml/SendToList", content=body, headers={"Content-Type": "application/xml"})

    def rest(self, **headers: str) -> httpx.Response:
        given = {"email": "new@example.com"}
        return self.ask("POST", "/api/v1/contacts", json=given, auth=("ann", "secret"), headers=headers)

    def console(self) -> httpx.Response:
        form = {"name": "ann", "password": "secret"}
        return self.ask("POST", "/login", data=form, headers={"Origin": BASE, "Sec-Fetch-Site": "same-origin"})

    def one_click(self) -> httpx.Response:
        return self.ask("POST", self.unsubscribe, data={"List-Unsubscribe": "One-Click"})

    def subscribed(self) -> bool:
        found = self.product.contacts.get(self.account.id, self.contact)
        (member,) = self.product.members.page(self.list.id)
        return found is not None and not found.unsubscribed and member.state == "subscribed"


@pytest.fixture
def site(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    # Answers that say to come again are a second late, for the good of the server alone.
    monkeypatch.setattr("soapstone.server.REFUSAL_PAUSE", 0.0)
    return Site(Product.open(Settings(data_dir=tmp_path, public_url=BASE), database))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logons wait for other writers as briefly as everything else does here, not for two seconds each."""
    for module in ("failed_logons", "audit", "known_addresses"):
        monkeypatch.setattr(f"soapstone.accounts.{module}.PATIENCE", 0.1)


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Another process is stopped in the middle of its transaction."""
    other = Database(database.url.render_as_string(hide_password=False))
    with other.write() as connection:
        if database.kind == "postgresql":
            # The sessions of our own processes are ended when they are stopped; others' are not.
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            names = ", ".join(f'"{table}"' for table in tables.metadata.tables)
            connection.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))
        yield
    other.close()


@contextmanager
def full(database: Database) -> Iterator[None]:
    """There is no room: SQLite has the largest size that it may have, PostgreSQL says so of a table space."""
    if database.kind == "sqlite":

        def small(connection: Any, *_: Any) -> None:
            # A log of one frame more than there is now is already too large; a page that is there is not.
            connection.execute("PRAGMA max_page_count=1")

        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE filler (bytes BLOB)")
        for table in tables.metadata.tables:
            with database.write() as connection:
                connection.exec_driver_sql(
                    f'CREATE TRIGGER full_{table} BEFORE INSERT ON "{table}" BEGIN'
                    " INSERT INTO filler VALUES (zeroblob(100000)); END"
                )
        database.engine.dispose()
        event.listen(database.engine, "checkout", small)
        yield
        event.remove(database.engine, "checkout", small)
        database.engine.dispose()
        for table in tables.metadata.tables:
            with database.write() as connection:
                connection.exec_driver_sql(f"DROP TRIGGER full_{table}")
        return
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        for table in tables.metadata.tables:
            connection.exec_driver_sql(
                f'CREATE TRIGGER full_disk BEFORE INSERT ON "{table}" EXECUTE FUNCTION full_disk()'
            )
    yield
    with database.write() as connection:
        connection.exec_driver_sql("DROP FUNCTION full_disk CASCADE")


@contextmanager
def unwritable(database: Database) -> Iterator[None]:
    """The records take no changes: a file system that is mounted anew, or a server that has become a copy."""

    def shut(connection: Any, *_: Any) -> None:
        if database.kind == "sqlite":
            connection.execute("PRAGMA query_only=ON")
        else:
            connection.read_only = True

    def open_again(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA query_only=OFF") if database.kind == "sqlite" else setattr(
            connection, "read_only", None
        )

    event.listen(database.engine, "checkout", shut)
    yield
    event.remove(database.engine, "checkout", shut)
    event.listen(database.engine, "checkout", open_again)


IMPATIENT = pytest.mark.usefixtures("impatient")
FAULTS = pytest.mark.parametrize("fault", [locked, full, unwritable], ids=lambda fault: fault.__name__)
Fault = Callable[[Database], Any]


@IMPATIENT
@FAULTS
def test_every_interface_says_that_nothing_can_be_stored(
    site: Site, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """lk-18, mm-27, lk-110"""
    caplog.set_level(logging.WARNING)
    asks = {
        "listrak": lambda: site.listrak("CreateContactList", CREATE),
        "magnetmail": site.magnetmail,
        "xml": site.xml,
        "rest": site.rest,
        "console": site.console,
        "one-click": site.one_click,
    }
    assert site.ask("GET", "/readyz").status_code == 200
    with fault(site.database):
        caplog.clear()
        answers = {name: ask() for name, ask in asks.items()}
        # A line each: there may be hundreds of them a second, on the disk that is full.
        told = [each.getMessage() for each in caplog.records if " failed: " in each.getMessage()]
        assert len(told) == len(asks), caplog.text
        assert "Traceback" not in caplog.text
        ready = site.ask("GET", "/readyz")
        # What only reads is answered.
        reads = [
            site.listrak("GetContactList", f"<ListID>{site.list.id}</ListID>"),
            site.ask("GET", "/api/v1/lists", auth=("ann", "secret")),
            site.ask("GET", site.unsubscribe),
            site.ask("GET", "/login"),
            site.ask("GET", "/healthz"),
        ]
        assert site.subscribed()
    soap = ("listrak", "magnetmail")
    assert {name: answer.status_code for name, answer in answers.items()} == {
        name: 500 if name in soap else 503 for name in asks
    }
    assert {answer.headers.get("retry-after") for answer in answers.values()} == {"5"}
    assert [name for name, answer in answers.items() if SENTENCE not in answer.text] == []
    for name in (*soap, "xml"):
        assert f"[InternalError] {SENTENCE}" in answers[name].text
    missing = {"database": "No change can be stored in the database."}
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "missing": missing})
    assert [answer.status_code for answer in reads] == [200] * len(reads)
    # Later all of it is done, once.
    again = {name: ask().status_code for name, ask in asks.items()}
    assert again == {**dict.fromkeys(asks, 200), "rest": 201, "console": 303}
    assert not site.subscribed()
    assert site.ask("GET", "/readyz").status_code == 200


@IMPATIENT
@FAULTS
def test_an_idempotency_key_is_free_again(site: Site, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    """What was answered with 503 has made nothing, so the same request may come again with its key."""
    caplog.set_level(logging.CRITICAL)
    with fault(site.database):
        assert [site.rest(**{"Idempotency-Key": "one"}).status_code for _ in range(2)] == [503, 503]
    assert [site.rest(**{"Idempotency-Key": "one"}).status_code for _ in range(2)] == [201, 201]


@IMPATIENT
def test_a_key_is_free_again_that_was_taken_before_the_fault(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    fault = locked(site.database)
    real = type(site.product.contacts).create

    def hindered(*given: Any, **more: Any) -> Any:
        fault.__enter__()
        return real(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(type(site.product.contacts), "create", hindered)
        assert site.rest(**{"Idempotency-Key": "one"}).status_code == 503
    fault.__exit__(None, None, None)
    assert [site.rest(**{"Idempotency-Key": "one"}).status_code for _ in range(2)] == [201, 201]


def test_waiting_writers_leave_threads_for_readers(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """With twice as many writers as a contract has threads, reads are answered long before the writers give up."""
    caplog.set_level(logging.CRITICAL)
    site.database.patience = 5.0
    # The caller is known, and a first logon has made the key of the digests: nothing but the lists waits.
    assert site.listrak("GetContactList", f"<ListID>{site.list.id}</ListID>").status_code == 200

    async def crowd() -> tuple[list[float], list[float]]:
        loop = asyncio.get_running_loop()
        transport = httpx.ASGITransport(site.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as client:

            async def call(operation: str, members: str) -> float:
                began = loop.time()
                body = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>
                    <WSUser xmlns="{LISTRAK}"><UserName>ann</UserName><Password>secret</Password></WSUser></e:Header>
                    <e:Body><{operation} xmlns="{LISTRAK}">{members}</{operation}></e:Body></e:Envelope>"""
                headers = {"Content-Type": "text/xml", "SOAPAction": LISTRAK + operation}
                answer = await client.post("/v31/IntegrationService.asmx", content=body, headers=headers)
                assert answer.status_code == (500 if operation.startswith("Create") else 200), answer.text
                return loop.time() - began

            writers = [asyncio.create_task(call("CreateContactList", CREATE)) for _ in range(32)]
            await asyncio.sleep(1.5)
            reads = [await call("GetContactList", f"<ListID>{site.list.id}</ListID>") for _ in range(3)]
            late = [await call("CreateContactList", CREATE) for _ in range(3)]
            waited = sorted(await asyncio.gather(*writers))
            return [*reads, *late], waited

    with locked(site.database):
        quick, waited = asyncio.run(crowd())
    assert max(quick) < 2
    assert waited[0] < 3
    assert waited[-1] >= 4.5
    assert sum(seconds > 4 for seconds in waited) <= 8


def test_a_poll_does_not_wait_for_the_moment_of_its_session(site: Site) -> None:
    """mm-13"""
    identity = site.product.logons.identify("ann", "secret", None)
    token = site.product.sessions.open(identity)
    with site.database.write() as connection:
        connection.execute(tables.sessions.update().values(last_used_at=tables.sessions.c.last_used_at))
        connection.exec_driver_sql("UPDATE session SET last_used_at = last_used_at - 300000000")
    with locked(site.database):
        found: list[Any] = []
        asking = threading.Thread(target=lambda: found.append(site.product.sessions.find(token, None)))
        asking.start()
        asking.join(5)
    assert found == [identity]


@contextmanager
def breaking(database: Database, statement: str) -> Iterator[None]:
    """The server ends the connection of the first statement like this one, as when it restarts."""
    met: list[str] = []

    def end(connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if statement in sql:
            met.append(sql)
            if len(met) == 1:
                number = connection.connection.driver_connection.info.backend_pid
                with database.engine.connect() as other:
                    other.execute(text("SELECT pg_terminate_backend(:number, 2000)"), {"number": number})

    event.listen(database.engine, "before_cursor_execute", end)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", end)
    assert met


@pytest.mark.parametrize("statement", ["FROM job", "FROM login"])
def test_a_read_is_repeated_when_its_connection_breaks(site: Site, statement: str) -> None:
    """By REST and by SOAP; a change is not, since it may have been made."""
    if site.database.kind == "sqlite":
        return
    with breaking(site.database, statement):
        answer = site.ask("GET", f"/api/v1/jobs?list_id={site.list.id}", auth=("ann", "secret"))
    assert answer.status_code == 200
    site.product.accounts.permit(site.account, "ann", may_see_analytics=True)
    with breaking(site.database, statement):
        answer = site.listrak("GetLegacyProcessStatus", f"<ListID>{site.list.id}</ListID>")
    assert "<WSLegacyProcessStatus>" in answer.text
    with breaking(site.database, "INSERT INTO list"):
        assert site.listrak("CreateContactList", CREATE).status_code == 500


def test_every_read_of_a_contract_is_repeated(site: Site) -> None:
    """Whatever its name begins with."""
    if site.database.kind == "sqlite":
        return
    token = site.product.sessions.open(site.product.logons.identify("ann", "secret", None))
    namespace = "http://www.magnetmail.net/"
    body = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>
        <mmAuthHeader xmlns="{namespace}"><sessionId>{token}</sessionId></mmAuthHeader></e:Header><e:Body>
        <GetAllGroupCategories xmlns="{namespace}"/></e:Body></e:Envelope>"""
    headers = {"Content-Type": "text/xml", "SOAPAction": f"{namespace}GetAllGroupCategories"}
    with breaking(site.database, "FROM list_category"):
        answer = site.ask("POST", "/mmapi.asmx", content=body, headers=headers)
    assert answer.status_code == 200
    with breaking(site.database, "FROM external_event"):
        answer = site.listrak("ConductorGetExternalEvents", f"<ListID>{site.list.id}</ListID>")
    assert answer.status_code == 200
