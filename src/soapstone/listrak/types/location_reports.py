"""Rows of reports about places: counts by region, and the contacts there."""

from soapstone.wire.types import DateTime, Int, String, Struct


class _Region(Struct, mixin=True):
    MsgID: Int
    CountryID: Int
    RegionID: Int
    CountryName: String
    RegionName: String


class WSMessageLocationClick(_Region):
    """Clicks from one region."""

    ClickCount: Int


class WSMessageLocationOpen(_Region):
    """Opens in one region."""

    OpenCount: Int


class WSMessageLocationRead(_Region):
    """Reads in one region."""

    ReadCount: Int


class _ContactRegion(Struct, mixin=True):
    MsgID: Int
    ContactID: String
    EmailAddress: String
    CountryName: String
    RegionName: String


class WSMessageLocationContactClick(_ContactRegion):
    """A click and its region."""

    ClickDate: DateTime


class WSMessageLocationContactOpen(_ContactRegion):
    """An open and its region."""

    OpenDate: DateTime


class WSMessageLocationContactRead(_ContactRegion):
    """A read and its region."""

    ReadDate: DateTime
