"""Addresses as files and people write them: with a name, `mailto:`, marks that nobody sees, a separator behind them."""

from __future__ import annotations

from functools import lru_cache
from unicodedata import category
from urllib.parse import unquote

from soapstone.addresses import address_key, is_address

# Longer texts hold no address that somebody has only dressed up.
MOST_CHARACTERS = 1000
# What may stand around an address, beginning and end.
_PAIRS = frozenset({"<>", '""', "''", "“”", "„“", "”“", "””", "‘’", "‚‘", "’’", "«»", "»«", "‹›"})
_SCHEME = "mailto:"


def repaired(text: str) -> str:
    """Return the address that a text holds, or the text as it is: a valid address, or one that cannot be told.

    White space, quotes and angle brackets around the address go, and `mailto:`, separators behind it, characters that
    have no form of their own (zero width, marks of direction), and the name in `Name <address>`. What remains must be
    one valid address, and the text must hold no other one.
    """
    return _repaired(text) if len(text) <= MOST_CHARACTERS and 0 < text.count("@") < 3 else text


# An import looks at every address twice.
@lru_cache(maxsize=10_000)
def _repaired(text: str) -> str:
    if is_address(text):
        return text
    seen = text if text.isascii() else "".join(each for each in text if category(each) != "Cf")
    found = _bare(seen)
    return found if is_address(found) else text


def _bare(text: str) -> str:
    """Return the text without what stands around an address."""
    before = ""
    while text != before:
        before = text
        text = text.strip().rstrip(";, \t\xa0")
        if len(text) > 1 and text[0] + text[-1] in _PAIRS:
            text = text[1:-1]
        if text[: len(_SCHEME)].lower() == _SCHEME:
            text, _, query = text[len(_SCHEME) :].partition("?")
            if "@" in unquote(query):
                # Another recipient, perhaps.
                return ""
            text = unquote(text)
    name, opened, address = text.removesuffix(">").rpartition("<")
    if not opened or not text.endswith(">"):
        return text
    address = _bare(address)
    # Some programs write the address in place of a missing name.
    return address if "@" not in name or address_key(_bare(name)) == address_key(address) else ""
