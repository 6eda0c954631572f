"""Every member of the reports of tracking against the oracle, page after page in any order, through any client.

A client answers `client.Operation(**members)` with the answer as zeep gives it: dictionaries, None for what is empty.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.listrak import reports_oracle as oracle
from tests.listrak.reports_oracle import EVER, History

from soapstone.listrak.operations import CONTRACT, conversation_reports, location_reports
from soapstone.wire.contract import Operation, declared
from soapstone.wire.schema import ArrayType, StructType

PAGE = 2_500
UNKNOWN = 987_654
KINDS = ("Sent", "Open", "Read", "Click", "Bounces", "Removal")
# Reports of lists and contacts that tell nothing of mails.
OTHERS = {
    "ReportSubscribedContacts",
    "ReportRangeSubscribedContacts",
    "ReportAdminContactFeedbackLoop",
    "ReportListContactRemoval",
    "ReportRangeListContactRemoval",
    "ReportListContactHygiene",
    "ReportRangeListContactHygiene",
    "ReportListImportHistory",
    "ReportImportContactDetail",
}
REPORTS = [each for each in CONTRACT.operations if each.name.startswith("Report") and each.name not in OTHERS]
# Nobody passes mails on, no place is known, and there are no conversations (lk-113, lk-114, lk-123).
EMPTY = set(declared(location_reports, conversation_reports)) | {
    "ReportMessageContactPassalong",
    "ReportRangeMessageContactPassalong",
    "ReportListConversationActivity",
    "ReportListConversationDelivery",
}


def members_of_rows(operation: Operation) -> set[str]:
    """The members that the contract declares for a row of a report."""
    result = operation.response_type.all_members[0].type
    assert isinstance(result, ArrayType)
    assert isinstance(result.item.type, StructType)
    return {member.name for member in result.item.type.all_members}


def rows_of(answer: Any, operation: str) -> list[Any]:
    """Rows of a report of either kind."""
    if answer is not None and f"{operation}Result" in answer:
        assert answer["WSException"] is None
        answer = answer[f"{operation}Result"]
    if isinstance(answer, dict):
        (answer,) = answer.values()
    return list(answer or [])


def windows(history: History, chance: random.Random) -> list[tuple[datetime, datetime]]:
    """Ranges: all time, open ends, around the clock changes, at the dates of acts, aware and not, reversed."""
    dates = [each.at for each in history.done]
    found = [(EVER, EVER), (EVER, chance.choice(dates)), (chance.choice(dates), EVER)]
    for day in (datetime(2026, 3, 8), datetime(2026, 11, 1)):
        found += [(day, day + timedelta(hours=2, minutes=30)), (day + timedelta(hours=1, minutes=30), EVER)]
    for _ in range(3):
        start, end = chance.sample(dates, 2)
        found += [(start, end), (history.local(start), history.local(end))]
    return found


class Comparison:
    """Compares; `rows` counts what was equal, `members` which members were compared, by operation, and `refusals` for
    which operations the whole refusal was."""

    def __init__(self, client: Any, history: History, seed: int = 18) -> None:
        self.client, self.history, self._chance = client, history, random.Random(seed)
        self._ranges = windows(history, self._chance)
        self.rows = 0
        self.members: defaultdict[str, set[str]] = defaultdict(set)
        self.refusals: set[str] = set()

    def everything(self) -> None:
        """Compare all operations."""
        for kind in KINDS:
            self.of_recipients(kind)
        self.of_activities()
        self.of_links()
        self.of_lists()
        self.of_contacts()
        self.what_is_empty()
        self.of_unknown_numbers()
        self.assert_complete()

    def of_recipients(self, kind: str, ranges: int | None = None) -> None:
        """lk-107, lk-110, lk-111: every member, both twins, and each range; in an open one both twins are equal."""
        for message in self.history.messages():
            wanted = oracle.expected(self.history, kind, message)
            self.equal(f"ReportMessageContact{kind}", wanted, MsgID=message, WSException=None)
            if kind == "Sent":
                continue
            for start, end in self._ranges[:ranges]:
                wanted = oracle.expected(self.history, kind, message, start, end)
                self.equal(f"ReportRangeMessageContact{kind}", wanted, MsgID=message, StartDate=start, EndDate=end)

    def of_activities(self) -> None:
        """lk-115"""
        for message in self.history.messages():
            wanted = oracle.activity(self.history, message)
            self.equal("ReportMessageContactActivity", wanted, MsgID=message, WSException=None)

    def of_links(self) -> None:
        """lk-108, lk-111"""
        for message in self.history.messages():
            wanted = oracle.link_clicks(self.history, message)
            self.equal("ReportMessageLinkClick", wanted, MsgID=message, WSException=None)
        for link in self.history.links:
            wanted = oracle.link_contacts(self.history, link)
            self.equal("ReportContactLinkClick", wanted, LinkID=link, WSException=None)

    def of_lists(self) -> None:
        """lk-106 to lk-109"""
        starts = sorted(send.at for send in self.history.sends)
        ranges = [
            (EVER, EVER),
            (starts[2], EVER),
            (EVER, starts[2]),
            (starts[1], starts[6]),
            (self.history.local(starts[3]), EVER),
        ]
        for list_id in self.history.lists:
            for start, end in ranges:
                for tests in (True, False):
                    asked = {"ListID": list_id, "StartDate": start, "EndDate": end, "IncludeTestMessages": tests}
                    found = oracle.listed(self.history, list_id, start, end, tests)
                    for name, wanted in zip(("Activity", "Delivery"), found, strict=True):
                        self._same(f"ReportListMessage{name}", wanted, {**asked, "WSException": None})

    def of_contacts(self, number: int = 12) -> None:
        """lk-115"""
        for list_id in self.history.lists:
            for person in self.history.people[list_id][:number]:
                wanted = oracle.of_contact(self.history, list_id, person)
                asked = {"ListID": list_id, "EmailAddress": person.email, "WSException": None}
                self.equal("ReportContactMessageActivity", wanted, **asked)

    def what_is_empty(self) -> None:
        """lk-113, lk-114, lk-123"""
        for operation in REPORTS:
            if operation.name in EMPTY and "Conversation" not in operation.name:
                for message in self.history.messages():
                    self.equal(operation.name, [], **filled(operation, MsgID=message))
            elif operation.name in EMPTY and "ListID" in operation.request.__annotations__:
                for list_id in self.history.lists:
                    self._same(operation.name, [], filled(operation, ListID=list_id))

    def of_unknown_numbers(self) -> None:
        """lk-16, lk-19: the whole refusal; a Range twin has none, and is empty."""
        for operation in REPORTS:
            asked = filled(operation, **dict.fromkeys(NUMBERS & operation.request.__annotations__.keys(), UNKNOWN))
            answer = getattr(self.client, operation.name)(**asked)
            if "WSException" not in operation.response.__annotations__:
                assert rows_of(answer, operation.name) == []
                continue
            assert answer[f"{operation.name}Result"] is None, operation
            refusal = answer["WSException"]
            what = next(name for name in ("Link", "Conversation", "Msg", "List") if f"{name}ID" in asked)
            what = {"Msg": "Message"}.get(what, what)
            assert refusal.keys() == {"SoapMethod", "DateTime", "Description"}
            assert refusal["SoapMethod"] == operation.name
            assert refusal["Description"] == f"[NotFound] {what} {UNKNOWN} does not exist or is not accessible."
            assert abs(refusal["DateTime"] - self.history.local(datetime.now(UTC))) < timedelta(hours=1)
            self.refusals.add(operation.name)

    def assert_complete(self) -> None:
        """Assert that rows with all declared members were compared, and the refusal of each report that has one."""
        assert len(REPORTS) == 36
        assert self.members == {each.name: members_of_rows(each) for each in REPORTS if each.name not in EMPTY}
        assert self.refusals == {each.name for each in REPORTS if "WSException" in each.response.__annotations__}

    def equal(self, operation: str, wanted: list[Any], **asked: Any) -> None:
        """Compare all pages of a report, and at times the empty one behind them, in any order (lk-31)."""
        pages = list(range(1, max(1, -(-len(wanted) // PAGE)) + 1))
        if self._chance.random() < 0.1:
            pages.append(len(pages) + 1)
        self._chance.shuffle(pages)
        for page in pages:
            self._same(operation, wanted[(page - 1) * PAGE : page * PAGE], {**asked, "Page": page})

    def _same(self, operation: str, wanted: list[Any], asked: dict[str, Any]) -> None:
        found = rows_of(getattr(self.client, operation)(**asked), operation)
        assert found == wanted, (operation, asked)
        self.rows += len(found)
        for row in found[:1]:
            self.members[operation] |= row.keys()


NUMBERS = {"MsgID", "ListID", "LinkID", "ConversationID"}


def filled(operation: Operation, **members: Any) -> dict[str, Any]:
    """What a request needs, besides the given members."""
    empty = {"Page": 1, "CountryID": 0, "GeoLocationID": 0, "MsgID": 0, "StartDate": EVER, "EndDate": EVER}
    empty |= {"IncludeTestMessages": True, "IncludeTerminated": True, "EmailAddress": "p@example.com"}
    empty |= {"WSException": None}
    names = operation.request.__annotations__.keys() - members.keys()
    return {name: empty[name] for name in names} | members
