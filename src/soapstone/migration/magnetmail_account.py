"""Moving from the MagnetMail contract: the session, the account, its groups, categories and messages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from soapstone.clock import now
from soapstone.contacts.fields import FIELDS
from soapstone.errors import SoapstoneError
from soapstone.lists.names import LONGEST_NAME
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.messages import draft_of, extras_of
from soapstone.magnetmail.users import UNSUBSCRIBE_TYPES
from soapstone.migration.move import Move
from soapstone.migration.source import RefusedError, Source, SourceError
from soapstone.sending.messages.message import Traits
from soapstone.vocabulary.messages import MessageKind
from soapstone.wire.types import Struct

KIND = MessageKind.MAGNETMAIL
YEAR = timedelta(days=365)
# Both ends of a range that is open.
OPEN = datetime(1, 1, 1)  # noqa: DTZ001 - goes out without zone
ANY = t.bool_special.all
# Kind of the numbers of recipients in the journal.
RECIPIENT = "recipient"
UNSUBSCRIBES = {number: kind for kind, number in UNSUBSCRIBE_TYPES.items()}


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
                # How the service says that a session has ended is unknown, so any refusal may mean that.
                self._header = None
        answer = source.call(op.Authenticate(username=self._login, password=self._password))
        if answer is None or not answer.authenticated:
            raise SourceError("The other service refuses the login or its password.")
        self._header = t.mmAuthHeader(sessionId=answer.sessionId, user_id=answer.user_id)
        return source.call(request)


class MagnetMailAccount(Move):
    """The account of the login, without its people."""

    def __init__(self, *given: Any, session: Session) -> None:
        super().__init__(*given)
        self.session = session

    def ask(self, operation: type[Struct], **members: Any) -> Any:
        """Call an operation and return its result."""
        return self.session.ask(self.source, operation(**members))

    def prepare(self) -> None:
        found = self.ask(op.getGroupsUTC, display_status=2, subscription_groups=2) or []
        self._groups: list[t.group] = [each for each in found if each]
        created = [moment for each in self._groups if (moment := self.instant(each.group_created))]
        self._beginning = min(created, default=now() - YEAR)
        self._now = now()

    def count(self) -> dict[str, int]:
        found = {"groups": len(self._groups), "memberships": 0}
        for each in self._groups:
            found["memberships"] += self.ask(op.getGroupRecipientsCount, groupId=each.group_id)
        found["messages"] = len(self._listed())
        found["group categories"] = len(self.ask(op.GetAllGroupCategories) or [])
        found["message categories"] = len(self.ask(op.GetMessageCategory, messageCategoryId="") or [])
        return found

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
        for told in self.ask(op.GetAllGroupCategories) or []:
            self._category("group category", told.ID, told.CategoryName, told.DateCreated, told.Status == 1)
        for each in self.ask(op.GetMessageCategory, messageCategoryId="") or []:
            self._category("message category", each.ID, each.Name, each.DateCreated)

    def _category(
        self, kind: str, theirs: int, told: str | None, made_at: datetime | None, active: bool | None = None
    ) -> None:
        """Store a category; `active` is None for one of messages."""
        house = self.product.message_categories if active is None else self.product.list_categories
        mine, name = self.account.id, (told or "").strip() or f"Category {theirs}"
        there = (each.id for each in house.all(mine) if each.name == name)
        with self.as_of(self.instant(made_at)):
            ours, _ = self.same_number(
                kind, theirs, there, lambda number: house.add(mine, name, number=number).id, name=name
            )
        found = house.get(mine, ours)
        if found is not None and (found.name != name or active not in (None, found.active)):
            house.change(mine, ours, name=name, active=active)

    def groups(self) -> None:
        """Store the groups."""
        self.display.step("groups", len(self._groups))
        for told in self._groups:
            made_at = self.instant(told.group_created)
            name = (told.group_name or "").strip()[:LONGEST_NAME].strip() or f"Group {told.group_id}"

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
