"""Stems name one mail each, survive any change of case, and cannot be forged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.accounts.link_keys import LinkKey, LinkKeys, begin_key
from soapstone.sending.signed_links import Links
from soapstone.store.database import Database
from soapstone.tracking.stems import LENGTH, LONGEST_TARGET, Stem, Stems

STEMS = Stems(LinkKeys.single("a key"))
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
# A restore ended the old key at delivery 10.
KEYS = LinkKeys([LinkKey("new", range(1000, 1 << 63), number=2), LinkKey("old", range(0, 11), number=1)])

messages = st.integers(0, 2**32 - 1)
numbers = st.integers(0, 2**48 - 1)
targets = st.from_regex(r"https?://[!-~]{1,200}", fullmatch=True)


@given(message=messages, delivery=numbers)
def test_a_stem_names_its_mail(message: int, delivery: int) -> None:
    stem = STEMS.make(message, delivery)
    assert len(stem) == LENGTH
    assert set(stem) <= set(ALPHABET)
    assert STEMS.read(stem) == Stem(message, delivery)


@given(message=messages, delivery=numbers, data=st.data())
def test_case_does_not_count(message: int, delivery: int, data: st.DataObject) -> None:
    """Exim and postfix hand the local part to programs in lower case; headers keep its letters."""
    stem = STEMS.make(message, delivery)
    upper = data.draw(st.lists(st.booleans(), min_size=LENGTH, max_size=LENGTH))
    written = "".join(letter.upper() if up else letter for letter, up in zip(stem, upper, strict=True))
    assert STEMS.read(written) == Stem(message, delivery)


def sign_target(stems: Stems, stem: str, position: int, target: str) -> str:
    """The last segment of the path of one link."""
    return stems.target_signer(stem)(position, target)


def test_no_character_can_be_another() -> None:
    stem = STEMS.make(7, 4711)
    others = [*ALPHABET, "0", "1", "8", "9", "-", "=", " ", "\n", "ı", "ſ", "K", "２", ""]
    for place in range(LENGTH):
        for other in others:
            if other != stem[place]:
                assert STEMS.read(stem[:place] + other + stem[place + 1 :]) is None


@given(st.text(max_size=40) | st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH))
def test_nothing_else_is_a_stem(text: str) -> None:
    assert STEMS.read(text) is None


@pytest.mark.parametrize("change", [lambda stem: stem + "a", lambda stem: stem[:-1], lambda stem: " " + stem])
def test_the_length_is_fixed(change: object) -> None:
    assert callable(change)
    assert STEMS.read(change(STEMS.make(1, 2))) is None


@given(message=messages, delivery=numbers, key=st.text(min_size=1).filter(lambda key: key != "a key"))
def test_stems_of_another_installation_are_refused(message: int, delivery: int, key: str) -> None:
    assert STEMS.read(Stems(LinkKeys.single(key)).make(message, delivery)) is None


@pytest.mark.parametrize(("delivery", "known"), [(1, True), (10, True), (11, False), (999, False), (1000, False)])
def test_the_old_key_is_good_for_its_deliveries_alone(delivery: int, known: bool) -> None:
    """A mail that a restored backup lacks has a number that may be given out again."""
    before = Stems(LinkKeys([LinkKey("old", number=1)]))
    assert Stems(KEYS).read(before.make(3, delivery)) == (Stem(3, delivery) if known else None)


@pytest.mark.parametrize("delivery", [0, 1, 10, 1000, 1 << 40])
def test_stems_are_signed_with_the_key_of_their_delivery(delivery: int) -> None:
    stem = Stems(KEYS).make(3, delivery)
    assert Stems(KEYS).read(stem) == Stem(3, delivery)
    for key in KEYS.all:
        its_own = delivery in key.deliveries if delivery else key.value == "new"
        assert (Stems(LinkKeys([key])).read(stem) is not None) is its_own


def test_figures_of_mails_before_a_restore_stay_good() -> None:
    assert Stems(KEYS).read(Stems(LinkKeys([LinkKey("old", number=1)])).make(3, 0)) == Stem(3, 0)


def test_the_number_of_the_key_counts() -> None:
    assert Stems(LinkKeys([LinkKey("a key", number=2)])).read(STEMS.make(3, 4)) is None
    late = Stems(LinkKeys([LinkKey("last", number=257), LinkKey("a key", range(0, 11), number=1)]))
    assert late.read(late.make(3, 4000)) == Stem(3, 4000)
    assert late.read(STEMS.make(3, 4)) == Stem(3, 4)


def test_a_delivery_without_a_key_is_not_signed() -> None:
    with pytest.raises(LookupError):
        Stems(KEYS).make(1, 500)


@pytest.mark.parametrize(("message", "delivery"), [(2**32, 1), (1, 2**48), (-1, 1), (1, -1)])
def test_numbers_have_their_room(message: int, delivery: int) -> None:
    with pytest.raises((OverflowError, LookupError)):
        STEMS.make(message, delivery)


def test_keys_come_from_the_records(database: Database) -> None:
    before = Stems(LinkKeys.of(database, "")).make(3, 4)
    with database.write() as connection:
        begin_key(connection, delivery=5, contact=7, next_delivery=100, next_contact=200)
    after = Stems(LinkKeys.of(database, ""))
    assert after.read(before) == Stem(3, 4)
    assert after.read(after.make(3, 100)) == Stem(3, 100)
    assert after.make(3, 4) == before


def test_a_stem_is_no_signature_of_another_link() -> None:
    """Who knows a stem can neither unsubscribe nor read the mail, and the other way round."""
    links = Links("https://lists.example", LinkKeys.single("a key"))
    for token in (STEMS.make(7, 4), f"4.{STEMS.make(7, 4)}", f"4.{STEMS.make(7, 4)[-15:]}"):
        assert links.read("unsubscribe", token) is None
        assert links.read("browser", token) is None
    signed = links.make("unsubscribe", 4).rpartition("/")[2]
    assert STEMS.read(signed) is None
    encoded = sign_target(STEMS, STEMS.make(7, 4), 1, "https://a.example").rpartition(".")[2]
    assert STEMS.read((encoded * 2)[:LENGTH]) is None


@given(target=targets, position=st.integers(1, 10**6))
def test_a_signed_target_is_read_again(target: str, position: int) -> None:
    stem = STEMS.make(7, 4)
    segment = sign_target(STEMS, stem, position, target)
    assert STEMS.read_target(stem, position, segment) == target
    assert STEMS.read_target(stem.upper(), position, segment) == target
    assert "/" not in segment
    assert segment[-1].isalnum()


@given(target=targets, place=st.integers(0, 300), other=st.characters(codec="ascii"))
def test_no_character_of_a_target_can_be_another(target: str, place: int, other: str) -> None:
    stem = STEMS.make(7, 4)
    segment = sign_target(STEMS, stem, 1, target)
    place %= len(segment)
    if segment[place] != other:
        assert STEMS.read_target(stem, 1, segment[:place] + other + segment[place + 1 :]) is None


def test_a_target_belongs_to_one_link_of_one_mail() -> None:
    stem = STEMS.make(7, 4)
    segment = sign_target(STEMS, stem, 1, "https://shop.example/?id=5")
    assert STEMS.read_target(stem, 2, segment) is None
    assert STEMS.read_target(STEMS.make(7, 5), 1, segment) is None
    assert STEMS.read_target(STEMS.make(8, 4), 1, segment) is None
    other = Stems(LinkKeys.single("another key"))
    assert STEMS.read_target(stem, 1, sign_target(other, other.make(7, 4), 1, "https://evil.example/")) is None
    assert STEMS.read_target("a" * LENGTH, 1, segment) is None


@pytest.mark.parametrize("junk", ["!", "*", "%3E", ")", ".", "?", "/", ">\n", "!abc", "'\""])
def test_what_readers_take_into_the_link_is_ignored(junk: str) -> None:
    stem = STEMS.make(7, 4)
    segment = sign_target(STEMS, stem, 1, "https://shop.example/")
    assert STEMS.read_target(stem, 1, segment + junk) == "https://shop.example/"


@pytest.mark.parametrize("junk", ["0", "a", "Z"])
def test_letters_after_the_signature_are_not(junk: str) -> None:
    stem = STEMS.make(7, 4)
    assert STEMS.read_target(stem, 1, sign_target(STEMS, stem, 1, "https://shop.example/") + junk) is None


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "//evil.example",
        "ftp://a.example/",
        "data:text/html,x",
        "https://",
        " https://a.example",
        "https://a.example/\r\nSet-Cookie: a=b",
        "https://a.example/\x00",
        "https://a.example/a b",
        "https://ä.example/",
        "https://a.example/\x7f",
        "https://a.example/" + "a" * LONGEST_TARGET,
        "",
    ],
)
def test_only_addresses_of_the_web_are_signed(target: str) -> None:
    with pytest.raises(ValueError, match="links do not lead to"):
        sign_target(STEMS, STEMS.make(7, 4), 1, target)


def test_the_longest_target() -> None:
    stem, target = STEMS.make(7, 4), "https://a.example/".ljust(LONGEST_TARGET, "a")
    assert STEMS.read_target(stem, 1, sign_target(STEMS, stem, 1, target)) == target


def test_targets_of_unknown_mails_are_not_signed() -> None:
    with pytest.raises(LookupError):
        sign_target(STEMS, "a" * LENGTH, 1, "https://a.example/")
