"""Rows of reports about places: counts by region, and the contacts there."""

from soapstone.wire.types import DateTime, Int, String, Struct


class WSMessageLocationClick(Struct):
    """Clicks from one region."""

    MsgID: Int
    CountryID: Int
    RegionID: Int
    CountryName: String
    RegionName: String
    ClickCount: Int


class WSMessageLocationOpen(Struct):
    """Opens in one region."""

    MsgID: Int
    CountryID: Int
    RegionID: Int
    CountryName: String
    RegionName: String
    OpenCount: Int


class WSMessageLocationRead(Struct):
    """Reads in one region."""

    MsgID: Int
    CountryID: Int
    RegionID: Int
    CountryName: String
    RegionName: String
    ReadCount: Int


class WSMessageLocationContactClick(Struct):
    """A click and its region."""

    MsgID: Int
    ContactID: String
    EmailAddress: String
    CountryName: String
    RegionName: String
    ClickDate: DateTime


class WSMessageLocationContactOpen(Struct):
    """An open and its region."""

    MsgID: Int
    ContactID: String
    EmailAddress: String
    CountryName: String
    RegionName: String
    OpenDate: DateTime


class WSMessageLocationContactRead(Struct):
    """A read and its region."""

    MsgID: Int
    ContactID: String
    EmailAddress: String
    CountryName: String
    RegionName: String
    ReadDate: DateTime
