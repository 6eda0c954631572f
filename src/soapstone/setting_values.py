"""The forms of settings' values: each reader parses one, and raises ValueError with the reason."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

DATABASES = ("sqlite", "postgresql")
# Fewest characters of a token that cannot be guessed.
SHORTEST_TOKEN = 20


def number(
    kind: type[float], *, above: float | None = None, least: float | None = None, most: float | None = None
) -> Callable[[Any], float]:
    """Return a reader of numbers of this kind within these bounds."""
    bounds = (
        (above, operator.gt, "greater than"),
        (least, operator.ge, "greater than or equal to"),
        (most, operator.le, "less than or equal to"),
    )

    def read(given: Any) -> float:
        try:
            value = kind(given)
        except ValueError:
            form = ("integer", "an integer") if kind is int else ("number", "a number")
            raise ValueError("it should be a valid {}, unable to parse string as {}".format(*form)) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("it should be a finite number")
        for bound, keeps, words in bounds:
            if bound is not None and not keeps(value, bound):
                raise ValueError(f"it should be {words} {bound}")
        return value

    return read


# Larger values overflow clocks or calendars.
seconds = number(float, above=0, most=86_400)
minutes = number(int, above=0, most=525_600)


def rate(given: Any) -> float:
    value = number(float, least=0, most=1_000_000)(given)
    if 0 < value < 0.001:
        raise ValueError("it should be 0, or 0.001 at least")
    return value


def one_of(*words: str) -> Callable[[Any], str]:
    def read(given: Any) -> str:
        if given not in words:
            *others, last = map(repr, words)
            raise ValueError(f"it should be {', '.join(others)} or {last}")
        return str(given)

    return read


def folder(given: Any) -> Path:
    if str(given).strip():
        return Path(given)
    # It would be the folder in which the command runs.
    raise ValueError("it is empty: name a folder, or leave it out")


def login(given: str) -> str:
    if given and not all(part.strip() for part in given.split("/", 1)):
        raise ValueError("it is LOGIN or ACCOUNT/LOGIN")
    return given


def database(given: str) -> str:
    try:
        parsed = make_url(given) if given else None
    except (ArgumentError, ValueError):
        raise ValueError("it cannot be read as a URL: sqlite:///path or postgresql://user:password@host/name") from None
    if parsed is not None and (parsed.get_backend_name() not in DATABASES or not parsed.database):
        raise ValueError("it is not sqlite:///path or postgresql://user:password@host/name")
    return given


def bucket(given: str) -> str:
    """Read the URL of a bucket. Credentials have no place in it."""
    if given:
        parts = _split(given)
        if parts is None or parts.scheme != "s3" or parts.query or parts.fragment:
            raise ValueError("it is not s3://bucket/prefix alone; credentials go into AWS_… variables")
    return given


def url(given: str) -> str:
    if given:
        parts = _split(given)
        if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            raise ValueError("it is not a URL such as https://mail.example.com")
    return given


def zone(given: str) -> str:
    try:
        ZoneInfo(given)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {given!r}; one is Europe/Berlin") from None
    return given


def host(given: str) -> str:
    if not all("!" <= character <= "~" for character in given):
        raise ValueError(f"{given!r} is no name of a host, such as mail.example.com")
    return given


def domain(given: str) -> str:
    """Return a domain as name servers know it."""
    # Loaded where it is needed: few servers name such a domain.
    import idna

    domain = ""
    with suppress(ValueError):
        domain = idna.encode(given.removesuffix("."), uts46=True, std3_rules=True).decode().lower()
    if len(domain) > 180 or "." not in domain:
        raise ValueError(f"{given!r} is no domain, such as bounces.example.com")
    return domain


def bounce_address(given: str) -> str:
    """Return the address with its domain as name servers know it."""
    local_part, _, named = given.rpartition("@")
    if not given:
        return ""
    if local_part not in ("b+", "b-"):
        raise ValueError("it is b+@DOMAIN or b-@DOMAIN, such as b+@bounces.example.com")
    return f"{local_part}@{domain(named)}"


def dkim_keys(given: Any) -> list[str]:
    keys = [one.split(":", 2) for one in listed(given)]
    if not all(len(key) == 3 and all(key) for key in keys):
        raise ValueError("a key is DOMAIN:SELECTOR:FILE, such as example.com:june:/etc/soapstone/june.pem")
    if len({domain for domain, _, _ in keys}) > 1:
        raise ValueError("all keys sign for one domain")
    return [":".join(key) for key in keys]


def place(given: str) -> str:
    """Return where to listen: host:port, or unix:path."""
    host, _, port = given.rpartition(":")
    is_file = given.startswith("unix:") and len(given) > len("unix:")
    if given and not is_file and not (host and port.isdecimal() and 0 <= int(port) <= 65_535):
        raise ValueError("it is host:port, such as 127.0.0.1:8024, or unix:/path")
    return given


def listed(given: Any) -> list[str]:
    """Return a list, also from the text of an environment variable."""
    if isinstance(given, str):
        if not given.lstrip().startswith("["):
            return [one.strip() for one in given.split(",") if one.strip()]
        try:
            given = json.loads(given)
        except ValueError:
            raise ValueError('a list is written with commas, or as JSON, ["…", "…"]') from None
    if not all(isinstance(one, str) for one in given):
        raise ValueError("it should be a valid string")
    return list(given)


def networks(given: Any) -> list[str]:
    networks = listed(given)
    for one in networks:
        try:
            ip_network(one, strict=False)
        except ValueError:
            raise ValueError(f"{one!r} is no address and no network") from None
    return networks


def origins(given: Any) -> list[str]:
    return [_origin(one) for one in listed(given)]


def token(given: str) -> str:
    if given and (len(given) < SHORTEST_TOKEN or not given.isascii() or not given.isprintable() or " " in given):
        raise ValueError(f"it needs {SHORTEST_TOKEN} characters or more, of ASCII and without spaces")
    return given


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL with a host, and neither a user nor blanks; None for anything else."""
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return None
    return parts if usable and not any(character <= " " for character in url) else None


def _origin(given: str) -> str:
    """Return an origin as browsers write it: in lower case, without a path."""
    parts = _split(given)
    if parts is None or not parts.scheme or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{given!r} is no origin such as https://www.example.com")
    return given.rstrip("/").lower().removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, "/"))
