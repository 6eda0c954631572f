"""The names of the columns are read from the beginning of any file that an import can read."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from pathlib import Path

import pytest

from soapstone.errors import InvalidError
from soapstone.imports import header_row
from soapstone.imports.archives import BLOCK
from soapstone.imports.header_row import column_names

ROWS = 'E-mail,Größe\r\nann@example.org,"3\n8"\r\n'


def names(tmp_path: Path, data: bytes, encoding: str = "") -> list[str]:
    path = tmp_path / "file"
    path.write_bytes(data)
    found = column_names(path, delimiter=",", qualifier='"', encoding=encoding)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    return found


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("people.csv", content)
    return file.getvalue()


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped])
def test_names_of_packed_and_encoded_files(tmp_path: Path, codec: str, pack: type[bytes]) -> None:
    assert names(tmp_path, pack(ROWS.encode(codec))) == ["E-mail", "Größe"]


def test_what_is_asked_for_is_not_doubted(tmp_path: Path) -> None:
    assert names(tmp_path, "ä,ö\n".encode(), "windows-1252") == ["Ã¤", "Ã¶"]
    assert names(tmp_path, "ā,đ\n".encode("utf-16-le"), "utf-16") == ["ā", "đ"]


def test_no_names(tmp_path: Path) -> None:
    assert names(tmp_path, b"") == []
    assert names(tmp_path, gzip.compress(b"")) == []
    assert names(tmp_path, b'"Email,Name\n') == []


def test_only_the_beginning_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that is damaged further on has names, and half a character says nothing about the encoding."""
    monkeypatch.setattr(header_row, "BEGINNING", len("Email,Größe\nJ".encode()) + 1)
    content = "Email,Größe\nJürgen\n".encode()
    assert names(tmp_path, content) == ["Email", "Größe"]
    long = gzip.compress(content + random.Random(1).randbytes(2 * BLOCK))
    assert names(tmp_path, long[:-9]) == ["Email", "Größe"]


@pytest.mark.parametrize("data", [gzip.compress(ROWS.encode(), mtime=0)[:9], zipped(ROWS.encode())[:-9]])
def test_a_damaged_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidError, match="damaged"):
        names(tmp_path, data)
