"""Stored messages (mm-95 to mm-99, mm-109)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any, Final

from soapstone.errors import InvalidError, MessageInQueueError, NotFoundError, SoapstoneError
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import NO_DATE, Call
from soapstone.magnetmail.errors import SEE_ERROR_OBJECT, error_object, lower_case, no_error, number_of
from soapstone.sending.messages import message as house
from soapstone.sending.messages.content import check_size
from soapstone.sending.messages.hyperlinks import hyperlinks
from soapstone.vocabulary.messages import MessageKind

KIND: Final = MessageKind.MAGNETMAIL
LONGEST_NAME = 255

# What a message is made for → how its mails are written (mm-95).
CHARSETS = {t.CharacterSet.Western: "iso-8859-1", t.CharacterSet.International: "utf-8"}
BLOCKS = ("html_version_block1", "html_version_block2", "html_version_block3")
FAX_DOCUMENTS = ("fax_doc_1", "fax_doc_2", "fax_doc_3", "fax_doc_4", "fax_doc_5")
# Members that are kept as they came, beside what the product itself knows of a message.
SWITCHES = ("is_fax_merged", "is_fax_only", "is_copy_paste_template", "is_auto_unsubscribe_link")
KEPT = (*BLOCKS, *FAX_DOCUMENTS, "text_version", "template_id", *SWITCHES)
PICKS = {t.bool_special.no: False, t.bool_special.yes: True, t.bool_special.all: None}

# Messages that are read at a time.
BATCH = 200

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# A name that stands before an address without quotes; merge fields may stand in it.
_OPEN_NAME = re.compile(r"[^\"<>(),:;@\\]*")

Listing = op.getMessages | op.getMessagesUTC | op.getMessageList | op.getMessageListUtc


def create_message(call: Call, request: op.createMagnetMailMessage) -> t.createEditMessageResult:
    """Store a message; its number and dates are ours (mm-97)."""
    return _Storing(call, request.message, "createMagnetMailMessage").create()


def edit_message(call: Call, request: op.editMagnetMailMessage) -> t.createEditMessageResult:
    """Replace all of a message that does not wait to be sent (mm-97)."""
    return _Storing(call, request.message, "editMagnetMailMessage").edit()


def get_message_details(call: Call, request: op.GetMessageDetails) -> t.MessageDetails | None:
    """Return one message as it was stored; nothing for an unknown one (mm-24)."""
    found = message_of(call, request.MessageId)
    if found is None:
        return None
    departures = call.product.reports.departures(call.account.id, kind=KIND, message_id=found.id, login=call.login)
    sent = [each.at for each in departures]
    return t.MessageDetails(
        **_kept(found),
        message_id=found.id,
        loginid=found.login_id,
        message_category=found.category_id,
        user_id=call.account.name,
        message_name=found.name,
        SubjectLine=found.subject,
        FromAddress=sender_text(found.from_name, found.from_address),
        createDate=call.local(found.created_at) or NO_DATE,
        lastSent=call.local(max(sent, default=None)) or NO_DATE,
        characterSet=next(name for name, charset in CHARSETS.items() if charset == found.charset),
    )


def _kept(found: house.Message) -> dict[str, Any]:
    """Return the members that are kept as they came. Bodies that were stored or changed by other means come whole."""
    kept = dict.fromkeys(KEPT) | dict.fromkeys(SWITCHES, False) | {"template_id": 0} | dict(found.extras)
    if "".join(kept[block] or "" for block in BLOCKS) != found.html:
        kept |= dict.fromkeys(BLOCKS) | {BLOCKS[0]: found.html}
    if (kept["text_version"] or "") != found.plain:
        kept["text_version"] = found.plain
    return kept


def get_messages(call: Call, request: op.getMessages) -> list[t.MessageList]:
    """Return messages by number, each with the groups it went to (mm-109)."""
    return list(_with_groups(call, request))


def get_messages_utc(call: Call, request: op.getMessagesUTC) -> list[t.MessageList]:
    """Return the same with dates in UTC (mm-28, mm-30)."""
    return list(_with_groups(call, request, utc=True))


def get_message_list(call: Call, request: op.getMessageList) -> list[t.Message]:
    """Return messages by number (mm-109)."""
    return [message for message, _ in _listed(call, request)]


def get_message_list_utc(call: Call, request: op.getMessageListUtc) -> list[t.Message]:
    """Return the same with dates in UTC (mm-28, mm-30)."""
    return [message for message, _ in _listed(call, request, utc=True)]


def message_of(call: Call, message_id: int) -> house.Message | None:
    """Return the message of that number, if it is one of this contract."""
    found = call.product.messages.get(call.account.id, message_id)
    return None if found is None or found.kind != KIND else found


def has_mail(message: house.Message) -> bool:
    """Return whether a message is there to be mailed; others are for fax only."""
    return not message.extras.get("is_fax_only") and bool(message.html.strip() or message.plain.strip())


def sender_of(text: str | None) -> tuple[str, str]:
    """Name and address of a sender that is written as `Name <address>`, or as the address alone."""
    given = (text or "").strip()
    name, mark, address = given[:-1].rpartition("<")
    if not mark or not given.endswith(">") or ">" in address:
        return "", given
    name = name.strip()
    if quoted := _QUOTED.fullmatch(name):
        name = _ESCAPED.sub(r"\1", quoted[1])
    return name, address.strip()


def sender_text(name: str, address: str) -> str:
    """Return a sender as `sender_of` reads it."""
    if not name:
        return address
    if not _OPEN_NAME.fullmatch(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def draft_of(given: t.MessageDetails) -> house.Draft:
    """Return the parts of a message that is stored in this form."""
    from_name, from_address = sender_of(given.FromAddress)
    return house.Draft(
        subject=given.SubjectLine or "",
        from_name=from_name,
        from_address=from_address,
        html="".join(getattr(given, block) or "" for block in BLOCKS),
        plain=given.text_version or "",
        charset=CHARSETS[given.characterSet],
    )


def extras_of(given: t.MessageDetails) -> dict[str, Any]:
    """Return the members that are kept as they came."""
    return {member: getattr(given, member) for member in KEPT}


class _Storing:
    """One call that stores a message."""

    def __init__(self, call: Call, given: t.MessageDetails | None, function: str) -> None:
        self._given = given
        self._call = call if given is None else call.for_account(given.user_id)
        self._function = function

    def create(self) -> t.createEditMessageResult:
        try:
            draft, traits = self._read()
            login_id = self._call.identity.login.id
            made = self._call.product.messages.save(
                self._call.account.id,
                None,
                draft,
                kind=KIND,
                traits=house.Traits(**traits, login_id=login_id),
            )
        except SoapstoneError as error:
            return self._refusal(error)
        return self._stored(made, "Message created successfully", kept=False)

    def edit(self) -> t.createEditMessageResult:
        number = (self._given.message_id if self._given else None) or 0
        try:
            draft, traits = self._read()
            before = message_of(self._call, number)
            if before is None:
                raise NotFoundError(f"Message {number} does not exist.")
            made = self._call.product.messages.edit(self._call.account.id, number, draft, traits=traits)
            if made is None:
                raise NotFoundError(f"Message {number} does not exist.")
        except MessageInQueueError as error:
            return self._refusal(error, f"Message {number} is waiting to be sent.")
        except SoapstoneError as error:
            return self._refusal(error)
        old, new = (self._links_of(each) for each in (before, made))
        return self._stored(made, "Message edited successfully", kept=bool(old & new))

    def _links_of(self, message: house.Message) -> set[str]:
        try:
            return {link.url for link in hyperlinks(message, self._call.product.links)}
        except house.InvalidMessage:
            # It was stored when messages could be larger.
            return set()

    def _read(self) -> tuple[house.Draft, dict[str, Any]]:
        """Return what is to be stored. Raises InvalidError and NotFoundError."""
        given = self._given
        if given is None:
            raise InvalidError("The message is missing.")
        name = (given.message_name or "").strip()
        if not name:
            raise InvalidError("The message needs a name.")
        if len(name) > LONGEST_NAME:
            raise InvalidError(f"A message name has at most {LONGEST_NAME} characters.")
        product, category = self._call.product, given.message_category or None
        if category is not None and product.message_categories.get(self._call.account.id, category) is None:
            raise NotFoundError(f"Message category {category} does not exist.")
        draft = draft_of(given)
        check_size(draft)
        links, texts = product.links, f"{draft.html}\n{draft.plain}"
        traits = {
            "name": name,
            "category_id": category,
            "has_own_links": links is not None and (links.held_by(texts) or product.stems.held_by(texts)),
            "extras": extras_of(given),
        }
        return draft, traits

    def _stored(self, made: house.Message, text: str, *, kept: bool) -> t.createEditMessageResult:
        return t.createEditMessageResult(
            error=0,
            errorObj=lower_case(no_error()),
            links_already_exists=kept,
            magnetMail_tracking_link_exists=made.has_own_links,
            message_id=made.id,
            message_in_queue=False,
            msg=text,
        )

    def _refusal(self, error: SoapstoneError, sentence: str = "") -> t.createEditMessageResult:
        sentence = sentence or str(error)
        particulars = error_object(number_of(error), sentence, component="Message", function=self._function)
        return t.createEditMessageResult(
            error=SEE_ERROR_OBJECT,
            errorObj=lower_case(particulars),
            links_already_exists=False,
            magnetMail_tracking_link_exists=False,
            message_id=0,
            message_in_queue=isinstance(error, MessageInQueueError),
            msg=sentence,
        )


def _with_groups(call: Call, request: Listing, *, utc: bool = False) -> Iterator[t.MessageList]:
    names = {group.id: group.name for group in call.groups}
    for message, departures in _listed(call, request, utc=utc):
        yield t.MessageList(
            message=message,
            GroupsEmailSentTo=[
                t.JobToGroup(group_id=list_id, group_name=names[list_id], sent_date=_date(call, at, utc))
                for list_id, at in departures
                if list_id in names
            ],
            GroupsFaxSentTo=[],
        )


def _listed(
    call: Call, request: Listing, *, utc: bool = False
) -> Iterator[tuple[t.Message, list[tuple[int | None, datetime.datetime]]]]:
    """Yield the messages that a listing asks for, each with its sends: list and time."""
    created_from, created_before = call.range(request.createStartDate, request.createEndDate, utc=utc)
    sent_from, sent_before = call.range(request.sentStartDate, request.sentEndDate, utc=utc)
    with_fax, with_mail = PICKS[request.hasFax], PICKS[request.hasEmail]
    sent: dict[int, list[tuple[int | None, datetime.datetime]]] = {}
    for each in call.product.reports.departures(call.account.id, kind=KIND, login=call.login):
        sent.setdefault(each.message_id, []).append((each.list_id, each.at))
    for found in _stored(call, request, created_from, created_before):
        times = [at for _, at in sent.get(found.id, ())]
        if (sent_from or sent_before) and not any(
            (sent_from is None or at >= sent_from) and (sent_before is None or at < sent_before) for at in times
        ):
            continue
        has_fax = any(found.extras.get(name) for name in ("is_fax_only", *FAX_DOCUMENTS))
        if with_fax not in (None, has_fax) or with_mail not in (None, has_mail(found)):
            continue
        message = t.Message(
            message_id=found.id,
            loginid=found.login_id or 0,
            user_id=call.account.name,
            message_name=found.name,
            createDate=_date(call, found.created_at, utc),
            lastSent=_date(call, max(times, default=None), utc),
        )
        yield message, sent.get(found.id, [])


def _stored(
    call: Call, request: Listing, created_from: datetime.datetime | None, created_before: datetime.datetime | None
) -> Iterator[house.Message]:
    """Yield messages by number; a batch at a time, since their texts may be long."""
    offset = 0
    while True:
        batch = call.product.messages.find(
            call.account.id,
            kind=KIND,
            archived=PICKS[request.archived],
            hidden=PICKS[request.hidden],
            created_from=created_from,
            created_before=created_before,
            offset=offset,
            limit=BATCH,
        )
        yield from batch
        if len(batch) < BATCH:
            return
        offset += BATCH


def _date(call: Call, moment: datetime.datetime | None, utc: bool) -> datetime.datetime:
    return (call.utc(moment) if utc else call.local(moment)) or NO_DATE
