"""Refusals of calls: status, code and sentence (lk-89)."""

from __future__ import annotations

from soapstone.accounts.logon import AddressProhibitedError, InvalidLogonError, LoginLockedError
from soapstone.errors import ForbiddenError, InvalidError, NotFoundError, SoapstoneError, UnavailableError

# Error class → status and code; the codes are those of the SOAP side (lk-11, lk-18).
ANSWERS: dict[type[SoapstoneError], tuple[int, str]] = {
    InvalidError: (400, "InvalidArgument"),
    NotFoundError: (404, "NotFound"),
    ForbiddenError: (403, "AccessDenied"),
    UnavailableError: (503, "InternalError"),
    InvalidLogonError: (401, "InvalidLogonAttempt"),
    LoginLockedError: (403, "LoginAttemptsExceeded"),
    AddressProhibitedError: (403, "ProhibitedIPAddress"),
}


class CallError(SoapstoneError):
    """A refused call. The sentence excludes the code; `status` is that of the HTTP answer."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code

    @property
    def description(self) -> str:
        """The text as the SOAP side writes it (lk-11, lk-18)."""
        return f"[{self.code}] {self}"


def refusal(error: SoapstoneError) -> CallError:
    """Return the error in the form of this interface."""
    if isinstance(error, CallError):
        return error
    status, code = next((ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS), ANSWERS[InvalidError])
    return CallError(status, code, str(error))


def not_found(kind: str, number: int) -> NotFoundError:
    """Return the error for something unknown to this user (lk-18, lk-19)."""
    return NotFoundError(f"{kind} {number} does not exist or is not accessible.")


def internal_error(
    status: int = 500, sentence: str = "The server met an internal error; its log has the details."
) -> CallError:
    """Return the error for a failure of the server; the log has the details."""
    return CallError(status, "InternalError", sentence)
