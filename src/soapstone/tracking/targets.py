"""Where links lead: addresses as a browser would open them, their hosts, and the parameters of web analytics."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote_plus, urlencode

import idna

from soapstone.tracking.stems import LONGEST_TARGET

# Browsers drop these within an address, and white space and control characters around it (URL standard 4.4).
_DROPPED = str.maketrans("", "", "\t\n\r")
_AROUND = "".join(map(chr, range(0x21)))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PARTS = re.compile(
    r"(https?)://([^/\\?#]*@)?(\[[0-9A-Fa-f:.]+\]|[^/\\?#@:]+)(:[0-9]{0,5})?([/\\][^?#]*)?((?:[?#].*)?)", re.I | re.S
)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\]")
# All of ASCII that may stand in an address; browsers encode the others.
_SAFE = "!#$%&'()*+,/:;=?@[]^_{|}~"
# Second labels below which names are registered in some countries, such as co.uk and com.au.
_SHORT = 3


class Target(NamedTuple):
    """An address, and its host without a port; both as a browser takes them."""

    url: str
    host: str


def web_target(url: str) -> Target | None:
    """Return an address of http or https as a browser would open it, in ASCII; None for any other address.

    Hosts become A-labels in lower case, other letters and blanks are percent-encoded. None also for control characters
    and for an address that is too long.
    """
    url = url.strip(_AROUND).translate(_DROPPED)
    if len(url) > LONGEST_TARGET or _CONTROL.search(url):
        return None
    match = _PARTS.fullmatch(url)
    if match is None:
        return None
    scheme, user, host, port, path, rest = match.groups()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return None
    if not _HOST.fullmatch(host):
        return None
    try:
        after = quote((path or "").replace("\\", "/") + rest, safe=_SAFE)
        host = host.lower()
        found = f"{scheme.lower()}://{quote(user, safe=_SAFE) if user else ''}{host}{port or ''}{after}"
    except UnicodeEncodeError:
        return None
    return Target(found, host) if len(found) <= LONGEST_TARGET else None


def host_of(url: str) -> str:
    """Return the host of an address, in lower case and without a port; "" for one that is not of http or https."""
    target = web_target(url)
    return target.host if target else ""


def is_below(host: str, domains: Collection[str]) -> bool:
    """Return whether a host is one of these domains, or below one."""
    labels = host.rstrip(".").split(".")
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))


def same_owner(host: str, other: str) -> bool:
    """Return whether two hosts belong to one registrable domain, as far as their names tell.

    Without a list of public suffixes: the last two labels are the same, or the last three below names such as co.uk.
    So customers of one provider, such as `a.pages.example` and `b.pages.example`, count as one.
    """
    return bool(host) and _registrable(host) == _registrable(other)


def with_parameters(target: str, parameters: Mapping[str, str]) -> str:
    """Return an address with these parameters in its query, before a fragment; those that it has already stay."""
    address, hash_sign, fragment = target.partition("#")
    query = address.partition("?")[2]
    there = {unquote_plus(each.partition("=")[0]) for each in query.split("&")}
    added = urlencode({name: value for name, value in parameters.items() if name not in there and value})
    if not added:
        return target
    between = "?" if "?" not in address else "&" if query and not query.endswith("&") else ""
    return f"{address}{between}{added}{hash_sign}{fragment}"


def _registrable(host: str) -> str:
    labels = host.lower().rstrip(".").split(".")
    if host.startswith("[") or labels[-1].isdecimal():
        return host
    below = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= _SHORT
    return ".".join(labels[-3 if below else -2 :])
