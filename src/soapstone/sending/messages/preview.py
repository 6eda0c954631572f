"""Previews of stored messages as a recipient would get them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from soapstone.lists.lists import ContactList
from soapstone.lists.profiles import ProfileAttribute, Profiles
from soapstone.sending.messages.content import CONTACT_KEYS, LINK_KEYS, Content, Rendered, profile_value, with_links
from soapstone.sending.messages.message import Message
from soapstone.sending.messages.template import merge_key
from soapstone.store.database import Database
from soapstone.store.tables import contacts, memberships


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A message as one recipient would read it; without a sender of its own, with the list's."""

    from_name: str
    from_address: str
    rendered: Rendered


class Previews:
    """Makes previews. `has_links` says whether mails get the links that their lists ask for."""

    def __init__(self, database: Database, has_links: bool) -> None:
        self._database = database
        self._has_links = has_links

    def of(
        self,
        message: Message,
        contact_list: ContactList | None,
        *,
        email: str = "",
        contact_id: int | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Preview:
        """Return the message for a contact of the account, or an unknown address; `fields` are extra merge values.

        Links of the mail are `#unsubscribe` and `#browser`: real ones belong to a mail that was sent. Subject, bodies
        and sender may still be missing. Raises InvalidMessage for a merge field without a value for the recipient.
        """
        shown = with_links(message, contact_list.settings) if contact_list and self._has_links else message
        content = Content(shown, has_links=True)
        attributes = Profiles(self._database).attributes(contact_list.id) if contact_list else []
        by_key = {merge_key(attribute.name): attribute for attribute in attributes}
        given = {merge_key(name): value for name, value in (fields or {}).items()}
        content.check_names({*CONTACT_KEYS, *LINK_KEYS, *by_key, *given})
        values = self._values(message.account_id, contact_list.id if contact_list else 0, contact_id, by_key)
        values |= {"email": email or values.get("email", "")} | given
        values |= {key: f"#{purpose}" for key, purpose in LINK_KEYS.items()}
        rendered = content.render(values)
        return Preview(
            from_name=rendered.from_name.strip() or (contact_list.from_name if contact_list else ""),
            from_address=message.from_address or (contact_list.from_address if contact_list else ""),
            rendered=rendered,
        )

    def _values(
        self, account_id: int, list_id: int, contact_id: int | None, attributes: Mapping[str, ProfileAttribute]
    ) -> dict[str, str]:
        if contact_id is None:
            return {}
        query = (
            select(contacts, memberships.c.profile, memberships.c.form_values)
            .join(
                memberships,
                (memberships.c.contact_id == contacts.c.id) & (memberships.c.list_id == list_id),
                isouter=True,
            )
            .where(contacts.c.account_id == account_id, contacts.c.id == contact_id)
        )
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return {}
        profile, form_values = row["profile"] or {}, row["form_values"] or {}
        values = {key: profile_value(attribute, profile, form_values) for key, attribute in attributes.items()}
        return values | {key: row[column] or "" for key, column in CONTACT_KEYS.items()}
