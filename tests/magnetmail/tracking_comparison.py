"""Every member of the operations of tracking against the oracle, page after page in any order."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from tests.magnetmail.tracked_world import URLS, TrackedWorld
from tests.magnetmail.tracking_oracle import Row, meant, told

from soapstone.magnetmail import types
from soapstone.magnetmail.operations import CONTRACT
from soapstone.wire.schema import ArrayType, StructType, WireType
from soapstone.wire.types import Struct

make: Any = types
Span = tuple[datetime | None, datetime | None]
OPEN: Span = (None, None)
REPORTS = [each.value for each in types.tracking_report_type]
OPERATIONS = (
    "getOverallTracking",
    "getTrackingData",
    "getDetailedTracking",
    "getDetailedTrackingUTC",
    "GetMessageLinkTracking",
    "GetMessageSentTracking",
    "GetMessageOpenTracking",
)
# The hour that comes twice in New York, from its first beginning to its second end.
TWICE = (datetime(2026, 11, 1, 1), datetime(2026, 11, 1, 1, 59, 59))


def plain(value: Any) -> Any:
    """An answer as dictionaries, lists and values."""
    if isinstance(value, Struct):
        return {name: plain(member) for name, member in vars(value).items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def paths(value: Any, before: str = "") -> Iterator[str]:
    """The members of an answer, with those of its first rows: `RecipientDetails.recipient.email`."""
    if isinstance(value, list) and value:
        yield from paths(value[0], before)
    elif isinstance(value, dict):
        for name, member in value.items():
            yield f"{before}.{name}"
            yield from paths(member, f"{before}.{name}")


def differences(found: Any, wanted: Any, at: str = "") -> Iterator[str]:
    """Where two answers differ, and how: the first of it says more than a page of 2,000 rows."""
    if isinstance(found, dict) and isinstance(wanted, dict) and found.keys() == wanted.keys():
        for name in wanted:
            yield from differences(found[name], wanted[name], f"{at}.{name}")
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for place, pair in enumerate(zip(found, wanted, strict=True)):
            yield from differences(*pair, f"{at}[{place}]")
    elif found != wanted:
        yield f"{at}: {found!r:.300} is not {wanted!r:.300}"


def declared_paths(kind: WireType, before: str = "") -> Iterator[str]:
    """The same of what the contract declares."""
    if isinstance(kind, ArrayType):
        yield from declared_paths(kind.item.type, before)
    elif isinstance(kind, StructType):
        for member in kind.all_members:
            yield f"{before}.{member.name}"
            yield from declared_paths(member.type, f"{before}.{member.name}")


def limits(span: Span, utc: bool) -> Span:
    return meant(span[0], utc=utc, is_end=False), meant(span[1], utc=utc, is_end=True)


def spans(world: TrackedWorld, chosen: random.Random, number: int) -> list[Span]:
    """Ranges of dates as clients give them: naive or with a zone, borders on events, reversed, open."""
    moments = [act.at for act in world.oracle.acts]
    found: list[Span] = [OPEN, TWICE, (datetime(1, 1, 1), datetime(9999, 12, 31))]
    while len(found) < number:
        ends: list[datetime] = []
        for _ in range(2):
            at = chosen.choice(moments) + timedelta(seconds=chosen.choice((-1, 0, 0, 1)))
            ends.append(chosen.choice((at, told(at, False), at.replace(microsecond=0))))
        found.append((ends[0], ends[1]))
    return found


class Comparison:
    """Compares; `rows` counts what was equal, `members` which members were compared, by operation."""

    def __init__(self, world: TrackedWorld, seed: int = 2) -> None:
        self.world, self.chosen = world, random.Random(seed)
        self.rows = 0
        self.members: defaultdict[str, set[str]] = defaultdict(set)
        self._names = dict(zip(world.groups, ("One", "Two", "Three"), strict=True))

    def everything(self) -> None:
        """Compare all operations."""
        self.figures()
        self.details()
        self.events_of_the_account()
        self.assert_complete()

    def figures(self) -> None:
        """mm-111, mm-112"""
        oracle = self.world.oracle
        for message in self.world.messages:
            for group in (0, *self.world.groups):
                sends = [
                    {"group_id": to, "group_name": self._names[to], "sent_date": at}
                    for to, at in oracle.groups(message, group)
                ]
                wanted = oracle.totals(message, group) | {"GroupsEmailSentTo": sends, "GroupsFaxSentTo": []}
                for operation in ("getOverallTracking", "getTrackingData"):
                    self._same(operation, wanted, message_id=message, group_id=group)

    def details(self, ranges: int = 9) -> None:
        """mm-113, mm-114, mm-36 to mm-40: whatever the range, the group and the order of pages."""
        chosen, world = self.chosen, self.world
        for report in REPORTS:
            for number, span in enumerate(spans(world, chosen, ranges)):
                message, group = world.messages[number % 4 == 3], chosen.choice((0, 0, *world.groups))
                size, utc = (150, 7, 2000, 40)[number % 4], number % 2 == 1
                self.report(report, span, size, utc=utc, message=message, group=group)

    def report(
        self, report: str, span: Span, size: int, *, utc: bool, message: int, group: int, pages: Sequence[int] = ()
    ) -> None:
        """Compare pages of one report, of size `size`; some of all if none are given."""
        oracle = self.world.oracle
        wanted = oracle.details(report, message, group, limits(span, utc), utc=utc)
        for page in pages or self._pages(len(wanted), size):
            rows = [self._told(row) for row in wanted[(page - 1) * size : page * size]]
            answer = {"totalRecords": len(wanted), "page": page, "recordsPerPage": size, "RecipientDetails": rows}
            self._same(
                "getDetailedTrackingUTC" if utc else "getDetailedTracking",
                answer,
                report_type=types.tracking_report_type(report),
                message_id=message,
                group_id=group,
                fromDate=span[0],
                toDate=span[1],
                page=page,
                recordsPerPage=size,
            )
            self.rows += len(rows)

    def events_of_the_account(self, ranges: int = 12) -> None:
        """mm-116, mm-117"""
        chosen, world = self.chosen, self.world
        for span in spans(world, chosen, ranges):
            size = chosen.choice((3, 50, 2000))
            message, url = chosen.choice((0, *world.messages)), chosen.choice((None, "", *URLS))
            for kind in ("sent", "open", "click"):
                self.events(kind, span, size, message=message, url=url)

    def events(
        self, kind: str, span: Span, size: int, *, message: int = 0, url: str | None = None, pages: Sequence[int] = ()
    ) -> None:
        """Compare pages of one report of the account; clicks are those of a message and a URL, if they are given."""
        filters: dict[str, Any] = {"message": message, "url": url or ""} if kind == "click" else {}
        wanted = self.world.oracle.account(kind, limits(span, False), **filters)
        for page in pages or self._pages(len(wanted), size):
            asked: dict[str, Any] = {"SearchStartDate": span[0], "SearchEndDate": span[1], "PageSize": size}
            criteria = make.MessageTrackingSearchCriteria(PageNo=page, **asked)
            if kind == "click":
                criteria = make.MessageLinkTrackingSearchCriteria(PageNo=page, MessageId=message, LinkUrl=url, **asked)
            operation = {"sent": "GetMessageSentTracking", "open": "GetMessageOpenTracking"}.get(kind)
            rows = wanted[(page - 1) * size : page * size]
            self._same(operation or "GetMessageLinkTracking", {"Count": len(wanted), "data": rows}, criteria=criteria)
            self.rows += len(rows)

    def assert_complete(self) -> None:
        """Assert that all declared members were compared; no message goes to groups by fax."""
        declared = {
            name: {
                path
                for path in declared_paths(CONTRACT.operations_by_name[name].response_type.all_members[0].type)
                if not path.startswith(".GroupsFaxSentTo.")
            }
            for name in OPERATIONS
        }
        assert self.members == declared

    def _pages(self, rows: int, size: int) -> list[int]:
        """All pages in any order, or the first, the last and some of many; and the empty one behind the last."""
        pages = list(range(1, rows // size + 3))
        if len(pages) > 12:
            pages = [1, 2, *self.chosen.sample(pages, 8), *pages[-2:]]
        self.chosen.shuffle(pages)
        return pages

    def _told(self, row: Row) -> dict[str, Any]:
        return {
            "recipient": self.world.oracle.recipients()[row.person],
            "ResultDate": row.date,
            "remarks": row.remarks,
            "Status": row.status,
            "OpenDate": row.opened,
            "MMId": row.mail,
            "faxStatus": "Inprogress",
        }

    def _same(self, operation: str, wanted: Any, **asked: Any) -> None:
        found = plain(getattr(self.world.desk, operation)(**asked))
        assert found == wanted, (operation, asked, next(differences(found, wanted)))
        self.members[operation].update(paths(wanted))
