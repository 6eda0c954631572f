"""Moving from the Listrak contract (v31): what is read by which operation, and where it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.contacts.transfers import Departure, Place, Told
from soapstone.errors import InvalidError
from soapstone.imports.spec import Column, ImportSpec
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import NO_DATE
from soapstone.listrak.import_history import PROFILE_TEXTS
from soapstone.listrak.lists import DEFAULT_POOL, POOLS, SWITCHES
from soapstone.listrak.profiles import KINDS
from soapstone.lists.lists import ContactList
from soapstone.lists.profile_values import stored
from soapstone.lists.profiles import AttributeDraft, ProfileAttribute
from soapstone.migration.move import TOGETHER, Move
from soapstone.migration.source import RefusedError
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.message import Draft, Traits
from soapstone.vocabulary.contacts import ContactEventKind, MembershipState
from soapstone.vocabulary.messages import MessageKind
from soapstone.vocabulary.rows import ImportOutcome
from soapstone.wire.types import Struct

# A date that leaves the end of a range open.
OPEN = NO_DATE
# Texts of the import history → what the import did.
ACTIONS = {
    "add subscriber": "add",
    "add subscriber and segment data": "add",
    "update subscriber": "update",
    "remove subscriber": "remove",
    "remove subscriber and segment data": "remove_with_profile",
}
KNOWN = {text.lower(): known for known, text in PROFILE_TEXTS.items()}
# Counter of the history → the outcome of rows that it counts here.
OUTCOMES = {
    "InvalidEmailCount": ImportOutcome.INVALID_ADDRESS,
    "SubscribedCount": ImportOutcome.JOINED,
    "UnSubscribedCount": ImportOutcome.REMOVED,
    "AlreadySubscribedCount": ImportOutcome.UNCHANGED,
    "AlreadyUnsubscribedCount": ImportOutcome.ALREADY_REMOVED,
    "PreviouslyUnsubscribedCount": ImportOutcome.PREVIOUSLY_UNSUBSCRIBED,
    "SuppressedCount": ImportOutcome.SUPPRESSED,
    "BannedCount": ImportOutcome.BANNED,
    "SkippedCount": ImportOutcome.DUPLICATE,
}
# Result class of an import's rows → the suppression that it tells of.
BLOCKED = {t.WSImportResultEnum.Suppressed: "suppressed", t.WSImportResultEnum.Banned: "banned"}


class ListrakMove(Move):
    """Fills an account from the lists that the login may see."""

    STEPS = (
        "lists",
        "profile_headers",
        "campaigns",
        "external_events",
        "removals",
        "complaints",
        "import_history",
        "messages",
        "contacts",
        "profiles",
    )
    profiles_of: str = "all"
    """Whose profiles are read, at one call for each contact: "all", "new" for those not read yet, or "none"."""

    def ask(self, operation: type[Struct], **members: Any) -> Any:
        """Call an operation and return its result, or the object in its place. Raises RefusedError for a business
        error (lk-16)."""
        answer = self.source.call(operation(**members))
        if op.CONTRACT.operations_by_name[operation.__name__].wraps_result:
            return answer
        told = dict(answer.__dict__)
        failure = told.pop("WSException", None)
        if failure is not None:
            raise RefusedError(operation.__name__, failure.Description or "")
        return next(iter(told.values()))

    def prepare(self) -> None:
        self._lists: list[t.WSContactList] = [each for each in self.ask(op.GetContactListCollection) or [] if each]

    def count(self) -> dict[str, int]:
        found = {"lists": len(self._lists), "contacts": 0, "attributes": 0, "messages": 0, "campaigns": 0}
        for each in self._lists:
            number = each.ListID
            self.display.step(f"list {number}", None)
            found["contacts"] += self.ask(op.GetFilteredListCount, ListID=number)
            headers = self.ask(op.GetProfileHeaderCollection, ListID=number) or []
            found["attributes"] += sum(len(header.WSProfileAttributes) for header in headers)
            found["campaigns"] += len(self.ask(op.GetCampaignCollection, ListID=number) or [])
            found["messages"] += len(self.ask(op.GetSavedMessageCollection, ListID=number) or [])
            found["messages"] += len(self.ask(op.GetTransactionalMessageCollection, ListID=number) or [])
        return found

    # --- lists ------------------------------------------------------------------------------------------------------

    def lists(self) -> None:
        """Store the lists with their settings."""
        self.display.step("lists", len(self._lists))
        for told in self._lists:
            made_at, name = self.instant(told.CreateDate), (told.ListName or "").strip() or f"List {told.ListID}"
            settings = self._settings(told)

            def add(number: int | None, settings: dict[str, Any] = settings, name: str = name) -> int:
                return self.product.lists.create(self.account.id, name, settings=settings, number=number).id

            there = (
                each.id
                for each in self.product.lists.all(self.account.id)
                if each.name == name and each.created_at == made_at
            )
            with self.as_of(made_at):
                ours, _ = self.same_number("list", told.ListID, there, add, name=name)
            found = self.product.lists.get(self.account.id, ours)
            if found is None:
                self.journal.remark(f"List {told.ListID} ({name}) was deleted here and is left out.")
            elif found.name != name or {**found.settings, **settings} != found.settings:
                self.product.lists.change(self.account.id, ours, name=name, settings=settings)
                self.counts["list: changed"] += 1
            self.display.advance(1)

    def _settings(self, told: t.WSContactList) -> dict[str, Any]:
        sender, pool = told.FromEmail or "", told.Vmta.VmtaID if told.Vmta else DEFAULT_POOL
        if sender and not is_mailbox(sender):
            self.journal.remark(f"The sender of list {told.ListID} is no address and is left out: {sender}")
            sender = ""
        if pool not in POOLS:
            self.journal.remark(f"List {told.ListID} uses the default sending pool here, and pool {pool} there.")
            pool = DEFAULT_POOL
        domains = {domain.strip().lower() for domain in told.GoogleTrackingDomains if domain and domain.strip()}
        return {
            "from_name": told.FromName or "",
            "from_address": sender,
            "bounce_handling": told.bounceHandling if told.bounceHandling in (0, 1, 2) else 1,
            "bounce_limit": max(told.BounceUnsubscribeCount, 0),
            "pool": pool,
            "link_domain": told.DomainAliasLink or "",
            "mail_domain": told.DomainAliasEmail or "",
            "tracking_domains": sorted(domains),
            **{name: getattr(told, member) for member, name in SWITCHES.items()},
        }

    def _each_list(self, step: str) -> Iterator[tuple[int, ContactList]]:
        """Yield the lists that a step has still to read: their number, and the list here."""
        for told in self._lists:
            place = f"{step} of list {told.ListID}"
            ours = self.journal.number("list", told.ListID)
            found = None if ours is None else self.product.lists.get(self.account.id, ours)
            if found is not None and self.journal.position(place) != "done":
                yield told.ListID, found
                self.save(place, "done")

    def profile_headers(self) -> None:
        """Store headers and attributes in their order."""
        self.display.step("profile attributes", len(self._lists))
        for theirs, found in self._each_list("profile_headers"):
            for place, told in enumerate(self.ask(op.GetProfileHeaderCollection, ListID=theirs) or [], 1):
                self._header(found, told, place)
            self.display.advance(1)

    def _header(self, found: ContactList, told: t.WSProfileHeader, place: int) -> None:
        profiles, name = self.product.profiles, (told.Name or "").strip() or f"Header {told.HeaderID}"
        there = (each.id for each in profiles.headers(found.id) if each.name.casefold() == name.casefold())

        def add(number: int | None) -> int:
            return profiles.add_header(self.account.id, found.id, name, position=place, number=number)

        header_id, _ = self.same_number("profile header", told.HeaderID, there, add, name=name)
        header = profiles.header(self.account.id, header_id)
        if header is None:
            return
        if (header.name, header.position) != (name, place):
            profiles.change_header(self.account.id, header_id, name=name, position=place)
        for position, each in enumerate(told.WSProfileAttributes, 1):
            self._attribute(found, header_id, each, position)

    def _attribute(self, found: ContactList, header_id: int, told: t.WSProfileAttribute, position: int) -> None:
        profiles, name = self.product.profiles, (told.Name or "").strip() or f"Attribute {told.AttributeID}"
        kind, longest = KINDS[told.DataType], max(told.MaxLength, 0)
        present = profiles.attributes(found.id)
        there = [each.id for each in present if each.name.casefold() == name.casefold()]

        def add(number: int | None) -> int:
            free = name if not there else f"{name} ({told.AttributeID})"
            return profiles.add_attribute(
                self.account.id,
                found.id,
                header_id,
                free,
                kind=kind,
                max_length=longest,
                position=position,
                number=number,
            )

        mine = (each.id for each in present if each.id in there and (each.header_id, each.kind) == (header_id, kind))
        ours, _ = self.same_number("profile attribute", told.AttributeID, mine, add, name=name)
        here = profiles.attribute(self.account.id, ours)
        if here is not None and (here.position, here.max_length) != (position, longest):
            draft = AttributeDraft(name=here.name, kind=here.kind, max_length=longest, position=position)
            profiles.change_attribute(self.account.id, ours, draft)

    def campaigns(self) -> None:
        """Store the campaigns of the lists."""
        self.display.step("campaigns", len(self._lists))
        for theirs, found in self._each_list("campaigns"):
            for told in self.ask(op.GetCampaignCollection, ListID=theirs) or []:
                name = (told.Name or "").strip() or f"Campaign {told.CampaignID}"
                there = (each.id for each in self.product.campaigns.all(found.id) if each.name == name)

                def add(number: int | None, name: str = name, found: ContactList = found) -> int:
                    return self.product.campaigns.add(self.account.id, found.id, name, number=number).id

                ours, _ = self.same_number("campaign", told.CampaignID, there, add, name=name)
                if all(each.name != name for each in self.product.campaigns.all(found.id) if each.id == ours):
                    self.product.campaigns.rename(self.account.id, ours, name)
            self.display.advance(1)

    def external_events(self) -> None:
        """Store the events that calls and imports can raise."""
        self.display.step("external events", len(self._lists))
        house = self.product.external_events
        for theirs, found in self._each_list("external_events"):
            for told in self.ask(op.ConductorGetExternalEvents, ListID=theirs) or []:
                name = (told.EventName or "").strip() or f"Event {told.EventID}"
                there = [each.id for each in house.all(found.id) if each.name == name]
                changed_at, active = self.instant(told.LastModifiedDate), told.Status == t.ExternalEventStatus.Active

                def add(number: int | None, name: str = name, found: ContactList = found) -> int:
                    return house.add(self.account.id, found.id, name, number=number).id

                with self.as_of(changed_at):
                    ours, _ = self.same_number("external event", told.EventID, there, add, name=name)
                    here = house.get(self.account.id, ours)
                    if here is not None and (here.name, here.active) != (name, active):
                        house.change(self.account.id, ours, name=name, active=active)
            self.display.advance(1)

    # --- who must get no mail ---------------------------------------------------------------------------------------

    def removals(self) -> None:
        """Store who left the lists, with the dates, before anybody else."""
        self.display.step("removals", None)
        for theirs, found in self._each_list("removals"):
            step = f"pages of removals of list {theirs}"

            def fetch(page: int, theirs: int = theirs) -> list[t.WSContactRemovalInfo]:
                return self.ask(op.ReportListContactRemoval, ListID=theirs, Page=page) or []

            for page, rows in self.pages(step, fetch):
                self._members(step, page, found, rows, subscribed=False)

    def contacts(self) -> None:
        """Store the subscribers of the lists, with their dates."""
        counts = {each.ListID: self.ask(op.GetFilteredListCount, ListID=each.ListID) for each in self._lists}
        self.display.step("contacts", sum(counts.values()))
        for theirs, found in self._each_list("contacts"):
            step = f"pages of contacts of list {theirs}"

            def fetch(page: int, theirs: int = theirs) -> list[t.WSContactSubscriptionInfo]:
                return self.ask(op.ReportSubscribedContacts, ListID=theirs, Page=page) or []

            for page, rows in self.pages(step, fetch):
                self._members(step, page, found, rows, subscribed=True)
            self.compare(f"List {theirs}", "subscribed", counts[theirs], found.id)

    def _members(self, step: str, page: int, found: ContactList, rows: list[Any], *, subscribed: bool) -> None:
        """Store one page of members of a list."""
        dates: dict[datetime, datetime | None] = {}
        state = MembershipState.SUBSCRIBED if subscribed else MembershipState.UNSUBSCRIBED

        def date(told: datetime) -> datetime | None:
            if told not in dates:
                dates[told] = self.instant(told)
            return dates[told]

        told = [Told(email=row.EmailAddress or "", values={}, created_at=date(row.AdditionDate)) for row in rows]
        with self.product.transfers.begin(self.account) as transfer:
            numbers, people = transfer.people(told)
            places = {}
            for number, row in zip(numbers, rows, strict=True):
                if number is None:
                    continue
                dated: dict[str, Any] = {"added_at": date(row.AdditionDate)}
                if subscribed:
                    dated |= {"added_by": row.AdditionMethod or ""}
                else:
                    dated |= {"removed_at": date(row.RemovalDate), "removed_by": row.RemovalMethod or ""}
                places[number] = Place(contact_id=number, state=state, **dated)
            ours, stored_places = transfer.join(found.id, list(places.values()))
        self.counts["address that is none, or of a deleted contact: refused"] += people.refused
        self.tally("subscriber" if subscribed else "removal", stored_places)
        pairs = (
            (int(row.ContactID), ours[number])
            for number, row in zip(numbers, rows, strict=True)
            if number is not None and (row.ContactID or "").isdecimal()
        )
        self.save(step, page, **{f"contact of list {found.id}": pairs})
        self.display.advance(len(rows))

    def complaints(self) -> None:
        """Store who complained, and suppress their addresses."""
        self.display.step("complaints", None)

        def fetch(page: int) -> list[t.WSFeedbackLoopListing]:
            return self.ask(op.ReportAdminContactFeedbackLoop, StartDate=OPEN, EndDate=OPEN, Page=page) or []

        for page, rows in self.pages("pages of complaints", fetch):
            with self.product.transfers.begin(self.account) as transfer:
                numbers, _ = transfer.people([Told(email=row.EmailAddress or "", values={}) for row in rows])
                departures = [
                    Departure(
                        contact_id=number,
                        kind=ContactEventKind.COMPLAINED,
                        at=self.instant(row.AbuseDate) or now(),
                        by="Feedback Loop",
                        list_id=self.journal.number("list", row.ListID),
                        provider=row.ISPName or "",
                    )
                    for number, row in zip(numbers, rows, strict=True)
                    if number is not None
                ]
                done = transfer.depart([each for each in departures if each.list_id is not None])
            self.tally("complaint", done)
            self.save("pages of complaints", page)
            self.display.advance(len(rows))

    def import_history(self) -> None:
        """Store the imports with their counters, and suppress whom they found suppressed or banned."""
        self.display.step("import history", None)
        for theirs, found in self._each_list("import_history"):
            step = f"pages of imports of list {theirs}"

            def fetch(page: int, theirs: int = theirs) -> list[t.WSImportHistory]:
                return self.ask(op.ReportListImportHistory, ListID=theirs, Page=page) or []

            for page, rows in self.pages(step, fetch):
                for row in rows:
                    self._import(found, row)
                self.save(step, page)
                self.display.advance(len(rows))

    def _import(self, found: ContactList, told: t.WSImportHistory) -> None:
        started, ended = self.instant(told.StartDate), self.instant(told.EndDate)
        if started is None or ended is None or self.journal.number("import", told.ImportFileID) is not None:
            return
        for result, kind in BLOCKED.items():
            if getattr(told, f"{result}Count"):
                self._block(told.ImportFileID, result, kind)
        kinds = (told.ImportType or "").strip().lower()
        # lk-74
        usual = "update" if kinds == "add subscriber and segment data" else "keep"
        known = KNOWN.get((told.ProfileImportType or "").strip().lower(), usual)
        spec = ImportSpec(
            columns=(Column(index=0, target="email"),),
            action=ACTIONS.get(kinds, "add"),  # type: ignore[arg-type]
            known=known,  # type: ignore[arg-type]
            source="API" if told.ImportSource == "API" else "File",
        )
        counters = {
            outcome.value: getattr(told, member) for member, outcome in OUTCOMES.items() if getattr(told, member)
        }
        label, size = told.FileName or "", max(told.FileSize, 0)
        there = (
            job.id
            for job in self.product.jobs.find(account_id=self.account.id, list_id=found.id, submitted_from=started)
            if job.submitted_at == started and job.label == label
        )

        def add(_: int | None) -> int:
            with self.as_of(started):
                return self.product.imports.record(
                    self.account, found, spec, counters, label=label, size=size, finished_at=ended
                )

        used = set(self.journal.numbers("import").values())
        ours = next((number for number in there if number not in used), None)
        self.counts["import: new"] += ours is None
        self.journal.keep("import", told.ImportFileID, add(None) if ours is None else ours)

    def _block(self, number: int, result: t.WSImportResultEnum, kind: str) -> None:
        """Suppress or ban the addresses in rows of an import that came to this result."""
        page = 1
        while rows := self.ask(op.ReportImportContactDetail, ImportFileID=number, Page=page, ImportResult=result):
            keys = {address_key(row.EmailAddress): None for row in rows if row.EmailAddress}
            with self.product.transfers.begin(self.account) as transfer:
                self.tally(f"{kind} address", transfer.suppress(dict.fromkeys(keys), kind))
            page += 1

    # --- messages ---------------------------------------------------------------------------------------------------

    def messages(self) -> None:
        """Store names and dates of saved and transactional messages: no operation tells their content."""
        self.display.step("messages", len(self._lists))
        for theirs, found in self._each_list("messages"):
            for saved in self.ask(op.GetSavedMessageCollection, ListID=theirs) or []:
                dates = self.instant(saved.CreateDate), self.instant(saved.ModifiedDate)
                self._message(found, MessageKind.SAVED, saved.SavedMsgID, saved.SavedName, *dates)
            for kept in self.ask(op.GetTransactionalMessageCollection, ListID=theirs) or []:
                self._message(found, MessageKind.TRANSACTIONAL, kept.TransactionalMsgID, kept.MessageName, None, None)
            self.display.advance(1)

    def _message(
        self,
        found: ContactList,
        kind: MessageKind,
        theirs: int,
        told: str | None,
        made_at: datetime | None,
        changed_at: datetime | None,
    ) -> None:
        messages, name = self.product.messages, told or ""
        there = [
            each
            for each in messages.find(self.account.id, kind=kind, list_ids=[found.id])
            if each.name == name and made_at in (None, each.created_at)
        ]

        def add(number: int | None) -> int:
            traits = Traits(name=name)
            return messages.save(
                self.account.id, found.id, Draft(subject=""), kind=kind, traits=traits, number=number
            ).id

        with self.as_of(made_at):
            ours, _ = self.same_number("message", theirs, (each.id for each in there), add, name=name)
        here = messages.get(self.account.id, ours)
        if here is None:
            return
        if changed_at is not None and here.name == name and here.updated_at >= changed_at:
            return
        if changed_at is not None or here.name != name:
            with self.as_of(changed_at):
                messages.edit(self.account.id, ours, Draft.of(here), traits={"name": name})

    # --- profiles ---------------------------------------------------------------------------------------------------

    def profiles(self) -> None:
        """Read the profile of each subscriber, at one call for each: no other operation tells it."""
        if self.profiles_of == "none":
            self.journal.remark("Profiles were not read.")
            return
        ours = self.journal.numbers("list", [each.ListID for each in self._lists]).values()
        here = {each.id: each.subscribed for each in self.product.lists.all(self.account.id)}
        self.display.step("profiles", sum(here.get(number, 0) for number in ours))
        for theirs, found in self._each_list("profiles"):
            step, kinds = f"contact in profiles of list {theirs}", self._kinds(found)
            if not kinds:
                continue
            after = self.journal.position(step) or 0
            if self.profiles_of == "new":
                after = max(after, self.journal.fact(f"profiles of list {theirs}") or 0)
            for last, told in self.ahead(self._profiles(theirs, found, after)):
                profiles = {number: self._profile(kinds, contact) for number, contact in told.items() if contact}
                with self.product.transfers.begin(self.account) as transfer:
                    self.tally("profile", transfer.set_profiles(found.id, profiles))
                self.save(step, last)
                self.display.advance(len(told))
            position = self.journal.position(step)
            if position is not None:
                self.journal.set_fact(f"profiles of list {theirs}", position)

    def _profiles(
        self, theirs: int, found: ContactList, after: int
    ) -> Iterator[tuple[int, dict[int, t.WSContact | None]]]:
        """Yield contacts of the list with their profiles over there, some at a time, each time with the last one."""
        while members := self.product.members.page(found.id, state="subscribed", after=after, limit=TOGETHER):
            told = {}
            for each in members:
                told[each.contact_id] = self.ask(op.GetContact, ListID=theirs, ContactEmailAddress=each.email)
            after = members[-1].contact_id
            yield after, told

    def _kinds(self, found: ContactList) -> dict[int, ProfileAttribute]:
        """Return their number → the attribute here."""
        here = {each.id: each for each in self.product.profiles.attributes(found.id)}
        numbers = self.journal.numbers("profile attribute").items()
        return {theirs: here[ours] for theirs, ours in numbers if ours in here}

    def _profile(self, kinds: Mapping[int, ProfileAttribute], told: t.WSContact) -> dict[str, str]:
        profile = {}
        for each in told.ContactProfileAttribute:
            attribute = kinds.get(each.AttributeID)
            if attribute is None or not each.Value:
                continue
            value = stored(attribute.kind, each.Value, attribute.max_length)
            if value is None:
                self.counts[f"value that does not fit attribute {attribute.id}: refused"] += 1
            elif value:
                profile[str(attribute.id)] = value
        return profile


def checked(name: str) -> str:
    """Return whose profiles are read. Raises InvalidError."""
    if name not in ("all", "new", "none"):
        raise InvalidError("Profiles are read of all, new or none.")
    return name
