"""lk-72: a file that was encoded in base64 twice is decoded once more, and no other is."""

from __future__ import annotations

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soapstone.imports import double_base64
from soapstone.imports.double_base64 import BLOCK, unwrapped
from soapstone.store.blobs import Blobs, Upload


def upload_of(blobs: Blobs, content: bytes) -> Upload:
    upload = blobs.new()
    upload.write(content)
    upload.close()
    return upload


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=200))
def test_what_was_encoded_is_decoded(blobs: Blobs, content: bytes) -> None:
    found = unwrapped(blobs, upload_of(blobs, base64.b64encode(content)), ",")
    assert found.path.read_bytes() == content
    assert found.size == len(content)
    found.discard()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=400), st.integers(1, 80), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.booleans())
def test_line_breaks_within_the_base64(blobs: Blobs, content: bytes, width: int, end: bytes, last: bool) -> None:
    """lk-72: encoders of mail break lines after 76 characters, with or without a break at the end."""
    text = base64.b64encode(content)
    lines = [text[first : first + width] for first in range(0, len(text), width)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(double_base64, "BLOCK", 64)
        found = unwrapped(blobs, upload_of(blobs, end.join(lines) + end * last), ",")
    assert found.path.read_bytes() == content
    found.discard()


def test_a_file_of_many_blocks(blobs: Blobs) -> None:
    content = b"ann@example.org\n" * (BLOCK // 8)
    assert unwrapped(blobs, upload_of(blobs, base64.b64encode(content)), ",").path.read_bytes() == content
    assert len(list(blobs.folder.iterdir())) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ann@example.org",
        b"ann@example.org\nbob@example.org\n",
        b"\r\n",
        b"YW5u\nYm9\n",
        b"YW==\nYW==\n",
        b"YW5u,Ym9i",
        b"YW==YW==",
        b"YWJ",
    ],
)
def test_other_files_stay(blobs: Blobs, content: bytes) -> None:
    upload = upload_of(blobs, content)
    assert unwrapped(blobs, upload, ",") is upload
    assert upload.path.read_bytes() == content


def test_the_delimiter_may_be_a_letter_of_base64(blobs: Blobs) -> None:
    upload = upload_of(blobs, b"YWJjZA==")
    assert unwrapped(blobs, upload, "J") is upload
