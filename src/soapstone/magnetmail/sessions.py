"""Authentication: Authenticate, and the session header of later calls (mm-8 to mm-17)."""

from __future__ import annotations

import threading
import time

from soapstone.accounts.logon import (
    AddressProhibitedError,
    InvalidLogonError,
    LoginLockedError,
    LogonsBusyError,
)
from soapstone.magnetmail.call import Call, OpenHandlers
from soapstone.magnetmail.errors import error_record
from soapstone.magnetmail.operations import Authenticate, getErrorDetails
from soapstone.magnetmail.types import AuthenticationResult, Error, mmAuthHeader
from soapstone.product import Product
from soapstone.wire.endpoint import Caller
from soapstone.wire.faults import BusyFault, Fault

UNKNOWN_SESSION = "[InvalidSession] The session is unknown or has expired. Call Authenticate again."
"""The fault of a session that is over (mm-14)."""
LATE_SECONDS = 1.0
"""How late a locked login is answered (mm-12)."""

# Never by more threads than this at a time.
_late_answers = threading.BoundedSemaphore(4)


def authenticate(product: Product, request: Authenticate, caller: Caller) -> AuthenticationResult:
    """Open a session. A refused login is a normal answer (mm-11)."""
    try:
        identity = product.logons.identify(request.username or "", request.password or "", caller.peer)
    except LoginLockedError:
        if _late_answers.acquire(blocking=False):
            try:
                time.sleep(LATE_SECONDS)
            finally:
                _late_answers.release()
        return AuthenticationResult(authenticated=False)
    except LogonsBusyError as busy:
        raise BusyFault(f"[InternalError] {busy}", busy.retry_seconds) from None
    except (InvalidLogonError, AddressProhibitedError):
        return AuthenticationResult(authenticated=False)
    if not identity.login.may_call_api:
        return AuthenticationResult(authenticated=False)
    account = identity.account
    return AuthenticationResult(
        authenticated=True,
        sessionId=product.sessions.open(identity),
        loginid=identity.login.id,
        login_name=identity.login.name,
        user_nbr=account.id,
        partition_id=1,
        is_parent_mail_user=int(product.accounts.has_children(account.id)),
        parent_user_id=account.parent_name,
        user_id=account.name,
    )


def get_error_details(product: Product, request: getErrorDetails, caller: Caller) -> Error:
    """Return the record of an error number (mm-23)."""
    return error_record(request.error_nbr)


def admit(product: Product, header: mmAuthHeader | None, peer: str | None) -> Call:
    """Return the call behind a session header. Raises Fault for an unknown session (mm-14), a foreign account (mm-15).

    A session whose login has lost the API right, or may not come from this address, is unknown (mm-13).
    """
    token = (header.sessionId or "").strip() if header else ""
    identity = product.sessions.find(token, peer) if token else None
    if identity is None:
        raise Fault(UNKNOWN_SESSION)
    return Call(product, identity, identity.account).for_account(header.user_id if header else None)


OPEN_HANDLERS: OpenHandlers = {
    "Authenticate": authenticate,
    "getErrorDetails": get_error_details,
}
