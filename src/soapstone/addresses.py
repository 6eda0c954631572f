"""E-mail addresses: validity, comparison, and roles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from unicodedata import normalize

import idna

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
# No hyphen at either end, and not two letters before two hyphens: such labels are reserved.
_LABEL = r"(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

# Addresses that email-validator always accepts unless the top-level domain is reserved: plain ASCII, dotted domain.
_PLAIN = re.compile(
    rf"(?=.{{1,64}}@.{{1,253}}\Z)(?=.{{3,254}}\Z){_ATOM}(?:\.{_ATOM})*"
    rf"@(?:{_LABEL}\.)+[A-Za-z]{{2,63}}\Z"
)
# email-validator ignores white space beside the address; here it makes an address invalid.
_SPACE = re.compile(r"\s")

# Top-level domains of the names that email-validator refuses as reserved, but `test`. Repeats its list (a test
# compares), so that plain addresses are checked without it: it takes 0.04 s to load.
RESERVED = frozenset({"arpa", "invalid", "local", "localhost", "onion"})

# Characters that UTS 46 maps to a dot.
_DOTS = re.compile("[.\u3002\uff0e\uff61]")

# Longest address, whatever its characters: longer texts need no check.
MOST_CHARACTERS = 254
# No domain is longer in A-labels (RFC 1035 2.3.4).
MOST_DOMAIN_CHARACTERS = 253
# Domains whose plainness is cached.
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
    """Return whether the text is an e-mail address by email-validator's rules: syntax only, no look-up of the domain.

    These rules require a dot in the domain and refuse names that are reserved for other uses, such as `localhost`.
    Names under `test`, which are reserved for tests, are accepted for test data.
    """
    if _is_plain(text):
        return True
    return len(text) <= MOST_CHARACTERS and not _SPACE.search(text) and _keeps_the_rules(text)


def _is_plain(text: str) -> bool:
    """Return whether the address is valid without a check by email-validator."""
    return _PLAIN.match(text) is not None and text.rpartition(".")[2].lower() not in RESERVED


# An import checks every address twice, and these are the slow ones.
@lru_cache(maxsize=50_000)
def _keeps_the_rules(text: str) -> bool:
    # The import is slow, and a server answers its first calls without it.
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def invalid(texts: Sequence[str]) -> list[int]:
    """Return the positions of the texts that are no addresses by `is_address`.

    A batch is three times as fast: most local parts are plain, and most domains are cached.
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
    """Domains, with whether they always make a plain address."""

    def __missing__(self, domain: str) -> bool:
        self[domain] = plain = _is_plain("a@" + domain)
        return plain


_domains = _Domains()


def address_key(address: str) -> str:
    """Return the comparable form of an address: two addresses with one key are one mailbox (mm-54, lk-64).

    The local part is in NFC and lower case. The domain has the form of the DNS: the A-labels of IDNA 2008 (RFC 5891
    4.4) after the mapping of UTS 46, which also turns full-width letters and ideographic dots into plain ones; for
    every valid address this is email-validator's `ascii_domain`. Text that is no address has a key, too: NFC and lower
    case. The key of a key is the key itself.
    """
    # The same rule for plain addresses; A-labels in lower case need no change.
    if address.isascii() or len(address) > MOST_CHARACTERS:
        return address.lower()
    local, at, domain = address.rpartition("@")
    if not at:
        return _folded(address)
    return f"{_folded(local)}@{domain.lower() if domain.isascii() else _name(domain)}"


def address_keys(addresses: Sequence[str]) -> list[str]:
    """Return the keys of many addresses, as `address_key` does, faster for plain ones."""
    if "".join(addresses).isascii():
        return list(map(str.lower, addresses))
    return [address.lower() if address.isascii() else address_key(address) for address in addresses]


def address_pattern(text: str) -> str:
    """Return the key of an address pattern, in which `*` stands for any text. Domain labels with a `*` stay as given: a
    prefix of a label is no prefix of its A-label."""
    local, at, domain = text.rpartition("@")
    if text.isascii() or "*" not in domain or len(text) > MOST_CHARACTERS:
        return address_key(text)
    labels = (_folded(label) if "*" in label else _name(label) for label in _DOTS.split(domain))
    return f"{_folded(local)}{at}{'.'.join(labels)}"


def _folded(text: str) -> str:
    """Return NFC in lower case. Composing changes some letters again, so the last step is repeated."""
    folded = normalize("NFC", normalize("NFC", text).lower())
    return folded if folded == text else _folded(folded)


# idna takes some ten microseconds a name, and contacts share providers.
@lru_cache(maxsize=50_000)
def _name(domain: str) -> str:
    """Return the domain in A-labels, or only folded if IDNA refuses it."""
    try:
        mapped = idna.uts46_remap(domain, std3_rules=False, transitional=False)
        if not mapped.isascii():
            mapped = ".".join(idna.alabel(label).decode("ascii") for label in mapped.split("."))
        if len(mapped) <= MOST_DOMAIN_CHARACTERS:
            return mapped
    except (idna.IDNAError, UnicodeError):
        pass
    folded = _folded(domain)
    return folded if folded == domain else _name(folded)


def roles(keys: Sequence[str]) -> list[int]:
    """Return the positions of the addresses, in their comparable form, that belong to a role: `info@example.com`
    (mm-55)."""
    return [position for position, key in enumerate(keys) if key.partition("@")[0] in ROLES]
