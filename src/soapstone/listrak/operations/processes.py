"""How far work in the background is."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Int, Nillable, Struct


class GetProcessStatus(Struct):
    ProcessID: Int


class GetProcessStatusResponse(Struct):
    WSProcessStatus: Nillable[t.WSProcessStatus]


class GetLegacyProcessStatus(Struct):
    ListID: Int


PROCESS_OPERATIONS = (
    Operation(GetProcessStatus, "Tells how far a process is, by its number.", response=GetProcessStatusResponse),
    Operation(
        GetLegacyProcessStatus,
        "Tells how far the processes of a list are that were started through XML over HTTP.",
        result=list[t.WSLegacyProcessStatus] | None,
        deprecated="use GetProcessStatus.",
    ),
)
