"""A stock client (zeep) of the Listrak contract, in both SOAP versions."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from tests import zeep_services
from zeep.helpers import serialize_object

from soapstone.accounts.account import Accounts
from soapstone.contacts.suppressions import Suppressions
from soapstone.store.database import Database
from soapstone.store.tables import contacts, memberships

OVER = ("ProcessingCompleted", "ProcessingFailed")


class Listrak:
    """zeep on a served contract, with its header."""

    def __init__(self, base: str, version: str, login: str = "demo", password: str = "demo") -> None:
        self.base, self.version = base, version
        self.login, self.password = login, password
        self.service = zeep_services.service(base, zeep_services.LISTRAK, version)

    def __getattr__(self, operation: str) -> Any:
        def call(*arguments: Any, **members: Any) -> Any:
            header = {"WSUser": {"UserName": self.login, "Password": self.password}}
            answer = getattr(self.service, operation)(*arguments, **members, _soapheaders=header)
            return _nil_as_none(serialize_object(answer, dict))

        return call

    def create(self, **members: Any) -> int:
        """Create a list and tell its number."""
        switches = [
            "EnableRemovalLink",
            "EnableBrowserLink",
            "EnableDoubleOptin",
            "EnableListHygiene",
            "ShowEmailList",
            "ShowAdvancedPersonalization",
            "EnableRSS",
            "EnableGoogleAnalytics",
            "EnableInternationalization",
            "EnableDynamicContent",
            "EnableListRemoveHeader",
        ]
        given: dict[str, Any] = dict.fromkeys(switches, False)
        given |= {"ListName": str(uuid4()), "FromName": "Ann", "FromEmail": "ann@example"}
        given |= {"BounceHandling": 0, "VmtaID": 0, "BounceUnsubscribeCount": 0}
        return int(self.CreateContactList(**{**given, **members})["ListID"])

    def load(self, list_id: int, data: bytes, kind: str = "AddSubscribers", **directives: Any) -> int:
        """Start an import of one column of addresses and wait for its end; the number of the process."""
        given = {"ImportTypeEnum": kind, "ImportProfileTypeEnum": "NotDefined", "HasColumnNames": False}
        column = {"AttributeID": 0, "FileColumn": 0, "IsEmailAddressColumn": True}
        process = self.BulkLoadContacts(list_id, {**given, **directives}, {"WSFileMappings": [column]}, data)
        assert self.wait(process)["Status"] == "ProcessingCompleted"
        return int(process)

    def history(self, list_id: int) -> list[Any]:
        """All import runs of a list."""
        answer = self.ReportListImportHistory(ListID=list_id, Page=1, StartDate=None, EndDate=None, WSException=None)
        rows = answer and answer["ReportListImportHistoryResult"]
        assert answer is None or answer["WSException"] is None
        return list(rows["WSImportHistory"]) if rows else []

    def subscribed(self, list_id: int, page: int = 1) -> list[Any]:
        """One page of subscribed contacts."""
        answer = self.ReportSubscribedContacts(ListID=list_id, Page=page, WSException=None)
        rows = answer and answer["ReportSubscribedContactsResult"]
        assert answer is None or answer["WSException"] is None
        return list(rows["WSContactSubscriptionInfo"]) if rows else []

    def attribute(self, list_id: int, name: str, kind: str = "Text", **members: Any) -> int:
        """Make a profile attribute under the list's only header and tell its number."""
        answer = self.GetProfileHeaderCollection(ListID=list_id, WSException=None)
        if answer is None:
            made = self.CreateProfileHeader(
                WSProfileHeader={"HeaderID": 0, "ListID": list_id, "Name": "Header", "Position": 0}, WSException=None
            )
            header = made["WSProfileHeader"]
        else:
            header = answer["GetProfileHeaderCollectionResult"]["WSProfileHeader"][0]
        given = {"AttributeID": 0, "HeaderID": header["HeaderID"], "Name": name, "DataType": kind}
        made = self.CreateProfileAttribute(
            WSProfileAttribute={**given, "MaxLength": 0, "Position": 0, **members}, WSException=None
        )
        assert made["CreateProfileAttributeResult"] is True, made
        return int(made["WSProfileAttribute"]["AttributeID"])

    def wait(self, process: int) -> Any:
        """Poll a process until it is over."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            status = self.GetProcessStatus(process)
            if status["Status"] in OVER:
                return status
            time.sleep(0.02)
        raise AssertionError(f"process {process} does not end")

    def post(self, call: str, body: str) -> tuple[int, str]:
        """Post a document to the XML over HTTP interface: (status, answer)."""
        request = urllib.request.Request(f"{self.base}/xml/{call}", body.encode(), {"Content-Type": "application/xml"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()


def _nil_as_none(answer: Any) -> Any:
    """zeep makes an object full of None of a nil object; the contract means the object is not there."""
    if isinstance(answer, dict):
        members = {name: _nil_as_none(value) for name, value in answer.items()}
        return members if any(value not in (None, []) for value in members.values()) else None
    return answer


@pytest.fixture(scope="module", params=["1.1", "1.2"])
def listrak(request: pytest.FixtureRequest, served: Any) -> Listrak:
    """A client in one of the SOAP versions."""
    return Listrak(served.base, request.param)


Profiles = Callable[[int], dict[str, tuple[str, dict[str, str]]]]


@pytest.fixture(scope="module")
def profiles(served: Any) -> Iterator[Profiles]:
    """What the records say of the members of a list: address → state, and values by the attributes' numbers."""
    database = Database(served.product.settings.database)

    def profiles(list_id: int) -> dict[str, tuple[str, dict[str, str]]]:
        query = (
            select(contacts.c.email, memberships.c.state, memberships.c.profile)
            .join(contacts, contacts.c.id == memberships.c.contact_id)
            .where(memberships.c.list_id == list_id)
        )
        with database.read() as connection:
            return {row.email: (row.state, row.profile) for row in connection.execute(query)}

    yield profiles
    database.close()


@pytest.fixture(scope="module")
def suppress(served: Any) -> Iterator[Callable[[str, str, int], None]]:
    """Block an address as an operator does: "suppressed" or "banned", on a list or (0) in the whole account."""
    database = Database(served.product.settings.database)
    demo = Accounts(database).named("DEMO")
    assert demo is not None

    def suppress(address: str, kind: str, list_id: int) -> None:
        Suppressions(database).add(demo.id, address, kind=kind, list_id=list_id)

    yield suppress
    database.close()


@pytest.fixture(scope="module")
def client_class() -> type[Listrak]:
    """The client, for other logins."""
    return Listrak


@pytest.fixture(scope="module")
def mails(served: Any) -> Callable[..., dict[str, EmailMessage]]:
    """Recipient → mail in the mail folder, of those with a subject.

    With `wanted` they are waited for, and the same recipient may have several: then the last one stays.
    """

    parser = BytesParser(EmailMessage, policy=policy.SMTP)
    # A mail that is in the folder does not change any more.
    read: dict[Path, tuple[str, EmailMessage]] = {}

    def mails(subject: str, wanted: int = 0) -> Any:
        end = time.monotonic() + 60
        while True:
            paths = sorted(served.data.joinpath("mail").glob("*.eml"))
            for path in paths:
                if path not in read:
                    mail = parser.parsebytes(path.read_bytes())
                    read[path] = mail["Subject"], mail
            found = [mail for its, mail in map(read.__getitem__, paths) if its == subject]
            if len(found) >= wanted:
                break
            assert time.monotonic() < end, f"{len(found)} mails instead of {wanted}"
            time.sleep(0.05)
        pairs = [(mail["To"].addresses[0].addr_spec, mail) for mail in found]
        assert wanted or len(dict(pairs)) == len(pairs)
        assert not wanted or len(pairs) == wanted
        return dict(pairs)

    return mails
