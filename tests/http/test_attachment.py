"""The headers of files (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.http.attachment import attachment

FORM = re.compile(r'attachment; filename="([ -~]+)"; filename\*=UTF-8\'\'([!#$&+.^_`|~0-9A-Za-z%-]+)')


def names(name: str) -> tuple[str, str]:
    """The name in ASCII, and in full."""
    headers = attachment(name)
    assert headers["X-Content-Type-Options"] == "nosniff"
    found = FORM.fullmatch(headers["Content-Disposition"])
    assert found
    return found[1], unquote(found[2])


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("job-5-rejects.csv", "job-5-rejects.csv", "job-5-rejects.csv"),
        ("Café Zoë.csv", "Cafe Zoe.csv", "Café Zoë.csv"),
        ("名簿.csv", "__.csv", "名簿.csv"),
        ('a"; filename=evil.exe.csv', "a__ filename=evil.exe.csv", "a__ filename=evil.exe.csv"),
        ("a\r\nSet-Cookie: x.csv", "a Set-Cookie_ x.csv", "a Set-Cookie_ x.csv"),
        ("../../etc/passwd.csv", "_.._etc_passwd.csv", "_.._etc_passwd.csv"),
        ("x\u202evsc.exe.csv", "x vsc.exe.csv", "x vsc.exe.csv"),
        ("50%41.csv", "50_41.csv", "50_41.csv"),
        (" .csv", "file.csv", "file.csv"),
        ("\ud800.csv", "file.csv", "file.csv"),
        # The wide form of a quotation mark, and marks without a letter.
        ("a\uff02b.csv", "a_b.csv", "a\uff02b.csv"),
        ("\u0ac1.csv", "file.csv", "\u0ac1.csv"),
        (f"{'x' * 500}.csv", f"{'x' * 96}.csv", f"{'x' * 96}.csv"),
    ],
)
def test_the_name_of_a_file_is_safe(name: str, plain: str, full: str) -> None:
    assert names(name) == (plain, full)


@given(st.text())
def test_any_text_makes_a_header(text: str) -> None:
    plain, full = names(f"{text}.csv")
    for name in (plain, full):
        assert name.endswith(".csv")
        assert not name.startswith(".")
        assert not set(name) & set('/\\\0\r\n"')
