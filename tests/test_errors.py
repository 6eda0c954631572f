"""One family of errors, which each face translates at one place (lk-11, lk-18, lk-89, mm-18)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from soapstone import errors
from soapstone.accounts.logon import LogonsBusyError
from soapstone.api.problems import ProblemError, translated
from soapstone.contacts.subscriptions import UnknownAttributeError
from soapstone.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NameTakenError,
    NotFoundError,
    SoapstoneError,
)
from soapstone.listrak.call import described
from soapstone.magnetmail.errors import number_of
from soapstone.sending.confirmations import NotConfiguredError
from soapstone.xmlhttp.refusal import refusal

SOURCE = Path(errors.__file__).parent


@pytest.mark.parametrize(
    ("error", "status", "code", "number"),
    [
        (InvalidError("It is odd."), 422, "InvalidArgument", 9001),
        (NotFoundError("It is odd."), 404, "NotFound", 9002),
        (ForbiddenError("It is odd."), 403, "AccessDenied", 9003),
        (NameTakenError("It is odd."), 409, "InUse", 9004),
        (ConflictError("It is odd."), 409, "InUse", 9099),
        (NotConfiguredError("It is odd."), 409, "NotConfigured", 9099),
    ],
)
def test_each_face_has_a_word_for_each_kind(error: SoapstoneError, status: int, code: str, number: int) -> None:
    problem = translated(error)
    assert (problem.status_code, problem.detail, problem.headers) == (status, "It is odd.", None)
    assert described(error) == f"[{code}] It is odd."
    assert number_of(error) == number


def test_rest_says_when_to_try_again() -> None:
    busy = translated(LogonsBusyError())
    assert (busy.status_code, busy.headers) == (503, {"Retry-After": "2"})
    assert translated(ProblemError(401, "Who?", WWW_Authenticate="Basic")).headers == {"WWW-Authenticate": "Basic"}


def test_lk_18_attributes_are_told_in_the_contracts_words() -> None:
    assert described(UnknownAttributeError(7)) == "[NotFound] Attribute 7 does not exist or is not accessible."


def test_lk_89_xml_over_http_gives_status_and_code() -> None:
    refused = refusal(NotFoundError("List 7 does not exist or is not accessible."))
    assert (refused.status, refused.description) == (404, "[NotFound] List 7 does not exist or is not accessible.")
    assert refusal(LogonsBusyError()).status == 503


def rewords(handler: ast.ExceptHandler) -> bool:
    """Whether a handler only raises the same sentence again."""
    match handler.body:
        case [ast.Raise(exc=ast.Call(args=[ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=name)])]))]:
            return name == handler.name and ast.unparse(handler.type or handler).endswith("Error")
    return False


def test_no_error_is_only_put_into_another() -> None:
    found = [
        f"{path.name}:{handler.lineno}"
        for path in SOURCE.rglob("*.py")
        for handler in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(handler, ast.ExceptHandler) and rewords(handler)
    ]
    assert found == []
    example = ast.parse("try:\n    do()\nexcept OddError as odd:\n    raise WorseError(str(odd)) from None\n")
    assert [rewords(node) for node in ast.walk(example) if isinstance(node, ast.ExceptHandler)] == [True]
