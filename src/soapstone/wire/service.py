"""The interface between an endpoint and the product, and the record of each call."""

import datetime
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from soapstone.wire.contract import Operation
from soapstone.wire.types import Struct


@dataclass(frozen=True)
class Caller:
    """The caller: peer address, base URL of the request as the client saw it (`https://host`), SOAP version."""

    peer: str
    base_url: str
    soap_version: str


class CallRecord(NamedTuple):
    """One SOAP call, answered or broken off (status 499). Holds no credentials and no values."""

    time: datetime.datetime
    """Start of the call, aware, UTC."""
    contract: str
    operation: str
    """Empty if the call named none."""
    soap_version: str
    status: int
    fault: str
    """The beginning of the fault text; empty for an answer."""
    seconds: float
    peer: str
    caller_name: str
    account_id: int | None
    """The account of the calling login; None for an unauthorised call."""


class Service(Protocol):
    """The product behind a contract. All methods are called in worker threads."""

    def authorise(self, operation: Operation, header: Struct | None, caller: Caller) -> Any:
        """Check the credentials as soon as the header is complete; the result is passed on. Raises Fault."""

    def handle(self, operation: Operation, context: Any, request: Struct, caller: Caller) -> Any:
        """Do the work; return the bare result, or the response struct if the operation declares one. Raises Fault."""

    def tells(self, value: Any) -> bool:
        """Return whether a result tells of something that is there.

        One that does not is never given again from memory: what was asked for may have come into being since, by
        another process.
        """

    def internal_error(self, error: Exception) -> str:
        """Return the message of the fault for an unexpected exception, which itself goes to the log.

        An exception with an attribute `retry_seconds` means a temporary failure: the call may be
        repeated after that many seconds.
        """

    def caller_name(self, context: Any) -> str:
        """Return the caller's name for call records."""

    def account_id(self, context: Any) -> int | None:
        """Return the account of the calling login; None without a known login."""


class Records(Protocol):
    """What a service's answers are made of. `token` and `digest` are called on the event loop and must not wait.

    `exact` says that a change shows in the token at once, whoever made it.
    """

    exact: bool

    def token(self) -> Hashable | None:
        """Return what changes with every change of the records; None for unknown."""

    async def renewed(self) -> Hashable | None:
        """Return the same, after a short wait if that makes it known."""

    def recorded(self) -> AbstractContextManager[Sequence[Any]]:
        """Record what is read in a block, in any thread; the sequence is complete at its end."""

    def digest(self, reads: Sequence[Any]) -> bytes | None:
        """Return a digest of what these reads return now; None for unknown."""


class NoRecords:
    """Records of which nothing is known."""

    exact = False

    def token(self) -> None:
        """Return None."""

    async def renewed(self) -> None:
        """Return None."""

    @contextmanager
    def recorded(self) -> Iterator[Sequence[Any]]:
        """Record nothing."""
        yield ()

    def digest(self, reads: Sequence[Any]) -> None:
        """Return None."""
