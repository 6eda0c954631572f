"""Addresses are repaired only where one thing can be meant."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soapstone.address_repair import MOST_CHARACTERS, repaired
from soapstone.addresses import is_address

DRESSED = [
    "Ann <ann@x.example.com>",
    '"Doe, Ann" <ann@x.example.com>',
    "<ann@x.example.com>",
    "<<ann@x.example.com>>",
    "Ann <mailto:ann@x.example.com>",
    "Ann <3 <ann@x.example.com>",
    "Ann\xa0<ann@x.example.com>;",
    "ann@x.example.com <ann@x.example.com>",
    "'ann@x.example.com' <Ann@X.example.com>",
    "mailto:ann@x.example.com",
    "MAILTO: ann@x.example.com",
    "mailto:ann@x.example.com?subject=Hello%20you",
    "ann@x.example.com;",
    "ann@x.example.com , ",
    "ann@x.example.com;;",
    "ann@x.example.com\xa0",
    "\xa0ann@x.example.com",
    "\u3000ann@x.example.com\u202f",
    "ann@x.example.com\u200b",
    "\ufeffann@x.example.com",
    "\u200eann\u200b@x.exam\xadple.com\u200f",
    "\u202aann@x.example.com\u202c",
    "\u2068ann@x.example.com\u2069",
    '"ann@x.example.com"',
    "'ann@x.example.com'",
    "\u201cann@x.example.com\u201d",
    "\u201eann@x.example.com\u201c",
    "\u2018ann@x.example.com\u2019",
    "\xabann@x.example.com\xbb",
    '" <mailto:ann@x.example.com> ";',
    "mailto://ann@x.example.com",
]
LEFT = [
    "",
    " ",
    "@",
    "ann",
    "ann@",
    "Ann",
    "Ann <ann>",
    "Ann <ann@x.example.com",
    "Ann ann@x.example.com>",
    "ann@x.example.com bob@x.example.com",
    "ann@x.example.com; bob@x.example.com",
    "ann@x.example.com,bob@x.example.com",
    "<ann@x.example.com> <bob@x.example.com>",
    "bob@x.example.com <ann@x.example.com>",
    "ann@x.example.com (bob@x.example.com)",
    "mailto:ann@x.example.com?cc=bob@x.example.com",
    "mailto:ann@x.example.com?to=bob%40x.example.com",
    "mailto:ann%40x.example.com",
    "ann @x.example.com",
    "ann@x.example.com is mine",
    "ann@x",
    "ann@localhost;",
    "ann at x.example.com",
    "Ann <" + "a" * MOST_CHARACTERS + "@x.example.com>",
]


@pytest.mark.parametrize("text", DRESSED)
def test_one_address_is_found(text: str) -> None:
    assert repaired(text).lower() == "ann@x.example.com"


@pytest.mark.parametrize("text", LEFT)
def test_anything_else_stays(text: str) -> None:
    assert repaired(text) == text


PARTS = st.sampled_from(
    [
        *("ann@x.example.com", "b.o+b@münchen.de", "x%62@x.example.com", "ann", "@", "x.example.com", "mailto:", "Ann"),
        *(
            "<",
            ">",
            '"',
            "'",
            "“",
            "”",
            "„",
            ";",
            ",",
            " ",
            "\xa0",
            "\u200b",
            "\u202e",
            "\u200d",
            "?",
            "%40",
            "\t",
            "\n",
        ),
    ]
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(PARTS, max_size=8).map("".join))


@given(TEXTS)
@example("mailto:a%2Bb@x.example.com")
def test_properties(text: str) -> None:
    """A repair is done once, changes no valid address, and gives nothing but what the text holds."""
    found = repaired(text)
    assert repaired(found) == found
    if is_address(text):
        assert found == text
    elif found != text:
        assert is_address(found)
        seen = "".join(character for character in text if unicodedata.category(character) != "Cf")
        assert found in seen or found in unquote(seen)
        # No other address stands beside it.
        assert seen.count("@") == 1 or seen.lower().count(found.lower()) == 2
