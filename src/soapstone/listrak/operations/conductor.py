"""Automation."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Int, Struct


class ConductorGetExternalEvents(Struct):
    ListID: Int


class ConductorGetConversations(Struct, also={"ListID": "listID"}):
    """The original spells its member unlike all others, so both spellings are taken (lk-121)."""

    listID: Int


CONDUCTOR_OPERATIONS = (
    Operation(
        ConductorGetExternalEvents,
        "Gives the events of a list that calls and imports can raise.",
        result=list[t.WSConductorExternalEvent] | None,
    ),
    Operation(
        ConductorGetConversations,
        "Gives the conversations of a list with their state.",
        result=list[t.WSConductorConversation] | None,
    ),
)
