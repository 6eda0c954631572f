"""Where requests come from: behind proxies of every manner, and from pages of other sites (asmx-5, lk-7)."""

from __future__ import annotations

from typing import Any

import pytest

from soapstone.http.client_address import Origins

PROXY = "10.0.0.1"
CLIENT = "203.0.113.9"
FORGED = "192.0.2.66"


def scope(*headers: tuple[str, str], peer: str = PROXY, method: str = "POST") -> dict[str, Any]:
    lines = [(name.lower().encode(), value.encode()) for name, value in headers]
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "headers": lines,
        "client": (peer, 4711),
        "server": (PROXY, 8080),
    }


def peer(*lines: str, sender: str = PROXY) -> str:
    """Who called, by the lines of X-Forwarded-For that reach this server."""
    headers = [("Host", "depot.example"), *(("X-Forwarded-For", line) for line in lines)]
    return Origins(["10.0.0.0/8", "2001:db8:ffff::/48"]).read(scope(*headers, peer=sender))[0]


PROXIES = {
    "nginx with $remote_addr replaces the line": [CLIENT],
    "nginx with $proxy_add_x_forwarded_for adds to the line": [f"{FORGED}, {CLIENT}"],
    "HAProxy with option forwardfor adds a line of its own": [FORGED, CLIENT],
    "HAProxy behind two forged lines": [FORGED, f"{FORGED}, {PROXY}", CLIENT],
    "Apache's mod_proxy adds to the line": [f"{FORGED}, {CLIENT}"],
    "Caddy and Traefik replace the line of a client": [CLIENT],
    "Caddy and Traefik add to the line of a proxy": [f"{FORGED}, {CLIENT}, 10.0.0.2"],
    "a balancer of AWS adds to the line": [f"{FORGED}, {CLIENT}"],
    "a balancer of AWS that keeps the port": [f"{FORGED}:80, {CLIENT}:50000"],
    "a proxy before HAProxy": [f"{FORGED}, {CLIENT}", "10.0.0.2"],
    "without the blank": [f"{FORGED},{CLIENT}"],
}


@pytest.mark.parametrize("lines", PROXIES.values(), ids=PROXIES)
def test_asmx_5_no_manner_of_forwarding_lets_a_client_choose_its_address(lines: list[str]) -> None:
    assert peer(*lines) == CLIENT


@pytest.mark.parametrize(
    "written", ["2001:db8::9", "[2001:db8::9]", "[2001:db8::9]:50000", "2001:DB8:0:0:0:0:0:9", "[2001:db8::9]:1"]
)
def test_addresses_of_version_6_come_with_brackets_and_port(written: str) -> None:
    assert peer(f"{FORGED}, {written}", "[2001:db8:ffff::1]:443") == "2001:db8::9"


def test_version_4_inside_version_6_is_version_4() -> None:
    """A socket that listens for both protocols sees its IPv4 callers so; they are the proxies that the setting names"""
    assert peer(CLIENT, sender=f"::ffff:{PROXY}") == CLIENT
    assert peer(f"::ffff:{CLIENT}") == CLIENT
    assert peer(sender=f"::ffff:{CLIENT}") == CLIENT


@pytest.mark.parametrize("lines", [["junk"], [""], [CLIENT, "unix:"], [CLIENT, ""], ["1.2.3.4:x"], ["[::1"], [":80"]])
def test_what_is_no_address_ends_the_chain(lines: list[str]) -> None:
    """What stands left of it may come from anyone."""
    assert peer(*lines) == PROXY


def test_only_trusted_proxies_are_believed() -> None:
    assert peer(FORGED, sender=CLIENT) == CLIENT
    assert Origins([]).read(scope(("X-Forwarded-For", FORGED)))[0] == PROXY
    assert peer("10.0.0.3, 10.0.0.2") == "10.0.0.3"


def test_the_header_of_rfc_7239_is_not_believed() -> None:
    seen = scope(("Host", "depot.example"), ("Forwarded", f'for={FORGED};host=evil.example;proto=https, for="[::1]"'))
    assert Origins(["10.0.0.0/8"]).read(seen) == (PROXY, "http://depot.example")


@pytest.mark.parametrize(
    "lines",
    [
        [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Host", "depot.example")],
        [("X-Forwarded-Host", "evil.example, depot.example")],
        [("X-Forwarded-Host", "evil.example,evil.example"), ("X-Forwarded-Host", "evil.example,depot.example")],
    ],
)
def test_asmx_5_of_forwarded_hosts_and_schemes_the_nearest_counts(lines: list[tuple[str, str]]) -> None:
    schemes = [("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "gopher, https")]
    seen = scope(("Host", "inner"), *lines, *schemes)
    assert Origins(["10.0.0.0/8"]).read(seen)[1] == "https://depot.example"


def test_a_request_with_two_hosts_has_none() -> None:
    assert Origins([]).read(scope(("Host", "a.example"), ("Host", "b.example")))[1] == f"http://{PROXY}:8080"


ADDRESSES = {
    "a host without port": ([("Host", "depot.example")], "http://depot.example:8080"),
    "a host with port": ([("Host", "depot.example:81")], "http://depot.example:81"),
    "a host with the default port": ([("Host", "depot.example:80")], "http://depot.example:80"),
    "an address of version 6": ([("Host", "[2001:db8::9]")], "http://[2001:db8::9]:8080"),
    "an address of version 6 with port": ([("Host", "[2001:db8::9]:81")], "http://[2001:db8::9]:81"),
    "no host": ([], f"http://{PROXY}:8080"),
    "the host of the public URL": ([("Host", "Lists.example")], "http://Lists.example"),
    "a proxy that is not trusted": ([("Host", "depot.example"), ("X-Forwarded-For", CLIENT)], "http://depot.example"),
}


@pytest.mark.parametrize(("headers", "base_url"), ADDRESSES.values(), ids=ADDRESSES)
def test_asmx_5_a_host_without_port_has_the_port_of_the_connection(
    headers: list[tuple[str, str]], base_url: str
) -> None:
    assert Origins([], public_url="http://lists.example").read(scope(*headers))[1] == base_url


@pytest.mark.parametrize(
    ("headers", "base_url"),
    [
        ([("Host", "Lists.example")], "http://Lists.example:81"),
        ([("Host", "lists.example:82")], "http://lists.example:82"),
        ([("Host", "lists.example"), ("X-Forwarded-For", CLIENT)], "http://lists.example"),
        ([("Host", "depot.example")], "http://depot.example:8080"),
    ],
)
def test_asmx_5_the_host_of_the_public_url_has_the_port_of_that_url(
    headers: list[tuple[str, str]], base_url: str
) -> None:
    assert Origins([], public_url="http://lists.example:81").read(scope(*headers))[1] == base_url


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_asmx_5_a_default_port_is_not_written(scheme: str, port: int) -> None:
    seen = scope(("Host", "depot.example")) | {"scheme": scheme, "server": (PROXY, port)}
    assert Origins([]).read(seen)[1] == f"{scheme}://depot.example"


@pytest.mark.parametrize("headers", [[], [("X-Forwarded-Host", "depot.example")], [("X-Forwarded-Proto", "http")]])
def test_asmx_5_behind_a_trusted_proxy_the_port_of_the_connection_does_not_count(
    headers: list[tuple[str, str]],
) -> None:
    seen = scope(("Host", "depot.example"), *headers)
    assert Origins(["10.0.0.0/8"]).read(seen)[1] == "http://depot.example"


ORIGINS = Origins(["10.0.0.0/8"], allowed=["https://Shop.example"], public_url="https://mail.example/lists")


def foreign(*headers: tuple[str, str], method: str = "POST") -> bool:
    seen = scope(("Host", "depot.example:8080"), *headers, method=method)
    return ORIGINS.is_foreign(seen, ORIGINS.read(seen)[1])


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Origin", "http://depot.example:8080")],
        [("Origin", "https://depot.example:8080")],
        [("Origin", "https://mail.example")],
        [("Origin", "https://mail.example:443")],
        [("Origin", "https://shop.example")],
        [("Origin", "https://shop.example"), ("Sec-Fetch-Site", "cross-site")],
        [("Origin", "https://outer.example"), ("X-Forwarded-Host", "outer.example")],
        [("Sec-Fetch-Site", "same-origin")],
        [("Sec-Fetch-Site", "none")],
    ],
)
def test_lk_7_own_pages_allowed_pages_and_programs_may_call(headers: list[tuple[str, str]]) -> None:
    assert not foreign(*headers)


@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", "https://evil.example")],
        [("Origin", "null")],
        [("Origin", "")],
        [("Origin", "file://")],
        [("Origin", "http://shop.example")],
        [("Origin", "https://shop.example.evil.example")],
        [("Origin", "http://depot.example")],
        [("Origin", "https://shop.example"), ("Origin", "https://evil.example")],
        [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
        [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
    ],
)
def test_lk_7_pages_of_other_sites_may_not_change_anything(headers: list[tuple[str, str]]) -> None:
    assert foreign(*headers)
    assert foreign(*headers, method="DELETE")
    assert not foreign(*headers, method="GET")
