"""Answer documents (lk-88, lk-89): compact XML with a declaration."""

from __future__ import annotations

import re
from collections.abc import Mapping

from soapstone.xmlhttp.refusal import CallError

MEDIA_TYPE = "application/xml; charset=utf-8"

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def document(root: str, members: Mapping[str, str | int]) -> bytes:
    inner = "".join(f"<{name}>{_text(str(value))}</{name}>" for name, value in members.items())
    return f'<?xml version="1.0" encoding="utf-8"?><{root}>{inner}</{root}>'.encode()


def error(refused: CallError) -> bytes:
    """Return the document of a refusal."""
    return document("Error", {"Code": refused.code, "Description": refused.description})


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text).translate(_ESCAPES)
