"""Automation."""

from soapstone.listrak import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Int, Struct


@operation(result=list[t.WSConductorExternalEvent] | None)
class ConductorGetExternalEvents(Struct):
    """Gives the events of a list that calls and imports can raise."""

    ListID: Int


# The original spells its member unlike all others, so both spellings are taken (lk-121).
@operation(result=list[t.WSConductorConversation] | None)
class ConductorGetConversations(Struct, also={"ListID": "listID"}):
    """Gives the conversations of a list with their state."""

    listID: Int
