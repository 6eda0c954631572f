"""Objects of another system and their counterparts here."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from soapstone.api.authentication import Calling, CallingForAll
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Body, Cursor, Limit, Name, Number, Page, Shown, Text, page
from soapstone.errors import InvalidError
from soapstone.store.numbers import LARGEST as LARGEST_ID

router = APIRouter()


class MappingIn(Body):
    """A new mapping of an object of another system to one here."""

    object_type: Name
    identifier: Name
    own_type: Name = "Group"
    own_id: int
    own_name: Text = ""


class MappingOut(Shown):
    """A mapping."""

    id: int
    object_type: str
    identifier: str
    own_type: str
    own_id: int
    own_name: str
    created_at: datetime


@router.get("/mappings", tags=["mappings"])
def list_mappings(caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[MappingOut]:
    """List the mappings by number, without those to lists that the login does not see."""
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.mappings.find(
            caller.account.id, after=after, limit=most, login=caller.login
        ),
        MappingOut.of,
    )


@router.post("/mappings", tags=["mappings"], status_code=201, response_model=MappingOut)
def create_mapping(given: MappingIn, caller: CallingForAll, once: Making) -> Response:
    """Create a mapping."""
    if not 0 < given.own_id <= LARGEST_ID:
        raise InvalidError("own_id must be the number of an object here.")
    return once(
        given,
        lambda: caller.product.mappings.add(caller.account.id, **given.model_dump(), login_id=caller.login.id),
        MappingOut.of,
    )


@router.delete("/mappings/{mapping_id}", tags=["mappings"], status_code=204)
def delete_mapping(mapping_id: Number, caller: CallingForAll) -> None:
    """Delete a mapping."""
    if not caller.product.mappings.delete(caller.account.id, mapping_id):
        raise not_found("mapping")
