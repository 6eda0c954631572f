"""Profile headers and attributes of a list."""

from __future__ import annotations

from collections.abc import Mapping

from soapstone.errors import ConflictError, InvalidError
from soapstone.listrak.call import Call, Handlers, described, not_found
from soapstone.listrak.operations import (
    CreateProfileAttribute,
    CreateProfileAttributeResponse,
    CreateProfileHeader,
    CreateProfileHeaderResponse,
    DeleteProfileAttribute,
    DeleteProfileAttributeResponse,
    DeleteProfileHeader,
    DeleteProfileHeaderResponse,
    GetProfileHeaderCollection,
    GetProfileHeaderCollectionResponse,
    UpdateProfileAttribute,
    UpdateProfileAttributeResponse,
    UpdateProfileHeader,
    UpdateProfileHeaderResponse,
)
from soapstone.listrak.types import DataTypeSettings, WSProfileAttribute, WSProfileHeader
from soapstone.lists.profiles import AttributeDraft, ProfileAttribute, ProfileHeader
from soapstone.vocabulary.attributes import AttributeKind

# Kind on the wire → kind of an attribute (lk-45).
KINDS = {
    DataTypeSettings.RadioButton: AttributeKind.RADIO_BUTTON,
    DataTypeSettings.CheckBox: AttributeKind.CHECK_BOX,
    DataTypeSettings.TextArea: AttributeKind.TEXT_AREA,
    DataTypeSettings.Numeric: AttributeKind.NUMERIC,
    DataTypeSettings.Text: AttributeKind.TEXT,
    DataTypeSettings.Date: AttributeKind.DATE,
    DataTypeSettings.ContentBlock: AttributeKind.CONTENT_BLOCK,
}
_WIRE_KINDS: Mapping[str, DataTypeSettings] = {kind: wire for wire, kind in KINDS.items()}


def get_profile_header_collection(
    call: Call, request: GetProfileHeaderCollection
) -> GetProfileHeaderCollectionResponse:
    """Return the list's headers with their attributes, both in order (lk-32, lk-45)."""
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
    except InvalidError as refusal:
        return refused(described(refusal))
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
    header = _find_header(call, asked.HeaderID)
    if header is None:
        return refused(_no_header(asked.HeaderID))
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
    except InvalidError as refusal:
        return refused(described(refusal))
    made = profiles.attribute(call.account.id, attribute_id)
    return CreateProfileAttributeResponse(
        CreateProfileAttributeResult=True,
        WSProfileAttribute=None if made is None else _attribute(made),
        WSException=None,
    )


def update_profile_header(call: Call, request: UpdateProfileHeader) -> UpdateProfileHeaderResponse:
    """Give a header another name and place; its attributes stay as they are (lk-45, lk-48)."""
    asked, profiles = request.WSProfileHeader, call.product.profiles

    def refused(sentence: str) -> UpdateProfileHeaderResponse:
        failure = call.failure("UpdateProfileHeader", sentence)
        return UpdateProfileHeaderResponse(UpdateProfileHeaderResult=False, WSProfileHeader=asked, WSException=failure)

    if asked is None:
        return refused("[InvalidArgument] WSProfileHeader is missing.")
    if _find_header(call, asked.HeaderID) is None:
        return refused(_no_header(asked.HeaderID))
    try:
        profiles.change_header(call.account.id, asked.HeaderID, name=asked.Name or "", position=asked.Position)
    except InvalidError as refusal:
        return refused(described(refusal))
    changed = profiles.header(call.account.id, asked.HeaderID)
    return UpdateProfileHeaderResponse(
        UpdateProfileHeaderResult=changed is not None,
        WSProfileHeader=None if changed is None else _header(changed),
        WSException=None,
    )


def delete_profile_header(call: Call, request: DeleteProfileHeader) -> DeleteProfileHeaderResponse:
    """Delete a header that has no attributes (lk-48)."""
    try:
        if _find_header(call, request.HeaderID) is None:
            sentence = _no_header(request.HeaderID)
        elif call.product.profiles.delete_header(call.account.id, request.HeaderID):
            return DeleteProfileHeaderResponse(DeleteProfileHeaderResult=True, WSException=None)
        else:
            sentence = _no_header(request.HeaderID)
    except ConflictError as refusal:
        sentence = described(refusal)
    failure = call.failure("DeleteProfileHeader", sentence)
    return DeleteProfileHeaderResponse(DeleteProfileHeaderResult=False, WSException=failure)


def update_profile_attribute(call: Call, request: UpdateProfileAttribute) -> UpdateProfileAttributeResponse:
    """Change name, length and place of an attribute; its kind and header stay (lk-45, lk-47, lk-48)."""
    asked, profiles = request.WSProfileAttribute, call.product.profiles

    def refused(sentence: str) -> UpdateProfileAttributeResponse:
        failure = call.failure("UpdateProfileAttribute", sentence)
        return UpdateProfileAttributeResponse(
            UpdateProfileAttributeResult=False, WSProfileAttribute=asked, WSException=failure
        )

    if asked is None:
        return refused("[InvalidArgument] WSProfileAttribute is missing.")
    if _find_attribute(call, asked.AttributeID) is None:
        return refused(_no_attribute(asked.AttributeID))
    try:
        profiles.change_attribute(call.account.id, asked.AttributeID, _draft(asked))
    except InvalidError as refusal:
        return refused(described(refusal))
    changed = profiles.attribute(call.account.id, asked.AttributeID)
    return UpdateProfileAttributeResponse(
        UpdateProfileAttributeResult=changed is not None,
        WSProfileAttribute=None if changed is None else _attribute(changed),
        WSException=None,
    )


def delete_profile_attribute(call: Call, request: DeleteProfileAttribute) -> DeleteProfileAttributeResponse:
    """Delete an attribute and its values (lk-48)."""
    found = _find_attribute(call, request.AttributeID)
    if found is not None and call.product.profiles.delete_attribute(call.account.id, found.id):
        return DeleteProfileAttributeResponse(DeleteProfileAttributeResult=True, WSException=None)
    failure = call.failure("DeleteProfileAttribute", _no_attribute(request.AttributeID))
    return DeleteProfileAttributeResponse(DeleteProfileAttributeResult=False, WSException=failure)


def _find_header(call: Call, header_id: int) -> ProfileHeader | None:
    header = call.product.profiles.header(call.account.id, header_id)
    return None if header is None or call.find_list(header.list_id) is None else header


def _find_attribute(call: Call, attribute_id: int) -> ProfileAttribute | None:
    attribute = call.product.profiles.attribute(call.account.id, attribute_id)
    return None if attribute is None or call.find_list(attribute.list_id) is None else attribute


def _no_header(header_id: int) -> str:
    return f"[NotFound] Header {header_id} does not exist or is not accessible."


def _no_attribute(attribute_id: int) -> str:
    return f"[NotFound] Attribute {attribute_id} does not exist or is not accessible."


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


HANDLERS: Handlers = {
    "GetProfileHeaderCollection": get_profile_header_collection,
    "CreateProfileHeader": create_profile_header,
    "CreateProfileAttribute": create_profile_attribute,
    "UpdateProfileHeader": update_profile_header,
    "DeleteProfileHeader": delete_profile_header,
    "UpdateProfileAttribute": update_profile_attribute,
    "DeleteProfileAttribute": delete_profile_attribute,
}
