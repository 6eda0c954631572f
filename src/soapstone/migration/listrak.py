"""Moving from the Listrak contract (v31): its people, and the order of all steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.contacts.transfers import Departure, Place, Told
from soapstone.imports.spec import Column, ImportSpec
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import NO_DATE
from soapstone.listrak.import_history import PROFILE_TEXTS
from soapstone.lists.lists import ContactList
from soapstone.lists.profile_values import stored
from soapstone.lists.profiles import ProfileAttribute
from soapstone.migration.listrak_sent import MEMBER, ListrakSent
from soapstone.migration.move import TOGETHER
from soapstone.vocabulary.contacts import ContactEventKind, MembershipState
from soapstone.vocabulary.rows import ImportOutcome

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


class ListrakMove(ListrakSent):
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
        "sent_mails",
        "profiles",
    )

    def __init__(self, *given: Any, profiles_of: str = "all") -> None:
        """`profiles_of` says whose profiles are read, at one call for each: "all", "new" for those not read yet, or
        "none"."""
        super().__init__(*given)
        self.profiles_of = profiles_of

    def removals(self) -> None:
        """Store the contacts that left the lists, with the dates, before all others."""
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
        told_dates = {row.AdditionDate for row in rows}
        if not subscribed:
            told_dates |= {row.RemovalDate for row in rows}
        dates = {each: self.instant(each) for each in told_dates}
        told = [Told(row.EmailAddress or "", None, {}, dates[row.AdditionDate]) for row in rows]
        state = MembershipState.SUBSCRIBED if subscribed else MembershipState.UNSUBSCRIBED
        with self.product.transfers.begin(self.account) as transfer:
            numbers, people = transfer.people(told)
            known = [(number, row) for number, row in zip(numbers, rows, strict=True) if number is not None]
            if subscribed:
                places = [
                    Place(number, state, dates[row.AdditionDate], row.AdditionMethod or "") for number, row in known
                ]
            else:
                places = [
                    Place(number, state, dates[row.AdditionDate], "", dates[row.RemovalDate], row.RemovalMethod or "")
                    for number, row in known
                ]
            ours, stored_places = transfer.join(found.id, places)
        self.counts["address that is none, or of a deleted contact: refused"] += people.refused
        self.tally("subscriber" if subscribed else "removal", stored_places)
        # Who is not on the list any more has the number 0 (lk-112).
        numbered = ((number, row) for number, row in known if (row.ContactID or "").lstrip("0").isdecimal())
        pairs = ((int(row.ContactID), ours[number]) for number, row in numbered)
        self.save(step, page, (), **{MEMBER.format(found.id): pairs})
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
        """Store the imports with their counters, and the suppressed and banned addresses in their rows."""
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
