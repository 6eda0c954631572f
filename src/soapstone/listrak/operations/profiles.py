"""Profile headers, attributes, and counting by them."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.contract import operation
from soapstone.wire.types import Boolean, Ignored, Int, Nillable, Struct


@fallible(result=list[t.WSProfileHeader] | None)
class GetProfileHeaderCollection(Struct):
    """Gives the profile fields of a list, under their headers."""

    ListID: Int
    WSException: Ignored[t.WSException]


class CreateProfileHeaderResponse(Struct):
    CreateProfileHeaderResult: Boolean
    WSProfileHeader: Nillable[t.WSProfileHeader]
    WSException: Nillable[t.WSException]


@operation(response=CreateProfileHeaderResponse)
class CreateProfileHeader(Struct):
    """Creates a profile header and gives it back with its number."""

    WSProfileHeader: Nillable[t.WSProfileHeader]
    WSException: Ignored[t.WSException]


class UpdateProfileHeaderResponse(Struct):
    UpdateProfileHeaderResult: Boolean
    WSProfileHeader: Nillable[t.WSProfileHeader]
    WSException: Nillable[t.WSException]


@operation(response=UpdateProfileHeaderResponse)
class UpdateProfileHeader(Struct):
    """Changes a profile header and gives it back."""

    WSProfileHeader: Nillable[t.WSProfileHeader]
    WSException: Ignored[t.WSException]


@fallible(result=Boolean)
class DeleteProfileHeader(Struct):
    """Deletes a profile header that has no attributes."""

    HeaderID: Int
    WSException: Ignored[t.WSException]


class CreateProfileAttributeResponse(Struct):
    CreateProfileAttributeResult: Boolean
    WSProfileAttribute: Nillable[t.WSProfileAttribute]
    WSException: Nillable[t.WSException]


@operation(response=CreateProfileAttributeResponse)
class CreateProfileAttribute(Struct):
    """Creates a field of contacts and gives it back with its number."""

    WSProfileAttribute: Nillable[t.WSProfileAttribute]
    WSException: Ignored[t.WSException]


class UpdateProfileAttributeResponse(Struct):
    UpdateProfileAttributeResult: Boolean
    WSProfileAttribute: Nillable[t.WSProfileAttribute]
    WSException: Nillable[t.WSException]


@operation(response=UpdateProfileAttributeResponse)
class UpdateProfileAttribute(Struct):
    """Changes a field of contacts and gives it back."""

    WSProfileAttribute: Nillable[t.WSProfileAttribute]
    WSException: Ignored[t.WSException]


@fallible(result=Boolean)
class DeleteProfileAttribute(Struct):
    """Removes a field of contacts, and what was filled in there."""

    AttributeID: Int
    WSException: Ignored[t.WSException]


@operation(result=Int)
class GetFilteredListCount(Struct):
    """Counts how many contacts a filter lets through; without a filter, all of them."""

    ListID: Int
    ProfileFilter: list[t.WSProfileFilter] | None
