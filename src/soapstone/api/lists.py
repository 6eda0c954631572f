"""Lists: creating, changing, deleting, and their members."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from soapstone.api.authentication import Caller, Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import ProblemError, existing, not_found
from soapstone.api.values import (
    LARGEST,
    Body,
    Cursor,
    Email,
    Limit,
    Name,
    Number,
    Numbered,
    Page,
    Shown,
    Text,
    own,
    page,
    paged,
)
from soapstone.contacts.subscriptions import SubscriptionOutcome, Update
from soapstone.errors import ConflictError, InvalidError
from soapstone.lists.lists import ContactList
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.vocabulary.contacts import MembershipState
from soapstone.vocabulary.tracking import TrackingMode

router = APIRouter(prefix="/lists", tags=["lists"])


# Settings of a list that are on or off.
SWITCHES = ("double_opt_in", "removal_link")
# Other settings of a list that a request may hold, and columns.
SETTINGS = ("from_name", "from_address", *SWITCHES, "untracked_domains", "track_visible_urls")
COLUMNS = ("visible", "on_subscription_page", "tracking")

CategoryId = Annotated[int, Field(ge=1, le=LARGEST)]
Tracking = Annotated[TrackingMode, Field(strict=False)] | Literal[""]
Domains = Annotated[
    list[Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]], Field(max_length=1000)
]
Attribute = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,14}$")]


class ListOut(BaseModel):
    """A list. `members` counts all members, `subscribed` those who get its mail.

    `removal_link` adds a link to unsubscribe to mails without one. `tracking` is how much is recorded of its mails'
    recipients, empty for what the account says. Links to `untracked_domains` are not tracked, nor with
    `track_visible_urls` of false links whose text is an address; null tracks them if the domains have one owner.
    """

    id: int
    name: str
    from_name: str
    from_address: str
    double_opt_in: bool
    removal_link: bool
    tracking: str
    untracked_domains: list[str]
    track_visible_urls: bool | None
    visible: bool
    on_subscription_page: bool
    category_id: int | None
    members: int
    subscribed: int
    created_at: datetime
    updated_at: datetime | None

    @classmethod
    def of(cls, found: ContactList) -> ListOut:
        """Return the list as it is shown."""
        settings: dict[str, Any] = {name: bool(found.settings.get(name)) for name in SWITCHES}
        settings["untracked_domains"] = list(found.settings.get("untracked_domains", []))
        settings["track_visible_urls"] = found.settings.get("track_visible_urls")
        return cls(**{name: getattr(found, name) for name in cls.model_fields if name not in settings}, **settings)


class ListIn(Numbered):
    """A new list."""

    name: Name
    from_name: Text = ""
    from_address: Text = ""
    double_opt_in: bool = False
    removal_link: bool = True
    tracking: Tracking = ""
    untracked_domains: Domains = Field(default_factory=list)
    track_visible_urls: bool | None = None
    category_id: CategoryId | None = None


class ListChange(Body):
    """Changes of a list; members left out stay. A `category_id` of null takes it out of its category, and
    `track_visible_urls` of null brings the usual rule back."""

    name: Name | None = None
    from_name: Text | None = None
    from_address: Text | None = None
    double_opt_in: bool | None = None
    removal_link: bool | None = None
    tracking: Tracking | None = None
    untracked_domains: Domains | None = None
    track_visible_urls: bool | None = None
    visible: bool | None = None
    on_subscription_page: bool | None = None
    category_id: CategoryId | None = None


class MemberOut(Shown):
    """A contact on a list: `number` is its 32-bit number there."""

    contact_id: int
    number: int
    email: str
    custom_id: str
    state: str
    added_at: datetime
    added_by: str


class KnownMemberOut(MemberOut):
    """A contact on a list with its profile: attribute number → value; attributes without a value are left out."""

    profile: dict[str, str]


class MemberChange(Body):
    """Changes of a member's profile: attribute number → value, null or blank for none."""

    profile: dict[Attribute, Text | None]


class SubscriptionIn(Body):
    """An address to subscribe. `profile` is attribute number → value.

    `override` resubscribes an unsubscribed address: only at the person's request.
    """

    email: Email
    profile: dict[Attribute, Text] = Field(default_factory=dict)
    update: Update = "update"
    override: bool = False


class SubscriptionOut(BaseModel):
    """The outcome of a subscription: as a word, and as a sentence about the address."""

    outcome: str
    text: str


# SubscriptionOutcome → HTTP status of a refused subscription.
REFUSALS = {
    SubscriptionOutcome.INVALID: 422,
    SubscriptionOutcome.BANNED: 409,
    SubscriptionOutcome.SUPPRESSED: 409,
    SubscriptionOutcome.UNSUBSCRIBED: 409,
}


@router.get("")
def list_lists(caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[ListOut]:
    """List the lists that the login may see, by number."""
    found = caller.product.lists.all(caller.account.id, caller.login)
    return paged(cursor, limit, found, ListOut.of)


@router.post("", status_code=201, response_model=ListOut)
def create_list(given: ListIn, caller: Calling, once: Making) -> Response:
    """Create a list. Names are unique."""
    settings = _settings(given.model_dump())
    _check_category(caller, given.category_id)

    def made() -> ContactList:
        login_id = None if caller.login.all_lists else caller.login.id
        return caller.product.lists.create(
            caller.account.id,
            given.name.strip(),
            settings=settings,
            login_id=login_id,
            unique_name=True,
            category_id=given.category_id,
            tracking=given.tracking,
            number=given.number,
        )

    if not given.name.strip():
        raise InvalidError("The list needs a name.")
    return once(given, made, ListOut.of)


@router.get("/{list_id}")
def get_list(list_id: Number, caller: Calling) -> ListOut:
    """Return one list."""
    return ListOut.of(caller.list(list_id))


@router.patch("/{list_id}")
def change_list(list_id: Number, given: ListChange, caller: Calling) -> ListOut:
    """Change a list."""
    caller.list(list_id)
    values = given.model_dump(exclude_none=True)
    if given.name is not None and not given.name.strip():
        raise InvalidError("The list needs a name.")
    columns: dict[str, Any] = {name: values[name] for name in COLUMNS if name in values}
    if "category_id" in given.model_fields_set:
        _check_category(caller, given.category_id)
        columns["category_id"] = given.category_id
    if "track_visible_urls" in given.model_fields_set:
        values["track_visible_urls"] = given.track_visible_urls
    changed = caller.product.lists.change(
        caller.account.id,
        list_id,
        name=given.name.strip() if given.name is not None else None,
        settings=_settings(values),
        login_id=caller.login.id,
        **columns,
    )
    if changed is None:
        raise not_found("list")
    return ListOut.of(changed)


@router.delete("/{list_id}", status_code=204)
def delete_list(list_id: Number, caller: Calling) -> None:
    """Delete a list with its memberships; the contacts are kept."""
    caller.list(list_id)
    if not caller.product.lists.delete(caller.account.id, list_id):
        raise ConflictError("The list has unfinished jobs: wait for them, or cancel them.")


@router.get("/{list_id}/members")
def list_members(
    list_id: Number,
    caller: Calling,
    state: Annotated[MembershipState | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[MemberOut]:
    """List the members of a list, by contact."""
    found = caller.list(list_id)
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.members.page(found.id, state=state, after=after, limit=most),
        MemberOut.of,
        lambda member: member.contact_id,
    )


@router.get("/{list_id}/members/{contact_id}")
def get_member(list_id: Number, contact_id: Number, caller: Calling) -> KnownMemberOut:
    """Return one member of a list, with its profile."""
    here = caller.list(list_id)
    found = existing(caller.product.members.get(here.id, contact_id), "member")
    attributes = {str(each.id) for each in caller.product.profiles.attributes(here.id)}
    profile = {name: value for name, value in found.profile.items() if name in attributes}
    return KnownMemberOut(**own(found, MemberOut), profile=profile)


@router.patch("/{list_id}/members/{contact_id}")
def change_member(list_id: Number, contact_id: Number, given: MemberChange, caller: Calling) -> KnownMemberOut:
    """Change values of a member's profile, all or nothing; values left out stay."""
    here = caller.list(list_id)
    values = {int(number): value or "" for number, value in given.profile.items()}
    if not caller.product.subscriptions().set_profile(caller.account, here, contact_id, values):
        raise not_found("member")
    return get_member(list_id, contact_id, caller)


@router.post("/{list_id}/subscriptions", response_model=SubscriptionOut)
def subscribe(list_id: Number, given: SubscriptionIn, caller: Calling, once: Making) -> Response:
    """Subscribe an address, or change the profile of a subscriber. A list with double opt-in asks new subscribers to
    confirm."""
    found = caller.list(list_id)
    values = {int(number): value for number, value in given.profile.items()}

    def made() -> SubscriptionOutcome:
        outcome = caller.product.subscriptions(caller.base_url).set(
            caller.account, found, given.email, values, update=given.update, override=given.override, strict=True
        )
        if outcome in REFUSALS:
            raise ProblemError(REFUSALS[outcome], f"The address {outcome.value}.")
        return outcome

    return once(
        given,
        made,
        lambda outcome: SubscriptionOut(outcome=outcome.name.lower(), text=f"The address {outcome.value}."),
        status=200,
    )


@router.delete("/{list_id}/subscriptions/{email:path}", status_code=204)
def unsubscribe(list_id: Number, email: Email, caller: Calling) -> None:
    """Unsubscribe an address; repeating it is allowed."""
    outcome = caller.product.subscriptions().unsubscribe(caller.account, caller.list(list_id), email)
    if outcome is SubscriptionOutcome.ABSENT:
        raise not_found("subscription")


def _check_category(caller: Caller, category_id: int | None) -> None:
    if category_id is not None and caller.product.list_categories.get(caller.account.id, category_id) is None:
        raise InvalidError(f"There is no category of lists {category_id}.")


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {name: given[name] for name in SETTINGS if name in given}
    if "untracked_domains" in settings:
        settings["untracked_domains"] = sorted({domain.lower() for domain in settings["untracked_domains"]})
    if settings.get("from_address") and not is_mailbox(settings["from_address"]):
        raise InvalidError("from_address is not an e-mail address.")
    return settings
