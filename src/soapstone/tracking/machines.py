"""Which clients are programs rather than people, by their agent and address; and whose images prove no reading.

Most scanners fetch with the agent of a browser, from addresses of a cloud. Those are known by their haste alone: see
`tracking/judgement.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network

# Words of agents, in lower case. Sources: the list `crawler-user-agents` 1.67.0 (MIT; github.com/monperrus), without
# the image proxies below; the libraries' own default agents; and the names under which the makers of scanners say that
# these fetch.
_WORDS = (
    # Crawlers, previews of messengers and monitors say so by these words.
    "bot",
    "crawl",
    "spider",
    "slurp",
    "preview",
    "facebookexternalhit",
    "whatsapp",
    "headlesschrome",
    "phantomjs",
    "lighthouse",
    "pingdom",
    "google-safety",
    "google-read-aloud",
    # Office asks whether a linked document exists before it opens a link.
    "microsoft office existence discovery",
    # Libraries and tools.
    "curl/",
    "wget/",
    "python-requests/",
    "python-urllib",
    "python-httpx/",
    "aiohttp/",
    "go-http-client/",
    "java/",
    "okhttp/",
    "apache-httpclient/",
    "libwww-perl/",
    "node-fetch",
    "axios/",
    "scrapy",
    # Scanners of mail.
    "barracuda",
    "proofpoint",
    "mimecast",
    "ciscosecureemail",
    "symantec",
    "messagelabs",
    "fortinet",
    "urlscan",
    "virustotal",
)
_MACHINES = re.compile("|".join(map(re.escape, _WORDS)))
# Networks of scanners. Barracuda Email Gateway Defense: campus.barracuda.com, "IP Analysis - Inbound".
_SCANNERS = [ip_network("209.222.80.0/21")]

# Proxies that load the images of mails for their users: Gmail's, Yahoo's, and Apple's Mail Privacy Protection, whose
# agent is this alone.
_PROXY = re.compile(r"googleimageproxy|yahoomailproxy|yahoocachesystem", re.IGNORECASE)
_APPLE = "Mozilla/5.0"


@lru_cache(maxsize=4096)
def is_machine_agent(agent: str) -> bool:
    """Return whether an agent is that of a known program; image proxies are none, and neither is an empty one."""
    return not is_image_proxy(agent) and _MACHINES.search(agent.lower()) is not None


def is_image_proxy(agent: str) -> bool:
    """Return whether an agent loads images on behalf of people: such an open counts, but tells of no reading."""
    return agent == _APPLE or _PROXY.search(agent) is not None


def may_read(agent: str) -> bool:
    """Return whether a client that keeps an image waiting tells that somebody reads the mail.

    A mail program without an agent waits for its images whether anybody looks at the mail or not.
    """
    return bool(agent) and not is_image_proxy(agent) and not is_machine_agent(agent)


def is_machine_address(address: str) -> bool:
    """Return whether an address belongs to a known scanner."""
    return address.rpartition(".")[0] in _MACHINE_NETWORKS


def network_of(address: str) -> str:
    """Return the network of an address: /24 of version 4, /48 of version 6. Other texts stand for themselves."""
    # Reading addresses properly would be a third of the recorder's work.
    network, _, host = address.rpartition(".")
    if network.count(".") == 2 and host.isdecimal() and ":" not in network:
        return network
    return _network_of(address)


@lru_cache(maxsize=4096)
def _network_of(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 24 if found.version == 4 else 48), strict=False))


# These networks in pieces of 256 addresses, as `network_of` names them.
_MACHINE_NETWORKS = frozenset(
    network_of(str(each[0])) for network in _SCANNERS for each in network.subnets(new_prefix=24)
)
