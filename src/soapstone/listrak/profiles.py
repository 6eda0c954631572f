"""Profile headers and attributes of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from soapstone.errors import ConflictError, InvalidError, NotFoundError
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import Call, answer, not_found
from soapstone.lists.profiles import AttributeDraft, ProfileAttribute, ProfileHeader
from soapstone.vocabulary.attributes import AttributeKind
from soapstone.wire.types import Struct

# Kind on the wire → kind of an attribute (lk-45).
KINDS = {
    t.DataTypeSettings.RadioButton: AttributeKind.RADIO_BUTTON,
    t.DataTypeSettings.CheckBox: AttributeKind.CHECK_BOX,
    t.DataTypeSettings.TextArea: AttributeKind.TEXT_AREA,
    t.DataTypeSettings.Numeric: AttributeKind.NUMERIC,
    t.DataTypeSettings.Text: AttributeKind.TEXT,
    t.DataTypeSettings.Date: AttributeKind.DATE,
    t.DataTypeSettings.ContentBlock: AttributeKind.CONTENT_BLOCK,
}
_WIRE_KINDS: Mapping[str, t.DataTypeSettings] = {kind: wire for wire, kind in KINDS.items()}


def get_profile_header_collection(call: Call, request: op.GetProfileHeaderCollection) -> Struct:
    """Return the list's headers with their attributes, both in order (lk-32, lk-45)."""
    found = call.require_list(request.ListID)
    headers = [_header(header) for header in call.product.profiles.headers(found.id)]
    return answer(request, headers)


def create_profile_header(call: Call, request: op.CreateProfileHeader) -> Struct:
    """Make a header, with the attributes that it brings along, all of them or nothing (lk-45, lk-48).

    Numbers in the request count for nothing; the header comes back with those that were given.
    """
    return _stored(call, request, "WSProfileHeader", _create_header)


def create_profile_attribute(call: Call, request: op.CreateProfileAttribute) -> Struct:
    """Make an attribute under a header (lk-45, lk-47, lk-48). It comes back with its number and its place."""
    return _stored(call, request, "WSProfileAttribute", _create_attribute)


def update_profile_header(call: Call, request: op.UpdateProfileHeader) -> Struct:
    """Give a header another name and place; its attributes stay as they are (lk-45, lk-48)."""
    return _stored(call, request, "WSProfileHeader", _update_header)


def update_profile_attribute(call: Call, request: op.UpdateProfileAttribute) -> Struct:
    """Change name, length and place of an attribute; its kind and header stay (lk-45, lk-47, lk-48)."""
    return _stored(call, request, "WSProfileAttribute", _update_attribute)


def delete_profile_header(call: Call, request: op.DeleteProfileHeader) -> Struct:
    """Delete a header that has no attributes (lk-48)."""
    try:
        header = _require_header(call, request.HeaderID)
        if not call.product.profiles.delete_header(call.account.id, header.id):
            raise not_found("Header", header.id)
    except (ConflictError, NotFoundError) as error:
        return answer(request, False, call.failure(request, error))
    return answer(request, True)


def delete_profile_attribute(call: Call, request: op.DeleteProfileAttribute) -> Struct:
    """Delete an attribute and its values (lk-48)."""
    try:
        attribute = _require_attribute(call, request.AttributeID)
        if not call.product.profiles.delete_attribute(call.account.id, attribute.id):
            raise not_found("Attribute", attribute.id)
    except NotFoundError as error:
        return answer(request, False, call.failure(request, error))
    return answer(request, True)


def _stored(call: Call, request: Struct, member: str, store: Callable[[Call, Any], Struct | None]) -> Struct:
    """Return the answer to a call that stores the object in a member; it comes back as it is stored."""
    asked = getattr(request, member)
    try:
        if asked is None:
            raise InvalidError(f"{member} is missing.")
        stored = store(call, asked)
    except (InvalidError, NotFoundError) as error:
        return answer(request, False, call.failure(request, error), {member: asked})
    return answer(request, stored is not None, None, {member: stored})


def _create_header(call: Call, asked: t.WSProfileHeader) -> t.WSProfileHeader | None:
    found = call.require_list(asked.ListID)
    drafts = [_draft(attribute) for attribute in asked.WSProfileAttributes if attribute is not None]
    number = call.product.profiles.add_header(
        call.account.id, found.id, asked.Name or "", position=asked.Position, attributes=drafts
    )
    return _header_of(call, number)


def _create_attribute(call: Call, asked: t.WSProfileAttribute) -> t.WSProfileAttribute | None:
    header, draft = _require_header(call, asked.HeaderID), _draft(asked)
    number = call.product.profiles.add_attribute(
        call.account.id,
        header.list_id,
        header.id,
        draft.name,
        kind=draft.kind,
        max_length=draft.max_length,
        position=draft.position,
    )
    return _attribute_of(call, number)


def _update_header(call: Call, asked: t.WSProfileHeader) -> t.WSProfileHeader | None:
    header = _require_header(call, asked.HeaderID)
    call.product.profiles.change_header(call.account.id, header.id, name=asked.Name or "", position=asked.Position)
    return _header_of(call, header.id)


def _update_attribute(call: Call, asked: t.WSProfileAttribute) -> t.WSProfileAttribute | None:
    attribute = _require_attribute(call, asked.AttributeID)
    call.product.profiles.change_attribute(call.account.id, attribute.id, _draft(asked))
    return _attribute_of(call, attribute.id)


def _require_header(call: Call, header_id: int) -> ProfileHeader:
    header = call.product.profiles.header(call.account.id, header_id)
    if header is None or call.find_list(header.list_id) is None:
        raise not_found("Header", header_id)
    return header


def _require_attribute(call: Call, attribute_id: int) -> ProfileAttribute:
    attribute = call.product.profiles.attribute(call.account.id, attribute_id)
    if attribute is None or call.find_list(attribute.list_id) is None:
        raise not_found("Attribute", attribute_id)
    return attribute


def _header_of(call: Call, header_id: int) -> t.WSProfileHeader | None:
    header = call.product.profiles.header(call.account.id, header_id)
    return None if header is None else _header(header)


def _attribute_of(call: Call, attribute_id: int) -> t.WSProfileAttribute | None:
    attribute = call.product.profiles.attribute(call.account.id, attribute_id)
    return None if attribute is None else _attribute(attribute)


def _draft(asked: t.WSProfileAttribute) -> AttributeDraft:
    return AttributeDraft(
        name=asked.Name or "", kind=KINDS[asked.DataType], max_length=asked.MaxLength, position=asked.Position
    )


def _header(header: ProfileHeader) -> t.WSProfileHeader:
    return t.WSProfileHeader(
        HeaderID=header.id,
        ListID=header.list_id,
        Name=header.name,
        Position=header.position,
        WSProfileAttributes=[_attribute(attribute) for attribute in header.attributes],
    )


def _attribute(attribute: ProfileAttribute) -> t.WSProfileAttribute:
    return t.WSProfileAttribute(
        AttributeID=attribute.id,
        HeaderID=attribute.header_id,
        Name=attribute.name,
        DataType=_WIRE_KINDS[attribute.kind],
        MaxLength=attribute.max_length,
        Position=attribute.position,
    )
