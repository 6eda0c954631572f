"""Where a request came from and how the client saw the server, with trusted proxies taken into account (asmx-5)."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PORT = re.compile(r":[0-9]*$")


class Origins:
    """Reads peer and base URL of a request. `trusted` are addresses or networks whose X-Forwarded headers count."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(entry, strict=False) for entry in trusted]

    def _trusts(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def read(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> tuple[str, str]:
        """(peer address, base URL `scheme://host[:port]`)."""
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        scheme = str(scope.get("scheme", "http"))
        host = headers.get(b"host", b"").decode("latin-1")
        if self._networks and self._trusts(peer):
            forwarded_scheme = _first(headers.get(b"x-forwarded-proto")).lower()
            forwarded_host = _first(headers.get(b"x-forwarded-host"))
            if forwarded_scheme in ("http", "https"):
                scheme = forwarded_scheme
            if _HOST.fullmatch(forwarded_host):
                host = forwarded_host
            peer = self._client_behind(peer, headers.get(b"x-forwarded-for"))
        if not _HOST.fullmatch(host):
            server = scope.get("server") or ("localhost", None)
            host = f"[{server[0]}]" if ":" in str(server[0]) else str(server[0])
            if server[1] and server[1] != {"http": 80, "https": 443}.get(scheme):
                host = f"{host}:{server[1]}"
        return peer, f"{scheme}://{host}"

    def _client_behind(self, peer: str, forwarded: bytes | None) -> str:
        """The nearest address that is no trusted proxy: what stands further left was written by others."""
        for entry in reversed((forwarded or b"").decode("latin-1").split(",")):
            entry = entry.strip()
            try:
                ipaddress.ip_address(entry)
            except ValueError:
                break
            peer = entry
            if not self._trusts(entry):
                break
        return peer


def is_local(scope: Mapping[str, Any]) -> bool:
    """Whether a request was made on this machine, to this machine, and through no proxy (asmx-29).

    The peer and the host that it asked for are loopback addresses, and no header speaks of forwarding. The host counts
    because a page of another site can have its own name resolve to a loopback address.
    """
    headers = scope["headers"]
    if any(name == b"forwarded" or name.startswith(b"x-forwarded-") for name, _ in headers):
        return False
    client = scope.get("client")
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    return (
        client is not None
        and _is_loopback(str(client[0]))
        and len(hosts) == 1
        and _HOST.fullmatch(hosts[0]) is not None
        and _is_loopback(_PORT.sub("", hosts[0]).strip("[]"))
    )


def is_foreign(headers: Mapping[bytes, bytes], base_url: str) -> bool:
    """Whether a page of another site makes this request: its Origin is not the request's own host (lk-7).

    The scheme is not compared: behind a proxy that ends TLS this server may not see the one that browsers use. Clients
    that are no browsers send no Origin.
    """
    origin = headers.get(b"origin")
    if origin is None:
        return False
    scheme, _, host = origin.decode("latin-1").lower().partition("://")
    own = {base_url.partition("://")[2].lower(), headers.get(b"host", b"").decode("latin-1").lower()} - {""}
    default = {"http": ":80", "https": ":443"}.get(scheme)
    return default is None or host.removesuffix(default) not in {name.removesuffix(default) for name in own}


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    # A socket for both protocols gives addresses of the fourth version inside those of the sixth.
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _first(value: bytes | None) -> str:
    return (value or b"").decode("latin-1").split(",")[0].strip()
