"""Categories of lists and of messages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from soapstone.api.authentication import Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Cursor, Limit, Named, Number, Page, paged

router = APIRouter()


Of = Annotated[Literal["lists", "messages"], Query(description="Categories of lists or of messages.")]


class CategoryOut(BaseModel):
    """A category. An inactive list category is out of use."""

    id: int
    name: str
    active: bool
    created_at: datetime

    @classmethod
    def of(cls, found: Any) -> CategoryOut:
        """Return the category as it is shown."""
        active = getattr(found, "active", True)
        return cls(id=found.id, name=found.name, active=active, created_at=found.created_at)


@router.get("/categories", tags=["categories"])
def list_categories(caller: Calling, of: Of = "lists", limit: Limit = 100, cursor: Cursor = None) -> Page[CategoryOut]:
    """List the categories by number."""
    rooms = caller.product.categories
    found: list[Any] = list(
        rooms.list_categories(caller.account.id) if of == "lists" else rooms.message_categories(caller.account.id)
    )
    return paged(cursor, limit, found, CategoryOut.of)


@router.post("/categories", tags=["categories"], status_code=201, response_model=CategoryOut)
def create_category(given: Named, caller: Calling, once: Making, of: Of = "lists") -> Response:
    """Create a category."""
    caller.require_all_lists()
    rooms = caller.product.categories
    add: Any = rooms.add_list_category if of == "lists" else rooms.add_message_category

    def make() -> Any:
        return add(caller.account.id, given.name, login_id=caller.login.id, number=given.number)

    return once(given, make, CategoryOut.of)


@router.delete("/categories/{category_id}", tags=["categories"], status_code=204)
def delete_category(category_id: Number, caller: Calling, of: Of = "lists") -> None:
    """Delete a category; its lists or messages are kept."""
    caller.require_all_lists()
    rooms = caller.product.categories
    delete = rooms.delete_list_category if of == "lists" else rooms.delete_message_category
    if not delete(caller.account.id, category_id):
        raise not_found("category")
