"""A sample: the mail of a message as one contact would get it, without a send."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from sqlalchemy import select

from soapstone.clock import now
from soapstone.contacts.subscriptions import Person
from soapstone.lists.lists import ContactList
from soapstone.lists.profiles import Profiles
from soapstone.sending.mail.mime import Mail
from soapstone.sending.messages.content import (
    CONTACT_KEYS,
    LINK_KEYS,
    Content,
    profile_value,
    ready_to_send,
    with_links,
)
from soapstone.sending.messages.known_fields import known_names
from soapstone.sending.messages.message import Draft
from soapstone.sending.messages.template import merge_key
from soapstone.sending.signed_links import Links
from soapstone.store.database import Database
from soapstone.store.tables import contacts

# Links of a sample are signed and belong to no mail.
NO_DELIVERY = 0


class Samples:
    """Builds samples; `links` is None if mails of this server have no links."""

    def __init__(self, database: Database, links: Links | None) -> None:
        self._database = database
        self._profiles = Profiles(database)
        self._links = links

    def mail(self, contact_list: ContactList, draft: Draft, email: str, person: Person | None) -> bytes:
        """Return the mail to an address; `person`, its contact on the list if any, fills the merge fields.

        Raises InvalidMessage if it could not be sent.
        """
        draft = ready_to_send(draft, contact_list)
        Content(draft).check_names(known_names(self._profiles, contact_list.id))
        if self._links is not None:
            draft = with_links(draft, contact_list.settings)
        rendered = Content(draft, has_links=True).render(self._values(contact_list, email, person))
        one_click = self._links is not None and contact_list.settings.get("list_remove_header", True) is not False
        return Mail(
            key=secrets.token_hex(16),
            date=now(),
            from_name=rendered.from_name,
            from_address=draft.from_address,
            to_name=rendered.to_name,
            to_address=email,
            reply_address=draft.reply_address,
            subject=rendered.subject,
            list_name=contact_list.name,
            list_key=f"list-{contact_list.id}",
            html=rendered.html,
            plain=rendered.plain,
            unsubscribe=self._links.make("unsubscribe", NO_DELIVERY) if self._links and one_click else "",
            charset=draft.charset,
        ).content()

    def _values(self, contact_list: ContactList, email: str, person: Person | None) -> Mapping[str, str]:
        values: dict[str, str] = {}
        if person is not None:
            for attribute in self._profiles.attributes(contact_list.id):
                values[merge_key(attribute.name)] = profile_value(attribute, person.profile, person.form_values)
            with self._database.read() as connection:
                row = connection.execute(select(contacts).where(contacts.c.id == person.contact_id)).mappings().one()
            values |= {key: row[column] or "" for key, column in CONTACT_KEYS.items()}
        if self._links is not None:
            values |= {key: self._links.make(purpose, NO_DELIVERY) for key, purpose in LINK_KEYS.items()}
        return {**values, "email": email}
