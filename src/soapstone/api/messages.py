"""Stored messages: creating, reading, changing and previewing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, Field

from soapstone.api.authentication import Caller, Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import (
    LARGEST,
    Body,
    Cursor,
    Limit,
    Number,
    Numbered,
    Page,
    Repaired,
    Shown,
    Text,
    own,
    page,
    storable,
)
from soapstone.errors import ConflictError, InvalidError, MessageInQueueError, NameTakenError
from soapstone.product import Product
from soapstone.sending.messages.message import Charset, Draft, Message, Traits
from soapstone.sending.messages.preview import Preview
from soapstone.vocabulary.messages import MessageKind

router = APIRouter(prefix="/messages", tags=["messages"])

Made = TypeVar("Made")

# A body of a message; how large requests may be is its limit.
Long = Annotated[str, AfterValidator(storable)]
Short = Annotated[str, Field(max_length=255), AfterValidator(storable)]
# A send makes its own copies.
Kind = Literal["saved", "transactional", "magnetmail"]
Id = Annotated[int, Field(ge=1, le=LARGEST)]
Fields = dict[Annotated[str, Field(min_length=1, max_length=255), AfterValidator(storable)], Text]

PARTS = tuple(Draft.__dataclass_fields__)


class MessageHead(Shown):
    """A stored message without its bodies. `list_id` is null for a message of the whole account."""

    id: int
    kind: str
    list_id: int | None
    name: str
    subject: str
    from_name: str
    from_address: str
    reply_address: str
    to_name: str
    charset: str
    campaign_id: int | None
    category_id: int | None
    archived: bool
    created_at: datetime
    updated_at: datetime


class MessageOut(MessageHead):
    """A stored message, whole.

    `unknown_fields` warns of merge fields that no contact field, link or profile attribute of the account has. A send
    may still supply their values. `undelimited_references` warns of `&reg_id` and the like in addresses of links:
    browsers read `®_id` there. Write `&amp;reg_id`. `encoded_fields` warns of merge tags such as
    `%7B%7B%20City%20%7D%7D`, which stay as they are: write `{{ City }}`.
    """

    html: str
    plain: str
    unknown_fields: list[str]
    undelimited_references: list[str]
    encoded_fields: list[str]

    @classmethod
    def shown(cls, product: Product, found: Message, attributes: Collection[str] | None = None) -> MessageOut:
        """Return the message as it is shown; `attributes` is as for `Messages.unknown_fields`."""
        unknown = product.messages.unknown_fields(found.account_id, found, attributes)
        undelimited = product.messages.undelimited_references(found)
        encoded = product.messages.encoded_fields(found)
        same = own(found, MessageHead) | {"html": found.html, "plain": found.plain}
        return cls(**same, unknown_fields=unknown, undelimited_references=undelimited, encoded_fields=encoded)


class MessageIn(Numbered):
    """A new message for a list. Missing parts can follow; the list has defaults for the sender.

    Kind `magnetmail` is for that contract's calls. It has no list, and a unique name.
    """

    list_id: Id | None = None
    kind: Kind = "saved"
    name: Short = ""
    subject: Text = ""
    from_name: Text = ""
    from_address: Short = ""
    reply_address: Short = ""
    to_name: Text = ""
    html: Long = ""
    plain: Long = ""
    charset: Charset = "utf-8"
    campaign_id: Id | None = None
    category_id: Id | None = None


class MessageChange(Body):
    """Changes of a message; members left out stay. Null takes a message out of its campaign or category."""

    name: Short | None = None
    subject: Text | None = None
    from_name: Text | None = None
    from_address: Short | None = None
    reply_address: Short | None = None
    to_name: Text | None = None
    html: Long | None = None
    plain: Long | None = None
    charset: Charset | None = None
    campaign_id: Id | None = None
    category_id: Id | None = None
    archived: bool | None = None


class PreviewIn(Body):
    """The reader of a preview: an address, known or not, with extra merge values. `list_id`: as sent there."""

    email: Annotated[str, Field(max_length=254), AfterValidator(storable), Repaired] = ""
    list_id: Id | None = None
    fields: Fields = Field(default_factory=dict)


class PreviewOut(BaseModel):
    """The message as the recipient reads it. Its links are placeholders; `html` is null without an HTML body."""

    from_name: str
    from_address: str
    to_name: str
    subject: str
    html: str | None
    plain: str

    @classmethod
    def of(cls, seen: Preview) -> PreviewOut:
        """Return the message as it is shown."""
        same = {name: getattr(seen.rendered, name) for name in ("to_name", "subject", "html", "plain")}
        return cls(from_name=seen.from_name, from_address=seen.from_address, **same)


@router.get("")
def list_messages(
    caller: Calling,
    list_id: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    kind: Annotated[Kind | None, Query()] = None,
    archived: Annotated[bool | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[MessageHead]:
    """List the stored messages of a list or, for logins that see all lists, of the account, by number."""
    caller.require(list_id)
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.messages.find(
            caller.account.id,
            kind=MessageKind(kind) if kind else None,
            list_ids=None if list_id is None else [list_id],
            archived=archived,
            sent=False,
            after=after,
            limit=most,
        ),
        MessageHead.of,
    )


@router.post("", status_code=201, response_model=MessageOut)
def create_message(given: MessageIn, caller: Calling, once: Making) -> Response:
    """Store a message."""
    # Read before the message is stored: what fails behind its commit would be told as a failure to store it.
    attributes = caller.product.profiles.names(caller.account.id)

    def made() -> Message:
        list_id = _list_of(caller, given)
        traits = _traits(caller, list_id, given.model_dump())
        draft = Draft(**{name: getattr(given, name) for name in PARTS})
        try:
            return caller.product.messages.save(
                caller.account.id,
                list_id,
                draft,
                kind=MessageKind(given.kind),
                traits=Traits(**traits, login_id=caller.login.id),
                number=given.number,
            )
        except NameTakenError:
            raise ConflictError("A message of that name exists already.") from None

    return once(given, made, lambda saved: MessageOut.shown(caller.product, saved, attributes))


@router.get("/{message_id}")
def get_message(message_id: Number, caller: Calling) -> MessageOut:
    """Return one message."""
    return MessageOut.shown(caller.product, find(caller, message_id))


@router.patch("/{message_id}")
def change_message(message_id: Number, given: MessageChange, caller: Calling) -> MessageOut:
    """Change a message, unless it is queued or being sent."""
    found = find(caller, message_id)
    values = {
        name: value
        for name, value in given.model_dump(exclude_unset=True).items()
        if value is not None or name in ("campaign_id", "category_id")
    }
    draft = replace(Draft.of(found), **{name: values[name] for name in PARTS if name in values})
    traits = _traits(caller, found.list_id, values)
    try:
        changed = caller.product.messages.edit(caller.account.id, message_id, draft, traits=traits)
    except MessageInQueueError:
        raise ConflictError("The message is queued or being sent.") from None
    except NameTakenError:
        raise ConflictError("A message of that name exists already.") from None
    if changed is None:
        raise not_found("message")
    return MessageOut.shown(caller.product, changed)


@router.post("/{message_id}/preview")
def preview_message(message_id: Number, given: PreviewIn, caller: Calling) -> PreviewOut:
    """Return a message as a recipient reads it. Nothing is sent."""
    found = find(caller, message_id)
    number = given.list_id if given.list_id is not None else found.list_id
    contact_list = None if number is None else caller.list(number)
    seen = caller.product.previews.of(
        found,
        contact_list,
        email=given.email,
        contact_id=_contact(caller, given.email),
        fields=given.fields,
    )
    return PreviewOut.of(seen)


def find(caller: Caller, message_id: int) -> Message:
    """Return a stored message that the login may see. Raises NotFoundError."""
    found = caller.product.messages.get(caller.account.id, message_id)
    if found is None or found.kind == "send":
        raise not_found("message")
    if not caller.product.lists.sees(caller.login, caller.account.id, found.list_id):
        raise not_found("message")
    return found


def _contact(caller: Caller, email: str) -> int | None:
    """Return the contact of that address, if the login sees it."""
    return caller.product.contacts.find(caller.account, email=email, login=caller.login) if email.strip() else None


def _list_of(caller: Caller, given: MessageIn) -> int | None:
    """Return the list of a new message; None for one of MagnetMail, which all logins of the account share (mm-96)."""
    if given.kind != "magnetmail":
        if given.list_id is None:
            raise InvalidError("A message of this kind needs a list.")
        return caller.list(given.list_id).id
    caller.require_all_lists()
    if given.list_id is not None:
        raise InvalidError("A message of kind magnetmail has no list.")
    if not given.name.strip():
        raise InvalidError("A message of kind magnetmail needs a name.")
    return None


def _traits(caller: Caller, list_id: int | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given members of a message besides its text. Raises InvalidError for an unknown campaign or
    category."""
    campaign, category = given.get("campaign_id"), given.get("category_id")
    if campaign is not None and campaign not in {each.id for each in caller.product.campaigns.all(list_id or 0)}:
        raise InvalidError(f"The list has no campaign {campaign}.")
    if category is not None and caller.product.message_categories.get(caller.account.id, category) is None:
        raise InvalidError(f"There is no category of messages {category}.")
    return {name: given[name] for name in ("name", "campaign_id", "category_id", "archived") if name in given}
