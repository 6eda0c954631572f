"""The people of a send: they leave, are shut out, move and come back through the product's own rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import insert, select
from tests.sending.model.world import World

from soapstone.accounts.account import Account, Accounts
from soapstone.accounts.link_keys import LinkKeys
from soapstone.contacts.changes import Cause, Changes
from soapstone.contacts.channels import Channels
from soapstone.contacts.contacts import Contacts
from soapstone.contacts.suppressions import WHOLE_ACCOUNT, Suppressions
from soapstone.contacts.unsubscribes import Unsubscribes
from soapstone.jobs.queue import Jobs
from soapstone.lists.categories import Categories
from soapstone.lists.lists import ContactList, Lists
from soapstone.sending.link_actions import LinkActions
from soapstone.sending.messages.message import Draft, Traits
from soapstone.sending.sends import Sends
from soapstone.sending.signed_links import Links
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import contacts, deliveries, memberships
from soapstone.store.tables import lists as list_table
from soapstone.vocabulary.contacts import MembershipState, OptOutKind, UnsubscribeType

LINKS = Links("https://lists.example", LinkKeys.single("key"))


@dataclass(eq=False)
class Person:
    """A recipient. `against` holds the reasons why it must get nothing now; `history` when it could be mailed where.

    `shut` says that it wants nothing by mail, whatever its address.
    """

    number: int
    contact_id: int
    address: str
    shut: bool = False
    against: set[str] = field(default_factory=set)
    history: list[tuple[float, str]] = field(default_factory=list)

    @property
    def reach(self) -> str:
        """The address at which it may be mailed; empty when it must not be."""
        return "" if self.against else self.address


class Crowd:
    """An account with a list and people on it, and the send to them. `unsubscribe_type` is that of the account."""

    def __init__(
        self, world: World, database: Database, blobs: Blobs, *, people: int, kind: str, unsubscribe_type: str
    ) -> None:
        self._world = world
        self._database = database
        self.jobs = Jobs(database)
        account = Accounts(database).create("ACME", time_zone="UTC")
        assert unsubscribe_type in tuple(UnsubscribeType)
        self.account: Account = Accounts(database).change(account, unsubscribe_type=unsubscribe_type)
        self._list_category = Categories(database, OptOutKind.LIST_CATEGORY).add(account.id, "Lists").id
        self._message_category = Categories(database, OptOutKind.MESSAGE_CATEGORY).add(account.id, "Messages").id
        settings = {"from_name": "Ann", "from_address": "ann@example.com", "removal_link": True}
        self.list: ContactList = Lists(database).create(
            account.id, "Newsletter", settings=settings, category_id=self._list_category
        )
        self.people = self._settle(people)
        self._by_address = {each.address: each for each in self.people}
        self.job_id = self._submit(kind, blobs)

    def _settle(self, count: int) -> list[Person]:
        moment, rows, members, people = self._world.now(), [], [], []
        for number in range(1, count + 1):
            email = f"p{number}@d{number % 3}.example"
            keys = {"account_id": self.account.id, "email": email, "email_key": email, "unique_email": email}
            rows.append({"id": number, **keys, "first_name": "Zoë", "created_at": moment, "updated_at": moment})
            member = {"list_id": self.list.id, "contact_id": number, "account_id": self.account.id}
            members.append({**member, "number": number, "state": "subscribed", "added_at": moment})
            people.append(Person(number, number, email, history=[(0.0, email)]))
        with self._database.write() as connection:
            connection.execute(insert(contacts), rows)
            connection.execute(insert(memberships), members)
            connection.execute(
                list_table.update().where(list_table.c.id == self.list.id).values(members=count, subscribed=count)
            )
        return people

    def _submit(self, kind: str, blobs: Blobs) -> int:
        sends = Sends(self._database, blobs, self.jobs)
        draft = Draft(subject="News for {{ First_Name }}", plain="Hello.\n.\n..and more\n" * 3)
        if kind == "list":
            ticket = sends.to_list(account=self.account, login=None, contact_list=self.list, message=draft)
        else:
            ticket = sends.to_members(
                account=self.account,
                login=None,
                contact_list=self.list,
                message=draft,
                traits=Traits(category_id=self._message_category),
            )
        return ticket.job.id

    def who(self, address: str) -> int | None:
        """Return the number of the person who has, or had, an address."""
        person = self._by_address.get(address)
        return None if person is None else person.number

    def person(self, number: int) -> Person:
        """Return the person of a number."""
        return self.people[number - 1]

    # --- what people do ---------------------------------------------------------------------------------------------

    @property
    def ways(self) -> dict[str, Callable[[Person], None]]:
        """What people may do, by name."""
        return {
            "link": self._by_link,
            "unsubscribe": self._unsubscribe,
            "suppressed": lambda person: self._block(person, "suppressed", WHOLE_ACCOUNT),
            "banned": lambda person: self._block(person, "banned", WHOLE_ACCOUNT),
            "banned on the list": lambda person: self._block(person, "banned", self.list.id),
            "channel": self._shut_channel,
            "list category": self._from_list_category,
            "removed": self._remove,
            "moved": self._move,
            "suppressed for a while": self._block_for_a_while,
            "back": self._come_back,
        }

    def do(self, way: str, person: Person) -> None:
        """Let a person do something now."""
        self._world.note(f"PERSON{person.number}  {way} ({person.address})")
        self.ways[way](person)
        self._remember(person)

    def _remember(self, person: Person) -> None:
        if person.history[-1][1] != person.reach:
            person.history.append((self._world.time, person.reach))

    def _by_link(self, person: Person) -> None:
        """By the link of the mail, which the person may have before the server says that it took it."""
        mine = (deliveries.c.job_id == self.job_id) & (deliveries.c.contact_id == person.contact_id)
        with self._database.read() as connection:
            number = connection.execute(select(deliveries.c.id).where(mine)).scalar_one_or_none()
        if number is None:
            return
        replies = LinkActions(self._database, lambda: LINKS)
        sent = replies.find(number)
        assert sent is not None
        replies.unsubscribe(sent, by="Unsubscribe Link")
        person.against.add("unsubscribed")

    def _unsubscribe(self, person: Person) -> None:
        """As the account's type of unsubscribe says, which is about a category of messages perhaps."""
        kind = self.account.unsubscribe_type
        cause = {
            "list_categories": Cause(list_category_id=self._list_category),
            "message_categories": Cause(message_category_id=self._message_category),
        }.get(kind, Cause())
        unsubscribes = Unsubscribes(self._database)
        assert unsubscribes.add(self.account, person.contact_id, list_id=self.list.id, cause=cause) is not None
        if kind != "message_categories":
            person.against.add("unsubscribed")
        elif self.has_category:
            person.against.add("message category")

    def _from_list_category(self, person: Person) -> None:
        with Changes(self._database).begin(self.account) as change:
            change.opt_out(person.contact_id, OptOutKind.LIST_CATEGORY, self._list_category)
        person.against.add("list category")

    def _block(self, person: Person, kind: str, list_id: int) -> None:
        Suppressions(self._database).add(self.account.id, person.address, kind=kind, list_id=list_id)
        person.against.add(f"{kind} {list_id} {person.address}")

    def _block_for_a_while(self, person: Person) -> None:
        self._block(person, "suppressed", WHOLE_ACCOUNT)
        address = person.address

        def end() -> None:
            self._world.note(f"PERSON{person.number}  {address} is suppressed no more")
            Suppressions(self._database).remove(self.account.id, address, kind="suppressed")
            person.against.discard(f"suppressed {WHOLE_ACCOUNT} {address}")
            self._remember(person)

        self._world.after(self._world.random.uniform(0.1, 100.0), end)

    def _shut_channel(self, person: Person) -> None:
        Channels(self._database).shut(self.account, [{"email": person.address}], "email", ["email"])
        person.shut = True
        person.against.add(f"suppressed {WHOLE_ACCOUNT} {person.address}")

    def _remove(self, person: Person) -> None:
        with Changes(self._database).begin(self.account) as change:
            change.leave(self.list.id, person.contact_id)
        person.against.add("removed")

    def _move(self, person: Person) -> None:
        """Another address; what was said against the old one stays with that, what was said by the person does not."""
        old = person.address
        name, _, domain = old.partition("@")
        person.address = f"{name.partition('.')[0]}.{len(self._by_address)}@{domain}"
        self._by_address[person.address] = person
        assert Contacts(self._database).change(self.account, person.contact_id, {"email": person.address})
        person.against = {each for each in person.against if not each.endswith(f" {old}")}
        if person.shut:
            person.against.add(f"suppressed {WHOLE_ACCOUNT} {person.address}")

    def _come_back(self, person: Person) -> None:
        """Subscribe again: to the list, and to its category."""
        with Changes(self._database).begin(self.account) as change:
            change.clear_opt_outs(person.contact_id, self.list.id)
            if change.membership(self.list.id, person.contact_id) is None:
                change.join(self.list.id, person.contact_id)
            else:
                change.move(self.list.id, person.contact_id, MembershipState.SUBSCRIBED)
        person.against -= {"unsubscribed", "removed", "list category"}

    @property
    def has_category(self) -> bool:
        """Whether the message of the send is of a category."""
        job = self.jobs.get(None, self.job_id)
        assert job is not None
        return job.kind == "send"
