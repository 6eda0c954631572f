"""Reports about the places where a message was opened, read and clicked."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.types import Ignored, Int, Struct


@fallible(result=list[t.WSMessageLocationClick] | None)
class ReportMessageLocationClick(Struct):
    """Counts clicks in a message region by region, page by page."""

    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSMessageLocationOpen] | None)
class ReportMessageLocationOpen(Struct):
    """Counts opens of a message region by region, page by page."""

    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSMessageLocationRead] | None)
class ReportMessageLocationRead(Struct):
    """Counts reads of a message region by region, page by page."""

    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSMessageLocationContactClick] | None)
class ReportMessageLocationContactClick(Struct):
    """Gives the clicks that came from one country, page by page."""

    MsgID: Int
    CountryID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSMessageLocationContactOpen] | None)
class ReportMessageLocationContactOpen(Struct):
    """Gives the opens that came from one country, page by page."""

    MsgID: Int
    CountryID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSMessageLocationContactRead] | None)
class ReportMessageLocationContactRead(Struct):
    """Gives the reads that came from one country, page by page."""

    MsgID: Int
    CountryID: Int
    Page: Int
    WSException: Ignored[t.WSException]
