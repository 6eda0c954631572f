"""How far work in the background is."""

from soapstone.listrak import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Int, Struct


@operation(result=t.WSProcessStatus, place="WSProcessStatus")
class GetProcessStatus(Struct):
    """Tells how far a process is, by its number."""

    ProcessID: Int


@operation(result=list[t.WSLegacyProcessStatus] | None, deprecated="use GetProcessStatus.")
class GetLegacyProcessStatus(Struct):
    """Tells how far the processes of a list are that were started through XML over HTTP."""

    ListID: Int
