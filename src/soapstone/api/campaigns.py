"""Campaigns of a list."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from soapstone.api.authentication import Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Named, Number, Shown
from soapstone.lists.campaigns import Campaign

router = APIRouter()


class CampaignOut(Shown):
    """A campaign of a list, with its number of messages."""

    id: int
    list_id: int
    name: str
    messages: int
    created_at: datetime


@router.get("/lists/{list_id}/campaigns", tags=["campaigns"])
def list_campaigns(list_id: Number, caller: Calling) -> list[CampaignOut]:
    """List the campaigns of a list."""
    return [CampaignOut.of(each) for each in caller.product.campaigns.all(caller.list(list_id).id)]


@router.post("/lists/{list_id}/campaigns", tags=["campaigns"], status_code=201, response_model=CampaignOut)
def create_campaign(list_id: Number, given: Named, caller: Calling, once: Making) -> Response:
    """Create a campaign."""
    here = caller.list(list_id)

    def make() -> Campaign:
        return caller.product.campaigns.add(caller.account.id, here.id, given.name, number=given.number)

    return once(given, make, CampaignOut.of)


@router.delete("/lists/{list_id}/campaigns/{campaign_id}", tags=["campaigns"], status_code=204)
def delete_campaign(list_id: Number, campaign_id: Number, caller: Calling) -> None:
    """Delete a campaign; its messages are kept."""
    known = {each.id for each in caller.product.campaigns.all(caller.list(list_id).id)}
    if campaign_id not in known or not caller.product.campaigns.delete(caller.account.id, campaign_id):
        raise not_found("campaign")
