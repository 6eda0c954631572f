"""Moving from the MagnetMail contract: what is read by which operation, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.contacts.channels import CHANNELS
from soapstone.contacts.fields import FIELDS
from soapstone.contacts.transfers import Departure, Place, Stored, Told, Transfer
from soapstone.errors import SoapstoneError
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.groups import LARGEST_PAGE
from soapstone.magnetmail.messages import draft_of, extras_of
from soapstone.magnetmail.recipient import MEMBERS
from soapstone.magnetmail.suppression import CHANNELS as COMBINATIONS
from soapstone.magnetmail.users import UNSUBSCRIBE_TYPES
from soapstone.migration.move import TOGETHER, Move
from soapstone.migration.source import RefusedError, Source, SourceError, TooLargeError
from soapstone.sending.messages.message import Traits
from soapstone.vocabulary.contacts import ContactEventKind, MembershipState
from soapstone.vocabulary.messages import MessageKind
from soapstone.wire.types import Struct

KIND = MessageKind.MAGNETMAIL
YEAR, HOUR = timedelta(days=365), timedelta(hours=1)
# Both ends of a range that is open.
OPEN = datetime(1, 1, 1)  # noqa: DTZ001 - goes out without zone
ANY = t.bool_special.all
# Text of a combination → the channels that are shut.
TYPES: dict[str, AbstractSet[str]] = {kind.value: channels for kind, channels in COMBINATIONS.items()}
UNSUBSCRIBES = {number: kind for kind, number in UNSUBSCRIBE_TYPES.items()}
# Kinds of numbers in the journal: recipients, and those among them who have not confirmed, with 0 once they have.
RECIPIENT, UNCONFIRMED = "recipient", "unconfirmed"


class Session:
    """A session at the service. It is opened when a call first needs it, and again when the service has ended it."""

    def __init__(self, login: str, password: str) -> None:
        self._login = login
        self._password = password
        self._header: t.mmAuthHeader | None = None

    def header(self) -> t.mmAuthHeader | None:
        """Return the header of calls."""
        return self._header

    def ask(self, source: Source, request: Struct) -> Any:
        """Call an operation. Raises SourceError if the login is refused."""
        if self._header is not None:
            try:
                return source.call(request)
            except RefusedError:
                # Nobody knows how the service says that a session has ended.
                self._header = None
        answer = source.call(op.Authenticate(username=self._login, password=self._password))
        if answer is None or not answer.authenticated:
            raise SourceError("The other service refuses the login or its password.")
        self._header = t.mmAuthHeader(sessionId=answer.sessionId, user_id=answer.user_id)
        return source.call(request)


class MagnetMailMove(Move):
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
        "mappings",
    )
    session: Session

    def ask(self, operation: type[Struct], **members: Any) -> Any:
        """Call an operation and return its result."""
        return self.session.ask(self.source, operation(**members))

    def prepare(self) -> None:
        found = self.ask(op.getGroupsUTC, display_status=2, subscription_groups=2) or []
        self._groups: list[t.group] = [each for each in found if each]
        created = [moment for each in self._groups if (moment := self.instant(each.group_created))]
        self._beginning = min(created, default=now() - YEAR)
        self._now = now()

    def run(self) -> None:
        if self.journal.position("began") is None:
            self.save("began", now().isoformat())
        super().run()
        self.journal.set_fact("since", self.journal.position("began"))

    def count(self) -> dict[str, int]:
        found = {"groups": len(self._groups), "memberships": 0}
        for each in self._groups:
            found["memberships"] += self.ask(op.getGroupRecipientsCount, groupId=each.group_id)
        found["messages"] = len(self._listed())
        found["group categories"] = len(self.ask(op.GetAllGroupCategories) or [])
        found["message categories"] = len(self.ask(op.GetMessageCategory, messageCategoryId="") or [])
        return found

    # --- the account ------------------------------------------------------------------------------------------------

    def settings(self) -> None:
        """Let the account identify people, name fields and unsubscribe as over there."""
        self.display.step("settings", None)
        user = self.ask(op.getUserDetails)
        if user is not None:
            identifier = "custom_id" if user.hasCustomId else "email"
            kind = UNSUBSCRIBES.get(user.unsubscribe_type, self.account.unsubscribe_type)
            if (identifier, kind) != (self.account.identifier, self.account.unsubscribe_type):
                self.account = self.product.accounts.change(self.account, identifier=identifier, unsubscribe_type=kind)
        labels = {
            FIELDS[each.fieldNamevalue]: each.fieldNameText
            for each in self.ask(op.getRecipientFields) or []
            if each.fieldNamevalue in FIELDS
            and each.fieldNameText not in (None, "", each.fieldNamevalue.replace("_", " "))
        }
        if labels != self.account.field_labels:
            self.account = self.product.accounts.change(self.account, field_labels=labels)
        names = [each.fieldName or "" for each in self.ask(op.GetEnhancedPersonalizedFields) or []]
        if names:
            self.journal.remark(f"Enhanced fields: no operation tells their group or their values: {', '.join(names)}")
        searches = [each.Search_Name or "" for each in self.ask(op.getSavedSearches, search_name="", loginid=0) or []]
        if searches:
            self.journal.remark(f"Saved searches: no operation tells what they look for: {', '.join(searches)}")

    def categories(self) -> None:
        """Store the categories of groups and of messages."""
        self.display.step("categories", None)
        house, mine = self.product.categories, self.account.id
        for told in self.ask(op.GetAllGroupCategories) or []:
            name = (told.CategoryName or "").strip() or f"Category {told.ID}"

            def add(number: int | None, name: str = name) -> int:
                return house.add_list_category(mine, name, number=number).id

            there = (each.id for each in house.list_categories(mine) if each.name == name)
            with self.as_of(self.instant(told.DateCreated)):
                ours, _ = self.same_number("group category", told.ID, there, add, name=name)
            found = house.list_category(mine, ours)
            if found is not None and (found.name, found.active) != (name, told.Status == 1):
                house.change_list_category(mine, ours, name=name, active=told.Status == 1)
        for told in self.ask(op.GetMessageCategory, messageCategoryId="") or []:
            name = (told.Name or "").strip() or f"Category {told.ID}"

            def put(number: int | None, name: str = name) -> int:
                return house.add_message_category(mine, name, number=number).id

            there = (each.id for each in house.message_categories(mine) if each.name == name)
            with self.as_of(self.instant(told.DateCreated)):
                ours, _ = self.same_number("message category", told.ID, there, put, name=name)
            kept = house.message_category(mine, ours)
            if kept is not None and kept.name != name:
                house.rename_message_category(mine, ours, name)

    def groups(self) -> None:
        """Store the groups."""
        self.display.step("groups", len(self._groups))
        for told in self._groups:
            made_at, name = (
                self.instant(told.group_created),
                (told.group_name or "").strip() or f"Group {told.group_id}",
            )

            def add(number: int | None, name: str = name) -> int:
                return self.product.lists.create(self.account.id, name, number=number).id

            there = (
                each.id
                for each in self.product.lists.all(self.account.id)
                if each.name == name and made_at in (None, each.created_at)
            )
            with self.as_of(made_at):
                ours, _ = self.same_number("list", told.group_id, there, add, name=name)
            found, changed_at = self.product.lists.get(self.account.id, ours), self.instant(told.last_updated_date)
            if found is None:
                self.journal.remark(f"Group {told.group_id} ({name}) was deleted here and is left out.")
                continue
            new: dict[str, Any] = {
                "name": name,
                "visible": told.display_status,
                "on_subscription_page": told.subscription_group,
            }
            if any(getattr(found, column) != value for column, value in new.items()) or (
                changed_at is not None and (found.updated_at is None or found.updated_at < changed_at)
            ):
                with self.as_of(changed_at):
                    self.product.lists.change(self.account.id, ours, **new)
                self.counts["list: changed"] += 1
            self.display.advance(1)

    def _each_group(self) -> Iterator[tuple[t.group, int]]:
        here = {each.id for each in self.product.lists.all(self.account.id)}
        for told in self._groups:
            ours = self.journal.number("list", told.group_id)
            if ours in here and ours is not None:
                yield told, ours

    # --- messages ---------------------------------------------------------------------------------------------------

    def _listed(self) -> dict[int, tuple[t.Message, bool, bool]]:
        """Return the messages by number, each with whether it is archived, and hidden."""
        found: dict[int, tuple[t.Message, bool, bool]] = {}
        dates = dict.fromkeys(("createStartDate", "createEndDate", "sentStartDate", "sentEndDate"), OPEN)
        for archived in (False, True):
            for hidden in (False, True):
                flags = {"archived": archived, "hidden": hidden}
                wanted = {name: t.bool_special.yes if flag else t.bool_special.no for name, flag in flags.items()}
                rows = self.ask(op.getMessageListUtc, **dates, **wanted, hasFax=ANY, hasEmail=ANY) or []
                found |= {each.message_id: (each, archived, hidden) for each in rows}
        return dict(sorted(found.items()))

    def messages(self) -> None:
        """Store the messages with their texts."""
        listed = self._listed()
        self.display.step("messages", len(listed))
        for number, (told, archived, hidden) in listed.items():
            details = self.ask(op.GetMessageDetails, MessageId=number)
            if details is not None:
                try:
                    self._message(told, details, archived=archived, hidden=hidden)
                except SoapstoneError as error:
                    if isinstance(error, SourceError):
                        raise
                    self.journal.remark(f"Message {number} ({told.message_name}) is left out: {error}")
                    self.counts["message: refused"] += 1
            self.display.advance(1)

    def _message(self, told: t.Message, details: t.MessageDetails, *, archived: bool, hidden: bool) -> None:
        house, name, draft = self.product.messages, (details.message_name or "").strip(), draft_of(details)
        category = self.journal.number("message category", details.message_category or 0)
        traits: dict[str, Any] = {"name": name, "category_id": category, "extras": extras_of(details)}
        there = (each.id for each in house.find(self.account.id, kind=KIND) if each.name == name)

        def add(number: int | None) -> int:
            return house.save(self.account.id, None, draft, kind=KIND, traits=Traits(**traits), number=number).id

        with self.as_of(self.instant(told.createDate)):
            ours, _ = self.same_number("message", told.message_id, there, add, name=name)
        found = house.get(self.account.id, ours)
        if found is None:
            return
        if any(getattr(found, part) != value for part, value in {**vars(draft), **traits}.items()):
            house.edit(self.account.id, ours, draft, traits=traits)
            self.counts["message: changed"] += 1
        if (found.archived, found.hidden) != (archived, hidden):
            house.mark(self.account.id, ours, archived=archived, hidden=hidden)

    # --- who must get no mail ---------------------------------------------------------------------------------------

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
        """Store for whom channels are shut."""
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
                    channels = " ".join(each for each in CHANNELS if each in shut)
                    told.append((row.recipient, {"channels_shut": channels, "suppressed_at": at}))
                    if "email" in shut:
                        since[address_key(row.recipient.email or "")] = at
                pairs, stored = self._people(transfer, told)
                transfer.suppress(since)
            self.tally("suppressed", stored)
            self.save("spans of suppressed", end, recipient=pairs)
            self.display.advance(len(rows))

    def unsubscribed(self) -> None:
        """Store who unsubscribed, before anybody else."""
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

    # --- recipients -------------------------------------------------------------------------------------------------

    def recipients(self) -> None:
        """Store all recipients."""
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
        # Who has confirmed on a group has come to it by now.
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
                # Whom no date was told of, the group may have without being theirs any more.
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

    def mappings(self) -> None:
        """Store what stands for which object of the membership system."""
        self.display.step("mappings", None)
        criteria = t.PersonifySubscriptionMappingSearchCriteria(ObjectInPersonify=None)
        answer = self.ask(op.SearchPersonifySubscriptionMappings, criteria=criteria)
        house, kinds = self.product.mappings, {"group": "list", "message": "message"}
        there = {
            (each.object_type, each.identifier, each.own_type, each.own_id) for each in house.find(self.account.id)
        }
        for told in [] if answer is None else answer.data or []:
            kind, theirs = told.RealMagnetType or "", told.RealMagnetObjectId
            own = self.journal.number(kinds.get(kind.lower(), ""), theirs) or theirs
            key = (told.PersonifyType or "", told.PersonifyId or "", kind, own)
            if key not in there:
                there.add(key)
                names = dict(zip(("object_type", "identifier", "own_type", "own_id"), key, strict=True))
                with self.as_of(self.instant(told.DateCreated)):
                    house.add(self.account.id, own_name=told.RealMagnetObjectName or "", **names)  # type: ignore[arg-type]
                self.counts["mapping: new"] += 1
