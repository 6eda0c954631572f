"""Recognition of loopback hosts."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address


# Every request needs this, and most come from few peers.
@lru_cache(maxsize=4096)
def is_loopback(host: str) -> bool:
    """Return whether a host without port is `localhost` or a loopback address, including IPv4-mapped ones."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
