"""The last SOAP calls of each account, for the console."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque

from soapstone.wire.endpoint import CallRecord

log = logging.getLogger(__name__)

# How many calls of an account are kept.
CALLS_KEPT = 20
# Of how many accounts they are kept; those that called last.
ACCOUNTS_KEPT = 1000


class RecentCalls:
    """Keeps calls in memory. An account sees those that its own logins made; no other account can push them out.

    A call without a known login is in the log alone, even a refused logon that names one: anyone can send such calls,
    and they must not show on the page of an account.
    """

    def __init__(self) -> None:
        self._calls: OrderedDict[int, deque[CallRecord]] = OrderedDict()

    def add(self, call: CallRecord) -> None:
        """Take a call that was just answered. Called on the event loop."""
        if call.account_id is None:
            told = {"address": call.peer or "-", "contract": call.contract, "operation": call.operation}
            log.info("call without a known login", extra={**told, "status": call.status, "fault": call.fault})
            return
        self._calls.setdefault(call.account_id, deque(maxlen=CALLS_KEPT)).appendleft(call)
        self._calls.move_to_end(call.account_id)
        if len(self._calls) > ACCOUNTS_KEPT:
            self._calls.popitem(last=False)

    def of(self, account_id: int) -> list[CallRecord]:
        """Return the last calls of an account, newest first. Called in any thread."""
        return list(self._calls.get(account_id, ()))
