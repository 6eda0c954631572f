"""Saved searches: examples with a name."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from soapstone.api.authentication import CallingForAll
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Cursor, Limit, Name, Number, Numbered, Page, Shown, Text, paged
from soapstone.contacts.saved_searches import SavedSearch

router = APIRouter()


class SearchIn(Numbered):
    """A new saved search: field → example value, `*` matching any text."""

    name: Name
    criteria: dict[Text, Text]


class SearchOut(Shown):
    """A saved search."""

    id: int
    name: str
    criteria: dict[str, str]
    created_at: datetime


@router.get("/searches", tags=["searches"])
def list_searches(caller: CallingForAll, limit: Limit = 100, cursor: Cursor = None) -> Page[SearchOut]:
    """List the saved searches by number. They may name people."""
    found = caller.product.saved_searches.all(caller.account.id)
    return paged(cursor, limit, found, SearchOut.of)


@router.post("/searches", tags=["searches"], status_code=201, response_model=SearchOut)
def create_search(given: SearchIn, caller: CallingForAll, once: Making) -> Response:
    """Save a search."""

    def make() -> SavedSearch:
        return caller.product.saved_searches.add(
            caller.account.id, given.name, given.criteria, login_id=caller.login.id, number=given.number
        )

    return once(given, make, SearchOut.of)


@router.delete("/searches/{search_id}", tags=["searches"], status_code=204)
def delete_search(search_id: Number, caller: CallingForAll) -> None:
    """Delete a saved search."""
    saved = caller.product.saved_searches
    known = {each.id: each.name for each in saved.all(caller.account.id)}
    if search_id not in known or not saved.delete(caller.account.id, known[search_id]):
        raise not_found("search")
