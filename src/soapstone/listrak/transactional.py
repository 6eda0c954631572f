"""Transactional messages: prepared ones, sent to one person at a time with values of their own (lk-100)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from soapstone.listrak.call import Call, not_found
from soapstone.listrak.operations import SendTransactionalMessage
from soapstone.listrak.sends import saved
from soapstone.listrak.types import SendTransactionalMessageToContactResult, WSProfileAttributeValue
from soapstone.lists.lists import ContactList
from soapstone.lists.profile_values import emptied, stored
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.content import LINK_KEYS
from soapstone.vocabulary.attributes import AttributeKind
from soapstone.vocabulary.deliveries import Purpose

log = logging.getLogger(__name__)

Result = SendTransactionalMessageToContactResult

# A receipt goes to an address in any state on the list, unless it is blocked.
ANYBODY = ("unsubscribed", "waiting")

# Tags of a template that stand for a link of this server, and those that bring in a text from elsewhere.
_TAG = re.compile(r"\{[{%](?:(?![}%]\}|\{[{%]).)*+", re.DOTALL)
_SYSTEM_LINK = re.compile(rf"\b(?:{'|'.join(LINK_KEYS)})\b", re.IGNORECASE)
_EXTERNAL_CONTENT = re.compile(r"\{%[-+]?\s*(?:include|import|from|extends)\b", re.IGNORECASE)


def send_transactional_message(call: Call, request: SendTransactionalMessage) -> Result:
    """Send a prepared message to one address, subscribed or not (lk-100). Raises NotFoundError (lk-19)."""
    message, found = saved(call, request.TransactionalMsgID, "transactional")
    values, blocks = _values(call, found, request.ProfileData)
    address = (request.EmailAddress or "").strip()
    if not is_mailbox(address) or call.product.suppressions.blocked(call.account.id, found.id, address):
        return Result.FailedInvalidEmailAddress
    if any(_SYSTEM_LINK.search(tag) for value in values.values() for tag in _TAG.findall(value)):
        return Result.FailedInvalidProfileDataSystemLink
    if any(_EXTERNAL_CONTENT.search(value) for value in values.values()):
        return Result.FailedInvalidProfileDataExternalContent
    call.product.sends.to_addresses(
        account=call.account,
        login=call.login,
        contact_list=found,
        message=message,
        emails=[address],
        purpose=Purpose.TRANSACTIONAL,
        include_states=ANYBODY,
        fields=values,
        html_fields=blocks,
    )
    return Result.Success


def _values(
    call: Call, found: ContactList, given: Sequence[WSProfileAttributeValue | None] | None
) -> tuple[dict[str, str], list[str]]:
    """Name of an attribute → its value as the list would keep it, and the names of content blocks (lk-45).

    Of several values for one attribute the last counts. Attribute 0 is skipped, and a value that does not fit its kind
    is dropped with a line in the log (lk-47). Raises NotFoundError for an attribute that the list
    does not have.
    """
    attributes = {each.id: each for each in call.product.profiles.attributes(found.id)}
    values: dict[str, str] = {}
    for each in filter(None, given or ()):
        if not each.AttributeID:
            continue
        attribute = attributes.get(each.AttributeID)
        if attribute is None:
            raise not_found("Attribute", each.AttributeID)
        kept = stored(attribute.kind, each.Value or "", attribute.max_length)
        if kept is None:
            what = (found.id, attribute.kind, attribute.id)
            log.warning("list %d: a value that is no %s is dropped for attribute %d", *what)
        else:
            values[attribute.name] = kept or emptied(attribute.kind)
    return values, [
        each.name for each in attributes.values() if each.kind == AttributeKind.CONTENT_BLOCK and each.name in values
    ]
