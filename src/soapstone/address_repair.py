"""Repair of addresses that are written with a name, `mailto:`, invisible characters or a separator."""

from __future__ import annotations

from functools import lru_cache
from unicodedata import category
from urllib.parse import unquote

from soapstone.addresses import address_key, is_address

# Longer texts hold more than a decorated address.
MOST_CHARACTERS = 1000
# Characters and words that may surround an address, before and after it.
_PAIRS = frozenset({"<>", '""', "''", "“”", "„“", "”“", "””", "‘’", "‚‘", "’’", "«»", "»«", "‹›"})
_SCHEME = "mailto:"


def repaired(text: str) -> str:
    """Return the address in a text, or the text unchanged if it is valid already or cannot be repaired.

    Removes white space, quotes and angle brackets around the address, `mailto:`, separators after it, invisible
    characters (zero width, marks of direction), and the name in `Name <address>`. The rest must be one valid address,
    and the text must hold no other one.
    """
    return _repaired(text) if len(text) <= MOST_CHARACTERS and 0 < text.count("@") < 3 else text


# An import checks every address twice.
@lru_cache(maxsize=10_000)
def _repaired(text: str) -> str:
    if is_address(text):
        return text
    seen = text if text.isascii() else "".join(each for each in text if category(each) != "Cf")
    found = _bare(seen)
    return found if is_address(found) else text


def _bare(text: str) -> str:
    """Return the text without the characters around an address."""
    before = ""
    while text != before:
        before = text
        text = text.strip().rstrip(";, \t\xa0")
        if len(text) > 1 and text[0] + text[-1] in _PAIRS:
            text = text[1:-1]
        if text[: len(_SCHEME)].lower() == _SCHEME:
            text, _, query = text[len(_SCHEME) :].partition("?")
            if "@" in unquote(query):
                # Perhaps another recipient.
                return ""
            text = unquote(text.removeprefix("//"))
    name, opened, address = text.removesuffix(">").rpartition("<")
    if not opened or not text.endswith(">"):
        return text
    address = _bare(address)
    # Some programs write the address in place of a missing name.
    return address if "@" not in name or address_key(_bare(name)) == address_key(address) else ""
