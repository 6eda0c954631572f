"""Categories of lists and of messages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from soapstone.api.authentication import Caller, Calling, CallingForAll
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Cursor, Limit, Named, Number, Page, Shown, paged
from soapstone.lists.categories import Categories

router = APIRouter()


CategoryKind = Literal["lists", "messages"]
Of = Annotated[CategoryKind, Query(description="Categories of lists or of messages.")]


class CategoryOut(Shown):
    """A category. An inactive list category is out of use."""

    id: int
    name: str
    active: bool
    created_at: datetime


@router.get("/categories", tags=["categories"])
def list_categories(caller: Calling, of: Of = "lists", limit: Limit = 100, cursor: Cursor = None) -> Page[CategoryOut]:
    """List the categories by number."""
    return paged(cursor, limit, _categories(caller, of).all(caller.account.id), CategoryOut.of)


@router.post("/categories", tags=["categories"], status_code=201, response_model=CategoryOut)
def create_category(given: Named, caller: CallingForAll, once: Making, of: Of = "lists") -> Response:
    """Create a category."""
    categories, login_id = _categories(caller, of), caller.login.id
    return once(
        given,
        lambda: categories.add(caller.account.id, given.name, login_id=login_id, number=given.number),
        CategoryOut.of,
    )


@router.delete("/categories/{category_id}", tags=["categories"], status_code=204)
def delete_category(category_id: Number, caller: CallingForAll, of: Of = "lists") -> None:
    """Delete a category; its lists or messages are kept."""
    if not _categories(caller, of).delete(caller.account.id, category_id):
        raise not_found("category")


def _categories(caller: Caller, of: str) -> Categories:
    return caller.product.list_categories if of == "lists" else caller.product.message_categories
