"""Header lines of uploads: the headings of other programs mean fields too (mm-45)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.magnetmail.test_entries import done
from tests.magnetmail.test_upload_modes import figures

ANN = "ann@example.org"


@pytest.mark.parametrize(
    "heading",
    ["E-mail Address,First Name,Postal Code", "Mail,FirstName,ZIP", "Adresse de messagerie,Prénom,Code postal"],
)
def test_headings_of_other_programs(desk: Any, heading: str) -> None:
    """mm-45"""
    assert figures(desk.upload(f"{heading}\n{ANN},Ann,12345\n", header_line=True)) == (1, 1, 1, 0, 0)
    assert desk.records() == [{"email": ANN, "first_name": "Ann", "zip": "12345"}]


def test_headings_of_other_programs_in_the_upload_queue(desk: Any) -> None:
    """mm-45, mm-62"""
    entry = desk.enter(f"E-Mail-Adresse,Vorname\n{ANN},Ann\n", HasHeaderRow=True)
    assert figures(done(desk, entry)) == (1, 1, 1, 0, 0)
    assert desk.records() == [{"email": ANN, "first_name": "Ann"}]


def test_mappings_take_the_names_of_the_contract_only(desk: Any) -> None:
    """mm-44"""
    answer = desk.queue(f"{ANN},Ann\n", MM_1="Email", MM_2="First Name")
    assert (answer.errorObj.errorNumber, answer.msg) == (9001, "There is no recipient field First Name.")


def test_headings_that_are_no_field_are_refused(desk: Any) -> None:
    """mm-45: also whole names, for a recipient has no field for them, and two headings for one field."""
    for heading, sentence in {
        "Email,Shoe size": "There is no recipient field Shoe size.",
        "Email,Name": "There is no recipient field Name.",
        "Email,E-mail": "Two columns of the file go to email.",
    }.items():
        answer = desk.queue(f"{heading}\n{ANN},x\n", header_line=True)
        assert (answer.errorObj.errorNumber, answer.msg) == (9001, sentence)
