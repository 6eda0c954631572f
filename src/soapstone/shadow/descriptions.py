"""Service descriptions name the shadow as the service, so that a program that reads one calls the shadow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LARGEST = 1 << 24
"""Bytes of a description that can be changed; a longer one passes as it is."""

_QUERIES = (b"wsdl", b"disco")


def is_description(scope: Mapping[str, Any]) -> bool:
    """Return whether a request asks for a description: `GET …?WSDL` or `?disco` (asmx-2)."""
    return scope["method"] == "GET" and scope["query_string"].lower() in _QUERIES


def renamed(description: bytes, path: bytes, base: str) -> bytes:
    """Return a description whose URLs of this path begin with `base`, which is `scheme://host[:port]`."""
    urls = re.compile(rb"https?://[^/\s\"'<>]{1,300}(?=" + re.escape(path) + rb"[\"'?<])", re.IGNORECASE)
    return urls.sub(lambda _: base.encode("latin-1"), description)
