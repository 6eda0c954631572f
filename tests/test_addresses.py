"""Addresses agree with email-validator, whose rules they follow."""

from __future__ import annotations

import string
import unicodedata

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from soapstone.addresses import RESERVED, address_key, address_keys, invalid, is_address, roles


def by_the_rules(text: str) -> bool:
    """What email-validator says itself; white space beside an address is not part of one."""
    if any(character.isspace() for character in text):
        return False
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def test_reserved_names_are_those_of_email_validator() -> None:
    assert {name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES} - {"test"} == RESERVED


ATOMS = st.text(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-", max_size=66)
LABELS = st.one_of(
    st.text(string.ascii_letters + string.digits + "-", max_size=8),
    st.text("a-", max_size=6),
    st.sampled_from(["a" * 63, "a" * 64, "xn--nxasmq6b", "xn--a", "ab--c", "münchen", "example"]),
)
ENDS = st.sampled_from(
    ["com", "org", "x", "1", "c0m", "com1", "test", "Local", "LOCALHOST", "invalid", "onion", "museum"]
)
NEAR_ADDRESSES = st.builds(
    lambda local, at, labels, end: ".".join(local) + at + ".".join([*labels, end]),
    st.lists(ATOMS, min_size=1, max_size=4),
    st.sampled_from(["@", "@", "@", "@", "", "@@", " @", "@ "]),
    st.lists(LABELS, max_size=6),
    ENDS,
)


@given(NEAR_ADDRESSES)
@example("a@example.com")
@example("a@ab--cd.com")
@example("a@xn--a.com")
@example("a@x.test")
@example("a@b")
@example("a@example.com\n")
@example("a@-a.com")
@example("a@a-.com")
@example("a@" + "a" * 64 + ".com")
@example("a" * 64 + "@example.com")
@example("a" * 65 + "@example.com")
@example("a" * 64 + "@" + ".".join(["b" * 61] * 3) + ".com")
@example("a" * 63 + "@" + ".".join(["b" * 61] * 3) + ".co")
@example("a" * 60 + "@" + ".".join(["b" * 62] * 3) + ".com")
@example("ü@münchen.de")
def test_near_addresses_are_judged_as_email_validator_judges_them(text: str) -> None:
    assert is_address(text) == by_the_rules(text)


@given(st.text(max_size=30), st.sampled_from(["", "@", "@example.com"]))
def test_any_text_is_judged_as_email_validator_judges_it(text: str, end: str) -> None:
    assert is_address(text + end) == by_the_rules(text + end)


@given(NEAR_ADDRESSES, st.integers(0, 80), st.characters())
def test_one_character_more_is_judged_so_too(text: str, place: int, character: str) -> None:
    changed = text[:place] + character + text[place:]
    assert is_address(changed) == by_the_rules(changed)


@given(st.lists(NEAR_ADDRESSES | st.text(max_size=70), max_size=5))
@example(["ab@example.com", "ab@", "ab@b", "a@EXAMPLE.com", "a" * 65 + "@example.com", "é@example.com"])
def test_many_at_once_are_judged_as_one_by_one(texts: list[str]) -> None:
    assert invalid(texts) == [position for position, text in enumerate(texts) if not is_address(text)]


@pytest.mark.parametrize(
    "text", ["", "@", "a", "a@b", "a b@example.com", " a@example.com", "a@example.com ", "a@@b.com"]
)
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)


def test_a_long_text_costs_no_time() -> None:
    assert not is_address("a" * 10_000_000)
    assert not is_address("a." * 5_000_000 + "@example.com")


def test_plain_addresses_are_compared_in_lower_case() -> None:
    """mm-54, lk-64."""
    assert address_key("Ann.B@Example.COM") == "ann.b@example.com"


@pytest.mark.parametrize(
    "domain",
    [
        "bücher.example",
        "BÜCHER.Example",
        "bu\u0308cher.example",
        "xn--bcher-kva.example",
        "XN--BCHER-KVA.EXAMPLE",
        "ｂüｃｈｅｒ．ｅｘａｍｐｌｅ",
        "bücher\u3002example",
        "bücher\uff61example",
    ],
)
def test_forms_of_one_domain_are_one_mailbox(domain: str) -> None:
    """mm-54, lk-64: addresses are compared as they are delivered."""
    assert address_key(f"Ann@{domain}") == "ann@xn--bcher-kva.example"


def test_idna_2008_keeps_what_earlier_rules_folded() -> None:
    """lk-64: `faß.de` is a domain of its own since IDNA 2008."""
    assert address_key("a@faß.de") == "a@xn--fa-hia.de" != address_key("a@fass.de")


def test_a_local_part_is_compared_composed_and_in_lower_case() -> None:
    """lk-64"""
    assert address_key("E\u0301va@example.com") == address_key("éva@EXAMPLE.com") == "éva@example.com"


# Letters of several scripts, with capital, full-width and composed forms.
LETTERS = "abcXYZüéÅßΣςώИжяا東京ไ" + "ｂＣ" + "\u0308\u0301"
LOCALS = st.text(LETTERS + "1.+-", min_size=1, max_size=8)
NAMES = st.lists(st.text(LETTERS + "1-", min_size=1, max_size=8), min_size=1, max_size=3)
DOTS = st.sampled_from([".", "\uff0e", "\u3002", "\uff61"])
WIDE = st.builds(lambda local, names, dot: f"{local}@{dot.join([*names, 'com'])}", LOCALS, NAMES, DOTS)


@given(st.one_of(WIDE, NEAR_ADDRESSES, st.text(max_size=40), st.text(max_size=20).map(lambda text: text + "@é.com")))
@example("\ud800@\ud800")
@example("a@" + "ü." * 120 + "de")
@example("a@" + "ü" * 10_000)
@example("a@xn--ü.de")
@example("a@x_ü..de")
@example("\u0130@\u0130.com")
def test_every_text_has_a_key_which_is_its_own_key(text: str) -> None:
    key = address_key(text)
    assert address_key(key) == key


@given(WIDE)
def test_composed_and_decomposed_forms_have_one_key(text: str) -> None:
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    assert {address_key(form) for form in forms} == {address_key(text)}


@given(st.one_of(WIDE, NEAR_ADDRESSES))
@example("ann@bücher.example")
@example("ann@xn--bcher-kva.EXAMPLE")
def test_the_key_of_a_valid_address_has_the_domain_that_email_validator_says(text: str) -> None:
    if is_address(text):
        found = validate_email(text, check_deliverability=False, test_environment=True)
        key = address_key(text)
        assert key.rpartition("@")[2] == found.ascii_domain
        # All forms that email-validator gives of it are this mailbox.
        assert {address_key(form) for form in (found.normalized, f"{found.local_part}@{found.domain}", key)} == {key}


@given(st.lists(st.one_of(WIDE, NEAR_ADDRESSES), max_size=6))
def test_many_keys_at_once_are_those_of_each(texts: list[str]) -> None:
    assert address_keys(texts) == [address_key(text) for text in texts]


@pytest.mark.parametrize(
    ("address", "role"),
    [("info@example.com", True), ("SALES@example.com", True), ("support@a.b", True), ("ann@info.example", False)],
)
def test_role_addresses(address: str, role: bool) -> None:
    """mm-55."""
    assert roles(["a@x.com", address_key(address)]) == ([1] if role else [])
