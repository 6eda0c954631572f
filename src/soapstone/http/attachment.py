"""Headers of file downloads."""

import re
import unicodedata
from urllib.parse import quote

_LONGEST = 100
# Characters not allowed in file names on some system, or in a header.
_SPECIAL = re.compile(r'[/\\:*?"<>|%;]')


def attachment(name: str) -> dict[str, str]:
    """Return headers with which browsers save a file under this name and never show it as a page (RFC 6266).

    Unsafe characters are replaced. The name is given twice: in ASCII, and in full as in RFC
    8187.
    """
    stem, dot, ending = name.rpartition(".")
    stem, ending = (_clean(stem), f".{_clean(ending)}") if dot else (_clean(name), "")
    stem = stem[: _LONGEST - len(ending)] or "file"
    full, plain = stem + ending, (_plain(stem).strip(". ") or "file") + _plain(ending)
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(full, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }


def _clean(text: str) -> str:
    # Controls, halves of surrogate pairs, and marks that turn the direction of writing.
    printed = (" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return _SPECIAL.sub("_", " ".join("".join(printed).split())).strip(". ")


def _plain(text: str) -> str:
    # Without marks, so that é becomes e. Wide forms of special characters become these characters.
    characters = (each for each in unicodedata.normalize("NFKD", text) if unicodedata.category(each) != "Mn")
    return _SPECIAL.sub("_", "".join(each if each.isascii() else "_" for each in characters))
