"""The faults of a test server: which calls fail on purpose, how, and whether their work is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from threading import Lock
from typing import Protocol

from soapstone.errors import InvalidError
from soapstone.testing.called import Called, Interface, contract_of, interfaces_with

MOST_FAULTS = 1000


class FaultKind(StrEnum):
    """How a call fails."""

    SOAP_FAULT = "soap_fault"
    """The fault of the contract with `message`, in the caller's version of SOAP; a problem of REST; an Error of XML."""
    STATUS_500 = "status_500"
    """500 with a page of HTML, as proxies answer."""
    STATUS_503 = "status_503"
    """503 with a page of HTML and Retry-After."""
    DELAY = "delay"
    """The call's own answer, `seconds` late."""
    DISCONNECT = "disconnect"
    """The connection is closed without an answer."""
    RESET = "reset"
    """The connection is reset (TCP RST) without an answer."""
    TRUNCATE = "truncate"
    """Half of the answer's body, then the connection is closed."""
    EXPIRED_SESSION = "expired_session"
    """The answer for an expired MagnetMail session or REST token; other interfaces have neither."""
    LOCKED_LOGIN = "locked_login"
    """The answer for a locked login; in MagnetMail from `Authenticate` alone."""


# Delaying or cutting an answer needs the call's work.
_WORK_DONE = {FaultKind.DELAY, FaultKind.TRUNCATE}
# The contracts check sessions and logins first.
_NEVER_DONE = {FaultKind.EXPIRED_SESSION, FaultKind.LOCKED_LOGIN}
_SECONDS = {FaultKind.DELAY: 2.0, FaultKind.STATUS_503: 1.0}


class Wanted(Protocol):
    """Which calls fail, and how: see `FaultIn` of the control API."""

    @property
    def kind(self) -> FaultKind: ...
    @property
    def operation(self) -> str | None: ...
    @property
    def interface(self) -> Interface | None: ...
    @property
    def every(self) -> int: ...
    @property
    def times(self) -> int | None: ...
    @property
    def message(self) -> str: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def work_done(self) -> bool | None: ...


@dataclass(eq=False)
class Fault:
    """A fault and its counts."""

    number: int
    wanted: Wanted
    calls: int = 0
    applied: int = 0

    @property
    def kind(self) -> FaultKind:
        """How calls fail."""
        return self.wanted.kind

    @property
    def seconds(self) -> float:
        """As wanted, or as usual."""
        return _SECONDS.get(self.kind, 0.0) if self.wanted.seconds is None else self.wanted.seconds

    @property
    def work_done(self) -> bool:
        """As wanted, or as usual."""
        return self.kind in _WORK_DONE if self.wanted.work_done is None else self.wanted.work_done

    def due(self, called: Called) -> bool:
        """Count a matching call; return whether it fails."""
        wanted = self.wanted
        if self.applied == wanted.times or not _fits(wanted, called):
            return False
        self.calls += 1
        return self.calls % wanted.every == 0


def _fits(wanted: Wanted, called: Called) -> bool:
    if wanted.operation not in (None, called.operation) or wanted.interface not in (None, called.interface):
        return False
    is_soap = called.interface in (Interface.MAGNETMAIL, Interface.LISTRAK)
    if is_soap and called.declared is None and wanted.kind in _NEVER_DONE:
        return False
    with_header = called.declared is not None and called.declared.header
    if wanted.kind is FaultKind.EXPIRED_SESSION:
        return called.interface is Interface.REST or (called.interface is Interface.MAGNETMAIL and with_header)
    if wanted.kind is FaultKind.LOCKED_LOGIN and called.interface is Interface.MAGNETMAIL:
        return called.operation == "Authenticate"
    return True


class Faults:
    """The faults set by tests. Thread-safe."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._numbers = count(1)
        self._lock = Lock()

    def __bool__(self) -> bool:
        """Return whether any fault is set."""
        return bool(self._faults)

    def add(self, wanted: Wanted) -> Fault:
        """Add a fault. Raises InvalidError if no call could match it."""
        _check(wanted)
        with self._lock:
            if len(self._faults) >= MOST_FAULTS:
                raise InvalidError(f"The limit of {MOST_FAULTS} faults is reached. Remove some.")
            fault = Fault(next(self._numbers), wanted)
            self._faults.append(fault)
            return fault

    def all(self) -> list[Fault]:
        """Return all faults, including used-up ones, oldest first."""
        with self._lock:
            return list(self._faults)

    def remove(self, number: int) -> bool:
        """Remove a fault; return whether it existed."""
        with self._lock:
            kept = [fault for fault in self._faults if fault.number != number]
            found, self._faults = len(kept) < len(self._faults), kept
            return found

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults = []

    def due(self, called: Called) -> Fault | None:
        """Return the oldest fault due for a call, None without one; all matching faults count the call."""
        with self._lock:
            due = [fault for fault in self._faults if fault.due(called)]
            if not due:
                return None
            due[0].applied += 1
            return due[0]


def _check(wanted: Wanted) -> None:
    """Raise InvalidError if no call could match a fault."""
    name = wanted.operation
    if name is not None:
        there = interfaces_with(name, wanted.interface)
    else:
        there = list(Interface) if wanted.interface is None else [wanted.interface]
    if wanted.kind in _NEVER_DONE and wanted.work_done:
        raise InvalidError(f"The work of a call is never done with {wanted.kind}.")
    if not any(_fits(wanted, called) for each in there for called in _samples(each, name)):
        raise InvalidError(f"{wanted.kind} is nothing that {name or wanted.interface} could answer.")


def _samples(interface: Interface, name: str | None) -> list[Called]:
    """Return calls of an operation, or of all."""
    contract = contract_of(interface)
    if contract is None:
        return [Called(interface, name or "")]
    operations = [each for each in contract.operations if name in (None, each.name)]
    samples = [Called(interface, each.name) for each in operations]
    for sample, each in zip(samples, operations, strict=True):
        sample.declared = each
    return samples
