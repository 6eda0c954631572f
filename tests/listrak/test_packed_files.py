"""Imports of packed files through a stock client."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

ADDRESS = {"AttributeID": 0, "FileColumn": 0, "IsEmailAddressColumn": True}


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("people.csv", content)
    return file.getvalue()


def start(listrak: Any, list_id: int, data: bytes) -> int:
    directives = {
        "ImportTypeEnum": "AddSubscribers",
        "ImportProfileTypeEnum": "NotDefined",
        "HasColumnNames": True,
        "FileName": "people",
    }
    return int(listrak.BulkLoadContacts(list_id, directives, {"WSFileMappings": [ADDRESS]}, data))


@pytest.mark.parametrize("wrap", [bytes, base64.b64encode], ids=["once", "twice"])
@pytest.mark.parametrize("pack", [gzip.compress, zipped])
def test_packed_files_are_imported(
    listrak: Any, profiles: Any, pack: Callable[[bytes], bytes], wrap: Callable[[bytes], bytes]
) -> None:
    """lk-72: encoded in base64 twice too."""
    list_id = listrak.create()
    rows = "Email\r\nann@example.org\r\nnobody\r\nzoe@example.org\r\n".encode("utf-16")
    process = start(listrak, list_id, wrap(pack(rows)))
    assert listrak.wait(process)["Status"] == "ProcessingCompleted"
    assert set(profiles(list_id)) == {"ann@example.org", "zoe@example.org"}


def test_a_damaged_file_fails_and_adds_nobody(listrak: Any, profiles: Any) -> None:
    """lk-80."""
    list_id = listrak.create()
    process = start(listrak, list_id, gzip.compress(b"Email\nann@example.org\n" * 100)[:-8])
    assert listrak.wait(process)["Status"] == "ProcessingFailed"
    assert profiles(list_id) == {}
