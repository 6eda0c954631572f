"""Moving from the Listrak contract: lists, what belongs to them, and messages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.lists import DEFAULT_POOL, POOLS, SWITCHES
from soapstone.listrak.profiles import KINDS
from soapstone.lists.lists import ContactList
from soapstone.lists.names import LONGEST_NAME
from soapstone.lists.profiles import AttributeDraft
from soapstone.migration.move import Move
from soapstone.migration.source import RefusedError
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.message import Draft, Traits
from soapstone.vocabulary.messages import MessageKind
from soapstone.wire.types import Struct


class ListrakLists(Move):
    """The lists that the login may see, and what they have besides people."""

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

    def lists(self) -> None:
        """Store the lists with their settings."""
        self.display.step("lists", len(self._lists))
        for told in self._lists:
            made_at = self.instant(told.CreateDate)
            name = (told.ListName or "").strip()[:LONGEST_NAME].strip() or f"List {told.ListID}"
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

    def _lists_here(self) -> Iterator[tuple[int, ContactList]]:
        """Yield the lists: their number, and the list here."""
        for told in self._lists:
            ours = self.journal.number("list", told.ListID)
            found = None if ours is None else self.product.lists.get(self.account.id, ours)
            if found is not None:
                yield told.ListID, found

    def _each_list(self, step: str) -> Iterator[tuple[int, ContactList]]:
        """Yield the lists that a step has still to read."""
        for theirs, found in self._lists_here():
            place = f"{step} of list {theirs}"
            if self.journal.position(place) != "done":
                yield theirs, found
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
