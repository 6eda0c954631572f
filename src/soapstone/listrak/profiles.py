"""Profile headers and attributes of a list."""

from __future__ import annotations

from soapstone.listrak.call import Call, not_found
from soapstone.listrak.operations import (
    CreateProfileAttribute,
    CreateProfileAttributeResponse,
    CreateProfileHeader,
    CreateProfileHeaderResponse,
    GetProfileHeaderCollection,
    GetProfileHeaderCollectionResponse,
)
from soapstone.listrak.types import DataTypeSettings, WSProfileAttribute, WSProfileHeader
from soapstone.lists.profiles import AttributeDraft, InvalidProfile, ProfileAttribute, ProfileHeader

# Kind on the wire → kind of an attribute (lk-45).
KINDS = {
    DataTypeSettings.RadioButton: "radio_button",
    DataTypeSettings.CheckBox: "check_box",
    DataTypeSettings.TextArea: "text_area",
    DataTypeSettings.Numeric: "numeric",
    DataTypeSettings.Text: "text",
    DataTypeSettings.Date: "date",
    DataTypeSettings.ContentBlock: "content_block",
}
_WIRE_KINDS = {kind: wire for wire, kind in KINDS.items()}


def get_profile_header_collection(
    call: Call, request: GetProfileHeaderCollection
) -> GetProfileHeaderCollectionResponse:
    """The list's headers with their attributes, both in order (lk-32, lk-45)."""
    found = call.find_list(request.ListID)
    if found is None:
        failure = call.failure("GetProfileHeaderCollection", not_found(request.ListID))
        return GetProfileHeaderCollectionResponse(GetProfileHeaderCollectionResult=None, WSException=failure)
    headers = [_header(header) for header in call.product.profiles.headers(found.id)]
    return GetProfileHeaderCollectionResponse(GetProfileHeaderCollectionResult=headers, WSException=None)


def create_profile_header(call: Call, request: CreateProfileHeader) -> CreateProfileHeaderResponse:
    """Make a header, with the attributes that it brings along, all of them or nothing (lk-45, lk-48).

    Numbers in the request count for nothing; the header comes back with those that were given.
    """
    asked, profiles = request.WSProfileHeader, call.product.profiles

    def refused(sentence: str) -> CreateProfileHeaderResponse:
        failure = call.failure("CreateProfileHeader", sentence)
        return CreateProfileHeaderResponse(CreateProfileHeaderResult=False, WSProfileHeader=asked, WSException=failure)

    if asked is None:
        return refused("[InvalidArgument] WSProfileHeader is missing.")
    found = call.find_list(asked.ListID)
    if found is None:
        return refused(not_found(asked.ListID))
    drafts = [_draft(attribute) for attribute in asked.WSProfileAttributes if attribute is not None]
    try:
        header_id = profiles.add_header(
            call.account.id, found.id, asked.Name or "", position=asked.Position, attributes=drafts
        )
    except InvalidProfile as refusal:
        return refused(f"[InvalidArgument] {refusal}")
    made = profiles.header(call.account.id, header_id)
    return CreateProfileHeaderResponse(
        CreateProfileHeaderResult=True, WSProfileHeader=None if made is None else _header(made), WSException=None
    )


def create_profile_attribute(call: Call, request: CreateProfileAttribute) -> CreateProfileAttributeResponse:
    """Make an attribute under a header (lk-45, lk-47, lk-48). It comes back with its number and its place."""
    asked, profiles = request.WSProfileAttribute, call.product.profiles

    def refused(sentence: str) -> CreateProfileAttributeResponse:
        failure = call.failure("CreateProfileAttribute", sentence)
        return CreateProfileAttributeResponse(
            CreateProfileAttributeResult=False, WSProfileAttribute=asked, WSException=failure
        )

    if asked is None:
        return refused("[InvalidArgument] WSProfileAttribute is missing.")
    header = profiles.header(call.account.id, asked.HeaderID)
    if header is None or call.find_list(header.list_id) is None:
        return refused(f"[NotFound] Header {asked.HeaderID} does not exist or is not accessible.")
    draft = _draft(asked)
    try:
        attribute_id = profiles.add_attribute(
            call.account.id,
            header.list_id,
            header.id,
            draft.name,
            kind=draft.kind,
            max_length=draft.max_length,
            position=draft.position,
        )
    except InvalidProfile as refusal:
        return refused(f"[InvalidArgument] {refusal}")
    made = profiles.attribute(call.account.id, attribute_id)
    return CreateProfileAttributeResponse(
        CreateProfileAttributeResult=True,
        WSProfileAttribute=None if made is None else _attribute(made),
        WSException=None,
    )


def _draft(asked: WSProfileAttribute) -> AttributeDraft:
    return AttributeDraft(
        name=asked.Name or "", kind=KINDS[asked.DataType], max_length=asked.MaxLength, position=asked.Position
    )


def _header(header: ProfileHeader) -> WSProfileHeader:
    return WSProfileHeader(
        HeaderID=header.id,
        ListID=header.list_id,
        Name=header.name,
        Position=header.position,
        WSProfileAttributes=[_attribute(attribute) for attribute in header.attributes],
    )


def _attribute(attribute: ProfileAttribute) -> WSProfileAttribute:
    return WSProfileAttribute(
        AttributeID=attribute.id,
        HeaderID=attribute.header_id,
        Name=attribute.name,
        DataType=_WIRE_KINDS[attribute.kind],
        MaxLength=attribute.max_length,
        Position=attribute.position,
    )
