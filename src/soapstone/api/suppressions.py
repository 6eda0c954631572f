"""Things of the account: categories, saved searches, mappings, occasions, suppressed addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from soapstone.addresses import is_address
from soapstone.api.authentication import Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.profile import Named
from soapstone.api.values import (
    Address,
    Body,
    Cursor,
    Email,
    Limit,
    Name,
    Number,
    Numbered,
    OneOf,
    Page,
    Text,
    own,
    page,
    paged,
)
from soapstone.contacts.saved_searches import SavedSearch
from soapstone.errors import InvalidError
from soapstone.store.numbers import LARGEST as LARGEST_ID
from soapstone.vocabulary.contacts import SuppressionKind

router = APIRouter()

Of = Annotated[Literal["lists", "messages"], Query(description="Categories of lists or of messages.")]


class CategoryOut(BaseModel):
    """A category; one of lists that is not active is out of use."""

    id: int
    name: str
    active: bool
    created_at: datetime

    @classmethod
    def of(cls, found: Any) -> CategoryOut:
        """The category as it is shown."""
        active = getattr(found, "active", True)
        return cls(id=found.id, name=found.name, active=active, created_at=found.created_at)


class SearchIn(Numbered):
    """A search that is to be saved: field → example value, `*` standing for any text."""

    name: Name
    criteria: dict[Text, Text]


class SearchOut(BaseModel):
    """A saved search."""

    id: int
    name: str
    criteria: dict[str, str]
    created_at: datetime


class MappingIn(Body):
    """Which object of another system stands for which one here."""

    object_type: Name
    identifier: Name
    own_type: Name = "Group"
    own_id: int
    own_name: Text = ""


class MappingOut(BaseModel):
    """A mapping."""

    id: int
    object_type: str
    identifier: str
    own_type: str
    own_id: int
    own_name: str
    created_at: datetime


class OccasionOut(BaseModel):
    """Something that people sign up for."""

    id: int
    name: str
    open: bool
    created_at: datetime


class OccasionChange(Body):
    """Whether people can sign up."""

    open: bool


class SignUpOut(BaseModel):
    """A person who signed up."""

    id: int
    email: str
    first_name: str
    last_name: str
    reference: str
    live: bool
    created_at: datetime


class SuppressionIn(Body):
    """An address to which nothing is to be sent, in the whole account."""

    email: Email
    kind: OneOf[SuppressionKind] = SuppressionKind.SUPPRESSED


class Suppressed(BaseModel):
    """An address to which nothing is sent, in lower case, as it is kept."""

    email: str
    kind: str
    created_at: datetime


class SuppressionOut(BaseModel):
    """Whether that is new."""

    email: str
    kind: str
    added: bool


@router.get("/categories", tags=["categories"])
def list_categories(caller: Calling, of: Of = "lists", limit: Limit = 100, cursor: Cursor = None) -> Page[CategoryOut]:
    """The categories by number."""
    rooms = caller.product.categories
    found: list[Any] = list(
        rooms.list_categories(caller.account.id) if of == "lists" else rooms.message_categories(caller.account.id)
    )
    return paged(cursor, limit, found, CategoryOut.of)


@router.post("/categories", tags=["categories"], status_code=201, response_model=CategoryOut)
def create_category(given: Named, caller: Calling, once: Making, of: Of = "lists") -> Response:
    """Make a category."""
    caller.require_all_lists()
    rooms = caller.product.categories
    add: Any = rooms.add_list_category if of == "lists" else rooms.add_message_category

    def make() -> Any:
        return add(caller.account.id, given.name, login_id=caller.login.id, number=given.number)

    return once(given, make, CategoryOut.of)


@router.delete("/categories/{category_id}", tags=["categories"], status_code=204)
def delete_category(category_id: Number, caller: Calling, of: Of = "lists") -> None:
    """Delete a category; what is in it has none from then on."""
    caller.require_all_lists()
    rooms = caller.product.categories
    delete = rooms.delete_list_category if of == "lists" else rooms.delete_message_category
    if not delete(caller.account.id, category_id):
        raise not_found("category")


@router.get("/searches", tags=["searches"])
def list_searches(caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[SearchOut]:
    """The saved searches by number. They may name people."""
    caller.require_all_lists()
    found = caller.product.saved_searches.all(caller.account.id)
    return paged(cursor, limit, found, lambda each: SearchOut(**own(each, SearchOut)))


@router.post("/searches", tags=["searches"], status_code=201, response_model=SearchOut)
def create_search(given: SearchIn, caller: Calling, once: Making) -> Response:
    """Save a search."""
    caller.require_all_lists()

    def make() -> SavedSearch:
        return caller.product.saved_searches.add(
            caller.account.id, given.name, given.criteria, login_id=caller.login.id, number=given.number
        )

    return once(given, make, lambda made: SearchOut(**own(made, SearchOut)))


@router.delete("/searches/{search_id}", tags=["searches"], status_code=204)
def delete_search(search_id: Number, caller: Calling) -> None:
    """Forget a saved search."""
    caller.require_all_lists()
    saved = caller.product.saved_searches
    known = {each.id: each.name for each in saved.all(caller.account.id)}
    if search_id not in known or not saved.delete(caller.account.id, known[search_id]):
        raise not_found("search")


@router.get("/mappings", tags=["mappings"])
def list_mappings(caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[MappingOut]:
    """The mappings by number, those to lists as far as the login sees them."""
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.mappings.find(
            caller.account.id, after=after, limit=most, login=caller.login
        ),
        lambda each: each.id,
        lambda each: MappingOut(**own(each, MappingOut)),
    )


@router.post("/mappings", tags=["mappings"], status_code=201, response_model=MappingOut)
def create_mapping(given: MappingIn, caller: Calling, once: Making) -> Response:
    """Keep a mapping."""
    caller.require_all_lists()
    if not 0 < given.own_id <= LARGEST_ID:
        raise InvalidError("own_id is the number of something here.")
    return once(
        given,
        lambda: caller.product.mappings.add(caller.account.id, **given.model_dump(), login_id=caller.login.id),
        lambda made: MappingOut(**own(made, MappingOut)),
    )


@router.delete("/mappings/{mapping_id}", tags=["mappings"], status_code=204)
def delete_mapping(mapping_id: Number, caller: Calling) -> None:
    """Forget a mapping."""
    caller.require_all_lists()
    if not caller.product.mappings.delete(caller.account.id, mapping_id):
        raise not_found("mapping")


@router.get("/occasions", tags=["occasions"])
def list_occasions(caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[OccasionOut]:
    """What people can sign up for, by number."""
    found = caller.product.occasions.all(caller.account.id)
    return paged(cursor, limit, found, lambda each: OccasionOut(**own(each, OccasionOut)))


@router.post("/occasions", tags=["occasions"], status_code=201, response_model=OccasionOut)
def create_occasion(given: Named, caller: Calling, once: Making) -> Response:
    """Make an occasion; people can sign up at once."""
    caller.require_all_lists()
    return once(
        given,
        lambda: caller.product.occasions.add(caller.account.id, given.name, number=given.number),
        lambda made: OccasionOut(**own(made, OccasionOut)),
    )


@router.patch("/occasions/{occasion_id}", tags=["occasions"])
def change_occasion(occasion_id: Number, given: OccasionChange, caller: Calling) -> OccasionOut:
    """Let people sign up, or not."""
    caller.require_all_lists()
    caller.product.occasions.open(caller.account.id, occasion_id, given.open)
    found = caller.product.occasions.get(caller.account.id, occasion_id)
    if found is None:
        raise not_found("occasion")
    return OccasionOut(**own(found, OccasionOut))


@router.get("/occasions/{occasion_id}/sign-ups", tags=["occasions"])
def list_sign_ups(occasion_id: Number, caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[SignUpOut]:
    """Who signed up, by number."""
    caller.require_all_lists()
    found = caller.product.occasions.get(caller.account.id, occasion_id)
    if found is None:
        raise not_found("occasion")
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.occasions.signed_up(found, after=after, limit=most),
        lambda each: each.id,
        lambda each: SignUpOut(**own(each, SignUpOut)),
    )


@router.get("/suppressions", tags=["suppressions"])
def list_suppressions(
    caller: Calling, email: Address | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[Suppressed]:
    """The addresses to which nothing is sent in the whole account, by address; or what holds for one of them."""
    caller.require_all_lists()
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.suppressions.page(caller.account.id, email, after=after, limit=most),
        lambda each: (each.email, each.kind),
        lambda each: Suppressed(**own(each, Suppressed)),
        first=("", ""),
    )


@router.post("/suppressions", tags=["suppressions"], status_code=201, response_model=SuppressionOut)
def create_suppression(given: SuppressionIn, caller: Calling, once: Making) -> Response:
    """Suppress or ban an address in the whole account; for both contracts nothing is sent there any more."""
    caller.require_all_lists()
    if not is_address(given.email):
        raise InvalidError("The address is no e-mail address.")
    return once(
        given,
        lambda: caller.product.suppressions.add(caller.account.id, given.email, kind=given.kind),
        lambda added: SuppressionOut(email=given.email, kind=given.kind, added=added),
    )


@router.delete("/suppressions", tags=["suppressions"], status_code=204)
def delete_suppression(caller: Calling, email: Address, kind: SuppressionKind | None = None) -> None:
    """Take a suppression of the whole account back, or both kinds. Who left, or shut a channel, stays so."""
    caller.require_all_lists()
    if not caller.product.suppressions.remove(caller.account.id, email, kind=kind):
        raise not_found("suppression")
