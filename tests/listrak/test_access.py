"""Letting callers in, through a stock client against a started server."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zeep
from tests import zeep_services

from soapstone.accounts.account import Accounts
from soapstone.store.database import Database

PREFIX = "Server was unable to process request. ---> "


@pytest.fixture(scope="module")
def accounts(served: Any) -> Any:
    database = Database(served.product.settings.database)
    yield Accounts(database)
    database.close()


def refusal(client: Any, operation: str = "GetContactListCollection", **members: Any) -> str:
    with pytest.raises(zeep.exceptions.Fault) as fault:
        getattr(client, operation)(**members)
    return str(fault.value.message)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize(("login", "password"), [("demo", "wrong"), ("nobody", "demo"), ("", ""), (None, None)])
def test_invalid_logon(served: Any, client_class: Any, version: str, login: Any, password: Any) -> None:
    """lk-10, lk-11, lk-12"""
    sentence = f"{PREFIX}[InvalidLogonAttempt] The user name or password is not valid."
    assert refusal(client_class(served.base, version, login, password)) == sentence


def test_lock_out(served: Any, client_class: Any, accounts: Any) -> None:
    """lk-13: the eleventh attempt is refused as locked, with the right password too."""
    accounts.add_login(accounts.named("DEMO"), "locked", "right")
    wrong = client_class(served.base, "1.1", "locked", "wrong")
    for _ in range(10):
        assert "[InvalidLogonAttempt]" in refusal(wrong)
    right = client_class(served.base, "1.2", "LOCKED", "right")
    assert refusal(right) == (
        f"{PREFIX}[LoginAttemptsExceeded] Too many failed logon attempts. The user is locked for a while."
    )


def test_a_locked_login_is_refused_slowly_by_authenticate(served: Any, accounts: Any) -> None:
    """mm-12"""
    accounts.add_login(accounts.named("DEMO"), "slow", "right")
    service = zeep_services.service(served.base, zeep_services.MAGNETMAIL)
    for _ in range(10):
        assert service.Authenticate("slow", "wrong").authenticated is False
    began = time.monotonic()
    answer = service.Authenticate("slow", "right")
    assert (answer.authenticated, answer.sessionId) == (False, None)
    assert time.monotonic() - began > 0.9


def test_allowed_addresses(served: Any, client_class: Any, accounts: Any) -> None:
    """lk-9, lk-12: the address is looked at before the password."""
    account = accounts.create("ELSEWHERE", time_zone="UTC")
    accounts.add_login(account, "elsewhere", "secret")
    accounts.allow_addresses(account, ["192.0.2.0/24", "2001:db8::/32"])
    client = client_class(served.base, "1.1", "elsewhere", "wrong")
    assert refusal(client) == f"{PREFIX}[ProhibitedIPAddress] Calls from this IP address are not allowed."
    accounts.allow_addresses(account, ["127.0.0.0/8"])
    assert "[InvalidLogonAttempt]" in refusal(client)
    assert client_class(served.base, "1.1", "elsewhere", "secret").GetContactListCollection() is None


def test_permissions(served: Any, client_class: Any, accounts: Any) -> None:
    """lk-9, lk-11"""
    demo = accounts.named("DEMO")
    accounts.add_login(demo, "no-api", "secret", may_call_api=False)
    accounts.add_login(demo, "no-reports", "secret", may_see_analytics=False)
    client = client_class(served.base, "1.1", "no-api", "secret")
    assert refusal(client) == f"{PREFIX}[AccessDenied] The user does not have the API permission."
    client = client_class(served.base, "1.2", "no-reports", "secret")
    assert client.GetContactList(1)["ListName"] == "Newsletter"
    report = {"ListID": 1, "Page": 1, "WSException": None}
    assert refusal(client, "ReportSubscribedContacts", **report) == (
        f"{PREFIX}[AccessDenied] The user does not have the Analytics permission."
    )


def test_granted_lists(served: Any, client_class: Any, accounts: Any) -> None:
    """lk-9, lk-19, mm-26: a list that was not granted is treated like one that is not there."""
    demo = client_class(served.base, "1.1")
    other = demo.create()
    process = demo.load(other, b"ann@granted.example\n")
    accounts.add_login(accounts.named("DEMO"), "one-list", "secret", lists=[1])
    client = client_class(served.base, "1.1", "one-list", "secret")
    assert [each["ListID"] for each in client.GetContactListCollection()] == [1]
    assert client.GetContactList(other) is None
    assert client.GetProcessStatus(process) is None
    assert client.GetLegacyProcessStatus(other) is None
    made = client.create()
    assert [each["ListID"] for each in client.GetContactListCollection()] == [1, made]
    magnetmail = zeep_services.service(served.base, zeep_services.MAGNETMAIL)
    header = {"mmAuthHeader": {"sessionId": magnetmail.Authenticate("one-list", "secret").sessionId}}
    assert magnetmail.getGroupDetails(other, _soapheaders=header) is None
    assert magnetmail.getUploadJobStatus(jobid=process, _soapheaders=header).errorObj.errorNumber == 9002


def test_foreign_accounts(served: Any, client_class: Any, accounts: Any) -> None:
    """lk-19, mm-26: another account's objects count as unknown."""
    demo = client_class(served.base, "1.1")
    process = demo.load(1, b"ann@foreign.example\n")
    accounts.add_login(accounts.create("STRANGER", time_zone="UTC"), "stranger", "secret")
    client = client_class(served.base, "1.1", "stranger", "secret")
    assert client.GetContactList(1) is None
    assert client.GetProcessStatus(process) is None
    assert client.GetLegacyProcessStatus(1) is None
    assert "[NotFound] List 1 does not exist" in refusal(
        client,
        "BulkLoadContacts",
        ListID=1,
        WSImportDirectives=None,
        fileMappings=None,
        ImportFileStream=b"x",
    )
    magnetmail = zeep_services.service(served.base, zeep_services.MAGNETMAIL)
    header = {"mmAuthHeader": {"sessionId": magnetmail.Authenticate("stranger", "secret").sessionId}}
    assert magnetmail.getGroupRecipientsCount(1, _soapheaders=header) == 0
    assert magnetmail.getUploadJobStatus(jobid=process, _soapheaders=header).errorObj.errorNumber == 9002


def test_child_accounts(served: Any, accounts: Any) -> None:
    """mm-9, mm-15, mm-16: a parent's session may name a child account, in the header or in the body."""
    accounts.add_login(accounts.create("PARENT", time_zone="UTC"), "parent", "secret")
    accounts.add_login(accounts.create("CHILD", time_zone="UTC", parent="PARENT"), "child", "secret")
    magnetmail = zeep_services.service(served.base, zeep_services.MAGNETMAIL)
    parent, child = (magnetmail.Authenticate(name, "secret") for name in ("parent", "child"))
    assert (parent.is_parent_mail_user, parent.parent_user_id) == (1, None)
    assert (child.is_parent_mail_user, child.parent_user_id) == (0, "PARENT")

    def header(session: Any, user_id: str | None = None) -> dict[str, Any]:
        return {"mmAuthHeader": {"sessionId": session.sessionId, "user_id": user_id}}

    made = magnetmail.addGroup("CHILD", "of the child", 0, _soapheaders=header(parent))
    assert made.error == 0
    for given in (header(child), header(parent, "CHILD")):
        assert magnetmail.getGroupDetails(int(made.id), _soapheaders=given).group_name == "of the child"
    assert magnetmail.getGroupDetails(int(made.id), _soapheaders=header(parent)) is None
    with pytest.raises(zeep.exceptions.Fault, match=r"\[AccessDenied\] This session may not use account PARENT\."):
        magnetmail.getGroupDetails(int(made.id), _soapheaders=header(child, "PARENT"))
