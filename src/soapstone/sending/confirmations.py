"""Confirmation and welcome mails, each queued in the transaction that changes the subscription."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection

from soapstone.accounts.account import Account
from soapstone.accounts.link_keys import LinkKey, LinkKeys
from soapstone.errors import ConflictError
from soapstone.lists.lists import ContactList
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.message import Draft
from soapstone.sending.sends import Sends

log = logging.getLogger(__name__)

CONFIRMATION = Draft(
    subject="Please confirm: {{ List }}",
    plain="Somebody, hopefully you, asked for mail of {{ List }} at {{ Address }}.\n\n"
    "If you want it, confirm here:\n{{ Confirmation_Link }}\n\n"
    "If not, do nothing: without your confirmation there will be no mail.\n",
)
WELCOME = Draft(
    subject="Welcome to {{ List }}",
    plain="You are subscribed to {{ List }} at {{ Address }}.\n",
)


class NotConfiguredError(ConflictError):
    """A mail about a subscription needs SOAPSTONE_PUBLIC_URL; the message says what to do."""


class Invitation:
    """The content of a confirmation link: the contact, the list, and the events to raise on confirmation."""

    def __init__(self, list_id: int, contact_id: int, events: tuple[int, ...] = ()) -> None:
        self.list_id, self.contact_id, self.events = list_id, contact_id, events


class Invitations:
    """Creates and reads confirmation tokens, signed with the installation's keys."""

    def __init__(self, keys: LinkKeys) -> None:
        self._keys = keys

    def make(self, invitation: Invitation) -> str:
        """Return the token."""
        given = [invitation.list_id, invitation.contact_id, *invitation.events]
        return str(_serializer(self._keys.of_contact(invitation.contact_id)).dumps(given))

    def read(self, token: str) -> Invitation | None:
        """Return the content of a token; None if its signature is invalid."""
        for key in self._keys.all:
            with suppress(BadSignature):
                list_id, contact_id, *events = _serializer(key).loads(token)
                if contact_id in key.contacts:
                    return Invitation(list_id, contact_id, tuple(events))
        return None


def _serializer(key: LinkKey) -> URLSafeSerializer:
    return URLSafeSerializer(key.value, salt="soapstone.confirmation")


class SubscriptionMails:
    """Queues confirmation and welcome mails. `base` is this server's public URL, empty if unknown.

    Without it, mails with a link and mails of lists without a sender address raise NotConfiguredError.
    """

    def __init__(self, sends: Sends, invitations: Invitations, base: str) -> None:
        self._sends = sends
        self._invitations = invitations
        self._base = base.rstrip("/")

    def confirmation(
        self,
        connection: Connection,
        account: Account,
        contact_list: ContactList,
        contact_id: int,
        email: str,
        events: Collection[int],
    ) -> None:
        """Ask the contact to confirm the subscription (lk-53)."""
        self._require_base(contact_list)
        token = self._invitations.make(Invitation(contact_list.id, contact_id, tuple(sorted(events))))
        fields = {"Confirmation_Link": f"{self._base}/confirm/{token}"}
        # It may have left before, in one way or another, and asks to come back.
        reach = ("unsubscribed", "waiting")
        self._write(connection, account, contact_list, CONFIRMATION, email, fields, reach)

    def welcome(self, connection: Connection, account: Account, contact_list: ContactList, email: str) -> None:
        """Welcome a new subscriber (lk-59), unless it leaves before the mail goes out."""
        self._write(connection, account, contact_list, WELCOME, email, {}, ())

    def _require_base(self, contact_list: ContactList) -> None:
        if not self._base:
            log.warning("a subscription mail of list %d was refused: SOAPSTONE_PUBLIC_URL is not set", contact_list.id)
            raise NotConfiguredError(
                "The server cannot send the mail about this subscription: it does not know the URL at which people "
                "reach it. Set SOAPSTONE_PUBLIC_URL."
            )

    def _write(
        self,
        connection: Connection,
        account: Account,
        contact_list: ContactList,
        draft: Draft,
        email: str,
        fields: dict[str, str],
        reach: Collection[str],
    ) -> None:
        if not contact_list.from_address:
            # The list has no sender address: use the server's own.
            self._require_base(contact_list)
            sender = f"no-reply@{urlsplit(self._base).hostname}"
            draft = replace(draft, from_address=sender if is_mailbox(sender) else "no-reply@localhost.localdomain")
        fields |= {"List": contact_list.name, "Address": email}
        self._sends.to_subscriber(
            connection,
            account=account,
            contact_list=contact_list,
            draft=draft,
            email=email,
            fields=fields,
            reach=reach,
        )
