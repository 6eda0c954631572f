"""Signatures are verified by a reader of RFC 6376 that shares nothing with the signer but the key: OpenSSL does the
arithmetic, the standard library reads the mail."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import dkim
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sending.test_mail import MAIL, NAMES, TEXT

from soapstone.sending.signing import HEADERS, DkimSigner, UnusableKey


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of a private key and of its public key."""
    folder = tmp_path_factory.mktemp("dkim")
    private, public = folder / "private.pem", folder / "public.pem"
    make = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(private)]
    subprocess.run(make, check=True, capture_output=True)
    subprocess.run(
        ["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True, capture_output=True
    )
    return private, public


class Verifier:
    """Relaxed canonicalization and RSA with SHA-256, as RFC 6376 says it."""

    def __init__(self, public: Path, folder: Path) -> None:
        self._public = public
        self._folder = folder

    def covers(self, content: bytes) -> list[str]:
        """The headers that a right signature covers, repeated ones as often as they are covered. Fails on others."""
        head, _, body = content.partition(b"\r\n\r\n")
        fields = [field + b"\r\n" for field in re.split(rb"\r\n(?![ \t])", head)]
        name, _, value = fields[0].partition(b":")
        assert name.lower() == b"dkim-signature"
        unfolded = re.sub(rb"\s+", b"", value).decode()
        tags = dict(tag.split("=", 1) for tag in unfolded.rstrip(";").split(";"))
        assert (tags["v"], tags["a"], tags["c"]) == ("1", "rsa-sha256", "relaxed/relaxed")
        assert (tags["d"], tags["s"]) == ("example.com", "june")
        assert "l" not in tags
        digest = base64.b64encode(hashlib.sha256(self._body(body)).digest()).decode()
        assert tags["bh"] == digest
        signed, rest = b"", fields[1:]
        covered = tags["h"].lower().split(":")
        for each in covered:
            # The last of a name first; none any more: nothing, so that none can be added.
            mine = [field for field in rest if field.partition(b":")[0].strip().lower() == each.encode()]
            if mine:
                signed += self._header(mine[-1])
                rest.remove(mine[-1])
        signed += self._header(re.sub(rb"([;\s]b=)[^;]*", rb"\1", fields[0])).removesuffix(b"\r\n")
        (self._folder / "signed").write_bytes(signed)
        (self._folder / "signature").write_bytes(base64.b64decode(tags["b"]))
        check = ["openssl", "dgst", "-sha256", "-verify", str(self._public), "-signature"]
        found = subprocess.run(
            [*check, str(self._folder / "signature"), str(self._folder / "signed")], capture_output=True, text=True
        )
        assert found.stdout.strip() == "Verified OK", found.stdout + found.stderr
        return covered

    def _header(self, field: bytes) -> bytes:
        name, _, value = field.partition(b":")
        value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b""))
        return name.strip().lower() + b":" + value.strip() + b"\r\n"

    def _body(self, body: bytes) -> bytes:
        lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
        while lines and not lines[-1]:
            lines.pop()
        return b"".join(line + b"\r\n" for line in lines)


@pytest.fixture
def signer(pair: tuple[Path, Path]) -> DkimSigner:
    return DkimSigner.of("example.com", "june", str(pair[0]))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subject=TEXT, name=NAMES, html=st.none() | TEXT, plain=TEXT)
def test_a_signature_holds_for_any_mail(
    signer: DkimSigner,
    pair: tuple[Path, Path],
    tmp_path: Path,
    subject: str,
    name: str,
    html: str | None,
    plain: str,
) -> None:
    link = "https://lists.example/u/1.x"
    mail = replace(MAIL, subject=subject, to_name=name, html=html, plain=plain, unsubscribe=link)
    content = signer.sign(mail.content())
    covered = Verifier(pair[1], tmp_path).covers(content)
    there = {line.partition(b":")[0].lower() for line in mail.content().partition(b"\r\n\r\n")[0].split(b"\r\n")}
    assert {each.encode() for each in covered} >= there & set(HEADERS)
    # One-click links count only when both headers are signed (RFC 8058, 4).
    assert {"from", "list-unsubscribe", "list-unsubscribe-post", "list-id"} <= set(covered)
    text = pair[1].read_text()
    record = b"v=DKIM1; k=rsa; p=" + "".join(text.splitlines()[1:-1]).encode()
    assert dkim.verify(content, dnsfunc=lambda *_, **__: record)


def test_what_was_changed_on_the_way_is_noticed(signer: DkimSigner, pair: tuple[Path, Path], tmp_path: Path) -> None:
    content, verifier = signer.sign(MAIL.content()), Verifier(pair[1], tmp_path)
    verifier.covers(content)
    for before, after in (
        (b"Subject: News", b"Subject: Money"),
        (b"\r\n\r\nHello", b"\r\n\r\nHullo"),
        (b"bob@", b"eve@"),
    ):
        with pytest.raises(AssertionError):
            verifier.covers(content.replace(before, after))


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_keys_that_are_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(UnusableKey, match="cannot be used"):
        DkimSigner.of("example.com", "june", str(file))


def test_what_is_missing(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    with pytest.raises(UnusableKey, match="cannot be read"):
        DkimSigner.of("example.com", "june", str(tmp_path / "nothing"))
    with pytest.raises(UnusableKey, match="domain and a selector"):
        DkimSigner.of("", "june", str(pair[0]))
