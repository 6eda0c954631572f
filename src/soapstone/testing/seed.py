"""The seed: a document of accounts, lists, contacts, messages and past jobs, created through the product's API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from sqlalchemy import insert, update

from soapstone.accounts.account import Account, Login
from soapstone.addresses import is_address
from soapstone.api.values import LARGEST, Body, Email, Name, OneOf, Text
from soapstone.clock import now
from soapstone.contacts.changes import Changes
from soapstone.contacts.subscriptions import InvalidValueError
from soapstone.errors import SoapstoneError
from soapstone.imports.spec import Column, ImportSpec
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.sending.messages.message import Draft, Traits
from soapstone.store.numbers import LARGEST_CHOSEN
from soapstone.store.tables import PERSON_FIELDS, jobs, rejected_rows
from soapstone.testing.errors import UnusableSeed
from soapstone.vocabulary.attributes import AttributeKind
from soapstone.vocabulary.contacts import Identifier, MembershipState, SuppressionKind
from soapstone.vocabulary.jobs import JobKind
from soapstone.vocabulary.rows import REJECTED, ImportOutcome

ChosenNumber = Annotated[int, Field(ge=1, le=LARGEST_CHOSEN)]
MOST = 100_000
# The contracts count rows in 32 bits.
MOST_ROWS = (1 << 31) - 1


class LoginSeed(Body):
    """A login; without `lists` it sees all lists."""

    name: Name
    password: Annotated[str, Field(min_length=1, max_length=1000)]
    may_call_api: bool = True
    may_see_analytics: bool = True
    may_use_console: bool = True
    may_choose_numbers: bool = False
    lists: list[int] | None = None


class AttributeSeed(Body):
    """A profile attribute of a list, under the header of that name."""

    name: Name
    kind: OneOf[AttributeKind] = AttributeKind.TEXT
    max_length: Annotated[int, Field(ge=0, le=10_000)] = 0
    number: ChosenNumber | None = None
    header: Name = "Profile"


class ContactSeed(Body):
    """A contact on a list: `state` is that of its subscription.

    A suppressed or banned one gets no mail, whatever its state. `fields` are contact fields, by their names
    in the REST API; `attributes` are values by the names of the list's attributes.
    """

    email: Email
    state: OneOf[MembershipState] = MembershipState.SUBSCRIBED
    blocked: OneOf[SuppressionKind] | None = None
    custom_id: Annotated[str, Field(max_length=255)] = ""
    fields: dict[Literal[PERSON_FIELDS], Text] = Field(default_factory=dict)  # type: ignore[valid-type]
    attributes: dict[str, Text] = Field(default_factory=dict)


class MessageSeed(Body):
    """A saved message of a list."""

    name: Annotated[str, Field(max_length=255)] = ""
    subject: Text = ""
    html: str = ""
    plain: str = ""
    from_name: Text = ""
    from_address: Text = ""
    number: ChosenNumber | None = None


class RejectedRowSeed(Body):
    """A row that the import rejected: its line in the file, from 1, the reason, and its values."""

    line: Annotated[int, Field(ge=1, le=LARGEST)]
    reason: Literal[tuple(sorted(REJECTED))]  # type: ignore[valid-type]
    fields: list[Text] = Field(default_factory=list)


class JobSeed(Body):
    """A past import, by the first login of the account unless `login` names another one.

    `counters` are numbers of rows by outcome; `rejected_rows` are added to them.
    """

    state: Literal["completed", "failed", "cancelled"] = "completed"
    error: Text = ""
    label: Annotated[str, Field(max_length=255)] = "people.csv"
    login: Name | None = None
    counters: dict[OneOf[ImportOutcome], Annotated[int, Field(ge=0, le=MOST_ROWS)]] = Field(default_factory=dict)
    rejected_rows: list[RejectedRowSeed] = Field(default_factory=list, max_length=MOST)

    @model_validator(mode="after")
    def _countable(self) -> JobSeed:
        if sum(self.counters.values()) + len(self.rejected_rows) > MOST_ROWS:
            raise ValueError(f"an import has at most {MOST_ROWS} rows")
        return self


class ListSeed(Body):
    """A list. An existing one of this number is extended."""

    name: Name = "List"
    number: ChosenNumber | None = None
    from_name: Text = ""
    from_address: Text = ""
    double_opt_in: bool = False
    removal_link: bool = True
    attributes: list[AttributeSeed] = Field(default_factory=list, max_length=1000)
    contacts: list[ContactSeed] = Field(default_factory=list, max_length=MOST)
    messages: list[MessageSeed] = Field(default_factory=list, max_length=1000)
    jobs: list[JobSeed] = Field(default_factory=list, max_length=1000)


class AccountSeed(Body):
    """An account. An existing one of this name is extended."""

    name: Name
    time_zone: str | None = None
    identifier: OneOf[Identifier] = Identifier.EMAIL
    lists: list[ListSeed] = Field(default_factory=list, max_length=1000)
    logins: list[LoginSeed] = Field(default_factory=list, max_length=1000)


class Seed(Body):
    """Records that are added to existing ones."""

    accounts: list[AccountSeed] = Field(default_factory=list, max_length=1000)


class Made(Body):
    """A created or existing record: its name (the address of a contact) and its number."""

    name: str
    number: int


class MadeList(Made):
    """A list with the records created on it, in the order of the document."""

    attributes: list[Made]
    contacts: list[Made]
    messages: list[Made]
    jobs: list[Made]


class MadeAccount(Made):
    """An account with the records created in it, in the order of the document."""

    lists: list[MadeList]
    logins: list[Made]


class Planted(Body):
    """The records created by a seed."""

    accounts: list[MadeAccount]


def plant(product: Product, seed: Seed) -> Planted:
    """Create the records of a seed. Raises UnusableSeed; earlier records of the document stay."""
    return Planted(accounts=[_account(product, each, f"accounts.{n}") for n, each in enumerate(seed.accounts)])


@contextmanager
def _at(place: str) -> Iterator[None]:
    try:
        yield
    except (SoapstoneError, LookupError, ValueError) as trouble:
        raise UnusableSeed(f"{place}: {trouble}") from None


def _account(product: Product, given: AccountSeed, place: str) -> MadeAccount:
    account = product.accounts.named(given.name)
    if account is None:
        with _at(place):
            zone = given.time_zone or product.settings.time_zone
            account = product.accounts.create(given.name, time_zone=zone, identifier=given.identifier)
    found = [_list(product, account, each, f"{place}.lists.{number}") for number, each in enumerate(given.lists)]
    logins: list[Made] = []
    for number, login in enumerate(given.logins):
        with _at(f"{place}.logins.{number}"):
            own = {each.id for each in product.lists.all(account.id)}
            if missing := set(login.lists or ()) - own:
                raise LookupError(f"The account has no list {min(missing)}.")
            made = product.accounts.add_login(account, **login.model_dump())
            logins.append(Made(name=made.name, number=made.id))
    known = {login.name: login for login, _ in product.accounts.logins(account)}
    first = next(iter(known.values()), None)
    lists = []
    for number, each in enumerate(given.lists):
        contact_list, made_list = found[number]
        for n, job in enumerate(each.jobs):
            with _at(f"{place}.lists.{number}.jobs.{n}"):
                login_of_job = known.get(job.login) if job.login else first
                if job.login and login_of_job is None:
                    raise LookupError(f"The account has no login {job.login}.")
                made_list.jobs.append(_job(product, account, contact_list, login_of_job, job))
        lists.append(made_list)
    return MadeAccount(name=account.name, number=account.id, lists=lists, logins=logins)


def _list(product: Product, account: Account, given: ListSeed, place: str) -> tuple[ContactList, MadeList]:
    found = None if given.number is None else product.lists.get(account.id, given.number)
    if found is None:
        settings = given.model_dump(include={"from_name", "from_address", "double_opt_in", "removal_link"})
        with _at(place):
            found = product.lists.create(account.id, given.name, settings=settings, number=given.number)
    made = MadeList(name=found.name, number=found.id, attributes=[], contacts=[], messages=[], jobs=[])
    headers = {each.name: each.id for each in product.profiles.headers(found.id)}
    for n, each in enumerate(given.attributes):
        with _at(f"{place}.attributes.{n}"):
            if each.header not in headers:
                headers[each.header] = product.profiles.add_header(account.id, found.id, each.header)
            more = each.model_dump(exclude={"header"})
            number = product.profiles.add_attribute(account.id, found.id, headers[each.header], **more)
            made.attributes.append(Made(name=each.name, number=number))
    attributes = {each.name: each.id for each in product.profiles.attributes(found.id)}
    for n, contact in enumerate(given.contacts):
        with _at(f"{place}.contacts.{n}"):
            number = _contact(product, account, found, attributes, contact)
            made.contacts.append(Made(name=contact.email, number=number))
    for n, message in enumerate(given.messages):
        with _at(f"{place}.messages.{n}"):
            draft_of = Draft(**message.model_dump(exclude={"name", "number"}))
            traits = Traits(name=message.name)
            saved = product.messages.save(account.id, found.id, draft_of, traits=traits, number=message.number)
            made.messages.append(Made(name=message.name, number=saved.id))
    return found, made


def _contact(
    product: Product, account: Account, contact_list: ContactList, attributes: dict[str, int], given: ContactSeed
) -> int:
    if not is_address(given.email):
        raise ValueError(f"{given.email} is no e-mail address.")
    if unknown := given.attributes.keys() - attributes.keys():
        raise LookupError(f"The list has no attribute {min(unknown)}.")
    state = given.state
    with Changes(product.database).begin(account, by="API") as change:
        values = given.fields | ({"custom_id": given.custom_id} if given.custom_id else {})
        by_email = account.identifier == "email"
        contact_id = change.find(given.email) if by_email else change.find_custom(given.custom_id)
        if contact_id is None:
            contact_id = change.add(email=given.email, **values)
        else:
            change.edit(contact_id, values if by_email else values | {"email": given.email})
        if change.membership(contact_list.id, contact_id) is not None:
            raise ValueError(f"{given.email} is on the list already.")
        left = state == MembershipState.UNSUBSCRIBED
        change.join(contact_list.id, contact_id, state=MembershipState.SUBSCRIBED if left else state)
        if left:
            # Recorded as an unsubscribe, as if by a call.
            change.move(contact_list.id, contact_id, state)
    try:
        values = {attributes[name]: value for name, value in given.attributes.items()}
        product.subscriptions().set_profile(account, contact_list, contact_id, values)
    except InvalidValueError as wrong:
        name = next(name for name, number in attributes.items() if number == wrong.attribute_id)
        raise ValueError(f"The value of {name} does not fit the attribute.") from None
    if given.blocked is not None:
        product.suppressions.add(account.id, given.email, kind=given.blocked)
    return contact_id


def _job(product: Product, account: Account, contact_list: ContactList, login: Login | None, given: JobSeed) -> Made:
    spec = ImportSpec(
        columns=(Column(index=0, target="email"),),
        header=True,
        action="add",
        known="overwrite",
        blocked="keep",
        identified_by="account",
    )
    counters: dict[str, int] = {outcome.value: rows for outcome, rows in given.counters.items()}
    for row in given.rejected_rows:
        counters[row.reason] = counters.get(row.reason, 0) + 1
    rows = sum(counters.values())
    now_there = product.lists.get(account.id, contact_list.id)
    members = 0 if now_there is None else now_there.members
    with product.database.write(durable=True) as connection:
        job_id = product.jobs.add(
            connection,
            account_id=account.id,
            login_id=None if login is None else login.id,
            kind=JobKind.IMPORT,
            list_id=contact_list.id,
            request=spec.document(),
            label=given.label,
            state=given.state,
            error=given.error,
        )
        checkpoint = {"rows": rows, "done": rows, "list_members": members}
        # Jobs that really ran have begun, and counted.
        values: dict[str, Any] = {"started_at": now(), "counters": counters, "checkpoint": checkpoint, "attempt": 1}
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values))
        rows_rejected = [{"job_id": job_id, **row.model_dump()} for row in given.rejected_rows]
        if rows_rejected:
            connection.execute(insert(rejected_rows), rows_rejected)
    return Made(name=given.label, number=job_id)
