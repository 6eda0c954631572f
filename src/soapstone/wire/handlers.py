"""Handlers of a contract's operations, in modules by theme.

A public function of such a module that takes `call` and `request` handles the operations whose request classes the
annotation of `request` names::

    def get_group_details(call: Call, request: op.getGroupDetails) -> t.MailRecipientGroup | None:

Handlers that are made otherwise stand in a table `HANDLERS` of the module, by operation. The annotations are texts
there (`from __future__ import annotations`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import Any

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.faults import Fault
from soapstone.wire.types import Struct

Handler = Callable[[Any, Any], Any]


class HandlerModules:
    """The handlers in some modules of a package, by operation.

    A module is loaded on the first call of an operation that the modules before it lack: a server answers its
    first polls without most of them.
    """

    def __init__(self, contract: Contract, package: str, modules: Sequence[str], reads: tuple[str, ...]) -> None:
        """Take the beginnings of the names of operations that change nothing as `reads`."""
        self._contract = contract
        self._reads = reads
        self._package = package
        # Operators filter the log by contract.
        self._log = logging.getLogger(f"{package}.service")
        self.modules = modules
        self.get = cache(self._get)

    def all(self) -> dict[str, Handler]:
        """Load all modules and return their handlers by operation.

        Raises TypeError for an operation that has two handlers or is not declared.
        """
        return self._contract.handlers(*map(self._table, self.modules))

    def run(self, operation: Operation, call: Any, request: Struct, peer: str, repeated: Callable[..., Any]) -> Any:
        """Return what the handler of an operation returns; `repeated` calls one that changes nothing.

        Raises Fault for an operation that has none.
        """
        handler = self.get(operation.name)
        if handler is None:
            told = {"address": peer or "-", "operation": operation.name, "login": call.login.name}
            self._log.warning("operation is not available", extra={**told, "account": call.login.account_id})
            raise Fault(f"[NotImplemented] {operation.name} is not available yet.")
        if operation.name.startswith(self._reads):
            return repeated(lambda: handler(call, request))
        return handler(call, request)

    def _get(self, operation: str) -> Handler | None:
        """Return the handler of an operation; None if it has none."""
        return next((table[operation] for table in map(self._table, self.modules) if operation in table), None)

    def _table(self, module: str) -> dict[str, Handler]:
        names = vars(import_module(f"{self._package}.{module}"))
        table: dict[str, Handler] = names.get("HANDLERS", {})
        return self._contract.handlers(table, *_functions(names))


def _functions(names: Mapping[str, Any]) -> Iterator[dict[str, Handler]]:
    """Yield operation → handler for each operation that a public function of a module handles."""
    for name, function in names.items():
        is_own = isinstance(function, FunctionType) and function.__module__ == names["__name__"]
        if is_own and not name.startswith("_") and [*function.__annotations__][:2] == ["call", "request"]:
            for operation in function.__annotations__["request"].split(" | "):
                yield {operation.rpartition(".")[2]: function}
