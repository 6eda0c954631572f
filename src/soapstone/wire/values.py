"""Reading (asmx-16, asmx-17) and writing (asmx-18) the text of each built-in type."""

import base64
import binascii
import datetime
import decimal
import re
from collections.abc import Callable
from typing import Any

from soapstone.clock import now
from soapstone.wire.types import Enumeration, Struct

_SPACE = " \t\r\n"
_BAD_FORMAT = "Input string was not in a correct format."


class ValueRefused(Exception):
    """A text that is not a value of its type; the message is the runtime's own (fault table)."""


# --- reading -----------------------------------------------------------------------------------------------------

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DECIMAL_LIMIT = decimal.Decimal(2**96 - 1)
_MOST_DIGITS = 400


def _integer(low: int, high: int, kind: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        text = text.strip(_SPACE)
        if not _INTEGER.fullmatch(text):
            raise ValueRefused(_BAD_FORMAT)
        if len(text) > _MOST_DIGITS:
            sign = "-" if text[0] == "-" else ""
            # int() refuses very long digit strings; leading zeros are the only way to be long and in range.
            text = sign + (text.lstrip("+-0") or "0")[:_MOST_DIGITS]
        value = int(text)
        if not low <= value <= high:
            raise ValueRefused(f"Value was either too large or too small for an {kind}.")
        return value

    return read


def _double(text: str) -> float:
    text = text.strip(_SPACE)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise ValueRefused("Value was either too large or too small for a Double.")
        return value
    if text in ("NaN", "INF", "-INF", "Infinity", "-Infinity"):
        return float(text)
    raise ValueRefused(_BAD_FORMAT)


def _decimal(text: str) -> decimal.Decimal:
    text = text.strip(_SPACE)
    if not _DECIMAL.fullmatch(text):
        raise ValueRefused(_BAD_FORMAT)
    value = decimal.Decimal(text)
    if value.copy_abs() > _DECIMAL_LIMIT:  # abs() would round to 28 digits
        raise ValueRefused("Value was either too large or too small for a Decimal.")
    return value


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def _boolean(text: str) -> bool:
    text = text.strip(_SPACE)
    value = _BOOLEANS.get(text)
    if value is None:
        raise ValueRefused(f"The string '{_excerpt(text)}' is not a valid Boolean value.")
    return value


# No date has more characters.
LONGEST_DATE = 64
_ZONE = r"(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
_YEAR = r"(?P<year>[0-9]{4})"
_DATE_FORMS = tuple(
    re.compile(form + _ZONE)
    for form in (
        _YEAR + r"-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})T" + _TIME,
        _YEAR + r"-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})",
        _TIME,
        _YEAR + r"-(?P<month>[0-9]{2})",
        _YEAR,
        r"--(?P<month>[0-9]{2})-(?P<day>[0-9]{2})",
        r"---(?P<day>[0-9]{2})",
        r"--(?P<month>[0-9]{2})(?:--)?",
    )
)


def _date_time(text: str) -> datetime.datetime:
    """Read any XML Schema date or time. With a zone the value is aware, in UTC; a bare time is today's."""
    stripped = text.strip(_SPACE)
    if len(stripped) <= LONGEST_DATE:
        for form in _DATE_FORMS:
            match = form.fullmatch(stripped)
            if match:
                try:
                    return _from_parts(match.groupdict())
                except ValueError:
                    break
    raise ValueRefused(f"The string '{_excerpt(text)}' is not a valid AllXsd value.")


def _from_parts(parts: dict[str, str | None]) -> datetime.datetime:
    """Build the value. Raises ValueError for a day or time that does not exist."""
    today = now()
    if "year" in parts or "month" in parts or "day" in parts:
        # Without a year: a day of a month is one of the leap year 1904, a month or a day alone is of this year.
        year = int(parts.get("year") or (1904 if "month" in parts and "day" in parts else today.year))
        month, day = int(parts.get("month") or 1), int(parts.get("day") or 1)
    else:
        year, month, day = today.year, today.month, today.day
    hour = int(parts.get("hour") or 0)
    minute, second = int(parts.get("minute") or 0), int(parts.get("second") or 0)
    micro = int(((parts.get("fraction") or "") + "000000")[:6])
    end_of_day = hour == 24 and (minute, second, micro) == (0, 0, 0)
    value = datetime.datetime(year, month, day, 0 if end_of_day else hour, minute, second, micro)  # noqa: DTZ001
    zone = parts.get("zone")
    ahead = datetime.timedelta(days=1 if end_of_day else 0)
    if zone and zone not in "Zz":
        offset = datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        ahead += offset if zone[0] == "-" else -offset
    try:
        value += ahead
    except OverflowError:
        # The first and the last instants move out of the calendar by their zone; the runtime clamps them.
        value = datetime.datetime.max if ahead > datetime.timedelta(0) else datetime.datetime.min  # noqa: DTZ901
    return value.replace(tzinfo=datetime.UTC) if zone else value


def _bytes(text: str) -> bytes:
    decoder = Base64Decoder()
    return decoder.feed(text) + decoder.finish()


READERS: dict[str, Callable[[str], Any]] = {
    "int": _integer(-(2**31), 2**31 - 1, "Int32"),
    "long": _integer(-(2**63), 2**63 - 1, "Int64"),
    "unsignedByte": _integer(0, 255, "unsigned byte"),
    "double": _double,
    "decimal": _decimal,
    "boolean": _boolean,
    "dateTime": _date_time,
    "base64Binary": _bytes,
    "string": str,
    "anyType": str,
}
"""By XML Schema name: text to value, raising ValueRefused."""

# Types that a client may name in xsi:type for a member of any type, besides those above.
READERS_OF_ANY: dict[str, Callable[[str], Any]] = READERS | {
    "short": _integer(-(2**15), 2**15 - 1, "Int16"),
    "byte": _integer(-(2**7), 2**7 - 1, "Int8"),
    "unsignedShort": _integer(0, 2**16 - 1, "UInt16"),
    "unsignedInt": _integer(0, 2**32 - 1, "UInt32"),
    "unsignedLong": _integer(0, 2**64 - 1, "UInt64"),
    "integer": _integer(-(2**63), 2**63 - 1, "Int64"),
    "float": _double,
    "date": _date_time,
    "time": _date_time,
}


def enum_reader(cls: type[Enumeration]) -> Callable[[str], Enumeration]:
    """Return a reader that takes exact wire values only (asmx-17)."""
    values = {str(member.value): member for member in cls}

    def read(text: str) -> Enumeration:
        value = values.get(text)
        if value is None:
            raise ValueRefused(
                f"Instance validation error: '{_excerpt(text)}' is not a valid value for {cls.__name__}."
            )
        return value

    return read


def _excerpt(text: str) -> str:
    """Return the part of a refused value that a fault quotes."""
    return text if len(text) <= 200 else text[:200] + "..."


class Base64Decoder:
    """Decodes base64 in pieces, as lenient as the runtime: white space is allowed anywhere, padding may be missing, and
    more padding may follow it. Raises ValueRefused for anything else."""

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def feed(self, text: str) -> bytes:
        try:
            data = text.encode("ascii").translate(None, b" \t\r\n")
        except UnicodeEncodeError:
            raise ValueRefused(_BAD_FORMAT) from None
        content, pad, behind = data.partition(b"=")
        if behind.strip(b"=") or (self._ended and content):
            raise ValueRefused(_BAD_FORMAT)
        self._ended = self._ended or bool(pad)
        data = self._rest + content
        whole = len(data) & ~3
        self._rest = data[whole:]
        return _decoded(data[:whole]) if whole else b""

    def finish(self) -> bytes:
        """Return the bytes of an incomplete last group of four."""
        rest, self._rest = self._rest, b""
        if len(rest) < 2:
            return _decoded(rest + b"AAA")[:0] if rest else b""
        return _decoded(rest + b"A" * (4 - len(rest)))[: len(rest) - 1]


def _decoded(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:
        raise ValueRefused(_BAD_FORMAT) from None


# --- writing -----------------------------------------------------------------------------------------------------

_SPECIAL = re.compile("[&<>\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: str) -> str:
    """Escape text content; line ends stay unchanged, as the runtime wrote them.

    Characters that XML 1.0 forbids become U+FFFD: strict clients refuse the whole answer otherwise.
    """
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], "\ufffd"), text)


def escape_attribute(text: str) -> str:
    """Escape attribute content for double quotes."""
    text = escape(text).replace('"', "&quot;")
    return text.replace("\r", "&#xD;").replace("\n", "&#xA;").replace("\t", "&#x9;")


def _write_integer(low: int, high: int) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        if not low <= value <= high:
            raise ValueError(f"{value} does not fit the wire type ({low} to {high})")
        return f"{value:d}"

    return write


def _write_double(value: Any) -> str:
    """Return a whole number without point and exponent (mm-35); others with 15 digits if those say all, or with 17."""
    number = float(value)
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "INF" if number > 0 else "-INF"
    if number == int(number):
        return str(int(number))
    text = f"{number:.15g}"
    return (text if float(text) == number else f"{number:.17g}").replace("e", "E")


def _write_decimal(value: Any) -> str:
    number = decimal.Decimal(value)
    if not number.is_finite():
        raise ValueError("a wire decimal is finite")
    return format(number, "f")


def _write_date_time(value: Any) -> str:
    zone = ""
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        zone = "Z"
    text: str = value.isoformat(timespec="seconds")
    if value.microsecond >= 1000:
        # Clients parse at most three fraction digits (asmx-18).
        text += f".{value.microsecond // 1000:03d}".rstrip("0")
    return text + zone


WRITERS: dict[str, Callable[[Any], str]] = {
    "int": _write_integer(-(2**31), 2**31 - 1),
    "long": _write_integer(-(2**63), 2**63 - 1),
    "unsignedByte": _write_integer(0, 255),
    "double": _write_double,
    "decimal": _write_decimal,
    "boolean": lambda value: "true" if value else "false",
    "dateTime": _write_date_time,
    "base64Binary": lambda value: base64.b64encode(value).decode("ascii"),
    "string": escape,
}
"""By XML Schema name: value to escaped text. ValueError or TypeError for a value that the type cannot hold."""


def type_of_any(value: Any) -> str:
    """Return the type name that a value of any type is written with: `xsd:...`, or the name of a contract type."""
    if isinstance(value, Enumeration | Struct):
        return type(value).__name__
    if isinstance(value, int) and not isinstance(value, bool):
        return "xsd:int" if -(2**31) <= value < 2**31 else "xsd:long"
    for python_type, name in _ANY_TYPES:
        if isinstance(value, python_type):
            return f"xsd:{name}"
    raise TypeError(f"a {type(value).__name__} has no wire type")


_ANY_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (float, "double"),
    (decimal.Decimal, "decimal"),
    (str, "string"),
    (datetime.datetime, "dateTime"),
    (bytes, "base64Binary"),
)
