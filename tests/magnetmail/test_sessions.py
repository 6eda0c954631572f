"""Letting callers in, through a stock client against a started server."""

from __future__ import annotations

import re
from typing import Any

import pytest
import zeep


def test_authenticate(magnetmail: Any) -> None:
    """mm-8, mm-10, mm-17"""
    session = magnetmail.session
    assert session.authenticated is True
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", session.sessionId)
    assert (session.user_id, session.login_name, session.partition_id) == ("DEMO", "demo", 1)
    assert session.loginid > 0
    assert session.user_nbr > 0
    assert session.is_parent_mail_user == 0
    assert session.parent_user_id is None


@pytest.mark.parametrize(("name", "password"), [("demo", "wrong"), ("nobody", "demo"), ("", ""), (None, None)])
def test_a_refused_login_is_a_normal_answer(magnetmail: Any, name: str | None, password: str | None) -> None:
    """mm-11, mm-12"""
    answer = magnetmail.service.Authenticate(username=name, password=password)
    assert answer.authenticated is False
    assert (answer.loginid, answer.user_nbr, answer.partition_id, answer.is_parent_mail_user) == (0, 0, 0, 0)
    assert (answer.sessionId, answer.user_id, answer.login_name) == (None, None, None)


@pytest.mark.parametrize("token", ["", None, "no-such-session", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_session_is_a_fault(magnetmail: Any, token: str | None) -> None:
    """mm-14"""
    with pytest.raises(zeep.exceptions.Fault) as fault:
        magnetmail.getUploadJobStatus(jobid=1, header={"sessionId": token, "user_id": "DEMO"})
    assert fault.value.message == (
        "Server was unable to process request. ---> "
        "[InvalidSession] The session is unknown or has expired. Call Authenticate again."
    )


def test_the_header_may_leave_the_account_out(magnetmail: Any) -> None:
    """mm-15"""
    header = {"sessionId": magnetmail.session.sessionId}
    assert magnetmail.getGroupDetails(groupId=1, header=header)["group_name"] == "Newsletter"


def test_the_header_may_not_name_a_foreign_account(magnetmail: Any) -> None:
    """mm-15"""
    header = {"sessionId": magnetmail.session.sessionId, "user_id": "OTHER"}
    with pytest.raises(zeep.exceptions.Fault, match=r"\[AccessDenied\] This session may not use account OTHER\."):
        magnetmail.getGroupDetails(groupId=1, header=header)


def test_the_body_may_not_name_a_foreign_account(magnetmail: Any) -> None:
    """mm-16"""
    with pytest.raises(zeep.exceptions.Fault, match=r"\[AccessDenied\] This session may not use account OTHER\."):
        magnetmail.getUploadJobStatus(user_id="OTHER", jobid=1)
    assert magnetmail.getUploadJobStatus(user_id="demo", jobid=1)["jobid"] == 1


def test_several_sessions_live_side_by_side(magnetmail: Any) -> None:
    """mm-13"""
    other = magnetmail.service.Authenticate(username="demo", password="demo")
    assert other.sessionId != magnetmail.session.sessionId
    for token in (other.sessionId, magnetmail.session.sessionId):
        assert magnetmail.getGroupDetails(groupId=1, header={"sessionId": token}) is not None


def test_session_ids_are_not_stored(magnetmail: Any, served: Any) -> None:
    files = list(served.data.glob("soapstone.sqlite*"))
    assert files
    assert not any(magnetmail.session.sessionId.encode() in file.read_bytes() for file in files)
