"""Whether a host is this machine."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address


# Each request is asked, and most come from few peers.
@lru_cache(maxsize=4096)
def is_loopback(host: str) -> bool:
    """Return whether a host without port is `localhost` or a loopback address, also one of IPv4 inside IPv6."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
