"""Small collections: campaigns, character sets, external events, conversations."""

from __future__ import annotations

from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import Call

# The character sets that messages can be sent in (lk-105).
CHARACTER_SETS = {1: "Unicode (UTF-8)", 2: "Western European (ISO-8859-1)"}


def get_campaign_collection(call: Call, request: op.GetCampaignCollection) -> list[t.WSCampaign]:
    """Return the campaigns of a list by number; none for an unknown list (lk-19, lk-32)."""
    found = call.find_list(request.ListID)
    if found is None:
        return []
    return [
        t.WSCampaign(CampaignID=each.id, ListID=each.list_id, Name=each.name, MessageCount=each.messages)
        for each in call.product.campaigns.all(found.id)
    ]


def get_character_set_collection(call: Call, request: op.GetCharacterSetCollection) -> list[t.WSCharacterSet]:
    """Return the character sets (lk-105)."""
    return [t.WSCharacterSet(CharacterSetID=number, Name=name) for number, name in CHARACTER_SETS.items()]


def conductor_get_external_events(
    call: Call, request: op.ConductorGetExternalEvents
) -> list[t.WSConductorExternalEvent]:
    """Return the events of a list, blocked ones too (lk-120); none for an unknown list (lk-19)."""
    found = call.find_list(request.ListID)
    if found is None:
        return []
    return [
        t.WSConductorExternalEvent(
            ListID=each.list_id,
            EventID=each.id,
            EventName=each.name,
            Status=t.ExternalEventStatus.Active if each.active else t.ExternalEventStatus.Blocked,
            ConversationCount=0,
            LastModifiedDate=call.wall_clock(each.updated_at),
        )
        for each in call.product.external_events.all(found.id)
    ]


def conductor_get_conversations(call: Call, request: op.ConductorGetConversations) -> list[t.WSConductorConversation]:
    """Return the conversations of a list: none, for there is no automation here (lk-123)."""
    return []
