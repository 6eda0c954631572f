"""Two web processes on one PostgreSQL: what one wrote it tells at once, what another wrote it tells 100 ms later."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, make_url
from sqlalchemy.sql import visitors
from sqlalchemy.sql.schema import Table
from tests.postgresql import Databases
from tests.store.test_change_reader import TRIGGERED

from soapstone.accounts.account import Account
from soapstone.accounts.logon import LogonError
from soapstone.product import Product
from soapstone.server import POLLS, Application
from soapstone.settings import Settings
from soapstone.store.change_reader import FRESH, ChangeReader
from soapstone.store.database import Database
from soapstone.vocabulary.jobs import JobKind

PEER = "192.0.2.7"
MAGNETMAIL, LISTRAK = "http://www.magnetmail.net/", "http://webservices.listrak.com/v31/"
PASSWORD = "secret"
# The account's logins: one that sees all lists, and one that sees those that it is granted.
ALL, GRANTED = "all", "granted"


@dataclass
class Web:
    """A web process, but for its socket: nothing in it is shared with the others."""

    product: Product
    application: Application
    runner: asyncio.Runner
    worked_out: int = 0

    def ask(self, path: str, action: str, body: str) -> tuple[int, bytes]:
        """The answer to a call; of a refusal the status alone, because refused logons are counted up to a lock."""
        content = body.encode()
        waiting = [{"type": "http.request", "body": content, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = {"host": "x", "content-type": "text/xml; charset=utf-8", "content-length": str(len(content))}
        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), text.encode()) for name, text in {**headers, "soapaction": action}.items()],
            "client": (PEER, 4711),
            "server": ("127.0.0.1", 8080),
        }
        with patch("soapstone.server.REFUSAL_PAUSE", 0):
            self.runner.run(self.application(scope, receive, send))
        status = int(sent[0]["status"])
        return status, sent[1]["body"] if status == 200 else b""


@dataclass
class World:
    """Two processes that follow changes, one that works out all, one that only writes, and a plain connection."""

    first: Web
    second: Web
    truth: Web
    writer: Product
    plain: psycopg.Connection[Any]
    account: Account = field(init=False)
    names: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    jobs: list[int] = field(default_factory=list)
    list_id: int = 0
    examples: int = 0
    may_read: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Make an account with a list, two logins with sessions, and a job of the list."""
        self.examples += 1
        self.plain.execute("DELETE FROM logon_failure")
        accounts = self.writer.accounts
        self.account = accounts.create(f"A{self.examples}", time_zone="UTC")
        self.list_id = self.writer.lists.create(self.account.id, "List").id
        self.names = {kind: f"{kind}-{self.examples}" for kind in (ALL, GRANTED)}
        for kind, name in self.names.items():
            accounts.add_login(self.account, name, PASSWORD, lists=None if kind == ALL else [self.list_id])
            self.log_on(self.writer, kind)
        self.jobs = []
        self.add_job(self.writer)

    def log_on(self, product: Product, kind: str) -> None:
        with suppress(LogonError):
            identity = product.logons.identify(self.names[kind], PASSWORD, PEER)
            self.tokens[kind] = product.sessions.open(identity)

    def add_job(self, product: Product) -> None:
        with product.database.write(durable=True) as connection:
            number = product.jobs.add(
                connection, account_id=self.account.id, kind=JobKind.SEND_TO_LIST, list_id=self.list_id
            )
            # An import, whose status MagnetMail tells, and a send, which stands in Listrak's list of processes.
            product.jobs.add(
                connection,
                account_id=self.account.id,
                kind=JobKind.IMPORT,
                list_id=self.list_id,
                request={"columns": [], "header": False},
            )
        self.jobs += [number, number + 1]

    def polls(self, kind: str) -> Iterator[tuple[str, str, str]]:
        """What a login polls: path, action and body, for each job, and for one that is not there yet."""
        envelope = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>{}</s:Header><s:Body>{}</s:Body></s:Envelope>'
        session = f'<mmAuthHeader xmlns="{MAGNETMAIL}"><sessionId>{self.tokens[kind]}</sessionId></mmAuthHeader>'
        user = f"<UserName>{self.names[kind]}</UserName><Password>{PASSWORD}</Password>"
        user = f'<WSUser xmlns="{LISTRAK}">{user}</WSUser>'
        for job in (*self.jobs[-2:], self.jobs[-1] + 2):
            body = f'<getUploadJobStatus xmlns="{MAGNETMAIL}"><jobid>{job}</jobid></getUploadJobStatus>'
            yield "/mmapi.asmx", f'"{MAGNETMAIL}getUploadJobStatus"', envelope.format(session, body)
            body = f'<GetProcessStatus xmlns="{LISTRAK}"><ProcessID>{job}</ProcessID></GetProcessStatus>'
            yield "/v31/IntegrationService.asmx", f'"{LISTRAK}GetProcessStatus"', envelope.format(user, body)
        body = f'<GetLegacyProcessStatus xmlns="{LISTRAK}"><ListID>{self.list_id}</ListID></GetLegacyProcessStatus>'
        yield "/v31/IntegrationService.asmx", f'"{LISTRAK}GetLegacyProcessStatus"', envelope.format(user, body)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop the threads that read changes, as when they get no turn."""
        self.may_read.clear()
        try:
            yield
        finally:
            self.may_read.set()

    def reading(self) -> Sequence[int]:
        """The server's processes of the reading connections."""
        query = b"SELECT pid FROM pg_stat_activity WHERE application_name = 'soapstone_changes' ORDER BY pid"
        return [pid for (pid,) in self.plain.execute(query)]

    def change(self, what: str, product: Product) -> None:
        """Change the records by a product, or for some changes by the plain connection."""
        run, accounts, kind, last = self.plain.execute, product.accounts, GRANTED, self.jobs[-2:]
        match what:
            case "a job runs":
                run("UPDATE job SET state = 'running', started_at = 5 WHERE id = ANY(%s) AND state = 'queued'", [last])
            case "a job ends":
                run(
                    "UPDATE job SET state = 'completed', finished_at = 9 WHERE id = ANY(%s) AND state = 'running'",
                    [last],
                )
            case "a job counts":
                run(
                    """UPDATE job SET counters = '{"rows": 7, "good": 7}' WHERE id = ANY(%s) AND state = 'running'""",
                    [last],
                )
            case "a job is cancelled":
                product.jobs.cancel([self.account.id], last[0])
            case "a job is added":
                self.add_job(product)
            case "a session ends":
                product.sessions.close(self.tokens[ALL])
            case "a login gets a session":
                for each in (ALL, GRANTED):
                    self.log_on(product, each)
            case "a right goes":
                accounts.permit(self.account, self.names[ALL], may_call_api=False)
            case "a right comes":
                accounts.permit(self.account, self.names[ALL], may_call_api=True)
            case "a login is disabled":
                accounts.permit(self.account, self.names[kind], disabled=True)
            case "a login is enabled":
                accounts.permit(self.account, self.names[kind], disabled=False)
            case "no list is granted":
                accounts.permit(self.account, self.names[kind], lists=[])
            case "the list is granted":
                accounts.permit(self.account, self.names[kind], lists=[self.list_id])
            case "a password changes":
                accounts.set_password(self.names[ALL], "another")
                accounts.set_password(self.names[ALL], PASSWORD)
            case "the address is not allowed":
                accounts.allow_addresses(self.account, ["198.51.100.0/24"])
            case "all addresses are allowed":
                accounts.allow_addresses(self.account, [])
            case "a login is locked":
                for _ in range(11):
                    with suppress(LogonError):
                        product.logons.identify(self.names[ALL], "wrong", PEER)
            case "no login is locked":
                run("DELETE FROM logon_failure")
            case "the list is deleted":
                run("UPDATE list SET deleted_at = 7 WHERE id = %s", [self.list_id])
            case "the list is back":
                run("UPDATE list SET deleted_at = NULL WHERE id = %s", [self.list_id])
            case "the zone changes":
                run("UPDATE account SET time_zone = 'Asia/Tokyo' WHERE id = %s", [self.account.id])


CHANGES = (
    "a job runs",
    "a job ends",
    "a job counts",
    "a job is cancelled",
    "a job is added",
    "a session ends",
    "a login gets a session",
    "a right goes",
    "a right comes",
    "a login is disabled",
    "a login is enabled",
    "no list is granted",
    "the list is granted",
    "a password changes",
    "the address is not allowed",
    "all addresses are allowed",
    "a login is locked",
    "no login is locked",
    "the list is deleted",
    "the list is back",
    "the zone changes",
)
TROUBLES = ("none", "none", "a connection is ended", "all connections are ended", "the threads stand still")


@pytest.fixture(scope="module")
def world(postgresql_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        url = stack.enter_context(postgresql_databases.fresh())
        numbers = count()

        def product() -> Product:
            folder: Path = tmp_path_factory.mktemp("data")
            # Those of one URL would count as one process.
            own = make_url(url).update_query_dict({"application_name": f"process {next(numbers)}"})
            database = stack.enter_context(closing(Database(own.render_as_string(hide_password=False))))
            return Product.open(Settings(data_dir=folder), database)

        def web(repeatable: Sequence[str]) -> Web:
            opened = product()
            if not repeatable:
                opened.database.follow_changes = lambda: None  # type: ignore[method-assign]
            application = stack.enter_context(closing(Application(opened, lazy=True, repeatable=repeatable)))
            return Web(opened, application, stack.enter_context(asyncio.Runner()))

        plain = stack.enter_context(psycopg.connect(url, autocommit=True))
        world = World(web(POLLS), web(POLLS), web(()), product(), plain)
        world.may_read.set()
        real = ChangeReader._read

        def read(reader: ChangeReader, connection: Any) -> str:
            world.may_read.wait(60)
            return real(reader, connection)

        stack.enter_context(patch.object(ChangeReader, "_read", read))
        yield world


# All examples use one world, so a failure cannot be repeated with fewer steps.
@settings(
    max_examples=4, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(CHANGES),
            st.sampled_from(("first", "second", "writer")),
            st.sampled_from(TROUBLES),
            st.sampled_from((ALL, GRANTED)),
        ),
        min_size=3,
        max_size=6,
    )
)
def test_no_answer_is_older_than_100_ms(world: World, steps: list[tuple[str, str, str, str]]) -> None:
    world.begin()
    for change, by, trouble, kind in steps:
        before = [(poll, world.truth.ask(*poll)) for poll in world.polls(kind)]
        for poll, answer in before:
            # Twice: the second time from memory, if it knows of changes.
            for web in (world.first, world.second, world.first, world.second):
                assert web.ask(*poll) == answer
        ended = {"a connection is ended": 1, "all connections are ended": 2}.get(trouble, 0)
        with world.standing_still() if trouble == "the threads stand still" else nullcontext():
            for process in world.reading()[:ended]:
                world.plain.execute("SELECT pg_terminate_backend(%s)", [process])
            product = {"first": world.first.product, "second": world.second.product, "writer": world.writer}[by]
            world.change(change, product)
            committed = time.monotonic()
            after = [(poll, world.truth.ask(*poll)) for poll, _ in before]
            if by != "writer" and not change.startswith(PLAIN):
                web = world.first if by == "first" else world.second
                assert [(poll, web.ask(*poll)) for poll, _ in before] == after
            time.sleep(max(0.0, committed + FRESH - time.monotonic()))
            for web in (world.first, world.second, world.first):
                assert [(poll, web.ask(*poll)) for poll, _ in before] == after


# Beginnings of the changes that the plain connection makes.
PLAIN = ("a job runs", "a job ends", "a job counts", "no login is locked", "the list is", "the zone")


def test_what_was_unknown_is_known_at_once(world: World) -> None:
    """A client may get the number of a job, or a session, from one process and ask another one with it."""
    world.begin()
    for _ in range(10):
        unknown = [poll for poll in world.polls(ALL) if f">{world.jobs[-1] + 2}<" in poll[2]]
        assert len(unknown) == 2
        for poll in unknown * 2:
            status, body = world.second.ask(*poll)
            assert status == 200
            assert b"9002" in body or b"true" in body
        world.add_job(world.first.product)
        for poll in unknown:
            assert world.second.ask(*poll) == world.truth.ask(*poll)
        world.log_on(world.first.product, ALL)
        for poll in world.polls(ALL):
            if "Legacy" in poll[2]:
                # A new process of a list is no unknown list.
                continue
            assert world.second.ask(*poll) == world.truth.ask(*poll)


def test_polls_are_answered_from_memory(world: World) -> None:
    """While nothing changes, and with memory each answer is the same as without."""
    world.begin()
    database = world.first.product.database
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    watch = database.change_token()
    polls = [poll for poll in world.polls(ALL) if f">{world.jobs[0]}<" in poll[2] or "Legacy" in poll[2]]
    for poll in polls:
        end = time.monotonic() + 20
        for _ in range(5):
            while watch.token() is None:
                assert time.monotonic() < end
                time.sleep(0.001)
            world.first.ask(*poll)
        least = len(statements)
        for _ in range(20):
            world.first.ask(*poll)
        # None, unless the machine is so busy that a round trip comes late.
        assert len(statements) - least < 20 * 2, poll


def test_each_table_that_a_poll_reads_has_its_triggers(world: World) -> None:
    """Worked out with nothing in memory. The key that hides names in counts of failed logons never changes; those that
    lock are counted without a trigger.
    """
    world.begin()
    read: set[str] = set()

    def note(_connection: Any, statement: Any, *_: Any) -> None:
        found = (each.name for each in visitors.iterate(statement) if isinstance(each, Table))
        read.update(found)

    event.listen(world.truth.product.database.engine, "before_execute", note)
    for kind in (ALL, GRANTED):
        for poll in world.polls(kind):
            world.truth.ask(*poll)
    assert {"job", "session", "login", "account", "allowed_address", "granted_list", "list", "logon_failure"} <= read
    assert read - {"secret", "audit_entry", "logon_failure"} <= set(TRIGGERED)
