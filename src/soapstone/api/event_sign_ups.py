"""Events that people sign up for, and their sign-ups (mm-127)."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from soapstone.api.authentication import Calling, CallingForAll
from soapstone.api.idempotency import Making
from soapstone.api.problems import existing
from soapstone.api.values import Body, Cursor, Limit, Named, Number, Page, Shown, page, paged

router = APIRouter()


class OccasionOut(Shown):
    """An event with sign-ups."""

    id: int
    name: str
    open: bool
    created_at: datetime


class OccasionChange(Body):
    """Whether people can sign up."""

    open: bool


class SignUpOut(Shown):
    """A person who signed up."""

    id: int
    email: str
    first_name: str
    last_name: str
    reference: str
    live: bool
    created_at: datetime


@router.get("/occasions", tags=["occasions"])
def list_occasions(caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[OccasionOut]:
    """List the events with sign-ups, by number."""
    found = caller.product.event_sign_ups.all(caller.account.id)
    return paged(cursor, limit, found, OccasionOut.of)


@router.post("/occasions", tags=["occasions"], status_code=201, response_model=OccasionOut)
def create_occasion(given: Named, caller: CallingForAll, once: Making) -> Response:
    """Create an event, open for sign-ups."""
    return once(
        given,
        lambda: caller.product.event_sign_ups.add(caller.account.id, given.name, number=given.number),
        OccasionOut.of,
    )


@router.patch("/occasions/{occasion_id}", tags=["occasions"])
def change_occasion(occasion_id: Number, given: OccasionChange, caller: CallingForAll) -> OccasionOut:
    """Open or close the sign-ups."""
    caller.product.event_sign_ups.open(caller.account.id, occasion_id, given.open)
    found = existing(caller.product.event_sign_ups.get(caller.account.id, occasion_id), "occasion")
    return OccasionOut.of(found)


@router.get("/occasions/{occasion_id}/sign-ups", tags=["occasions"])
def list_sign_ups(
    occasion_id: Number, caller: CallingForAll, limit: Limit = 100, cursor: Cursor = None
) -> Page[SignUpOut]:
    """List the sign-ups by number."""
    found = existing(caller.product.event_sign_ups.get(caller.account.id, occasion_id), "occasion")
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.event_sign_ups.signed_up(found, after=after, limit=most),
        SignUpOut.of,
    )
