"""Values of profile attributes take their stored form (lk-46, lk-47)."""

from __future__ import annotations

import pytest

from soapstone.lists.profile_values import emptied, fits, stored
from soapstone.vocabulary.attributes import AttributeKind


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        ("check_box", "On", "on"),
        ("check_box", " true ", "on"),
        ("check_box", "1", "on"),
        ("radio_button", "0", "off"),
        ("radio_button", "FALSE", "off"),
        ("radio_button", "off", "off"),
        ("check_box", "yes", "on"),
        ("check_box", "no", "off"),
        ("check_box", "OFF", "off"),
        ("check_box", "False", "off"),
        ("check_box", " 0 ", "off"),
        ("check_box", "4711", "on"),
        ("check_box", "maybe", "on"),
        ("radio_button", "yes", None),
        ("radio_button", "4711", None),
        ("numeric", "12", "12"),
        ("numeric", " -1.5 ", "-1.5"),
        ("numeric", ".25", ".25"),
        ("numeric", "1.234", None),
        ("numeric", "1,5", None),
        ("numeric", "١", None),
        ("numeric", ".", None),
        ("date", "2/9/2024", "02/09/2024"),
        ("date", "2024-02-09", "02/09/2024"),
        ("date", "2024-02-09T10:00:00", "02/09/2024"),
        # As Gnumeric writes every date into CSV, and Excel does in Japan.
        ("date", "2024/02/09", "02/09/2024"),
        ("date", "2024/02/09 10:00:00", "02/09/2024"),
        ("date", "2024/2/9", "02/09/2024"),
        ("date", "2024-2-9", "02/09/2024"),
        ("date", "2024/02-09", None),
        ("date", "2024/13/01", None),
        ("date", "02/30/2024", None),
        ("date", "0001-01-01", "01/01/0001"),
        ("date", "9.2.2024", None),
        ("text", " as it is ", " as it is "),
        ("text_area", "a\nb", "a\nb"),
        ("content_block", "<b>", "<b>"),
        ("text", "", ""),
        ("date", "  ", ""),
        ("check_box", "", ""),
    ],
)
def test_stored_form(kind: str, value: str, form: str | None) -> None:
    assert stored(kind, value) == form


def test_only_text_is_cut() -> None:
    assert stored("text", "abcdef", 3) == "abc"
    assert stored("text", "abcdef", 0) == "abcdef"
    assert stored("date", "2024-02-09", 3) == "02/09/2024"


@pytest.mark.parametrize(
    ("kind", "value", "longest", "whole"),
    [
        ("text", "abc", 3, True),
        ("text", "abcd", 3, False),
        ("text", "abcd", 0, True),
        ("text", "     ", 3, True),
        ("text_area", "abcd", 3, False),
        ("content_block", "<b>x</b>", 3, False),
        ("date", "2024-02-09", 3, True),
        ("date", "9.2.2024", 0, False),
        ("numeric", "1,5", 0, False),
        ("numeric", " 12345 ", 3, True),
        ("check_box", "4711", 3, True),
        ("radio_button", "maybe", 0, False),
        ("radio_button", "", 0, True),
    ],
)
def test_what_fits_is_stored_whole(kind: str, value: str, longest: int, whole: bool) -> None:
    assert fits(kind, value, longest) is whole


def test_a_blank_value_switches_a_check_box_off() -> None:
    assert emptied("check_box") == "off"
    assert {emptied(kind) for kind in tuple(AttributeKind) if kind != "check_box"} == {""}
