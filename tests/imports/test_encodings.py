"""The encoding of a file is told from its bytes."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from soapstone.imports import encodings
from soapstone.imports.encodings import readable


def found(tmp_path: Path, data: bytes, asked: str = "") -> tuple[str, bytes]:
    path = tmp_path / "file"
    path.write_bytes(data)
    with readable(path, asked) as (file, codec, offset):
        file.seek(offset)
        return codec, file.read()


GOOD, BAD = "é\n".encode(), b"\xe9\n"


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (b"", "utf-8"),
        (b"ascii\n", "utf-8"),
        (GOOD, "utf-8"),
        (BAD, "cp1252"),
        (GOOD * 99 + BAD, "utf-8"),
        (GOOD * 98 + BAD, "cp1252"),
        ((GOOD * 99 + BAD + b"ascii\n" * 500) * 20, "utf-8"),
        ((GOOD * 98 + BAD + b"ascii\n" * 500) * 20, "cp1252"),
        (GOOD[:-1], "utf-8"),
        (BAD[:-1], "cp1252"),
        ("é\r".encode() * 5, "utf-8"),
        ("é".encode() * 5000, "utf-8"),
    ],
)
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_ninety_nine_of_a_hundred_lines_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, codec: str, block: int
) -> None:
    """lk-68: UTF-8, else Windows-1252; lines of ASCII say nothing."""
    if block == 1 and len(data) > 5000:
        data = data[-5000:]
    monkeypatch.setattr(encodings, "BLOCK", block)
    expected = codec if block != 1 or len(data) < 5000 else found(tmp_path, data)[0]
    assert found(tmp_path, data)[0] == expected


def test_what_is_asked_for_is_not_doubted(tmp_path: Path) -> None:
    assert found(tmp_path, BAD, "utf-8") == ("utf-8", BAD)
    assert found(tmp_path, codecs.BOM_UTF8 + GOOD, "utf-8") == ("utf-8", GOOD)


def test_byte_order_marks(tmp_path: Path) -> None:
    assert found(tmp_path, codecs.BOM_UTF8 + BAD) == ("utf-8", BAD)
    text = "é€😀\r\n" * 1000
    for mark, codec in encodings.WIDE.items():
        assert found(tmp_path, mark + text.encode(codec)) == ("utf-8", text.encode())
    assert found(tmp_path, codecs.BOM_UTF16_LE + b"a") == ("utf-8", "�".encode())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
