"""E-mail addresses: what is one, how two are compared, and which belong to a role rather than a person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
# No hyphen at either end, and not two letters before two hyphens: such labels are reserved.
_LABEL = r"(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_RESERVED = "|".join(sorted({re.escape(name.rpartition(".")[2]) for name in SPECIAL_USE_DOMAIN_NAMES} - {"test"}))

# Addresses that email-validator accepts for certain: plain ASCII, dotted domain, no reserved name. The others ask it.
_PLAIN = re.compile(
    rf"(?=.{{1,64}}@.{{1,253}}\Z)(?=.{{3,254}}\Z){_ATOM}(?:\.{_ATOM})*"
    rf"@(?:{_LABEL}\.)+(?!(?i:{_RESERVED})\Z)[A-Za-z]{{2,63}}\Z"
)
# email-validator forgives white space beside the address; here it is part of what was given.
_SPACE = re.compile(r"\s")

# No address is longer, whatever its characters: longer texts are not worth asking about.
MOST_CHARACTERS = 254
# Domains that are remembered as plain or not.
MOST_DOMAINS = 100_000

# Local parts that name a role (mm-55: info@, sales@, support@ and the like).
_ROLE_NAMES = """
abuse admin administrator billing compliance contact devnull dns enquiries ftp help helpdesk hostmaster info inquiries
inoc ispfeedback ispsupport list list-request mail maildaemon mailer-daemon marketing media news no-reply noc noreply
null office phish phishing postmaster press privacy registrar remove root sales security service spam staff support
sysadmin tech undisclosed-recipients unsubscribe usenet uucp webmaster www
"""
ROLES = frozenset(_ROLE_NAMES.split())


def is_address(text: str) -> bool:
    """Whether the text is an e-mail address by email-validator's rules: syntax only, no look-up of the domain.

    These rules want a dot in the domain and refuse names that are reserved for other uses, such as `localhost`. Names
    under `test`, which are reserved for tests, are taken: the people of test data live there.
    """
    if _PLAIN.match(text):
        return True
    return len(text) <= MOST_CHARACTERS and not _SPACE.search(text) and _keeps_the_rules(text)


# An import looks at every address twice, and these are the ones that take long.
@lru_cache(maxsize=50_000)
def _keeps_the_rules(text: str) -> bool:
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def invalid(texts: Sequence[str]) -> list[int]:
    """The positions of those texts that are no addresses, as `is_address` says.

    Many at once are checked three times as fast: most local parts are plain, and most domains were seen before.
    """
    found = []
    known = _domains
    if len(known) > MOST_DOMAINS:
        known.clear()
    for position, text in enumerate(texts):
        local, _, domain = text.rpartition("@")
        if local.isalnum() and local.isascii() and len(local) <= 64 and len(text) <= MOST_CHARACTERS and known[domain]:
            continue
        if not is_address(text):
            found.append(position)
    return found


class _Domains(dict[str, bool]):
    """Domains that make a plain address for certain."""

    def __missing__(self, domain: str) -> bool:
        self[domain] = plain = _PLAIN.match("a@" + domain) is not None
        return plain


_domains = _Domains()


def address_key(address: str) -> str:
    """How an address is compared: in lower case (mm-54, lk-64)."""
    return address.lower()


def roles(keys: Sequence[str]) -> list[int]:
    """The positions of the addresses, in their comparable form, that belong to a role: `info@example.com` (mm-55)."""
    return [position for position, key in enumerate(keys) if key.partition("@")[0] in ROLES]
