"""Which number here stands for which number of the live service, and which members hold such numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path as File
from typing import TextIO

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.shadow.markup import Path
from soapstone.wire.contract import Contract, Operation
from soapstone.wire.schema import ArrayType, Member, StructType, WireType

CONTRACTS = {contract.path.lower(): contract for contract in (MAGNETMAIL, LISTRAK)}

MOST_NUMBERS = 1_000_000
"""Pairs that are kept; the oldest are forgotten."""

# Kind of number → names of members, in lower case and without underscores.
_NAMES = {
    "account": "userid mailuserid parentuserid usernbr",
    "login": "loginid lastupdatedloginid createdby loginname",
    "list": "listid",
    "group": "groupid groupids groups newgroups unsubscribedgroups filteredoutgroups",
    "group category": "groupcategoryid categoryid",
    "message category": "messagecategoryid messagecategory",
    "contact": "contactid fromcontactid tocontactid",
    "contact key": "emailkey",
    "recipient": "recipientid mmid emailid",
    "message": "msgid msgids messageid",
    "saved message": "savedmsgid",
    "transactional message": "transactionalmsgid",
    "template": "templateid",
    "attribute": "attributeid fieldid",
    "attribute header": "headerid",
    "campaign": "campaignid listcampaignid",
    "link": "linkid linkurlid websitelinkurlid",
    "job": "jobid processid importfileid initialqueueid uploadid statusid emailjobids faxjobids",
    "event": "eventid externaleventids",
    "conversation": "conversationid",
    "version": "lastpublishedversionid workingversionid",
    "search": "searchid",
    "sign-up": "rmregistrantid rmsignupreferenceid",
    "session": "sessionid",
}
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}
# What `ID` is by its structure.
_OWNERS = {
    "GroupCategory": "group category",
    "MessageCategory": "message category",
    "PersonifySubscriptionMapping": "mapping",
    "RecipientGroup": "group",
    "Recipient": "recipient",
    "RecipientExtended": "recipient",
    "RecipientSearchCriteria": "recipient",
    "SaveResult": "group",
    "Unsubscribe": "unsubscribe",
    "saveResult": "recipient",
}
# Numbers that are an answer by themselves.
_RESULTS = {"BulkLoad": "job", "ConductorBulkLoad": "job", "UpdateSubscribedContact": "job", "Send": "message"}
# 0 and an empty text are no number.
_NONE = ("", "0", "-1")


@cache
def kind_of(owner: str, name: str) -> str | None:
    """Return the kind of number that a member of a structure holds; None if it holds none."""
    if name.lower() == "id":
        return _OWNERS.get(owner)
    if name.endswith("Result"):
        called = name.removesuffix("Result").removeprefix("Schedule")
        return next((kind for begin, kind in _RESULTS.items() if called.startswith(begin)), None)
    return _KINDS.get(name.lower().replace("_", ""))


def item_of(kind: WireType) -> WireType:
    """Return the type of an array's items, and any other type as it is."""
    return kind.item.type if isinstance(kind, ArrayType) else kind


def member_named(kind: StructType, name: str) -> Member | None:
    """Return a member by the name that it has on the wire, or by another one that requests may use."""
    members = kind.all_members_by_name
    return members.get(name) or members.get(kind.cls.__wire_also__.get(name, ""))


def kind_at(contract: Contract, operation: Operation, path: Path) -> str | None:
    """Return the kind of number at a place in a request's body; `path` begins behind the Body, with the operation."""
    owner, member = operation.request_type, None
    for name in path[1:]:
        if member is not None:
            if isinstance(member.type, ArrayType) and name == member.type.item.name:
                inner = item_of(member.type)
                if isinstance(inner, StructType):
                    owner, member = inner, None
                continue
            if not isinstance(member.type, StructType):
                return None
            owner = member.type
        member = member_named(owner, name)
        if member is None:
            derived = [member_named(each, name) for each in contract.derived(owner)]
            member = next((each for each in derived if each is not None), None)
        if member is None:
            return None
    return None if member is None else kind_of(owner.name, member.name)


class Numbers:
    """Pairs of numbers, the live service's and ours, by contract and kind. With a file they survive this process."""

    def __init__(self, file: File | None = None) -> None:
        self._ours: dict[tuple[str, str, str], str] = {}
        self._live: dict[tuple[str, str, str], str] = {}
        self._journal: TextIO | None = None
        if file is None:
            return
        if file.exists():
            for line in file.read_text("utf-8").splitlines():
                try:
                    self._add(*json.loads(line))
                except (ValueError, TypeError):
                    # The line of a process that was killed.
                    continue
        self._journal = file.open("a", encoding="utf-8", buffering=1)

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def ours(self, contract: str, kind: str, live: str) -> str | None:
        """Return our number for one of the live service; None if none is known."""
        return self._ours.get((contract, kind, live.strip()))

    def is_taken(self, contract: str, kind: str, number: str) -> bool:
        """Return whether a number here stands for another one of the live service."""
        return (contract, kind, number.strip()) in self._live

    def learn(self, contract: str, kind: str, live: str, ours: str) -> bool:
        """Return whether the two are numbers of one object; they are from now on, unless one of them has a pair."""
        live, ours = live.strip(), ours.strip()
        if live in _NONE or ours in _NONE:
            return live == ours
        known = self._ours.get((contract, kind, live))
        # All logins of the live service are one here, and all of its accounts.
        if known is not None or (kind not in ("account", "login") and (contract, kind, ours) in self._live):
            return known == ours
        self._add(contract, kind, live, ours)
        if self._journal is not None and kind != "session":
            self._journal.write(json.dumps([contract, kind, live, ours]) + "\n")
        return True

    def bind(self, contract: str, kind: str, live: str, ours: str) -> None:
        """Let a number stand for another one, whatever it stood for."""
        self._ours[contract, kind, live.strip()] = ours

    def _add(self, contract: str, kind: str, live: str, ours: str) -> None:
        if len(self._ours) >= MOST_NUMBERS:
            oldest = next(iter(self._ours))
            self._live.pop((*oldest[:2], self._ours.pop(oldest)), None)
        self._ours[contract, kind, live] = ours
        self._live[contract, kind, ours] = live


def translated(text: str, translate: Callable[[str], str]) -> str:
    """Return a text of one number, or of several with commas between them, with each of them translated."""
    return ",".join(translate(part) if part.strip() not in _NONE else part for part in text.split(","))
