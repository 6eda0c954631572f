"""Where a request came from and how the client saw the server, with trusted proxies taken into account (asmx-5)."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


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


def _first(value: bytes | None) -> str:
    return (value or b"").decode("latin-1").split(",")[0].strip()
