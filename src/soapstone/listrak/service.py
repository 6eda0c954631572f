"""The Listrak service behind the endpoint: one handler for each operation that is available."""

from __future__ import annotations

from typing import Any, cast

from soapstone.errors import NotFoundError, SoapstoneError
from soapstone.listrak.call import Call, admit, described
from soapstone.listrak.operations import CONTRACT
from soapstone.listrak.types import WSUser
from soapstone.product import Product, RecordsUnavailable
from soapstone.wire.contract import Operation
from soapstone.wire.endpoint import Caller
from soapstone.wire.faults import Fault
from soapstone.wire.handlers import HandlerModules
from soapstone.wire.types import Struct

# What clients poll comes first.
HANDLERS = HandlerModules(
    CONTRACT,
    "soapstone.listrak",
    (
        "processes",
        "imports",
        "import_history",
        "import_detail",
        "contacts",
        "contact_reports",
        "list_message_reports",
        "message_reports",
        "link_reports",
        "sends",
        "transactional",
        "lists",
        "messages",
        "profiles",
        "attribute_updates",
        "collections",
        "spam_score",
        "location_reports",
        "conversation_reports",
    ),
    reads=("Get", "Report", "ConductorGet"),
)


def available() -> frozenset[str]:
    """Return the names of the operations that have a handler."""
    return frozenset(HANDLERS.all())


class ListrakService:
    """Answers the operations of the contract from the product's records."""

    def __init__(self, product: Product) -> None:
        self._product = product

    def load(self) -> None:
        """Load all handlers, which otherwise are loaded when they are first called."""
        HANDLERS.all()

    def authorise(self, operation: Operation, header: Struct | None, caller: Caller) -> Call:
        """Return the call of the header's user; reports need the analytics permission (lk-9)."""
        analytics = operation.name.startswith("Report")
        user = cast(WSUser | None, header)
        return self._product.database.repeated(
            lambda: admit(self._product, user, caller.peer, analytics=analytics, base_url=caller.base_url)
        )

    def handle(self, operation: Operation, context: Call, request: Struct, caller: Caller) -> Any:
        """Return the operation's result or answer. Raises Fault for an operation that is not available yet.

        What is not there is a business error, where the answer has a place for one (lk-16); other errors are faults.
        """
        try:
            return HANDLERS.run(operation, context, request, caller.peer, self._product.database.repeated)
        except SoapstoneError as error:
            if isinstance(error, NotFoundError) and "WSException" in operation.response.__annotations__:
                return context.refused(request, error)
            raise Fault(described(error)) from None

    def tells(self, value: Any) -> bool:
        """Return whether a result tells of something that is there: nil and an empty array do not (lk-79, lk-83)."""
        return value != [] and value is not None

    def internal_error(self, error: Exception) -> str:
        """Return the fault's message for a failure of our own (lk-18)."""
        known = isinstance(error, RecordsUnavailable)
        return f"[InternalError] {RecordsUnavailable.sentence if known else 'The server met an internal error.'}"

    def caller_name(self, context: Call) -> str:
        """Return account and login, for the list of calls."""
        return f"{context.account.name}/{context.login.name}"

    def account_id(self, context: Call) -> int:
        """Return the account of the login."""
        return context.account.id
