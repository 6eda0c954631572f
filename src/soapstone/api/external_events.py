"""External events of a list."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from soapstone.api.authentication import Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import existing, not_found
from soapstone.api.values import Body, Name, Named, Number, Shown
from soapstone.lists.external_events import ExternalEvent

router = APIRouter()


class EventOut(Shown):
    """An external event of a list; an inactive one cannot be raised."""

    id: int
    list_id: int
    name: str
    active: bool
    created_at: datetime
    updated_at: datetime


class EventChange(Body):
    """Changes of an event; members left out stay."""

    name: Name | None = None
    active: bool | None = None


@router.get("/lists/{list_id}/external-events", tags=["external events"])
def list_external_events(list_id: Number, caller: Calling) -> list[EventOut]:
    """List the external events of a list."""
    return [EventOut.of(each) for each in caller.product.external_events.all(caller.list(list_id).id)]


@router.post("/lists/{list_id}/external-events", tags=["external events"], status_code=201, response_model=EventOut)
def create_external_event(list_id: Number, given: Named, caller: Calling, once: Making) -> Response:
    """Create an external event."""
    here = caller.list(list_id)

    def make() -> ExternalEvent:
        return caller.product.external_events.add(caller.account.id, here.id, given.name, number=given.number)

    return once(given, make, EventOut.of)


@router.patch("/lists/{list_id}/external-events/{event_id}", tags=["external events"])
def change_external_event(list_id: Number, event_id: Number, given: EventChange, caller: Calling) -> EventOut:
    """Rename, block or activate an event."""
    here = caller.list(list_id)
    known = caller.product.external_events.get(caller.account.id, event_id)
    if known is None or known.list_id != here.id:
        raise not_found("event")
    changed = existing(
        caller.product.external_events.change(caller.account.id, event_id, name=given.name, active=given.active),
        "event",
    )
    return EventOut.of(changed)
