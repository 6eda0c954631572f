"""Reports about the places where a message was opened, read and clicked."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.types import Ignored, Int, Struct


class ReportMessageLocationClick(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationOpen(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationRead(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationContactClick(Struct):
    MsgID: Int
    CountryID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationContactOpen(Struct):
    MsgID: Int
    CountryID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationContactRead(Struct):
    MsgID: Int
    CountryID: Int
    Page: Int
    WSException: Ignored[t.WSException]


LOCATION_REPORTS = (
    fallible(
        ReportMessageLocationClick,
        "Counts clicks in a message region by region, page by page.",
        result=list[t.WSMessageLocationClick] | None,
    ),
    fallible(
        ReportMessageLocationOpen,
        "Counts opens of a message region by region, page by page.",
        result=list[t.WSMessageLocationOpen] | None,
    ),
    fallible(
        ReportMessageLocationRead,
        "Counts reads of a message region by region, page by page.",
        result=list[t.WSMessageLocationRead] | None,
    ),
    fallible(
        ReportMessageLocationContactClick,
        "Gives the clicks that came from one country, page by page.",
        result=list[t.WSMessageLocationContactClick] | None,
    ),
    fallible(
        ReportMessageLocationContactOpen,
        "Gives the opens that came from one country, page by page.",
        result=list[t.WSMessageLocationContactOpen] | None,
    ),
    fallible(
        ReportMessageLocationContactRead,
        "Gives the reads that came from one country, page by page.",
        result=list[t.WSMessageLocationContactRead] | None,
    ),
)
