"""Recipients one by one: adding, changing, and the groups that they are in."""

from __future__ import annotations

from collections.abc import Sequence

from soapstone.contacts.changes import Cause
from soapstone.contacts.contacts import NoIdentifierError, RecipientExistsError, UnknownListError
from soapstone.contacts.history import Mailing
from soapstone.errors import ForbiddenError, SoapstoneError
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import NO_DATE, Call, number_in
from soapstone.magnetmail.errors import NOT_FOUND, SEE_ERROR_OBJECT, error_object, lower_case, no_error, number_of
from soapstone.magnetmail.recipient import COLUMNS, columns, wire
from soapstone.magnetmail.sent_status import sent_status

EXISTS = 1005
NO_EMAIL = 1003

# Mails that are looked up at a time.
BATCH = 500


def add_recipient(call: Call, request: op.addRecipient) -> t.saveResult:
    """Add a new recipient and put it into groups (mm-19, mm-72, mm-73)."""
    groups = list(request.Groups or [])
    for number in groups:
        if call.group(number) is None:
            return _refused("addRecipient", NOT_FOUND, f"Group {number} does not exist.")
    fields = columns(request, COLUMNS) | {"text_only": request.text_only}
    try:
        made = call.product.contacts.add(call.account, fields, groups, login=call.login)
    except SoapstoneError as error:
        return _refusal("addRecipient", error, request.email)
    return _saved(made, "Recipient added successfully")


def edit_recipient(call: Call, request: op.editRecipient) -> t.saveResult:
    """Replace all fields of a recipient; groups stay (mm-74, mm-75)."""
    fields = columns(request, COLUMNS) | {"text_only": request.text_only}
    try:
        if not call.product.contacts.edit(call.account, request.recipient_id, fields, login=call.login):
            return _refused("editRecipient", NOT_FOUND, f"Recipient {request.recipient_id} does not exist.")
    except SoapstoneError as error:
        return _refusal("editRecipient", error, request.email)
    return _saved(request.recipient_id, "Recipient edited successfully")


def get_recipient_details(call: Call, request: op.getRecipientDetails) -> t.Recipient | None:
    """Return a recipient by number; nothing for an unknown one (mm-24)."""
    person = call.product.contacts.get(call.account.id, request.recipient_id, login=call.login)
    return None if person is None else wire(call, person)


def get_recipient_groups(call: Call, request: op.getRecipientGroups) -> list[t.RecipientGroup]:
    """Return a recipient's groups, by number, or else by address or custom id (mm-82)."""
    contact_id = _named(call, request.recipient)
    if contact_id is None:
        return []
    mine = set(call.product.contacts.lists_of(call.account.id, contact_id))
    return [
        t.RecipientGroup(
            Id=group.id,
            Name=group.name,
            Created=call.local(group.created_at),
            DisplayStatus=group.visible,
            SubscriptionGroup=group.on_subscription_page,
            LastUpdated=call.local(group.updated_at),
            LastUpdatedLoginId=group.updated_by,
        )
        for group in call.groups
        if group.id in mine
    ]


def edit_recipient_groups(call: Call, request: op.editRecipientGroups) -> bool:
    """Add a recipient to groups and remove it from others, all or nothing (mm-80, mm-81)."""
    joined, left = set(request.new_groups or []), set(request.unsubscribed_groups or [])
    if not joined | left <= {group.id for group in call.groups}:
        return False
    cause = Cause(message_id=request.message_id or None)
    return call.product.contacts.change_groups(
        call.account, request.recipient_id, joined, left, cause=cause, login=call.login
    )


def get_recipient_history(call: Call, request: op.getRecipientHistory) -> t.recipient_history | None:
    """Return the mails to a recipient; nothing for an unknown one (mm-24, mm-86)."""
    product, account_id = call.product, call.account.id
    if product.contacts.get(account_id, request.recipient_id, login=call.login) is None:
        return None
    mailings = product.history.mailings(account_id, request.recipient_id, login=call.login)
    told: list[t.email_history] = []
    for start in range(0, len(mailings), BATCH):
        told += _told(call, mailings[start : start + BATCH])
    return t.recipient_history(emailHistory=told, faxHistory=[], formHistory=[])


def _told(call: Call, mailings: Sequence[Mailing]) -> list[t.email_history]:
    """Return mails with what became of them."""
    reports, numbers = call.product.event_reports, [mailing.delivery_id for mailing in mailings]
    bounces, activities, clicked = reports.bounces(numbers), reports.activities(numbers), reports.clicked_urls(numbers)
    links = reports.link_numbers(call.account.id, {mailing.message_id for mailing in mailings if clicked})
    told = []
    for mailing in mailings:
        bounce, activity = bounces.get(mailing.delivery_id), activities.get(mailing.delivery_id)
        status = sent_status(mailing.state, mailing.reply, None if bounce is None else bounce.bounce_class)
        told.append(
            t.email_history(
                message_name=mailing.name,
                message_id=mailing.message_id,
                sent_date=call.local(mailing.at) or NO_DATE,
                open_date=call.local(None if activity is None else activity.opened_at) or NO_DATE,
                send_result=status.value,
                links=[
                    t.link(link_url=url, link_url_id=links[mailing.message_id, url], website_links=[])
                    for url in clicked.get(mailing.delivery_id, ())
                ],
            )
        )
    return told


def _named(call: Call, given: t.Recipient | None) -> int | None:
    if given is None:
        return None
    if (given.id or "").strip():
        person = call.product.contacts.get(call.account.id, number_in(given.id) or 0, login=call.login)
        return None if person is None else person.id
    return call.product.contacts.find(
        call.account, email=given.email or "", custom_id=given.Custom_Id or "", login=call.login
    )


def _saved(number: int, text: str) -> t.saveResult:
    return t.saveResult(error=0, errorObj=lower_case(no_error()), id=number, msg=text)


def _refusal(function: str, error: SoapstoneError, email: str | None) -> t.saveResult:
    """Return the answer to values that cannot be stored; `email` is the address that was given."""
    if isinstance(error, RecipientExistsError):
        # A business code straight in `error` (mm-19, mm-21).
        return t.saveResult(error=EXISTS, errorObj=lower_case(no_error()), id=error.contact_id, msg="RECIPIENT_EXISTS")
    if isinstance(error, NoIdentifierError) and error.field == "email":
        # Seen on the wire with an empty message and an empty msg (mm-19).
        return _refused(function, NO_EMAIL, "")
    if isinstance(error, ForbiddenError):
        sentence = f"{error} Name one of them."
    elif isinstance(error, NoIdentifierError):
        sentence = "The custom id is missing: it tells recipients apart here."
    elif isinstance(error, UnknownListError):
        return _refused(function, NOT_FOUND, f"Group {error.list_id} does not exist.")
    else:
        sentence = f"{email} is not an e-mail address."
    return _refused(function, number_of(error), sentence)


def _refused(function: str, number: int, sentence: str) -> t.saveResult:
    particulars = lower_case(error_object(number, sentence, component="Recipient", function=function))
    return t.saveResult(error=SEE_ERROR_OBJECT, errorObj=particulars, id=0, msg=sentence)
