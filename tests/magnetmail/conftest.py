"""A stock client (zeep) of the MagnetMail contract, in both SOAP versions, and the contract without a wire."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests import zeep_services
from zeep.helpers import serialize_object

from soapstone.accounts.account import Account, Login
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import ContactList
from soapstone.magnetmail.operations import CONTRACT
from soapstone.magnetmail.service import MagnetMailService
from soapstone.magnetmail.types import UploadColumnMapping, UploadInitialJob, UploadJobSettings, mmAuthHeader
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import contacts, memberships
from soapstone.wire.service import Caller


class MagnetMail:
    """zeep on a served contract, logged on."""

    def __init__(self, base: str, version: str, login: str = "demo", password: str = "demo") -> None:
        self.service = zeep_services.service(base, zeep_services.MAGNETMAIL, version)
        self.session = self.service.Authenticate(username=login, password=password)
        self.header = {"sessionId": self.session.sessionId, "user_id": self.session.user_id}

    def __getattr__(self, operation: str) -> Any:
        def call(header: dict[str, Any] | None = None, **members: Any) -> Any:
            given = self.header if header is None else header
            answer = getattr(self.service, operation)(**members, _soapheaders={"mmAuthHeader": given})
            return serialize_object(answer, dict)

        return call

    def upload(self, data: str, *, groupid: int = 0, operation: str = "uploadListQueue", **members: Any) -> Any:
        """Queue an upload and poll it to the end."""
        flags = {"replace_group": False, "update_dups": True, "header_line": False, "mapping_name": "test"}
        job = getattr(self, operation)(groupid=groupid, csvData=data, **{**flags, **members})
        assert job["error"] == 0, job
        return self.wait(int(job["jobid"]))

    def page(self, groupid: int, number: int = 1, size: int = 100) -> list[Any]:
        """One page of a group's members; zeep gives the one array of the answer without the object around it."""
        page = self.getGroupRecipients(groupId=groupid, pageNumber=number, pageCount=size)
        return list(page["GroupRecipient"]) if page else []

    def wait(self, jobid: int) -> Any:
        """Poll a job until it is final (mm-47)."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            status = self.getUploadJobStatus(jobid=jobid)
            if status["status"] >= 2:
                return status
            time.sleep(0.02)
        raise AssertionError(f"job {jobid} does not end")


@pytest.fixture(scope="module", params=["1.1", "1.2"])
def magnetmail(request: pytest.FixtureRequest, served: Any) -> MagnetMail:
    """A client in one of the SOAP versions."""
    return MagnetMail(served.base, request.param)


@pytest.fixture(scope="module")
def client_class() -> type[MagnetMail]:
    """The client, for other logins."""
    return MagnetMail


class Desk:
    """The contract's operations without a wire, for one login of a product. Jobs wait until `work` does them."""

    def __init__(self, product: Product, account: Account, login: Login) -> None:
        self.product, self.account, self.login = product, account, login
        self._service = MagnetMailService(product)
        self._session = product.sessions.open(product.logons.identify(login.name, "secret", None))

    def __getattr__(self, name: str) -> Any:
        operation = CONTRACT.operations_by_name[name]

        def call(account: str | None = None, **members: Any) -> Any:
            header = mmAuthHeader(sessionId=self._session, user_id=account)
            caller = Caller(peer="127.0.0.1", base_url="http://localhost:8080", soap_version="1.1")
            context = self._service.authorise(operation, header, caller)
            return self._service.handle(operation, context, operation.request(**members), caller)

        return call

    def file(self, data: str | bytes) -> Any:
        """A spooled member of a request."""
        upload = self.product.blobs.new()
        upload.write(data.encode() if isinstance(data, str) else data)
        upload.close()
        return upload

    def queue(self, data: str | bytes, *, operation: str = "uploadListQueue", **members: Any) -> Any:
        """Queue an upload and leave it there."""
        given: dict[str, Any] = {"csvData": self.file(data), "update_dups": True}
        return getattr(self, operation)(**{**given, **members})

    def upload(self, data: str | bytes, **members: Any) -> Any:
        """Queue an upload and see it done."""
        job = self.queue(data, **members)
        assert job.error == 0, job.msg
        self.work()
        return self.getUploadJobStatus(jobid=int(job.jobid))

    def enter(
        self,
        data: str | bytes | None,
        columns: Mapping[int, str] | None = None,
        *,
        user: str | None = None,
        **given: Any,
    ) -> int:
        """Put an upload into the queue: columns by their numbers from 1, members of the settings; its number."""
        mappings = [UploadColumnMapping(CsvColumnOrder=n, RMColumnName=name) for n, name in (columns or {}).items()]
        settings: dict[str, Any] = {"GroupId": 0, "UpdateExistingRecipients": True, "ColumnMappings": mappings}
        job = UploadInitialJob(
            InitialQueueId=0,
            UserId=user,
            LoginId=0,
            CsvData=None if data is None else self.file(data),
            Settings=UploadJobSettings(**{**settings, **given}),
        )
        return int(self.UploadListInitialQueue(Job=job).InitialQueueId)

    def work(self) -> None:
        """Do all jobs that wait."""
        product = self.product
        worker = Worker(product.database, product.blobs, runners(product), idle=0.05)
        worker.run(until=lambda: all(job.over for job in product.jobs.find(limit=10_000)))

    def group(self, name: str) -> ContactList:
        """A new group."""
        return self.product.lists.create(self.account.id, name, login_id=self.login.id)

    def records(self) -> list[dict[str, str]]:
        """The account's contacts by number: what is not empty of address, custom id and fields."""
        query = select(contacts).where(contacts.c.account_id == self.account.id).order_by(contacts.c.id)
        hidden = ("email_key", "unique_email")
        with self.product.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [{k: v for k, v in row.items() if v and isinstance(v, str) and k not in hidden} for row in rows]

    def members(self, group: ContactList) -> dict[str, tuple[str, dict[str, str]]]:
        """Address → state and profile of a group's members."""
        query = (
            select(contacts.c.email, memberships.c.state, memberships.c.profile)
            .join(memberships, memberships.c.contact_id == contacts.c.id)
            .where(memberships.c.list_id == group.id)
        )
        with self.product.database.read() as connection:
            return {email: (state, profile) for email, state, profile in connection.execute(query)}


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    """All rooms, on either database."""
    return Product.open(Settings(data_dir=tmp_path), database)


@pytest.fixture
def desk(product: Product, account: Account) -> Desk:
    """The operations, for a login of an account that knows people by their addresses."""
    return Desk(product, account, product.accounts.add_login(account, "ann", "secret"))


@pytest.fixture
def id_desk(product: Product) -> Desk:
    """The operations, for a login of an account that knows people by custom ids (mm-53)."""
    account = product.accounts.create("NUMBERED", time_zone="UTC", identifier="custom_id")
    return Desk(product, account, product.accounts.add_login(account, "nan", "secret"))
