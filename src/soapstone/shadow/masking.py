"""Masked calls: without credentials, e-mail addresses and card data, and still the same calls."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import replace

from soapstone.shadow.exchange import Exchange
from soapstone.shadow.markup import Path, UnreadableXml, rewritten

# Other ways to write the sign of an address.
_ESCAPED_AT = re.compile("&#(?:64|x40);|%40|\uff20", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"\s]{1,64}\"@")
# What may be an address has the sign in one of these: rather a word too many than one too few.
_WORD = re.compile(r"[^\s<>()\[\],:;\"'\\|=?]+")
# Thirteen to nineteen digits, also in groups.
_CARD = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]*+={0,2}\s*+")
_ZEROS = str.maketrans("123456789", "0" * 9)
_CREDENTIALS = ("password", "sessionid", "username", "login_name", "loginname", "token", "secret", "apikey")
_CARD_WORDS = ("card", "cvv", "cvc", "ccnumber", "cc_number", "expir")
SHORTEST_SECRET = 4
"""Characters of a credential that is masked wherever it is met, not only where it belongs."""
MOST_SECRETS = 1000
_SHORTEST_BASE64 = 16
# A file may be base64 of base64.
_MOST_LAYERS = 3


MASKED_DOMAIN = "masked.example.com"


class Mask:
    """Masks calls. The same text gets the same mask in all calls of one `Mask`, and nobody can tell it from the mask.

    A masked address is one of `MASKED_DOMAIN`.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        # Credentials that were met, whatever they stand in.
        self._secrets: dict[str, str] = {}

    def exchange(self, exchange: Exchange) -> Exchange | None:
        """Return the masked call, in UTF-8; None for bodies that cannot be read, of which nothing may be kept."""
        sent, got = exchange.headers.get("content-type", ""), exchange.answer_type
        try:
            # What the answer holds as a credential may stand in the request too.
            for body, kind in ((exchange.request, sent), (exchange.answer, got)):
                rewritten(body, kind, self._learn)
            request = rewritten(exchange.request, sent, self.text)
            answer = rewritten(exchange.answer, got, self.text)
        except UnreadableXml:
            return None
        headers = {name: self._plain(in_utf8(value)) for name, value in exchange.headers.items()}
        kept = replace(exchange, headers=headers, path=self._plain(exchange.path), request=request, answer=answer)
        return replace(kept, answer_type=in_utf8(got))

    def text(self, path: Path, text: str) -> str:
        """Return the masked text of an element or attribute."""
        if not text.strip():
            return text
        name = path[-1].lower().lstrip("@") if path else ""
        if _is_credential(path):
            return self._credential(text)
        if any(word in name for word in _CARD_WORDS):
            return text.translate(_ZEROS) if any(map(str.isdigit, text)) else self._hashed("card", text)
        return self._content(text, _MOST_LAYERS)

    def _learn(self, path: Path, text: str) -> str:
        found = text.strip()
        if _is_credential(path) and len(found) >= SHORTEST_SECRET and found not in self._secrets:
            if len(self._secrets) >= MOST_SECRETS:
                self._secrets.pop(next(iter(self._secrets)))
            self._secrets[found] = self._credential(found)
        return text

    def _credential(self, text: str) -> str:
        return self._hashed("masked", text.strip())

    def _hashed(self, word: str, text: str) -> str:
        return f"{word}-{hmac.new(self._key, text.encode(), 'sha256').hexdigest()[:16]}"

    def _content(self, text: str, layers: int) -> str:
        if len(text) >= _SHORTEST_BASE64 and layers and _BASE64.fullmatch(text):
            return self._file(text, layers)
        return self._plain(text)

    def _file(self, text: str, layers: int) -> str:
        """Return the base64 of a masked text file. Of any other file nothing is kept."""
        try:
            content = base64.b64decode(text, validate=False)
        except (binascii.Error, ValueError):
            return self._plain(text)
        charset = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
        try:
            inner = content.decode(charset)
        except UnicodeDecodeError:
            # An old file, or none of text.
            inner = content.decode("latin-1")
        if sum(char < " " and char not in "\t\r\n" for char in inner):
            # A number or an identifier of this alphabet decodes to anything; it is too short for a file.
            return self._plain(text) if len(text) < 64 else ""
        masked = self._content(inner, layers - 1)
        return self._plain(text) if masked == inner else base64.b64encode(masked.encode()).decode()

    def _plain(self, text: str) -> str:
        """Return a text without addresses, card numbers, and credentials that were met."""
        if "@" in text or _ESCAPED_AT.search(text):
            text = _QUOTED.sub(lambda match: match[0].replace('"', ""), _ESCAPED_AT.sub("@", text))
            text = _WORD.sub(self._word, text)
        text = _CARD.sub(_without_card, text)
        for found, mask in self._secrets.items():
            if found in text:
                text = text.replace(found, mask)
        return text

    def _word(self, match: re.Match[str]) -> str:
        if "@" not in match[0]:
            return match[0]
        # Another spelling means the same one.
        return f"{self._hashed('m', match[0].lower().strip('.'))}@{MASKED_DOMAIN}"


_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def unmasked(exchange: Exchange) -> Exchange | None:
    """Return the call in UTF-8, as it is; None for bodies that cannot be read."""
    keep: Callable[[Path, str], str] = lambda _, text: text  # noqa: E731 - a function for one call
    sent, got = exchange.headers.get("content-type", ""), exchange.answer_type
    try:
        request, answer = rewritten(exchange.request, sent, keep), rewritten(exchange.answer, got, keep)
    except UnreadableXml:
        return None
    headers = {name: in_utf8(value) for name, value in exchange.headers.items()}
    return replace(exchange, headers=headers, request=request, answer=answer, answer_type=in_utf8(got))


def _is_credential(path: Path) -> bool:
    return bool(path) and any(word in path[-1].lower() for word in _CREDENTIALS)


def in_utf8(value: str) -> str:
    """Return a media type whose charset, if it names one, is UTF-8."""
    parts = value.split(";")
    return ";".join(" charset=utf-8" if part.strip().lower().startswith("charset=") else part for part in parts)


def _without_card(match: re.Match[str]) -> str:
    digits = [int(char) for char in match[0] if char.isdigit()]
    doubled = (digit * 2 - 9 * (digit > 4) if at % 2 else digit for at, digit in enumerate(reversed(digits)))
    return match[0].translate(_ZEROS) if sum(doubled) % 10 == 0 else match[0]
