"""The MagnetMail service behind the endpoint: one handler for each operation that is available."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from soapstone.errors import ForbiddenError
from soapstone.magnetmail import sessions
from soapstone.magnetmail.call import Call, OpenHandlers
from soapstone.magnetmail.errors import IMPORT_FAILED
from soapstone.magnetmail.operations import CONTRACT
from soapstone.magnetmail.sessions import admit
from soapstone.magnetmail.types import AuthenticationResult, mmAuthHeader
from soapstone.product import Product, RecordsUnavailable
from soapstone.wire.contract import Operation
from soapstone.wire.endpoint import Caller
from soapstone.wire.faults import Fault
from soapstone.wire.handlers import HandlerModules
from soapstone.wire.types import Struct

# Operations that need a session. What clients poll comes first.
HANDLERS = HandlerModules(
    CONTRACT,
    "soapstone.magnetmail",
    (
        "uploads",
        "entries",
        "groups",
        "recipients",
        "messages",
        "sends",
        "categories",
        "events",
        "links",
        "searches",
        "suppression",
        "tracking",
        "detailed_tracking",
        "unsubscribes",
        "users",
    ),
    reads=("get", "Get", "run", "search", "Search"),
)
# Operations without a session (mm-2).
OPEN_HANDLERS: OpenHandlers = CONTRACT.handlers(sessions.OPEN_HANDLERS)


def available() -> frozenset[str]:
    """Return the names of the operations that have a handler."""
    return frozenset(HANDLERS.all() | OPEN_HANDLERS)


@dataclass
class OpenCall:
    """A call without a session (mm-2): the login that came in by it, and its account."""

    caller_name: str = ""
    account_id: int | None = None


class MagnetMailService:
    """Answers the operations of the contract from the product's records."""

    def __init__(self, product: Product) -> None:
        self._product = product

    def load(self) -> None:
        """Load all handlers, which otherwise are loaded when they are first called."""
        HANDLERS.all()

    def authorise(self, operation: Operation, header: Struct | None, caller: Caller) -> Call | OpenCall:
        """Return the call behind the session header, or one of the operations that have none (mm-2)."""
        if not operation.header:
            return OpenCall()
        return self._product.database.repeated(
            lambda: admit(self._product, cast(mmAuthHeader | None, header), caller.peer)
        )

    def handle(self, operation: Operation, context: Call | OpenCall, request: Struct, caller: Caller) -> Any:
        """Return the operation's result. Raises Fault for an operation that is not available yet."""
        if isinstance(context, OpenCall):
            result = OPEN_HANDLERS[operation.name](self._product, request, caller)
            if isinstance(result, AuthenticationResult) and result.authenticated:
                context.caller_name = f"{result.user_id}/{result.login_name}"
                context.account_id = result.user_nbr
            return result
        call = context.for_account(getattr(request, "user_id", None))
        try:
            return HANDLERS.run(operation, call, request, caller.peer, self._product.database.repeated)
        except ForbiddenError as error:
            raise Fault(f"[AccessDenied] {error}") from None

    def tells(self, value: Any) -> bool:
        """Return whether a result tells of something that is there, which an error object does not (mm-51)."""
        problem = getattr(value, "errorObj", None)
        return problem is None or problem.errorNumber in (0, IMPORT_FAILED)

    def internal_error(self, error: Exception) -> str:
        """Return the fault's message for a failure of our own (mm-27)."""
        known = isinstance(error, RecordsUnavailable)
        return f"[InternalError] {RecordsUnavailable.sentence if known else 'The server met an internal error.'}"

    def caller_name(self, context: Call | OpenCall) -> str:
        """Return account and login, for the list of calls."""
        if isinstance(context, OpenCall):
            return context.caller_name
        return f"{context.account.name}/{context.identity.login.name}"

    def account_id(self, context: Call | OpenCall) -> int | None:
        """Return the account of the login, also when the call works for a child of it."""
        return context.account_id if isinstance(context, OpenCall) else context.identity.account.id
