"""The XML declaration at the beginning of a document: whether its encoding can be that of the bytes."""

import codecs
from functools import lru_cache
from xml.parsers import expat

MAX_DECLARATION = 256
"""Bytes in which a declaration ends; a longer one counts as it stands."""

_STARTS = (b"<?xm", codecs.BOM_UTF8 + b"<?xm")


def can_be_followed(start: bytes) -> bool:
    """Return whether a document that is not in UTF-16 may be read as its declaration says; true without one.

    .NET's StringWriter declares UTF-16, and programs send the text as UTF-8.
    """
    end = start.find(b"?>", 0, MAX_DECLARATION) if start.startswith(_STARTS) else -1
    return end < 0 or _is_readable(start[: end + 2])


@lru_cache(maxsize=64)
def _is_readable(declaration: bytes) -> bool:
    try:
        expat.ParserCreate().Parse(declaration + b"<a/>", True)
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return True
