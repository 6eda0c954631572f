"""The base of all closed sets."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Labelled(StrEnum):
    """A closed set of texts. A member equals the text that is stored and that the REST API shows.

    `label` is the text for the console and the terminal; `meaning` explains the member in a sentence. Members have the
    standard names of the field, even where an older word is stored.
    """

    label: str
    meaning: str

    def __new__(cls, value: str, label: str = "", meaning: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label, member.meaning = label, meaning
        return member
