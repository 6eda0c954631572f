"""Things of a list: external events, campaigns, the review group, profile headers and attributes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from soapstone.addresses import is_address
from soapstone.api.authentication import Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Body, Email, Name, Number, Numbered, OneOf, own
from soapstone.errors import InvalidError
from soapstone.lists.campaigns import Campaign
from soapstone.lists.external_events import ExternalEvent
from soapstone.lists.profiles import AttributeDraft, ProfileHeader
from soapstone.vocabulary.attributes import AttributeKind

router = APIRouter()


class EventOut(BaseModel):
    """An external event of a list; one that is not active cannot be raised."""

    id: int
    list_id: int
    name: str
    active: bool
    created_at: datetime
    updated_at: datetime


class EventChange(Body):
    """What is to change of an event; what is left out stays."""

    name: Name | None = None
    active: bool | None = None


class Named(Numbered):
    """Something that is to be made: its name."""

    name: Name


class CampaignOut(BaseModel):
    """A campaign of a list, and how many messages belong to it."""

    id: int
    list_id: int
    name: str
    messages: int
    created_at: datetime


class Reviewer(Body):
    """An address that is to get review copies."""

    email: Email


class AttributeIn(Numbered):
    """A profile attribute that is to be made; position 0 is the last one, max_length 0 no limit."""

    name: Name
    kind: OneOf[AttributeKind] = AttributeKind.TEXT
    max_length: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    position: Annotated[int, Field(ge=0, le=10_000)] = 0


class HeaderIn(Numbered):
    """A profile header that is to be made, with its attributes."""

    name: Name
    position: Annotated[int, Field(ge=0, le=10_000)] = 0
    attributes: Annotated[list[AttributeIn], Field(default_factory=list, max_length=200)]

    def chooses(self) -> bool:
        """Whether a number is chosen, of the header or of an attribute."""
        return super().chooses() or any(each.chooses() for each in self.attributes)


class AttributeOut(BaseModel):
    """A profile attribute."""

    id: int
    name: str
    kind: str
    max_length: int
    position: int


class HeaderOut(BaseModel):
    """A profile header with its attributes."""

    id: int
    name: str
    position: int
    attributes: list[AttributeOut]

    @classmethod
    def of(cls, header: ProfileHeader) -> HeaderOut:
        """The header as it is shown."""
        attributes = [
            AttributeOut(**{name: getattr(each, name) for name in AttributeOut.model_fields})
            for each in header.attributes
        ]
        return cls(id=header.id, name=header.name, position=header.position, attributes=attributes)


@router.get("/lists/{list_id}/external-events", tags=["external events"])
def list_external_events(list_id: Number, caller: Calling) -> list[EventOut]:
    """The external events of a list."""
    return [EventOut(**own(each, EventOut)) for each in caller.product.external_events.all(caller.list(list_id).id)]


@router.post("/lists/{list_id}/external-events", tags=["external events"], status_code=201, response_model=EventOut)
def create_external_event(list_id: Number, given: Named, caller: Calling, once: Making) -> Response:
    """Make an external event."""
    here = caller.list(list_id)

    def make() -> ExternalEvent:
        return caller.product.external_events.add(caller.account.id, here.id, given.name, number=given.number)

    return once(given, make, lambda made: EventOut(**own(made, EventOut)))


@router.patch("/lists/{list_id}/external-events/{event_id}", tags=["external events"])
def change_external_event(list_id: Number, event_id: Number, given: EventChange, caller: Calling) -> EventOut:
    """Give an event another name, block it, or make it active."""
    here = caller.list(list_id)
    known = caller.product.external_events.get(caller.account.id, event_id)
    if known is None or known.list_id != here.id:
        raise not_found("event")
    changed = caller.product.external_events.change(caller.account.id, event_id, name=given.name, active=given.active)
    if changed is None:
        raise not_found("event")
    return EventOut(**own(changed, EventOut))


@router.get("/lists/{list_id}/campaigns", tags=["campaigns"])
def list_campaigns(list_id: Number, caller: Calling) -> list[CampaignOut]:
    """The campaigns of a list."""
    return [CampaignOut(**own(each, CampaignOut)) for each in caller.product.campaigns.all(caller.list(list_id).id)]


@router.post("/lists/{list_id}/campaigns", tags=["campaigns"], status_code=201, response_model=CampaignOut)
def create_campaign(list_id: Number, given: Named, caller: Calling, once: Making) -> Response:
    """Make a campaign."""
    here = caller.list(list_id)

    def make() -> Campaign:
        return caller.product.campaigns.add(caller.account.id, here.id, given.name, number=given.number)

    return once(given, make, lambda made: CampaignOut(**own(made, CampaignOut)))


@router.delete("/lists/{list_id}/campaigns/{campaign_id}", tags=["campaigns"], status_code=204)
def delete_campaign(list_id: Number, campaign_id: Number, caller: Calling) -> None:
    """Delete a campaign; its messages belong to none from then on."""
    known = {each.id for each in caller.product.campaigns.all(caller.list(list_id).id)}
    if campaign_id not in known or not caller.product.campaigns.delete(caller.account.id, campaign_id):
        raise not_found("campaign")


@router.get("/lists/{list_id}/review-group", tags=["review group"])
def list_reviewers(list_id: Number, caller: Calling) -> list[str]:
    """The addresses that get review copies."""
    return caller.product.review_groups.all(caller.list(list_id).id)


@router.post("/lists/{list_id}/review-group", tags=["review group"], response_model=list[str])
def add_reviewer(list_id: Number, given: Reviewer, caller: Calling, once: Making) -> Response:
    """Put an address into the review group; all of it."""
    here = caller.list(list_id)
    if not is_address(given.email):
        raise InvalidError("The address is no e-mail address.")
    return once(
        given,
        lambda: caller.product.review_groups.add(caller.account.id, here.id, given.email),
        lambda _: caller.product.review_groups.all(here.id),
        status=200,
    )


@router.delete("/lists/{list_id}/review-group/{email:path}", tags=["review group"], status_code=204)
def remove_reviewer(list_id: Number, email: Email, caller: Calling) -> None:
    """Take an address out of the review group."""
    if not caller.product.review_groups.remove(caller.list(list_id).id, email):
        raise not_found("address in the review group")


@router.get("/lists/{list_id}/profile", tags=["profile"])
def get_profile(list_id: Number, caller: Calling) -> list[HeaderOut]:
    """The profile headers of a list with their attributes, in order."""
    return [HeaderOut.of(each) for each in caller.product.profiles.headers(caller.list(list_id).id)]


@router.post("/lists/{list_id}/profile", tags=["profile"], status_code=201, response_model=HeaderOut)
def create_profile_header(list_id: Number, given: HeaderIn, caller: Calling, once: Making) -> Response:
    """Make a profile header with its attributes, all of them or nothing."""
    drafts = [AttributeDraft(**each.model_dump()) for each in given.attributes]
    here = caller.list(list_id)

    def make() -> int:
        return caller.product.profiles.add_header(
            caller.account.id,
            here.id,
            given.name,
            position=given.position,
            attributes=drafts,
            number=given.number,
        )

    def show(number: int) -> HeaderOut:
        made = caller.product.profiles.header(caller.account.id, number)
        if made is None:
            raise not_found("header")
        return HeaderOut.of(made)

    return once(given, make, show)


@router.delete("/lists/{list_id}/profile/{header_id}", tags=["profile"], status_code=204)
def delete_profile_header(list_id: Number, header_id: Number, caller: Calling) -> None:
    """Delete a profile header that has no attributes."""
    here, header = caller.list(list_id), caller.product.profiles.header(caller.account.id, header_id)
    if header is None or header.list_id != here.id:
        raise not_found("header")
    caller.product.profiles.delete_header(caller.account.id, header_id)


@router.delete("/lists/{list_id}/attributes/{attribute_id}", tags=["profile"], status_code=204)
def delete_profile_attribute(list_id: Number, attribute_id: Number, caller: Calling) -> None:
    """Delete a profile attribute with its values."""
    here, attribute = caller.list(list_id), caller.product.profiles.attribute(caller.account.id, attribute_id)
    if attribute is None or attribute.list_id != here.id:
        raise not_found("attribute")
    caller.product.profiles.delete_attribute(caller.account.id, attribute_id)
