"""Values of profile attributes as they are stored (lk-46, lk-47)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from soapstone.vocabulary.attributes import AttributeKind

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d{0,2})?|\.\d{1,2})", re.ASCII)
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
# The year first, with hyphens (ISO 8601) or slashes.
_ISO_DATE = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?:[T ].*)?", re.ASCII)
_SWITCHES = {"on": "on", "true": "on", "1": "on", "off": "off", "false": "off", "0": "off"}
# Any other word checks a box: a client may send the number of the box.
_BOXES_OFF = frozenset({"off", "false", "no", "0"})
# Kinds whose values are never cut.
_WORDED = frozenset({AttributeKind.CHECK_BOX, AttributeKind.RADIO_BUTTON, AttributeKind.NUMERIC, AttributeKind.DATE})


@dataclass(frozen=True, kw_only=True)
class ProfileAttribute:
    """One attribute of a list. The memberships' `profile` documents hold its values under `str(id)`.

    `position` counts from 1 within the header. `max_length` is in characters, 0 means no limit; it applies to text
    only.
    """

    id: int
    list_id: int
    header_id: int
    name: str
    kind: str
    position: int
    max_length: int


def stored(kind: str, value: str, max_length: int = 0) -> str | None:
    """Return the stored form of a value; None if it does not fit its kind; "" if it is blank.

    Check boxes and radio buttons become `on` or `off`, dates MM/DD/YYYY; numbers have up to two decimals; text longer
    than `max_length` characters is cut (0 = no limit). Every value fits a check box.
    """
    if not value or not (bare := value.strip()):
        return ""
    if kind == AttributeKind.CHECK_BOX:
        return "off" if bare.lower() in _BOXES_OFF else "on"
    if kind == AttributeKind.RADIO_BUTTON:
        return _SWITCHES.get(bare.lower())
    if kind == AttributeKind.NUMERIC:
        return bare if _NUMBER.fullmatch(bare) else None
    if kind == AttributeKind.DATE:
        return _stored_date(bare)
    return value[:max_length] if max_length else value


def fits(kind: str, value: str, max_length: int = 0) -> bool:
    """Return whether a value fits its kind and is not cut. A blank value fits."""
    kept = stored(kind, value, max_length)
    return kept is not None and (not kept or kind in _WORDED or not max_length or len(value) <= max_length)


def emptied(kind: str) -> str:
    """Return the stored form of a blank value that replaces another: `off` for a check box, else ""."""
    return "off" if kind == AttributeKind.CHECK_BOX else ""


def is_cut(kind: str) -> bool:
    """Return whether this kind takes any text and cuts long ones."""
    return kind not in _WORDED


def _stored_date(value: str) -> str | None:
    if found := _DATE.fullmatch(value):
        month, day, year = map(int, found.groups())
    elif found := _ISO_DATE.fullmatch(value):
        year, month, day = map(int, found.group(1, 3, 4))
    else:
        return None
    try:
        return f"{date(year, month, day):%m/%d}/{year:04}"
    except ValueError:
        return None
