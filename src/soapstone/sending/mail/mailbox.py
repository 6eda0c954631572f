"""Which addresses mail is sent to and from."""

from __future__ import annotations

import re

from soapstone.addresses import MOST_CHARACTERS, is_address

_SPACE = re.compile(r"\s")


def is_mailbox(text: str) -> bool:
    """Return whether mail can go to this address: every address of a list, and names of an own network (`bob@example`,
    lk-87).

    Only its form counts; no domain is looked up.
    """
    if is_address(text):
        return True
    if len(text) > MOST_CHARACTERS or _SPACE.search(text):
        return False
    # It takes 0.04 s to load, and few addresses need it.
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return False
    return True
