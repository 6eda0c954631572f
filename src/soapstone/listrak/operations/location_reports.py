"""Reports about the places where a message was opened, read and clicked."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Ignored, Int, Nillable, Struct


class ReportMessageLocationClick(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationClickResponse(Struct):
    ReportMessageLocationClickResult: list[t.WSMessageLocationClick] | None
    WSException: Nillable[t.WSException]


class ReportMessageLocationOpen(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationOpenResponse(Struct):
    ReportMessageLocationOpenResult: list[t.WSMessageLocationOpen] | None
    WSException: Nillable[t.WSException]


class ReportMessageLocationRead(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationReadResponse(Struct):
    ReportMessageLocationReadResult: list[t.WSMessageLocationRead] | None
    WSException: Nillable[t.WSException]


class ReportMessageLocationContactClick(Struct):
    MsgID: Int
    CountryID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationContactClickResponse(Struct):
    ReportMessageLocationContactClickResult: list[t.WSMessageLocationContactClick] | None
    WSException: Nillable[t.WSException]


class ReportMessageLocationContactOpen(Struct):
    MsgID: Int
    CountryID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationContactOpenResponse(Struct):
    ReportMessageLocationContactOpenResult: list[t.WSMessageLocationContactOpen] | None
    WSException: Nillable[t.WSException]


class ReportMessageLocationContactRead(Struct):
    MsgID: Int
    CountryID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLocationContactReadResponse(Struct):
    ReportMessageLocationContactReadResult: list[t.WSMessageLocationContactRead] | None
    WSException: Nillable[t.WSException]


LOCATION_REPORTS = (
    Operation(
        ReportMessageLocationClick,
        "Counts clicks in a message region by region, page by page.",
        response=ReportMessageLocationClickResponse,
    ),
    Operation(
        ReportMessageLocationOpen,
        "Counts opens of a message region by region, page by page.",
        response=ReportMessageLocationOpenResponse,
    ),
    Operation(
        ReportMessageLocationRead,
        "Counts reads of a message region by region, page by page.",
        response=ReportMessageLocationReadResponse,
    ),
    Operation(
        ReportMessageLocationContactClick,
        "Gives the clicks that came from one country, page by page.",
        response=ReportMessageLocationContactClickResponse,
    ),
    Operation(
        ReportMessageLocationContactOpen,
        "Gives the opens that came from one country, page by page.",
        response=ReportMessageLocationContactOpenResponse,
    ),
    Operation(
        ReportMessageLocationContactRead,
        "Gives the reads that came from one country, page by page.",
        response=ReportMessageLocationContactReadResponse,
    ),
)
