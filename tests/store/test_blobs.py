"""Blobs: written once, kept or gone."""

from __future__ import annotations

import os
import time

from soapstone.store.blobs import GRACE_SECONDS, Blobs


def test_a_kept_blob_stays(blobs: Blobs) -> None:
    upload = blobs.new()
    upload.write(b"one ")
    upload.write(b"two")
    upload.close()
    name = upload.keep()
    upload.discard()
    assert upload.size == 7
    with blobs.open(name) as file:
        assert file.read() == b"one two"
    blobs.remove(name)
    blobs.remove(name)
    assert list(blobs.folder.iterdir()) == []


def test_what_is_not_kept_is_gone(blobs: Blobs) -> None:
    upload = blobs.new()
    upload.write(b"x")
    upload.discard()
    upload.discard()
    blobs.new().discard()
    assert list(blobs.folder.iterdir()) == []


def test_an_empty_blob(blobs: Blobs) -> None:
    name = blobs.new().keep()
    assert blobs.path(name).read_bytes() == b""


def test_sweeping_spares_what_is_wanted_and_what_is_young(blobs: Blobs) -> None:
    wanted, unwanted, young = (blobs.new().keep() for _ in range(3))
    half = blobs.new()
    half.write(b"x")
    old = time.time() - GRACE_SECONDS - 1
    for name in (wanted, unwanted, f"{half.name}.partial"):
        os.utime(blobs.path(name), (old, old))
    assert blobs.sweep([wanted]) == 2
    assert {path.name for path in blobs.folder.iterdir()} == {wanted, young}
    half.discard()
