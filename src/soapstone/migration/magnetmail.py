"""Moving from the MagnetMail contract: its people, and the order of all steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.contacts.transfers import Departure, Place, Stored, Told, Transfer
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import LARGEST_PAGE
from soapstone.magnetmail.recipient import MEMBERS
from soapstone.magnetmail.suppression import CHANNELS as COMBINATIONS
from soapstone.migration.magnetmail_account import KIND, OPEN, RECIPIENT, YEAR
from soapstone.migration.magnetmail_sent import MagnetMailSent
from soapstone.migration.move import TOGETHER
from soapstone.migration.source import TooLargeError
from soapstone.vocabulary.contacts import Channel, ContactEventKind, MembershipState

HOUR = timedelta(hours=1)
# Text of a combination → the channels that are shut.
TYPES: dict[str, AbstractSet[str]] = {kind.value: channels for kind, channels in COMBINATIONS.items()}
# Kind of the numbers of recipients who have not confirmed, with 0 once they have.
UNCONFIRMED = "unconfirmed"


class MagnetMailMove(MagnetMailSent):
    """Fills an account with that of the login."""

    STEPS = (
        "settings",
        "categories",
        "groups",
        "messages",
        "suppressed",
        "unsubscribed",
        "unsubscribes",
        "complaints",
        "recipients",
        "arrivals",
        "members",
        "sent_mails",
        "mappings",
    )

    def run(self) -> None:
        if self.journal.position("began") is None:
            self.save("began", now().isoformat())
        super().run()
        self.journal.set_fact("since", self.journal.position("began"))

    def _windows(
        self, step: str, fetch: Callable[[datetime, datetime], list[Any]], beginning: datetime
    ) -> Iterator[tuple[str, list[Any]]]:
        """Yield what happened in one span of time after the other, with the end of each, from the last run on.

        An answer that is too large is asked for in shorter spans.
        """
        since = self.journal.fact("since")
        place = self.journal.position(step) or (since and (datetime.fromisoformat(since) - YEAR / 365).isoformat())

        def read() -> Iterator[tuple[str, list[Any]]]:
            start = None if place is None else datetime.fromisoformat(place)
            span, last = YEAR, self._now + YEAR / 365
            while start is None or start < last:
                end = min((start or beginning) + span, last)
                try:
                    # Both ends belong to the span (mm-34).
                    rows = fetch(start or OPEN, end - timedelta(seconds=1))
                except TooLargeError:
                    if span <= HOUR:
                        raise
                    start, span = start or beginning, span / 4
                    continue
                yield end.isoformat(), rows
                start = end

        return self.ahead(read())

    def suppressed(self) -> None:
        """Store the contacts with shut channels."""
        self.display.step("suppressed people", None)

        def fetch(start: datetime, end: datetime) -> list[t.RecipientExtended]:
            return self.ask(op.getSuppressedRecipientList, group_id=None, start_date=start, end_date=end) or []

        for end, rows in self._windows("spans of suppressed", fetch, self._beginning):
            with self.product.transfers.begin(self.account) as transfer:
                told, since = [], {}
                for row in (each for each in rows if each.recipient is not None):
                    further = {each.field_name: each.field_value for each in row.extended_field or []}
                    shut = TYPES.get(further.get("SuppressionType") or "", {"email"})
                    at = self.instant(row.recipient.suppressed_date) or self._now
                    channels = " ".join(each for each in Channel if each in shut)
                    told.append((row.recipient, {"channels_shut": channels, "suppressed_at": at}))
                    if "email" in shut:
                        since[address_key(row.recipient.email or "")] = at
                pairs, stored = self._people(transfer, told)
                transfer.suppress(since)
            self.tally("suppressed", stored)
            self.save("spans of suppressed", end, recipient=pairs)
            self.display.advance(len(rows))

    def unsubscribed(self) -> None:
        """Store the unsubscribed contacts, before all others."""
        self.display.step("unsubscribed people", None)

        def fetch(start: datetime, end: datetime) -> list[t.recp_unsubscribe]:
            return self.ask(op.getUnsubscribes, fromDate=start, toDate=end) or []

        for end, rows in self._windows("spans of unsubscribed", fetch, self._beginning):
            with self.product.transfers.begin(self.account) as transfer:
                told = [
                    (row.recipient, self._unsubscribed(row.recipient, self.instant(row.ResultDate)))
                    for row in rows
                    if row.recipient is not None
                ]
                pairs, stored = self._people(transfer, told)
            self.tally("unsubscribed", stored)
            self.save("spans of unsubscribed", end, recipient=pairs)
            self.display.advance(len(rows))

    def unsubscribes(self) -> None:
        """Store the unsubscribes of every type with their dates, and what of them still stands."""
        self.display.step("unsubscribes", None)
        since = self.journal.fact("since")
        start = OPEN if since is None else datetime.fromisoformat(since) - YEAR / 365

        def fetch(page: int) -> list[tuple[t.UnsubscribeTrackingData, set[int]]]:
            asked: dict[str, Any] = {"PageNo": page, "PageSize": LARGEST_PAGE}
            asked |= {"SearchStartDate": start, "SearchEndDate": OPEN}
            criteria = t.UnsubscribeSearchCriteria(**asked)
            answer = self.ask(op.GetUnsubscribeTracking, criteria=criteria)
            rows = [] if answer is None else answer.data or []
            groups: dict[int, set[int]] = {}
            for row in rows:
                if (row.GroupId or row.GroupCategoryId) and row.RecipientId not in groups:
                    groups[row.RecipientId] = self._groups_of(row.RecipientId)
            return [(row, groups.get(row.RecipientId, set())) for row in rows]

        lists = {told.group_id: ours for told, ours in self._each_group()}
        for page, rows in self.pages("pages of unsubscribes", fetch):
            known = self._known({row.RecipientId for row, _ in rows})
            people = self.product.contacts.many(self.account.id, sorted(set(known.values())))
            gone = {person.id for person in people if person.unsubscribed}
            with self.product.transfers.begin(self.account) as transfer:
                departures = []
                for row, still in rows:
                    if row.RecipientId not in known:
                        continue
                    contact_id = known[row.RecipientId]
                    narrow = row.GroupId or row.GroupCategoryId or row.MessageCategoryId
                    departures.append(
                        Departure(
                            contact_id=contact_id,
                            kind=ContactEventKind.UNSUBSCRIBED,
                            at=self.instant(row.Date) or self._now,
                            by="API",
                            list_id=self.journal.number("list", row.GroupId),
                            message_id=self.journal.number("message", row.MessageId),
                            message_category_id=self.journal.number("message category", row.MessageCategoryId),
                            list_category_id=self.journal.number("group category", row.GroupCategoryId),
                            stands=row.GroupId not in still if narrow else contact_id in gone,
                            list_ids={ours for theirs, ours in lists.items() if theirs not in still},
                        )
                    )
                stored = transfer.depart(departures)
            self.tally("unsubscribe", stored)
            self.save("pages of unsubscribes", page)
            self.display.advance(len(rows))

    def complaints(self) -> None:
        """Store who complained, and suppress their addresses."""
        self.display.step("complaints", None)
        groups = {each.group_name: ours for each, ours in self._each_group()}
        names = {each.name: each.id for each in self.product.messages.find(self.account.id, kind=KIND)}

        def fetch(start: datetime, end: datetime) -> list[t.recp_unsubscribe]:
            return self.ask(op.getSpamComplaints, fromDate=start, toDate=end) or []

        for end, rows in self._windows("spans of complaints", fetch, self._beginning):
            with self.product.transfers.begin(self.account) as transfer:
                pairs, _ = self._people(transfer, [(row.recipient, {}) for row in rows if row.recipient is not None])
                numbers = dict(pairs)
                departures = [
                    Departure(
                        contact_id=numbers[int(row.recipient.id or 0)],
                        kind=ContactEventKind.COMPLAINED,
                        at=self.instant(row.ResultDate) or self._now,
                        by="Feedback Loop",
                        list_id=groups.get(row.group_name),
                        message_id=names.get(row.message_name or ""),
                        message_category_id=self.journal.number("message category", row.message_CategoryId),
                    )
                    for row in rows
                    if row.recipient is not None and int(row.recipient.id or 0) in numbers
                ]
                stored = transfer.depart(departures)
            self.tally("complaint", stored)
            self.save("spans of complaints", end, recipient=pairs)
            self.display.advance(len(rows))

    def recipients(self) -> None:
        self.display.step("recipients", None)
        # A search wants at least one field (mm-78).
        example: dict[str, Any] = {"Custom_Id" if self.account.identifier == "custom_id" else "email": "*"}

        def fetch(page: int) -> list[t.Recipient]:
            criteria = t.RecipientSearchCriteria(pageNo=page, pageSize=LARGEST_PAGE, **example)
            answer = self.ask(op.searchForRecipients, criteria=criteria)
            return [] if answer is None else answer.recipients or []

        for page, rows in self.pages("pages of recipients", fetch):
            with self.product.transfers.begin(self.account) as transfer:
                pairs, stored = self._people(transfer, [(row, self._unsubscribed(row, self._now)) for row in rows])
            self.tally("recipient", stored)
            waiting, ours = self.journal.numbers(UNCONFIRMED), dict(pairs)
            unconfirmed = [
                (theirs, ours.get(theirs, 0) if row.email_confirm is False else 0)
                for row in rows
                if (theirs := int(row.id or 0)) in waiting or row.email_confirm is False
            ]
            self.save("pages of recipients", page, recipient=pairs, unconfirmed=unconfirmed)
            self.display.advance(len(rows))

    def arrivals(self) -> None:
        """Store the subscribers of the groups with the dates on which they came."""
        self.display.step("dates of subscriptions", None)
        for told, ours in self._each_group():
            step = f"spans of arrivals in group {told.group_id}"

            def fetch(start: datetime, end: datetime, told: t.group = told) -> list[t.subscription]:
                wanted = {"startDate": start, "endDate": end, "group_ids": [told.group_id], "report_type": "add"}
                return self.ask(op.getSubscribedRecipients, **wanted) or []

            for end, rows in self._windows(step, fetch, self.instant(told.group_created) or self._beginning):
                dates = {int(row.recipient.id or 0): self.instant(row.add_update_date) for row in rows if row.recipient}
                known = self._known(dates)
                self._join(ours, {known[each]: dates[each] for each in dates if each in known}, {}, step, end)
                self.display.advance(len(rows))

    def members(self) -> None:
        """Store the members of the groups, those among them who unsubscribed as such."""
        counts = {each.group_id: self.ask(op.getGroupRecipientsCount, groupId=each.group_id) for each in self._groups}
        self.display.step("members", sum(counts.values()))
        # All who confirmed are members by now.
        waiting = set(self.journal.numbers(UNCONFIRMED).values())
        for told, ours in self._each_group():
            step = f"pages of members of group {told.group_id}"

            def fetch(page: int, told: t.group = told) -> list[t.GroupRecipient]:
                answer = self.ask(op.getGroupRecipients, groupId=told.group_id, pageNumber=page, pageCount=LARGEST_PAGE)
                return [] if answer is None else answer.recipients or []

            for page, rows in self.pages(step, fetch):
                known = self._known([int(row.RecipientId or 0) for row in rows])
                with self.product.transfers.begin(self.account) as transfer:
                    there = transfer.states(ours, list(known.values()))
                # The page also names people who have left the group: those without a date are asked for their groups.
                fresh = {contact_id: theirs for theirs, contact_id in known.items() if contact_id not in there}
                left = {each for each, theirs in fresh.items() if told.group_id not in self._groups_of(theirs)}
                states = dict.fromkeys(left, MembershipState.UNSUBSCRIBED)
                states |= dict.fromkeys(waiting & fresh.keys() - left, MembershipState.UNCONFIRMED)
                confirmed = {each for each, state in there.items() if state == "waiting" and each not in waiting}
                self._join(ours, dict.fromkeys([*fresh, *confirmed]), states, step, page)
                self.display.advance(len(rows))
            self.compare(f"Group {told.group_id}", "members", counts[told.group_id], ours)

    def _groups_of(self, number: int) -> set[int]:
        """Return the groups that a recipient is in and has not left."""
        who: dict[str, Any] = {"id": str(number)}
        return {each.Id for each in self.ask(op.getRecipientGroups, recipient=t.Recipient(**who)) or []}

    def _join(
        self,
        list_id: int,
        dates: dict[int, datetime | None],
        states: Mapping[int, MembershipState],
        step: str,
        position: Any,
    ) -> None:
        """Put contacts on a list, each since its date and subscribed unless `states` says otherwise; store where the
        step is."""
        subscribed = MembershipState.SUBSCRIBED
        with self.product.transfers.begin(self.account) as transfer:
            places = [
                Place(contact_id=number, state=states.get(number, subscribed), added_at=at, added_by="API")
                for number, at in dates.items()
            ]
            _, stored = transfer.join(list_id, places)
        self.tally("membership", stored)
        self.save(step, position)

    def _known(self, numbers: Iterable[int]) -> dict[int, int]:
        """Return theirs → ours; recipients that no search has told are asked for one by one."""
        wanted = list(numbers)
        known = self.journal.numbers(RECIPIENT, wanted)
        missing = [each for each in wanted if each not in known]
        for start in range(0, len(missing), TOGETHER):
            some = missing[start : start + TOGETHER]
            found = [self.ask(op.getRecipientDetails, recipient_id=each) for each in some]
            with self.product.transfers.begin(self.account) as transfer:
                told = [(each, self._unsubscribed(each, self._now)) for each in found if each is not None]
                pairs, stored = self._people(transfer, told)
            self.tally("recipient", stored)
            for theirs, ours in pairs:
                self.journal.keep(RECIPIENT, theirs, ours)
            known |= dict(pairs)
        return known

    def _people(
        self, transfer: Transfer, told: Sequence[tuple[t.Recipient, dict[str, Any]]]
    ) -> tuple[list[tuple[int, int]], Stored]:
        """Store recipients with further values; return pairs of theirs and our numbers, and the counts."""
        numbers, stored = transfer.people(
            [
                Told(
                    email=each.email or "",
                    custom_id=each.Custom_Id or "",
                    values={
                        **{
                            column: getattr(each, member) or ""
                            for column, member in MEMBERS.items()
                            if column not in ("email", "custom_id")
                        },
                        "text_only": bool(each.text_only),
                        **values,
                    },
                )
                for each, values in told
            ]
        )
        pairs = [
            (int(each.id or 0), number)
            for (each, _), number in zip(told, numbers, strict=True)
            if number is not None and (each.id or "").isdecimal()
        ]
        return pairs, stored

    @staticmethod
    def _unsubscribed(told: t.Recipient, at: datetime | None) -> dict[str, Any]:
        return {"unsubscribed_at": at} if told.unsubscribed and at is not None else {}
