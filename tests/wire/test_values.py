"""Values and their texts (asmx-16 to asmx-18)."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
from datetime import UTC
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.wire.values import READERS, WRITERS, Base64Decoder, ValueRefused, escape, escape_attribute

FORMAT = "Input string was not in a correct format."


def test_asmx_17_int_takes_white_space_and_a_sign() -> None:
    assert READERS["int"]("\r\n\t +7 ") == 7
    assert READERS["int"]("-2147483648") == -(2**31)
    assert READERS["int"]("0" * 5000 + "5") == 5


@pytest.mark.parametrize("text", ["", " ", "1.0", "1e3", "0x1", "1_000", "٣", "--1", "+ 1", "1 2", "true"])
def test_a_text_that_is_no_int(text: str) -> None:
    with pytest.raises(ValueRefused, match=FORMAT):
        READERS["int"](text)


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("int", "2147483648", "Int32"),
        ("int", "-2147483649", "Int32"),
        ("long", "9223372036854775808", "Int64"),
        ("int", "9" * 10_000, "Int32"),
        ("unsignedByte", "256", "unsigned byte"),
        ("unsignedByte", "-1", "unsigned byte"),
    ],
)
def test_overflow(kind: str, text: str, name: str) -> None:
    with pytest.raises(ValueRefused, match=f"Value was either too large or too small for an {name}."):
        READERS[kind](text)


@pytest.mark.parametrize(("text", "value"), [("true", True), (" 1\n", True), ("false", False), ("0", False)])
def test_asmx_17_boolean(text: str, value: bool) -> None:
    assert READERS["boolean"](text) is value


@pytest.mark.parametrize("text", ["True", "FALSE", "yes", "", "01", "2"])
def test_a_text_that_is_no_boolean(text: str) -> None:
    with pytest.raises(ValueRefused, match=f"The string '{text}' is not a valid Boolean value."):
        READERS["boolean"](text)


def test_doubles_and_decimals() -> None:
    assert READERS["double"](" 1.5e3 ") == 1500.0
    assert READERS["double"]("-.5") == -0.5
    assert READERS["double"]("INF") == READERS["double"]("Infinity") == math.inf
    assert READERS["double"]("-INF") == -math.inf
    assert math.isnan(READERS["double"]("NaN"))
    assert READERS["decimal"]("-12.50") == decimal.Decimal("-12.50")
    for kind, text in [("double", "inf"), ("double", "1_0"), ("double", ""), ("decimal", "1e3"), ("decimal", "NaN")]:
        with pytest.raises(ValueRefused, match=FORMAT):
            READERS[kind](text)
    for kind, text in [("double", "1e999"), ("decimal", "9" * 30)]:
        with pytest.raises(ValueRefused, match="too large"):
            READERS[kind](text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2013-02-28T10:20:30", datetime.datetime(2013, 2, 28, 10, 20, 30)),
        (" 2013-02-28T10:20:30.1234567 ", datetime.datetime(2013, 2, 28, 10, 20, 30, 123456)),
        ("2013-02-28T10:20:30Z", datetime.datetime(2013, 2, 28, 10, 20, 30, tzinfo=UTC)),
        ("2013-02-28T10:20:30+02:00", datetime.datetime(2013, 2, 28, 8, 20, 30, tzinfo=UTC)),
        ("2013-02-28T24:00:00", datetime.datetime(2013, 3, 1)),
        ("2013-02-28", datetime.datetime(2013, 2, 28)),
        ("2013-02-28-05:00", datetime.datetime(2013, 2, 28, 5, tzinfo=UTC)),
        ("2013-02-28T10:20:30z", datetime.datetime(2013, 2, 28, 10, 20, 30, tzinfo=UTC)),
        ("2013-02-28T10:20:30-15:70", datetime.datetime(2013, 3, 1, 2, 30, 30, tzinfo=UTC)),
        ("2013-02", datetime.datetime(2013, 2, 1)),
        ("2013", datetime.datetime(2013, 1, 1)),
        ("0001-01-01T00:00:00+01:00", datetime.datetime.min.replace(tzinfo=UTC)),
        ("9999-12-31T23:59:59-01:00", datetime.datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_asmx_17_date_time_forms(text: str, value: datetime.datetime) -> None:
    assert READERS["dateTime"](text) == value


def test_asmx_17_partial_dates_and_times() -> None:
    time = READERS["dateTime"]("10:20:30")
    assert (time.hour, time.minute, time.second, time.tzinfo) == (10, 20, 30, None)
    assert (READERS["dateTime"]("--02-29").month, READERS["dateTime"]("---31").day) == (2, 31)
    assert READERS["dateTime"]("--05--").month == 5
    year = datetime.datetime.now(UTC).year
    assert [READERS["dateTime"](text).year for text in ("--02-29", "---31", "--05")] == [1904, year, year]


@pytest.mark.parametrize(
    "text",
    ["", "now", "2013-02-29", "2013-02-28 10:20:30", "2013-02-28T25:00:00", "02/28/2013", "0000-01-01", "x" * 99],
)
def test_a_text_that_is_no_date(text: str) -> None:
    with pytest.raises(ValueRefused, match="is not a valid AllXsd value"):
        READERS["dateTime"](text)


@given(st.binary(max_size=300), st.lists(st.integers(0, 500), max_size=8))
def test_base64_may_be_cut_and_broken_anywhere(data: bytes, cuts: list[int]) -> None:
    text = base64.encodebytes(data).decode().replace("\n", " \r\n\t")
    decoder = Base64Decoder()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [decoder.feed(text[low:high]) for low, high in pairwise(edges)]
    assert b"".join(pieces) + decoder.finish() == data


@pytest.mark.parametrize("text", ["*", "ab=c", "abc=abcd", "a*cd", "äbcd", "YQ==YQ=="])
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(ValueRefused, match=FORMAT):
        READERS["base64Binary"](text)


@pytest.mark.parametrize(
    ("text", "data"),
    [("YWI", b"ab"), ("YQ", b"a"), ("Y", b""), ("YWJj=", b"abc"), ("====", b""), ("YWI= =", b"ab"), ("YWJjZ", b"abc")],
)
def test_base64_with_too_little_or_too_much_padding(text: str, data: bytes) -> None:
    """The runtime took it."""
    assert READERS["base64Binary"](text) == data


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.datetime(1, 1, 1), "0001-01-01T00:00:00"),
        (datetime.datetime(2013, 2, 8, 1, 2, 3, 120000), "2013-02-08T01:02:03.12"),
        (datetime.datetime(2013, 2, 8, 1, 2, 3, 999), "2013-02-08T01:02:03"),
        (datetime.datetime(2013, 2, 8, 1, 2, 3, 1999), "2013-02-08T01:02:03.001"),
        (datetime.datetime(2013, 2, 8, 1, 2, 3, tzinfo=UTC), "2013-02-08T01:02:03Z"),
        (
            datetime.datetime(2013, 2, 8, 1, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            "2013-02-07T23:00:00Z",
        ),
    ],
)
def test_asmx_18_date_time_is_written_with_what_it_needs(value: datetime.datetime, text: str) -> None:
    assert WRITERS["dateTime"](value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1005.0, "1005"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (1e20, "100000000000000000000"),
        (math.inf, "INF"),
        (math.nan, "NaN"),
    ],
)
def test_mm_35_whole_doubles_have_no_point(value: float, text: str) -> None:
    assert WRITERS["double"](value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0001, "0.0001"),
        (1.5e-5, "1.5E-05"),
        (-1e-10, "-1E-10"),
        (4.35, "4.35"),
        (3.3333333333333335, "3.3333333333333335"),
        (0.1234567890123456, "0.12345678901234559"),
        (5e-324, "4.94065645841247E-324"),
    ],
)
def test_doubles_have_the_digits_of_the_runtime(value: float, text: str) -> None:
    """asmx-14: the same bytes as ever."""
    assert WRITERS["double"](value) == text
    assert READERS["double"](text) == value


def test_the_largest_decimal() -> None:
    assert READERS["decimal"]("79228162514264337593543950335") == 2**96 - 1
    with pytest.raises(ValueRefused):
        READERS["decimal"]("79228162514264337593543950336")


def test_a_value_that_does_not_fit_is_an_error_of_ours() -> None:
    for kind, value in [("int", 2**31), ("unsignedByte", 256), ("decimal", decimal.Decimal("NaN"))]:
        with pytest.raises(ValueError, match="wire"):
            WRITERS[kind](value)
    with pytest.raises(TypeError):
        WRITERS["int"](None)


def test_asmx_18_characters_that_xml_forbids_are_replaced() -> None:
    assert escape("a&b<c>d\x00f\x1bg\ud800h\uffff\n\t\x85😀") == "a&amp;b&lt;c&gt;d�f�g�h�\n\t\x85😀"


def test_line_ends_stay_as_they_are_outside_attributes() -> None:
    assert escape("a\rb\r\nc") == "a\rb\r\nc"
    assert escape_attribute('a"b\r\n\t<') == "a&quot;b&#xD;&#xA;&#x9;&lt;"


@given(st.floats(allow_nan=False))
def test_doubles_come_back(value: float) -> None:
    assert READERS["double"](WRITERS["double"](value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15))
def test_decimals_come_back(value: decimal.Decimal) -> None:
    assert READERS["decimal"](WRITERS["decimal"](value)) == value


@given(st.datetimes(timezones=st.sampled_from([None, UTC])))
def test_dates_come_back_to_the_millisecond(value: datetime.datetime) -> None:
    assert READERS["dateTime"](WRITERS["dateTime"](value)) == value.replace(
        microsecond=value.microsecond // 1000 * 1000
    )
