"""Profile headers, attributes, and counting by them."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.contract import Operation
from soapstone.wire.types import Boolean, Ignored, Int, Nillable, Struct


class GetProfileHeaderCollection(Struct):
    ListID: Int
    WSException: Ignored[t.WSException]


class CreateProfileHeader(Struct):
    WSProfileHeader: Nillable[t.WSProfileHeader]
    WSException: Ignored[t.WSException]


class CreateProfileHeaderResponse(Struct):
    CreateProfileHeaderResult: Boolean
    WSProfileHeader: Nillable[t.WSProfileHeader]
    WSException: Nillable[t.WSException]


class UpdateProfileHeader(Struct):
    WSProfileHeader: Nillable[t.WSProfileHeader]
    WSException: Ignored[t.WSException]


class UpdateProfileHeaderResponse(Struct):
    UpdateProfileHeaderResult: Boolean
    WSProfileHeader: Nillable[t.WSProfileHeader]
    WSException: Nillable[t.WSException]


class DeleteProfileHeader(Struct):
    HeaderID: Int
    WSException: Ignored[t.WSException]


class CreateProfileAttribute(Struct):
    WSProfileAttribute: Nillable[t.WSProfileAttribute]
    WSException: Ignored[t.WSException]


class CreateProfileAttributeResponse(Struct):
    CreateProfileAttributeResult: Boolean
    WSProfileAttribute: Nillable[t.WSProfileAttribute]
    WSException: Nillable[t.WSException]


class UpdateProfileAttribute(Struct):
    WSProfileAttribute: Nillable[t.WSProfileAttribute]
    WSException: Ignored[t.WSException]


class UpdateProfileAttributeResponse(Struct):
    UpdateProfileAttributeResult: Boolean
    WSProfileAttribute: Nillable[t.WSProfileAttribute]
    WSException: Nillable[t.WSException]


class DeleteProfileAttribute(Struct):
    AttributeID: Int
    WSException: Ignored[t.WSException]


class GetFilteredListCount(Struct):
    ListID: Int
    ProfileFilter: list[t.WSProfileFilter] | None


PROFILE_OPERATIONS = (
    fallible(
        GetProfileHeaderCollection,
        "Gives the profile fields of a list, under their headers.",
        result=list[t.WSProfileHeader] | None,
    ),
    Operation(
        CreateProfileHeader,
        "Creates a profile header and gives it back with its number.",
        response=CreateProfileHeaderResponse,
    ),
    Operation(UpdateProfileHeader, "Changes a profile header and gives it back.", response=UpdateProfileHeaderResponse),
    fallible(DeleteProfileHeader, "Deletes a profile header that has no attributes.", result=Boolean),
    Operation(
        CreateProfileAttribute,
        "Creates a field of contacts and gives it back with its number.",
        response=CreateProfileAttributeResponse,
    ),
    Operation(
        UpdateProfileAttribute,
        "Changes a field of contacts and gives it back.",
        response=UpdateProfileAttributeResponse,
    ),
    fallible(
        DeleteProfileAttribute,
        "Removes a field of contacts, and what was filled in there.",
        result=Boolean,
    ),
    Operation(
        GetFilteredListCount,
        "Counts how many contacts a filter lets through; without a filter, all of them.",
        result=Int,
    ),
)
