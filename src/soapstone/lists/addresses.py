"""E-mail addresses: what is one, how two are compared, and which belong to a role rather than a person."""

from __future__ import annotations

import re

from email_validator import EmailNotValidError, validate_email

# Addresses that email-validator accepts whatever comes next to them: plain ASCII, no quoting, labels of usual form.
_PLAIN = re.compile(
    r"(?=.{1,64}@.{1,253}\Z)(?=.{3,254}\Z)"
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9]{0,61}[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9]{0,61}[A-Za-z0-9])?"
)

# Local parts that name a role (mm-55: info@, sales@, support@ and the like).
_ROLE_NAMES = """
abuse admin administrator billing compliance contact devnull dns enquiries ftp help helpdesk hostmaster info inquiries
inoc ispfeedback ispsupport list list-request mail maildaemon mailer-daemon marketing media news no-reply noc noreply
null office phish phishing postmaster press privacy registrar remove root sales security service spam staff support
sysadmin tech undisclosed-recipients unsubscribe usenet uucp webmaster www
"""
ROLES = frozenset(_ROLE_NAMES.split())


def is_address(text: str) -> bool:
    """Whether the text is an e-mail address by email-validator's rules: syntax only, no look-up of the domain."""
    if _PLAIN.fullmatch(text):
        return True
    try:
        validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return False
    return True


def address_key(address: str) -> str:
    """How an address is compared: in lower case (mm-54, lk-64)."""
    return address.lower()


def is_role(address: str) -> bool:
    """Whether the address belongs to a role, as `info@example.com` does (mm-55)."""
    return address.partition("@")[0].lower() in ROLES
