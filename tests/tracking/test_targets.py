"""Targets are what a browser would open, and nothing else; expected values are those of the URL standard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.tracking.stems import LONGEST_TARGET
from soapstone.tracking.targets import host_of, is_below, same_owner, web_target, with_parameters


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://shop.example/a?b=c#d", "https://shop.example/a?b=c#d"),
        (" HTTPS://Shop.Example:8443 ", "https://shop.example:8443"),
        ("https://shop.example/a\r\n  b", "https://shop.example/a%20%20b"),
        ("https://shop.example/ä?ö=ü", "https://shop.example/%C3%A4?%C3%B6=%C3%BC"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://shop.example/%41%zz", "https://shop.example/%41%zz"),
        ("https://shop.example\\evil.example/", "https://shop.example/evil.example/"),
        ("https://a:b@shop.example/", "https://a:b@shop.example/"),
        ("https://[2001:db8::1]:80/x", "https://[2001:db8::1]:80/x"),
        ("https://shop.example/?a=[1]|2~'", "https://shop.example/?a=[1]|2~'"),
        ('https://shop.example/"<>`', "https://shop.example/%22%3C%3E%60"),
        ("https://shop_1.example/", "https://shop_1.example/"),
        ("https://shop.example?x=\\y", "https://shop.example?x=%5Cy"),
        ("https://trusted.example@evil.example/", "https://trusted.example@evil.example/"),
    ],
)
def test_targets(url: str, target: str) -> None:
    found = web_target(url)
    assert found is not None
    assert found.url == target
    assert web_target(target) == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "#top",
        "mailto:ann@example.com",
        "tel:+15550100",
        "sms:+15550100",
        "cid:image",
        "data:text/html,x",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "//shop.example/",
        "/a",
        "https:/shop.example",
        "https://",
        "https:///a",
        "https://exa mple/",
        "https://ex%61mple/",
        "https://a.example/\x00a",
        "https://a.example/\x85",
        "https://\ud800.example/",
        "https://a.example/\ud800",
        "https://a.example:port/",
        "ftp://a.example/",
        "https://a.example/" + "x" * LONGEST_TARGET,
        "https://a.example/" + "ä" * (LONGEST_TARGET // 2),
    ],
)
def test_what_is_no_target(url: str) -> None:
    assert web_target(url) is None
    assert host_of(url) == ""


@given(st.text())
def test_a_target_is_an_ascii_address_of_the_web(text: str) -> None:
    for url in (text, f"https://{text}", f"https://a.example/{text}"):
        target = web_target(url)
        if target is not None:
            assert target.url.startswith(("http://", "https://"))
            assert all("!" <= letter <= "~" for letter in target.url)
            assert target.host
            assert host_of(target.url) == target.host


def test_hosts() -> None:
    assert host_of("https://evil@Shop.Example:80\\@x") == "shop.example"
    assert is_below("www.shop.example", ["shop.example"])
    assert is_below("shop.example", ["shop.example"])
    assert not is_below("myshop.example", ["shop.example"])
    assert not is_below("shop.example", ["www.shop.example"])
    assert not is_below("", ["shop.example"])


@pytest.mark.parametrize(
    ("host", "other", "same"),
    [
        ("www.shop.example", "t.shop.example", True),
        ("shop.example", "shop.example", True),
        ("shop.example", "other.example", False),
        ("www.shop.co.uk", "t.shop.co.uk", True),
        ("shop.co.uk", "other.co.uk", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "198.51.2.1", False),
        ("localhost", "localhost", True),
        ("", "", False),
        ("", "shop.example", False),
    ],
)
def test_owners_of_hosts(host: str, other: str, same: bool) -> None:
    assert same_owner(host, other) is same


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://a.example", "https://a.example?utm_source=News+%26+more&utm_medium=email"),
        ("https://a.example/?", "https://a.example/?utm_source=News+%26+more&utm_medium=email"),
        ("https://a.example/?a=1#b", "https://a.example/?a=1&utm_source=News+%26+more&utm_medium=email#b"),
        ("https://a.example/?a=1&#b?c", "https://a.example/?a=1&utm_source=News+%26+more&utm_medium=email#b?c"),
        ("https://a.example/?utm_source=x", "https://a.example/?utm_source=x&utm_medium=email"),
        ("https://a.example/?utm_source&utm_medium=", "https://a.example/?utm_source&utm_medium="),
        ("https://a.example/?utm%5Fsource=x", "https://a.example/?utm%5Fsource=x&utm_medium=email"),
    ],
)
def test_parameters_of_analytics(target: str, expected: str) -> None:
    parameters = {"utm_source": "News & more", "utm_medium": "email", "utm_content": ""}
    assert with_parameters(target, parameters) == expected
