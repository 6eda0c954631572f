"""Kinds of profile attributes."""

from __future__ import annotations

from soapstone.vocabulary.labelled import Labelled


class AttributeKind(Labelled):
    """What values a profile attribute takes."""

    TEXT = "text", "text", "A line of text."
    TEXT_AREA = "text_area", "text area", "Text of several lines."
    NUMERIC = "numeric", "number", "A decimal number."
    DATE = "date", "date", "A day."
    CHECK_BOX = "check_box", "check box", "Yes or no."
    RADIO_BUTTON = "radio_button", "radio button", "Yes or no, one of several attributes of its header."
    CONTENT_BLOCK = "content_block", "content block", "HTML that mails insert as it is."
