"""A right that is taken away counts at once, on a started server, whoever takes it away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import zeep
from tests import zeep_services

from soapstone.accounts.account import Account, Login
from soapstone.clock import now
from soapstone.imports.spec import Column, ImportSpec
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database

PASSWORD = "long secret"
SPEC = ImportSpec(columns=(Column(index=0, target="email"), Column(index=1, target="company")), header=True)
INVALID = r"\[InvalidSession\] The session is unknown or has expired"


@pytest.fixture(scope="module")
def product(served: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The server's records in another process."""
    database = Database(f"sqlite:///{served.data}/soapstone.sqlite")
    yield Product.open(Settings(data_dir=Path(served.data)), database)
    database.close()


def customer(product: Product, name: str) -> tuple[Account, Login]:
    account = product.accounts.create(name, time_zone="UTC")
    return account, product.accounts.add_login(account, name.lower(), PASSWORD)


def waiting_job(product: Product, account: Account, list_id: int | None = None) -> int:
    """A job that does not begin for an hour."""
    with product.database.write(durable=True) as connection:
        return product.jobs.add(
            connection,
            account_id=account.id,
            kind="import",
            list_id=list_id,
            request=SPEC.document(),
            due_at=now() + timedelta(hours=1),
        )


TAKEN: dict[str, Callable[[Product, Account, Login], object]] = {
    "right": lambda product, account, login: product.accounts.permit(account, login.name, may_call_api=False),
    "disabled": lambda product, account, login: product.accounts.permit(account, login.name, disabled=True),
    "deleted": lambda product, account, login: product.accounts.delete_login(account, login.name),
    "address": lambda product, account, login: product.accounts.allow_addresses(account, ["192.0.2.0/24"]),
    "password": lambda product, account, login: product.accounts.set_password(login.name, "another secret"),
}


@pytest.mark.parametrize("taken", TAKEN)
def test_a_session_of_magnetmail_ends(served: Any, product: Product, taken: str) -> None:
    """mm-13, mm-14: also for a poll, whose answer is given again while nothing changes."""
    account, login = customer(product, f"MM{taken}")
    client = zeep_services.service(served.base, zeep_services.MAGNETMAIL)
    session = client.Authenticate(username=login.name, password=PASSWORD)
    header = {"mmAuthHeader": {"sessionId": session.sessionId}}
    job = waiting_job(product, account)
    for _ in range(3):
        assert client.getUploadJobStatus(jobid=job, _soapheaders=header).jobid == job
    assert client.getGroupDetails(groupId=1, _soapheaders=header) is None
    TAKEN[taken](product, account, login)
    with pytest.raises(zeep.exceptions.Fault, match=INVALID):
        client.getUploadJobStatus(jobid=job, _soapheaders=header)
    with pytest.raises(zeep.exceptions.Fault, match=INVALID):
        client.getGroupDetails(groupId=1, _soapheaders=header)
    assert client.Authenticate(username=login.name, password=PASSWORD).authenticated is False


@pytest.mark.parametrize("taken", TAKEN)
def test_a_session_of_the_console_ends(served: Any, product: Product, taken: str) -> None:
    account, login = customer(product, f"PAGE{taken}")
    with httpx.Client(base_url=served.base, headers={"Origin": served.base}) as browser:
        form = {"name": login.name, "password": PASSWORD}
        assert browser.post("/login", data=form).headers["location"] == "/"
        assert browser.get("/live").status_code == 200
        if taken == "right":
            product.accounts.permit(account, login.name, may_call_api=False)
            assert browser.get("/live").status_code == 200, "the console needs no right to call"
            product.accounts.permit(account, login.name, may_use_console=False)
        else:
            TAKEN[taken](product, account, login)
        answer = browser.get("/live")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Flive")
        assert browser.get("/").status_code == 303
        assert browser.post("/login", data=form).status_code == 403


@dataclass
class Watcher:
    """Reads an event stream in a thread."""

    base: str
    job: int
    auth: tuple[str, str] | None = None
    token: str = ""
    events: int = 0
    opened: threading.Event = field(default_factory=threading.Event)
    ended_at: float | None = None

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        assert self.opened.wait(30)

    def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        with httpx.stream(
            "GET", f"{self.base}/api/v1/jobs/{self.job}/events", auth=self.auth, headers=headers, timeout=60
        ) as stream:
            assert stream.status_code == 200
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    self.events += 1
                    self.opened.set()
        self.ended_at = time.monotonic()


def test_event_streams_end(served: Any, product: Product) -> None:
    """Those of logins that could not open them any more, by password and by token; the others go on."""
    watchers: dict[str, Watcher] = {}
    held: dict[str, tuple[Account, Login]] = {}
    for name in [*TAKEN, "list", "nothing"]:
        account, login = held[name] = customer(product, f"SSE{name}")
        list_id = None
        if name == "list":
            list_id = product.lists.create(account.id, "News").id
            product.accounts.permit(account, login.name, lists=[list_id])
        job = waiting_job(product, account, list_id)
        watchers[name] = Watcher(served.base, job, auth=(login.name, PASSWORD))
        _, secret = product.tokens.add(account, login, "watcher")
        watchers[f"{name} by token"] = Watcher(served.base, job, token=secret)
    # A token alone, while the password is still good.
    account, login = held["nothing"]
    token, secret = product.tokens.add(account, login, "revoked")
    watchers["revoked"] = Watcher(served.base, watchers["nothing"].job, token=secret)
    for name, take in TAKEN.items():
        take(product, *held[name])
    product.accounts.permit(held["list"][0], held["list"][1].name, lists=[])
    product.tokens.revoke(login.id, token.id)
    began = time.monotonic()
    for name, watcher in watchers.items():
        if not name.startswith("nothing"):
            watcher.thread.join(max(0.0, began + 30 - time.monotonic()))
            assert watcher.ended_at is not None, name
    for name in ("nothing", "nothing by token"):
        assert watchers[name].ended_at is None
    # What is left goes on: its job ends, and so does the stream.
    product.jobs.cancel([account.id], watchers["nothing"].job)
    for name in ("nothing", "nothing by token"):
        watchers[name].thread.join(30)
        assert watchers[name].events == 2


def test_an_export_breaks_off(served: Any, product: Product) -> None:
    """A client that takes its time does not get the rest, and sees that it is not the whole."""
    account, login = customer(product, "EXPORTS")
    contact_list = product.lists.create(account.id, "News")
    upload = product.blobs.new()
    wide = "x" * 1000
    upload.write(b"Email,Company\n" + b"".join(f"p{n}@example.com,{wide}\n".encode() for n in range(12_000)))
    upload.close()
    job = product.imports.submit(
        account=account,
        login=login,
        contact_list=contact_list,
        upload=upload,
        spec=SPEC,
        label="people.csv",
    )
    end = time.monotonic() + 60
    while not (found := product.jobs.get(None, job.id)) or not found.over:
        assert time.monotonic() < end
        time.sleep(0.05)
    where = f"{served.base}/api/v1/lists/{contact_list.id}/export?fields=true"
    with httpx.stream("GET", where, auth=(login.name, PASSWORD), timeout=60) as stream:
        pieces = stream.iter_bytes(100_000)
        size = len(next(pieces))
        product.accounts.permit(account, login.name, may_call_api=False)
        time.sleep(3)
        with pytest.raises(httpx.RemoteProtocolError):
            size += sum(map(len, pieces))
    assert size < 12_000 * 1000
