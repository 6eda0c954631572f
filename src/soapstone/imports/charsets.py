"""Charsets: the accepted names of a file's encoding, and the Python codecs that read them."""

from __future__ import annotations

import codecs
from functools import cache

from soapstone.errors import InvalidError

# The name in messages and the manual → Python codec. Files called Shift_JIS, GB2312, GBK and EUC-KR use letters of the
# larger Windows sets, which contain them. Windows-1252 contains the letters of ISO-8859-1, its usual other name, and
# Windows-1254 those of ISO-8859-9 (Encoding Standard 4.2).
CHARSETS: dict[str, str] = {
    "utf-8": "utf-8",
    "utf-16": "utf-16-le",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    **{f"windows-125{digit}": f"cp125{digit}" for digit in range(9)},
    "windows-874": "cp874",
    "iso-8859-1": "cp1252",
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "mac-roman": "mac-roman",
    "mac-cyrillic": "mac-cyrillic",
    "mac-greek": "mac-greek",
    "mac-latin2": "mac-latin2",
    "mac-turkish": "mac-turkish",
    **{f"cp{number}": f"cp{number}" for number in (437, 737, 775, 850, 852, 855, 857, 858, 860, 863, 865, 866)},
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "shift_jis": "cp932",
    "euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp_2",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
}
# Other names of these, as Python or as programs spell them → one of the names.
_ALIASES = {
    "ascii": "iso-8859-1",
    "latin-1": "iso-8859-1",
    "iso8859-1": "iso-8859-1",
    "iso8859-9": "iso-8859-9",
    "iso8859-11": "iso-8859-11",
    "tis-620": "iso-8859-11",
    "utf-8-sig": "utf-8",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "cp936": "gb18030",
    "big5hkscs": "big5",
    "cp950": "big5",
    "euc_kr": "euc-kr",
    "iso2022_jp": "iso-2022-jp",
    "shift_jis": "shift_jis",
    "ms932": "shift_jis",
    "windows-31j": "shift_jis",
    "unicode": "utf-16",
    "macce": "mac-latin2",
    "mac-ce": "mac-latin2",
    "mac-centraleurope": "mac-latin2",
    "x-mac-ce": "mac-latin2",
    "ansi": "windows-1252",
}
# A longer name is unknown.
LONGEST_NAME = 40
# Single-byte codecs, so lines, delimiters and quotes are the same bytes as in ASCII. Text in all others but UTF-8 is
# decoded first: there the second byte of a letter may be a delimiter.
_BY_BYTES = frozenset(
    codec
    for codec in CHARSETS.values()
    if codec not in {"utf-16-le", "utf-16-be", "cp932", "euc_jp", "iso2022_jp_2", "gb18030", "big5hkscs", "cp949"}
)


def charset(name: str) -> str:
    """Return the name in CHARSETS of a charset. Raises InvalidError for an unknown one."""
    told = name.strip().strip("\"'").lower()
    if told in CHARSETS:
        return told
    if len(told) <= LONGEST_NAME and told.isascii():
        spelled = told.replace("_", "-")
        for each in (told, spelled, spelled.removeprefix("x-"), _python_name(spelled), _python_name(spelled[2:])):
            if each in CHARSETS:
                return each
            if each in _ALIASES:
                return _ALIASES[each]
            if each in _by_codec():
                return _by_codec()[each]
    raise InvalidError(
        f"There is no encoding {name[:LONGEST_NAME]} here. Some that there are: utf-8, utf-16, windows-1250 to "
        "windows-1258, iso-8859-1 to iso-8859-16, mac-roman, cp437, cp850, koi8-r, shift_jis, euc-jp, gb18030, big5, "
        "euc-kr."
    )


def codec_of(name: str) -> str:
    """Return the Python codec of a charset. Raises InvalidError as `charset` does."""
    return CHARSETS[charset(name)]


def must_be_decoded_first(codec: str) -> bool:
    """Return whether text in a codec cannot be split into lines and values as bytes."""
    return codec not in _BY_BYTES


def _python_name(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""


@cache
def _by_codec() -> dict[str, str]:
    """Return the charsets by Python's names of their codecs; of two charsets with one codec, the first.

    Built at first use: looking up all codecs takes a while.
    """
    return {_python_name(codec): name for name, codec in reversed(CHARSETS.items())}
