"""Polls on the wire: whatever is known by heart, every answer is the one that would be worked out now.

The module runs three times: with answers from memory, without any, and with each answer compared with that of a server
beside it, on the same records, that works everything out.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from soapstone.accounts.account import Account, Login
from soapstone.accounts.logon import LogonError
from soapstone.accounts.passwords import cheap_hashes
from soapstone.clock import now
from soapstone.connection import Connection
from soapstone.imports.spec import Column, ImportSpec
from soapstone.listening import listen
from soapstone.local_server import serving
from soapstone.product import Product
from soapstone.server import POLLS, Application
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import job_events, jobs, sessions

MAGNETMAIL = "http://www.magnetmail.net/"
LISTRAK = "http://webservices.listrak.com/v31/"
PATHS = {MAGNETMAIL: "/mmapi.asmx", LISTRAK: "/v31/IntegrationService.asmx"}
SOAP = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
MARK = "secret"
SPEC = ImportSpec(columns=(Column(index=0, target="email"),), header=True)
# What an answer tells of its moment alone.
MOMENT = re.compile(rb"(?:date|x-request-id): [^\r]*\r\n")


def message(payload: str, header: str, namespace: str, operation: str, version: str, more: str = "") -> bytes:
    """A whole request."""
    body = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<soap:Envelope xmlns:soap="{SOAP[version]}">\n  <soap:Header>{header}'
        f"</soap:Header>\n  <soap:Body>{payload}</soap:Body>\n</soap:Envelope>"
    ).encode()
    action = f'"{namespace}{operation}"'
    media = {
        "1.1": f"Content-Type: text/xml; charset=utf-8\r\nSOAPAction: {action}",
        "1.2": f"Content-Type: application/soap+xml; charset=utf-8; action={action}",
    }
    head = f"POST {PATHS[namespace]} HTTP/1.1\r\nHost: localhost\r\n{media[version]}\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def upload_status(session: str, job: object, version: str = "1.1", *, user: str = "", utc: bool = False) -> bytes:
    operation = "getUploadJobStatusUTC" if utc else "getUploadJobStatus"
    header = f'<mmAuthHeader xmlns="{MAGNETMAIL}"><sessionId>{session}</sessionId></mmAuthHeader>'
    members = f"<user_id>{user}</user_id><jobid>{job}</jobid>"
    return message(f'<{operation} xmlns="{MAGNETMAIL}">{members}</{operation}>', header, MAGNETMAIL, operation, version)


def process_status(name: str, number: object, version: str = "1.1", *, password: str = MARK, legacy: bool) -> bytes:
    operation, member = ("GetLegacyProcessStatus", "ListID") if legacy else ("GetProcessStatus", "ProcessID")
    header = f'<WSUser xmlns="{LISTRAK}"><UserName>{name}</UserName><Password>{password}</Password></WSUser>'
    payload = f'<{operation} xmlns="{LISTRAK}"><{member}>{number}</{member}></{operation}>'
    return message(payload, header, LISTRAK, operation, version)


class Client:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._received = b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> bytes:
        """The next answer, without its moment; empty at the end of the connection."""
        while True:
            head, gap, rest = self._received.partition(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 100"):
                self._received = rest
                continue
            if gap:
                found = re.search(rb"content-length: (\d+)", head)
                assert found, head
                if len(rest) >= int(found[1]):
                    self._received = rest[int(found[1]) :]
                    return MOMENT.sub(b"", head + gap) + rest[: int(found[1])]
            more = self._socket.recv(65536)
            if not more:
                assert not self._received
                return b""
            self._received += more

    def close(self) -> None:
        self._socket.close()


def status(answer: bytes) -> int:
    return int(answer[9:12])


@dataclass(eq=False)
class Servers:
    """The server that is asked, and perhaps one beside it whose answers must be the same."""

    product: Product
    application: Application
    clients: list[Client] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    hits: int = 0

    def ask(self, data: bytes) -> bytes:
        for client in self.clients:
            client.send(data)
        return self.answer()

    def answer(self) -> bytes:
        answers = [client.answer() for client in self.clients]
        assert answers.count(answers[0]) == len(answers), answers
        return answers[0]

    def send(self, data: bytes) -> None:
        for client in self.clients:
            client.send(data)

    def again(self) -> None:
        """Connect anew."""
        for client in self.clients:
            client.close()
        self.clients[:] = [Client(port) for port in self.ports]


Mode = Literal["known", "worked out", "compared"]


@pytest.fixture(params=["known", "worked out", "compared"])
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def servers(database_url: str, tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    # On a busy machine seconds pass between two polls.
    monkeypatch.setattr("soapstone.wire.answer_cache.LIFETIME", 600.0)
    configured = Settings(data_dir=tmp_path / "data", database_url=database_url)
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database(database_url)))
        product = Product.open(configured, database)
        found = Servers(product, Application(product, lazy=True, repeatable=() if mode == "worked out" else POLLS))
        applications = [found.application]
        if mode == "compared":
            applications.append(Application(product, lazy=True, repeatable=()))
        at_once = found.application.answer_known

        def counted(place: Any, data: bytes) -> bytes | None:
            answer = at_once(place, data)
            found.hits += answer is not None
            return answer

        found.application.answer_known = counted  # type: ignore[method-assign]
        for application in applications:
            listener = stack.enter_context(listen("127.0.0.1", 0))
            stack.enter_context(closing(application))
            stack.enter_context(serving(application, listener, configured))
            found.ports.append(listener.getsockname()[1])
        found.again()
        yield found
        for client in found.clients:
            client.close()


@dataclass
class Customer:
    """An account with a login, its session, a list and an import."""

    product: Product
    account: Account
    login: Login
    session: str
    list_id: int
    job: int

    @classmethod
    def of(cls, product: Product, name: str, *, granted: bool = False) -> Customer:
        account = product.accounts.create(name, time_zone="America/New_York")
        list_id = product.lists.create(account.id, "List").id
        with cheap_hashes():
            login = product.accounts.add_login(account, name.lower(), MARK, lists=[list_id] if granted else None)
        session = product.sessions.open(product.logons.identify(login.name, MARK, None))
        made = cls(product, account, login, session, list_id, 0)
        made.job = made.queue()
        return made

    def queue(self, kind: str = "import") -> int:
        """A job that nobody does."""
        with self.product.database.write(durable=True) as connection:
            return self.product.jobs.add(
                connection,
                account_id=self.account.id,
                login_id=self.login.id,
                kind=kind,
                list_id=self.list_id,
                request=SPEC.document(),
                due_at=now() + timedelta(hours=1),
            )

    def step(self, **values: Any) -> None:
        with self.product.database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id == self.job).values(**values))

    def polls(self, version: str = "1.1") -> list[bytes]:
        """One of each operation."""
        return [
            upload_status(self.session, self.job, version),
            upload_status(self.session, self.job, version, utc=True),
            process_status(self.login.name, self.job, version, legacy=False),
            process_status(self.login.name, self.list_id, version, legacy=True),
        ]


def check_hits(servers: Servers, mode: Mode, most: int) -> None:
    """So many answers came from memory. On PostgreSQL some of them may not: news may have been older than allowed."""
    if mode == "worked out":
        assert servers.hits == 0
    elif servers.product.database.kind == "sqlite":
        assert servers.hits == most
    else:
        assert servers.hits <= most


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_every_poll_is_known_the_second_time(servers: Servers, mode: Mode, version: str) -> None:
    customer = Customer.of(servers.product, "ONE")
    customer.queue("send_to_list")
    first = [servers.ask(poll) for poll in customer.polls(version)]
    # What was written for the first calls, such as the address of a login, made them unfit to be kept.
    assert [servers.ask(poll) for poll in customer.polls(version)] == first
    servers.hits = 0
    assert [servers.ask(poll) for poll in customer.polls(version)] == first
    check_hits(servers, mode, 4)
    end = time.monotonic() + 10
    while mode != "worked out" and not servers.hits:
        assert [servers.ask(poll) for poll in customer.polls(version)] == first
        assert time.monotonic() < end
    assert all(status(answer) == 200 for answer in first)
    assert f"<jobid>{customer.job}</jobid>".encode() in first[0]


def test_a_session_and_a_job_that_are_known_make_an_answer(servers: Servers, mode: Mode) -> None:
    customer = Customer.of(servers.product, "ONE")
    one, other = customer.session, servers.product.sessions.open(servers.product.logons.identify("one", MARK, None))
    first, second = customer.job, customer.queue()
    for session, job in ((one, first), (other, second)):
        servers.ask(upload_status(session, job))
    assert f"<jobid>{second}</jobid>".encode() in servers.ask(upload_status(one, second))
    assert f"<jobid>{first}</jobid>".encode() in servers.ask(upload_status(other, first))
    check_hits(servers, mode, 2)


def test_other_work_takes_nothing_away(servers: Servers, mode: Mode) -> None:
    """Commits to other rows: the answers are kept by the rows that they were made of."""
    customer, busy = Customer.of(servers.product, "ONE"), Customer.of(servers.product, "TWO")
    for _ in range(2):
        for poll in customer.polls():
            servers.ask(poll)
    servers.hits = 0
    for step in range(5):
        busy.step(label=str(step))
        for poll in customer.polls():
            assert status(servers.ask(poll)) == 200
    # PostgreSQL tells of changes, but its rows are not compared.
    check_hits(servers, mode, 20 if servers.product.database.kind == "sqlite" else 0)


def test_a_login_has_its_own_answers(servers: Servers) -> None:
    """Another account's session, a login that sees only some lists, and the wrong password."""
    one, other = Customer.of(servers.product, "ONE"), Customer.of(servers.product, "TWO", granted=True)
    for _ in range(3):
        assert f"<jobid>{one.job}</jobid><loginid>".encode() in servers.ask(upload_status(one.session, one.job))
        assert b"There is no upload job" in servers.ask(upload_status(other.session, one.job))
        assert b"<ProcessID>" in servers.ask(process_status("one", one.job, legacy=False))
        assert b"<ProcessID>" not in servers.ask(process_status("two", one.job, legacy=False))
        assert b"InvalidLogonAttempt" in servers.ask(process_status("one", one.job, password="wrong", legacy=False))
    servers.product.accounts.permit(other.account, "two", lists=[])
    assert b"There is no upload job" in servers.ask(upload_status(other.session, other.job))


def test_a_child_is_named_in_the_request(servers: Servers) -> None:
    one = Customer.of(servers.product, "ONE")
    servers.product.accounts.create("CHILD", time_zone="UTC", parent="ONE")
    for _ in range(3):
        assert b"<user_id>ONE</user_id>" in servers.ask(upload_status(one.session, one.job, user="ONE"))
        assert b"<user_id>CHILD</user_id>" in servers.ask(upload_status(one.session, one.job, user="child"))
        assert b"[AccessDenied]" in servers.ask(upload_status(one.session, one.job, user="TWO"))


TAKEN: dict[str, Callable[[Customer], object]] = {
    "session": lambda c: c.product.sessions.close(c.session),
    "right": lambda c: c.product.accounts.permit(c.account, c.login.name, may_call_api=False),
    "login disabled": lambda c: c.product.accounts.permit(c.account, c.login.name, disabled=True),
    "login deleted": lambda c: c.product.accounts.delete_login(c.account, c.login.name),
    "password": lambda c: c.product.accounts.set_password(c.login.name, "another"),
    "address": lambda c: c.product.accounts.allow_addresses(c.account, ["192.0.2.0/24"]),
}


@pytest.mark.parametrize("taken", TAKEN)
def test_what_is_taken_away_counts_at_once(servers: Servers, taken: str) -> None:
    customer = Customer.of(servers.product, "ONE")
    for _ in range(3):
        before = [status(servers.ask(poll)) for poll in customer.polls()]
    assert before == [200] * 4
    TAKEN[taken](customer)
    after = [status(servers.ask(poll)) for poll in customer.polls()]
    assert after == ([500, 500, 200, 200] if taken == "session" else [500] * 4)


def lock_out(customer: Customer) -> None:
    for _ in range(10):
        with pytest.raises(LogonError):
            customer.product.logons.identify(customer.login.name, "wrong", "127.0.0.1")


def test_a_lock_counts_at_once(servers: Servers) -> None:
    """lk-13: for the contract whose calls bring the password; a session goes on."""
    customer = Customer.of(servers.product, "ONE")
    for _ in range(3):
        before = [status(servers.ask(poll)) for poll in customer.polls()]
    lock_out(customer)
    after = [servers.ask(poll) for poll in customer.polls()]
    assert before == [200] * 4
    assert [status(answer) for answer in after] == [200, 200, 500, 500]
    assert b"LoginAttemptsExceeded" in after[2]


def test_a_session_ends_with_time(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """mm-13: within the seconds for which a caller is known."""
    monkeypatch.setattr("soapstone.wire.answer_cache.LIFETIME", 0.0)
    customer = Customer.of(servers.product, "ONE")
    for _ in range(2):
        assert status(servers.ask(customer.polls()[0])) == 200
    with servers.product.database.write() as connection:
        long_ago = now() - timedelta(days=2)
        connection.execute(update(sessions).values(created_at=long_ago, last_used_at=long_ago))
    assert status(servers.ask(customer.polls()[0])) == 500


def test_a_changed_job_is_seen_at_once(servers: Servers) -> None:
    customer = Customer.of(servers.product, "ONE")
    for state, number in (("queued", 0), ("running", 1), ("completed", 2)):
        customer.step(state=state, finished_at=now() if number > 1 else None)
        for _ in range(3):
            assert f"<status>{number}</status>".encode() in servers.ask(customer.polls()[0])
    with servers.product.database.write() as connection:
        connection.execute(delete(job_events).where(job_events.c.job_id == customer.job))
        connection.execute(delete(jobs).where(jobs.c.id == customer.job))
    assert b"There is no upload job" in servers.ask(customer.polls()[0])


def test_the_zone_of_an_account_is_part_of_its_answers(servers: Servers) -> None:
    customer = Customer.of(servers.product, "ONE")
    answers = set()
    for zone in ("UTC", "Asia/Tokyo", "UTC", "Asia/Tokyo"):
        servers.product.accounts.change(customer.account, time_zone=zone)
        answers |= {servers.ask(customer.polls()[0]) for _ in range(3)}
    assert len(answers) == 2


def test_calls_are_recorded_one_by_one(servers: Servers) -> None:
    customer = Customer.of(servers.product, "ONE")
    for _ in range(5):
        servers.ask(customer.polls()[0])
    calls = servers.application._calls.of(customer.account.id)
    assert [(call.operation, call.caller_name, call.status, call.peer) for call in calls] == [
        ("getUploadJobStatus", "ONE/one", 200, "127.0.0.1")
    ] * 5


# --- connections -----------------------------------------------------------------------------------------------------


@pytest.fixture
def poll(servers: Servers) -> bytes:
    """A poll that is known, with 200 as its answer."""
    made = Customer.of(servers.product, "ONE").polls()[0]
    for _ in range(3):
        assert status(servers.ask(made)) == 200
    return made


def test_requests_in_one_packet_are_answered_in_turn(servers: Servers, poll: bytes) -> None:
    answer = servers.ask(poll)
    other = poll.replace(b"<jobid>", b"<jobid>77")
    other = other.replace(b"Content-Length: %d" % len(body_of(poll)), b"Content-Length: %d" % (len(body_of(poll)) + 2))
    servers.send(poll + other + poll)
    assert [servers.answer() == answer for _ in range(3)] == [True, False, True]
    assert servers.ask(poll) == answer


def body_of(request: bytes) -> bytes:
    return request.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("cut", [1, 40, -1, "body", "after the first"])
def test_half_a_request_waits_for_its_rest(servers: Servers, poll: bytes, cut: int | str) -> None:
    answer = servers.ask(poll)
    if cut == "after the first":
        servers.send(poll + poll[:50])
        assert servers.answer() == answer
        # These bytes end a request, and are none of their own.
        servers.send(poll[50:])
    else:
        at = len(poll) - len(body_of(poll)) if isinstance(cut, str) else cut
        servers.send(poll[:at])
        # A poll inside of another one's body is content of it.
        servers.send(poll[at:])
    assert servers.answer() == answer
    assert servers.ask(poll) == answer


def test_a_request_inside_a_body_is_content(servers: Servers, poll: bytes) -> None:
    """A request whose body is sent later, and looks like a request that is known."""
    outer = b"POST /mmapi.asmx HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
    answer = servers.ask(poll)
    servers.send(outer % len(poll))
    servers.send(poll)
    assert status(servers.answer()) != 200
    assert servers.ask(poll) == answer


@pytest.mark.parametrize(
    "head",
    [
        b"Connection: close",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Origin: http://evil.example",
        b"Content-Length: 5",
        b"Content-Encoding: gzip",
        b"X-Forwarded-For: 192.0.2.1",
        b"X-Request-ID: 77",
        b"Upgrade: h2c",
        b"Authorization: Basic eDp5",
    ],
)
def test_a_head_that_says_more_is_not_learned(servers: Servers, poll: bytes, head: bytes) -> None:
    """Nor is it taken for one that is known."""
    at = poll.index(b"\r\n") + 2
    special = poll[:at] + head + b"\r\n" + poll[at:]
    servers.hits = 0
    for _ in range(2):
        servers.send(special)
        for client in servers.clients:
            client.answer()
        servers.again()
    assert servers.hits == 0
    assert status(servers.ask(poll)) == 200


def test_a_connection_that_closes_is_closed(servers: Servers, poll: bytes) -> None:
    at = poll.index(b"\r\n") + 2
    for _ in range(2):
        assert b"connection: close" in servers.ask(poll[:at] + b"Connection: close\r\n" + poll[at:])
        assert servers.answer() == b""
        servers.again()


def test_http_1_0_is_closed(servers: Servers, poll: bytes) -> None:
    for _ in range(2):
        assert status(servers.ask(poll.replace(b"HTTP/1.1", b"HTTP/1.0", 1))) == 200
        assert servers.answer() == b""
        servers.again()


def test_a_first_request_of_a_connection_may_be_known(servers: Servers, mode: Mode, poll: bytes) -> None:
    servers.hits = 0
    for _ in range(3):
        servers.again()
        assert status(servers.ask(poll)) == 200
    check_hits(servers, mode, 3)


def test_a_client_that_reads_nothing_is_not_served_without_end(servers: Servers, mode: Mode, poll: bytes) -> None:
    client = servers.clients[0]
    client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client._socket.settimeout(2)
    # It waits for the client, or closes when too much has come.
    with pytest.raises((TimeoutError, ConnectionError)):
        client.send(poll * 50_000)
    assert servers.hits < 20_000
    servers.again()
    assert status(servers.ask(poll)) == 200


def test_an_idle_connection_is_closed(servers: Servers, poll: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long after an answer from memory as after any other."""
    made = Connection.connection_made

    def hurried(connection: Connection, transport: Any) -> None:
        connection.timeout_keep_alive = 1
        made(connection, transport)

    monkeypatch.setattr(Connection, "connection_made", hurried)
    servers.again()
    for _ in range(3):
        began = time.monotonic()
        assert status(servers.ask(poll)) == 200
        # The timer of the first answer goes off before the last one.
        time.sleep(max(0.0, began + 0.6 - time.monotonic()))
    assert servers.answer() == b""
    assert 0.9 < time.monotonic() - began < 30


# --- any order of things ---------------------------------------------------------------------------------------------

_WAYS: dict[str, Callable[[Customer], object]] = {
    **TAKEN,
    "right given": lambda c: c.product.accounts.permit(c.account, c.login.name, may_call_api=True),
    "login enabled": lambda c: c.product.accounts.permit(c.account, c.login.name, disabled=False),
    "password back": lambda c: c.product.accounts.set_password(c.login.name, MARK),
    "any address": lambda c: c.product.accounts.allow_addresses(c.account, []),
    "only a list": lambda c: c.product.accounts.permit(c.account, c.login.name, lists=[c.list_id]),
    "no list": lambda c: c.product.accounts.permit(c.account, c.login.name, lists=[]),
    "zone": lambda c: c.product.accounts.change(c.account, time_zone="Asia/Tokyo"),
    "running": lambda c: c.step(state="running", started_at=now()),
    "progress": lambda c: c.step(counters={"good": 7}),
    "completed": lambda c: c.step(state="completed", finished_at=now()),
    "another job": lambda c: c.queue("send_to_list"),
    "list deleted": lambda c: c.product.lists.delete(c.account.id, c.list_id),
    "locked": lock_out,
}
_TIMES = iter(range(10**6))


@pytest.mark.parametrize("mode", ["compared"], indirect=True)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_every_answer_is_right_whatever_happens(servers: Servers, data: st.DataObject) -> None:
    """Commits, revoked rights, ended sessions and locks in any order, between polls of two customers."""
    with cheap_hashes():
        number = next(_TIMES)
        customers = [Customer.of(servers.product, f"{name}{number}", granted=name == "B") for name in "AB"]
        for _ in range(data.draw(st.integers(2, 8))):
            customer, other = data.draw(st.permutations(customers))
            session = data.draw(st.sampled_from([customer.session, customer.session, other.session]))
            version = data.draw(st.sampled_from(["1.1", "1.2"]))
            polls = [upload_status(session, customer.job, version), *customer.polls(version)]
            for each in data.draw(st.lists(st.sampled_from(polls), min_size=1, max_size=6)):
                servers.ask(each)
            happens = data.draw(st.sampled_from([*_WAYS, "nothing"]))
            if happens != "nothing":
                # The login may be gone or locked already, the job be over.
                with suppress(LogonError, LookupError, IntegrityError):
                    _WAYS[happens](customer)
