"""Answers that are files."""

import re
import unicodedata
from urllib.parse import quote

_LONGEST = 100
# What a file name must not hold on some system, or in a header.
_SPECIAL = re.compile(r'[/\\:*?"<>|%;]')


def attachment(name: str) -> dict[str, str]:
    """The headers of a file: browsers save it, under this name, and never take it for a page (RFC 6266).

    Characters that no file name should have are replaced. The name stands there twice: in ASCII, and in full as RFC
    8187 writes it.
    """
    stem, dot, ending = name.rpartition(".")
    stem, ending = (_clean(stem), f".{_clean(ending)}") if dot else (_clean(name), "")
    full = (stem[: _LONGEST - len(ending)] or "file") + ending
    plain = unicodedata.normalize("NFKD", full)
    plain = "".join(character if character.isascii() else "_" for character in plain if not _is_mark(character))
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(full, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }


def _clean(text: str) -> str:
    # Controls, halves of surrogate pairs, and marks that turn the direction of writing.
    printed = (" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return _SPECIAL.sub("_", " ".join("".join(printed).split())).strip(". ")


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) == "Mn"
