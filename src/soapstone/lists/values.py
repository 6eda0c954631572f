"""Values of profile attributes as they are stored (lk-46, lk-47)."""

from __future__ import annotations

import re
from datetime import date

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d{0,2})?|\.\d{1,2})", re.ASCII)
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?", re.ASCII)
_SWITCHES = {"on": "on", "true": "on", "1": "on", "off": "off", "false": "off", "0": "off"}


def stored(kind: str, value: str, max_length: int = 0) -> str | None:
    """The stored form of a value; None for one that does not fit its kind; "" for a blank one.

    Check boxes and radio buttons become `on` or `off`, dates MM/DD/YYYY; numbers have up to two decimals; text longer
    than `max_length` characters is cut (0 = no limit).
    """
    if not value or not (bare := value.strip()):
        return ""
    if kind in ("check_box", "radio_button"):
        return _SWITCHES.get(bare.lower())
    if kind == "numeric":
        return bare if _NUMBER.fullmatch(bare) else None
    if kind == "date":
        return _stored_date(bare)
    return value[:max_length] if max_length else value


def _stored_date(value: str) -> str | None:
    if found := _DATE.fullmatch(value):
        month, day, year = map(int, found.groups())
    elif found := _ISO_DATE.fullmatch(value):
        year, month, day = map(int, found.groups())
    else:
        return None
    try:
        return f"{date(year, month, day):%m/%d}/{year:04}"
    except ValueError:
        return None
