"""The two calls: turn a parsed request into an accepted send (lk-86 to lk-91)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from soapstone.accounts.logon import (
    Identity,
    InvalidLogonError,
)
from soapstone.errors import ForbiddenError, InvalidError
from soapstone.product import Product, ReceivedUpload
from soapstone.sending.messages.message import Draft, Message
from soapstone.sending.send_records import SendTicket
from soapstone.sending.supplied_file import FileForm
from soapstone.xmlhttp.paths import PROCESS_TYPES
from soapstone.xmlhttp.refusal import not_found
from soapstone.xmlhttp.request import RequestReader

_NUMBER = re.compile(r"\s*\+?(-?[0-9]{1,10})\s*")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def logon(product: Product, name: str, password: str, peer: str | None) -> Identity:
    """Authenticate the caller, with the checks and texts of WSUser (lk-10 to lk-13). Raises SoapstoneError."""
    if not name:
        raise InvalidLogonError
    identity = product.logons.identify(name, password, peer)
    if not identity.login.may_call_api:
        raise ForbiddenError("The user does not have the API permission.")
    product.audit.call(identity.account.id, identity.login.actor, "XML over HTTP")
    return identity


def submit(
    product: Product, call: str, request: RequestReader, upload: ReceivedUpload | None, file_name: str
) -> dict[str, str | int]:
    """Submit the send; return the members of its answer (lk-88). Raises SoapstoneError."""
    ticket = _submit(product, call, request, upload, file_name)
    return {
        "StatusID": ticket.job.id,
        "ListID": ticket.job.list_id or 0,
        "ProcessType": PROCESS_TYPES[call],
        "MsgID": ticket.message.id,
        "CurrentStep": ticket.job.step,
        "MaxStep": ticket.job.steps,
    }


def _submit(
    product: Product, call: str, request: RequestReader, upload: ReceivedUpload | None, file_name: str
) -> SendTicket:
    identity = request.identity
    assert identity is not None  # noqa: S101 - no request is complete without
    account, login = identity.account, identity.login
    number = _number(request.members, "ListID")
    if number is None:
        raise InvalidError("ListID is missing.")
    contact_list = product.lists.get(account.id, number, login)
    if contact_list is None:
        raise not_found("List", number)
    message = _message(product, account.id, contact_list.id, request.message)
    if call == "SendToList":
        if upload is not None:
            raise InvalidError("SendToList takes no file.")
        return product.sends.to_list(account=account, login=login, contact_list=contact_list, message=message)
    if upload is None or not upload.size:
        raise InvalidError("The request has no file, or an empty one.")
    form = _form(request.file or {}, file_name)
    return product.sends.to_file(
        account=account, login=login, contact_list=contact_list, message=message, upload=upload, file=form
    )


def _message(product: Product, account_id: int, list_id: int, members: Mapping[str, str] | None) -> Message | Draft:
    if members is None:
        raise InvalidError("Message is missing.")
    number = _number(members, "SavedMsgID")
    if number is None:
        return Draft(
            subject=members.get("Subject", ""),
            from_name=members.get("FromName", ""),
            from_address=members.get("FromEmailAddress", ""),
            reply_address=members.get("ReplyEmailAddress", ""),
            to_name=members.get("ToName", ""),
            html=members.get("HTMLBody", ""),
            plain=members.get("TextBody", ""),
        )
    if any(text.strip() for name, text in members.items() if name != "SavedMsgID"):
        raise InvalidError("Message holds both SavedMsgID and a message of its own.")
    message = product.messages.get(account_id, number)
    if message is None or not message.saved or message.list_id != list_id:
        raise not_found("Message", number)
    return message


def _form(attributes: Mapping[str, str], file_name: str) -> FileForm:
    header = _TRUTH.get(attributes.get("HasColumnNames", "true").strip())
    if header is None:
        raise InvalidError("HasColumnNames is neither true nor false.")
    return FileForm(
        name=attributes.get("Name") or file_name,
        delimiter=attributes.get("Delimiter", ""),
        qualifier=attributes.get("TextQualifier", '"'),
        header=header,
    )


def _number(members: Mapping[str, str], name: str) -> int | None:
    text = members.get(name, "")
    if not text.strip():
        return None
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise InvalidError(f"{name} is not a number.")
    return int(match[1])
