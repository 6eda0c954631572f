"""The merge fields that an account and its lists know."""

from __future__ import annotations

from soapstone.lists.profiles import Profiles
from soapstone.sending.messages.content import CONTACT_KEYS, LINK_KEYS
from soapstone.sending.messages.template import merge_key


def known_names(profiles: Profiles, list_id: int) -> set[str]:
    """Return the merge keys of every recipient of a list: contact fields, profile attributes of the list, links."""
    attributes = (merge_key(attribute.name) for attribute in profiles.attributes(list_id))
    return {*CONTACT_KEYS, *LINK_KEYS, *attributes}
