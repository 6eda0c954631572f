"""Profile headers and attributes of a list."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from soapstone.api.authentication import Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Name, Number, Numbered, OneOf, Shown
from soapstone.lists.profiles import AttributeDraft, ProfileHeader
from soapstone.vocabulary.attributes import AttributeKind

router = APIRouter()


class AttributeIn(Numbered):
    """A new profile attribute; position 0 puts it last, max_length 0 sets no limit."""

    name: Name
    kind: OneOf[AttributeKind] = AttributeKind.TEXT
    max_length: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    position: Annotated[int, Field(ge=0, le=10_000)] = 0


class HeaderIn(Numbered):
    """A new profile header with its attributes."""

    name: Name
    position: Annotated[int, Field(ge=0, le=10_000)] = 0
    attributes: Annotated[list[AttributeIn], Field(default_factory=list, max_length=200)]

    def chooses(self) -> bool:
        """Return whether a number is chosen, of the header or of an attribute."""
        return super().chooses() or any(each.chooses() for each in self.attributes)


class AttributeOut(Shown):
    """A profile attribute."""

    id: int
    name: str
    kind: str
    max_length: int
    position: int


class HeaderOut(BaseModel):
    """A profile header with its attributes."""

    id: int
    name: str
    position: int
    attributes: list[AttributeOut]

    @classmethod
    def of(cls, header: ProfileHeader) -> HeaderOut:
        """Return the header as it is shown."""
        attributes = [AttributeOut.of(each) for each in header.attributes]
        return cls(id=header.id, name=header.name, position=header.position, attributes=attributes)


@router.get("/lists/{list_id}/profile", tags=["profile"])
def get_profile(list_id: Number, caller: Calling) -> list[HeaderOut]:
    """Return the profile headers of a list with their attributes, in order."""
    return [HeaderOut.of(each) for each in caller.product.profiles.headers(caller.list(list_id).id)]


@router.post("/lists/{list_id}/profile", tags=["profile"], status_code=201, response_model=HeaderOut)
def create_profile_header(list_id: Number, given: HeaderIn, caller: Calling, once: Making) -> Response:
    """Create a profile header with its attributes, all or nothing."""
    drafts = [AttributeDraft(**each.model_dump()) for each in given.attributes]
    here = caller.list(list_id)

    def make() -> ProfileHeader:
        return caller.product.profiles.create_header(
            caller.account.id,
            here.id,
            given.name,
            position=given.position,
            attributes=drafts,
            number=given.number,
        )

    return once(given, make, HeaderOut.of)


@router.delete("/lists/{list_id}/profile/{header_id}", tags=["profile"], status_code=204)
def delete_profile_header(list_id: Number, header_id: Number, caller: Calling) -> None:
    """Delete a profile header that has no attributes."""
    here, header = caller.list(list_id), caller.product.profiles.header(caller.account.id, header_id)
    if header is None or header.list_id != here.id:
        raise not_found("header")
    caller.product.profiles.delete_header(caller.account.id, header_id)


@router.delete("/lists/{list_id}/attributes/{attribute_id}", tags=["profile"], status_code=204)
def delete_profile_attribute(list_id: Number, attribute_id: Number, caller: Calling) -> None:
    """Delete a profile attribute with its values."""
    here, attribute = caller.list(list_id), caller.product.profiles.attribute(caller.account.id, attribute_id)
    if attribute is None or attribute.list_id != here.id:
        raise not_found("attribute")
    caller.product.profiles.delete_attribute(caller.account.id, attribute_id)
