"""Where a request came from and how the client saw the server, with trusted proxies taken into account (asmx-5)."""

import ipaddress
import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

from soapstone.loopback import is_loopback

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Safe methods."""
FOREIGN = "This call comes from a page of another site. Such calls are refused."
"""The refusal of a page of another site, in the form of the called interface (lk-7)."""

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PORT = re.compile(r":[0-9]*$")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# An address as proxies may write it: with brackets, with a port, or both.
_ADDRESS = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")

# Characters: the longest form of version 6, with a network interface, brackets and a port.
_LONGEST_ADDRESS = 72

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Origins:
    """Reads the origin of requests. No other code reads these headers.

    `trusted` holds addresses or networks of proxies whose X-Forwarded headers count. Pages of other sites may call only
    from the origins in `allowed`. `public_url` is this server's URL in browsers, where requests do not show it.
    """

    def __init__(self, trusted: Sequence[str], *, allowed: Iterable[str] = (), public_url: str = "") -> None:
        self._networks = [ipaddress.ip_network(entry, strict=False) for entry in trusted]
        self._allowed = {origin.lower() for origin in allowed}
        self._public_host = _host_of(public_url)

    def read(self, scope: Mapping[str, Any]) -> tuple[str, str]:
        """Return the peer address (empty if unknown) and the base URL `scheme://host[:port]`.

        The client controls the base URL, so it may go into the answer to that client only.
        """
        peer = _peer(scope)
        scheme = str(scope.get("scheme", "http"))
        # A request with two hosts has none (RFC 9112 3.2).
        hosts = header_lines(scope, b"host")
        host = hosts[0] if len(hosts) == 1 else ""
        trusted = self._trusts(_address(peer))
        if trusted:
            forwarded_scheme = _nearest(scope, b"x-forwarded-proto").lower()
            forwarded_host = _nearest(scope, b"x-forwarded-host")
            if forwarded_scheme in ("http", "https"):
                scheme = forwarded_scheme
            if _is_host(forwarded_host):
                host = forwarded_host
            peer = self._client_behind(peer, scope)
        name, _ = scope.get("server") or ("localhost", None)
        given = _is_host(host)
        if not given:
            host = f"[{name}]" if ":" in str(name) else str(name)
        if _PORT.search(host.rpartition("]")[2]) is None:
            host += self._port(scope, scheme, host.lower() if given else "", trusted=trusted)
        return peer, f"{scheme}://{host}"

    def client(self, scope: Mapping[str, Any]) -> str:
        """Return the address of the client alone, as `read` does."""
        peer = _peer(scope)
        return self._client_behind(peer, scope) if self._networks and self._trusts(_address(peer)) else peer

    def _port(self, scope: Mapping[str, Any], scheme: str, given: str, *, trusted: bool) -> str:
        """Return the port, with its colon, for a missing host or one without a port, which clients may omit."""
        if given and (trusted or _is_forwarded(scope)):
            return ""
        if given and given == _PORT.sub("", self._public_host):
            # Another port may be mapped to that of the connection.
            return self._public_host.removeprefix(given)
        _, port = scope.get("server") or ("", None)
        return f":{port}" if port and port != _DEFAULT_PORTS.get(scheme) else ""

    def request_id(self, scope: Mapping[str, Any]) -> str:
        """Return the request id set by a trusted proxy; empty if missing or malformed."""
        client = scope.get("client")
        given = _nearest(scope, b"x-request-id") if client and self._trusts(_address(str(client[0]))) else ""
        return given if _REQUEST_ID.fullmatch(given) else ""

    def is_foreign(self, scope: Mapping[str, Any], base_url: str) -> bool:
        """Return whether a page of another site sends this request, with an unsafe method (lk-7).

        Our own host is that of the request or of the public URL. The scheme is not compared: behind a proxy that
        ends TLS this server may not see the browser's. Other clients send no Origin.
        """
        if scope["method"] in SAFE_METHODS:
            return False
        origins = header_lines(scope, b"origin")
        if not origins:
            # Browsers that send no Origin with a form still say where the request comes from.
            return any(site not in ("same-origin", "none") for site in header_lines(scope, b"sec-fetch-site"))
        hosts = {_host_of(base_url), *map(str.lower, header_lines(scope, b"host")), self._public_host} - {""}
        return any(origin.lower() not in self._allowed and _is_other(origin.lower(), hosts) for origin in origins)

    def _trusts(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _client_behind(self, peer: str, scope: Mapping[str, Any]) -> str:
        """Return the nearest address that is no trusted proxy; entries further left may be forged.

        A proxy adds the address that it sees to the last line, or in a line of its own behind the others.
        """
        for entry in reversed(",".join(header_lines(scope, b"x-forwarded-for")).split(",")):
            address = _address(entry.strip())
            if address is None:
                break
            peer = str(address)
            if not self._trusts(address):
                break
        return peer


def peer_address(host: object) -> str:
    """Return the address of a connection's other end; empty for none, as on a local socket."""
    return _plain(str(host)) if host else ""


def _peer(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    return peer_address(client[0]) if client else ""


@lru_cache(maxsize=4096)
def _plain(peer: str) -> str:
    return str(_address(peer) or peer)


def header_lines(scope: Mapping[str, Any], name: bytes) -> list[str]:
    """Return the values of all lines of a header, in their order. `name` is in lower case."""
    return [value.decode("latin-1").strip() for each, value in scope["headers"] if each.lower() == name]


def first_headers(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Return the headers by name in lower case. Of several lines the first counts, in every interface."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.lower(), value)
    return headers


def cookie(scope: Mapping[str, Any], name: str) -> str:
    """Return the value of a cookie as it was written; of several the last one, empty for none.

    Frameworks undo quotes in all cookies with the standard library, which in some versions of Python takes a time that
    grows with the square of a value. Cookies of this server have no quotes.
    """
    value = ""
    for pair in ";".join(header_lines(scope, b"cookie")).split(";"):
        key, _, text = pair.partition("=")
        if key.strip() == name:
            value = text.strip()
    return value


def without_cookies(scope: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return the request without its cookies, for a framework that would read them all."""
    return {**scope, "headers": [(key, value) for key, value in scope["headers"] if key.lower() != b"cookie"]}


def is_local(scope: Mapping[str, Any]) -> bool:
    """Return whether a request was made on this machine, to this machine, and through no proxy (asmx-29).

    The peer and the host that it asked for are loopback addresses, and no header speaks of forwarding. The host counts
    because a page of another site can have its own name resolve to a loopback address.
    """
    if _is_forwarded(scope):
        return False
    client = scope.get("client")
    return client is not None and is_loopback(str(client[0])) and asks_for_loopback(scope)


def asks_for_loopback(scope: Mapping[str, Any]) -> bool:
    """Return whether a request has a loopback address as its host, which pages of other sites cannot forge."""
    hosts = header_lines(scope, b"host")
    return len(hosts) == 1 and _is_host(hosts[0]) and is_loopback(_PORT.sub("", hosts[0]))


def _is_forwarded(scope: Mapping[str, Any]) -> bool:
    return any(name == b"forwarded" or name.startswith(b"x-forwarded-") for name, _ in scope["headers"])


def _is_other(origin: str, hosts: Iterable[str]) -> bool:
    scheme, _, host = origin.partition("://")
    default = {"http": ":80", "https": ":443"}.get(scheme)
    return default is None or host.removesuffix(default) not in {name.removesuffix(default) for name in hosts}


def _is_host(text: str) -> bool:
    """Return whether a text is a host with or without port."""
    return _HOST.fullmatch(text) is not None and (not text.startswith("[") or _address(text) is not None)


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()


def _address(text: str) -> _Address | None:
    """Return the address of a text, or None. IPv4 inside IPv6 becomes IPv4."""
    return _parsed(text) if len(text) <= _LONGEST_ADDRESS else None


# The peer is parsed several times per request, and peers repeat: parsing took a quarter of a poll.
@lru_cache(maxsize=4096)
def _parsed(text: str) -> _Address | None:
    written = _ADDRESS.fullmatch(text)
    try:
        address = ipaddress.ip_address((written[1] or written[2]) if written else text)
    except ValueError:
        return None
    # A dual-stack socket gives IPv4 addresses inside IPv6 ones.
    return getattr(address, "ipv4_mapped", None) or address


def _nearest(scope: Mapping[str, Any], name: bytes) -> str:
    """Return the value written by the nearest proxy: the last one of the last line."""
    lines = header_lines(scope, name)
    return lines[-1].rpartition(",")[2].strip() if lines else ""
