"""Blobs: written once, kept or gone, in a folder or a bucket."""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import LocalStore, MemoryStore, ObjectStore

from soapstone.clock import clock, system_now
from soapstone.store.blobs import GRACE_SECONDS, Blobs
from soapstone.store.bucket import Bucket
from soapstone.store.bucket_blobs import PART, BucketBlobs, BucketUpload
from soapstone.store.transient_errors import RecordsUnavailable

STORES = ("folder", "memory", "files")
# Beginnings and ends of parts, and no content at all.
SIZES = (0, 1, PART - 1, PART, PART + 1, 2 * PART + 5)


@contextmanager
def later(seconds: float) -> Iterator[None]:
    """Let the product's clock be ahead."""
    moment = system_now() + timedelta(seconds=seconds)
    with clock(lambda: moment):
        yield


def refusing(*given: object, **named: object) -> None:
    raise GenericError("a bucket that is away")


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Place:
    """Blobs with what lies below them."""

    def __init__(self, blobs: Blobs, store: ObjectStore | None) -> None:
        self.blobs, self.store = blobs, store

    def held(self) -> list[str]:
        """Names of all files and objects that exist."""
        files = [path.name for path in self.blobs.folder.iterdir()]
        listed = [] if self.store is None else [found["path"] for page in obstore.list(self.store) for found in page]
        return sorted(files + listed)


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    folder = tmp_path / "blobs"
    if request.param == "folder":
        return Place(Blobs(folder), None)
    store = MemoryStore() if request.param == "memory" else LocalStore(tmp_path / "bucket", mkdir=True)
    return Place(BucketBlobs(folder, Bucket(store)), store)


def kept(blobs: Blobs, content: bytes) -> str:
    upload = blobs.new()
    for start in range(0, len(content), 1 << 20):
        upload.write(content[start : start + (1 << 20)])
    upload.close()
    return upload.keep()


@pytest.mark.parametrize("size", SIZES)
def test_a_kept_blob_has_its_content(place: Place, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    name = kept(place.blobs, content)
    with place.blobs.open(name) as file:
        assert file.read() == content
    copies = tmp_path / "copies"
    copies.mkdir()
    assert place.blobs.exists(name)
    assert place.blobs.fetch(name, copies).read_bytes() == content
    place.blobs.remove(name)
    place.blobs.remove(name)
    assert place.held() == []
    assert not place.blobs.exists(name)
    with pytest.raises(FileNotFoundError):
        place.blobs.fetch(name, copies)


def test_a_kept_blob_stays_when_it_is_discarded(place: Place) -> None:
    upload = place.blobs.new()
    upload.write(b"one ")
    upload.write(b"two")
    upload.close()
    name = upload.keep()
    upload.discard()
    assert (upload.name, upload.size) == (name, 7)
    with place.blobs.open(name) as file:
        assert file.read() == b"one two"


@pytest.mark.parametrize("size", SIZES)
def test_what_is_not_kept_is_gone(place: Place, size: int) -> None:
    upload = place.blobs.new()
    upload.write(b"x" * size)
    upload.discard()
    upload.discard()
    place.blobs.new().discard()
    wait_for(lambda: place.held() == [])


def test_an_upload_can_be_read_before_it_is_kept(place: Place) -> None:
    upload = place.blobs.new()
    upload.write(b"x" * PART)
    upload.write(b"yz")
    upload.close()
    assert upload.path.read_bytes() == b"x" * PART + b"yz"
    upload.keep()


def test_sweeping_spares_what_is_wanted_and_what_is_young(place: Place) -> None:
    wanted, unwanted = (kept(place.blobs, b"x" * (PART + 1)) for _ in range(2))
    half = place.blobs.new()
    half.write(b"x")
    half.close()
    before = place.held()
    assert place.blobs.sweep([wanted]) == 0
    assert place.held() == before
    with later(GRACE_SECONDS + 5):
        assert place.blobs.sweep([wanted]) == 2
    assert place.blobs.exists(wanted)
    assert not place.blobs.exists(unwanted)
    place.blobs.remove(wanted)
    assert place.held() == []
    half.discard()


def test_an_upload_that_takes_longer_than_a_sweep_waits_is_whole(place: Place, tmp_path: Path) -> None:
    content = os.urandom(2 * PART + 1)
    upload = place.blobs.new()
    upload.write(content[:PART])
    if place.store is not None:
        wait_for(lambda: len(place.held()) == 2)
    with later(GRACE_SECONDS + 5):
        if place.store is not None:
            # The file is kept by its writer; of a bucket, the sweep takes a part.
            obstore.delete(place.store, [found["path"] for page in obstore.list(place.store) for found in page])
        upload.write(content[PART:])
        name = upload.keep()
    assert place.blobs.fetch(name, tmp_path).read_bytes() == content


@pytest.mark.parametrize("kind", STORES[1:])
def test_parts_of_a_killed_process_are_swept(kind: str, tmp_path: Path) -> None:
    """Nothing of the upload is wanted, and nobody discards it."""
    store = MemoryStore() if kind == "memory" else LocalStore(tmp_path / "bucket", mkdir=True)
    place = Place(BucketBlobs(tmp_path / "blobs", Bucket(store)), store)
    upload = place.blobs.new()
    upload.write(b"x" * (2 * PART + 1))
    wait_for(lambda: len(place.held()) == 3)
    upload.close()
    (place.blobs.folder / "copy-1").mkdir()
    with later(GRACE_SECONDS + 5):
        place.blobs.sweep([])
    assert place.held() == []


def test_a_bucket_that_is_away_refuses_an_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, real = BucketBlobs(tmp_path / "blobs", Bucket(MemoryStore())), obstore.put
    monkeypatch.setattr(obstore, "put", refusing)
    upload = blobs.new()
    upload.write(b"x" * (PART + 1))
    upload.close()
    with pytest.raises(RecordsUnavailable, match="does not answer"):
        upload.keep()
    upload.discard()
    assert list(blobs.folder.iterdir()) == []
    # The first part fails, and the bucket answers by the end.
    again = blobs.new()
    assert isinstance(again, BucketUpload)
    again.write(b"x" * PART)
    wait_for(again._parts[0].done)
    monkeypatch.setattr(obstore, "put", real)
    again.write(b"y")
    name = again.keep()
    with blobs.open(name) as file:
        assert file.read() == b"x" * PART + b"y"


def test_a_bucket_that_is_away_is_no_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = BucketBlobs(tmp_path / "blobs", Bucket(MemoryStore()))
    name = kept(blobs, b"x")
    for call in ("head", "get", "delete", "list"):
        monkeypatch.setattr(obstore, call, refusing)
    with pytest.raises(RecordsUnavailable):
        blobs.exists(name)
    with pytest.raises(RecordsUnavailable):
        blobs.fetch(name, tmp_path)
    # The sweep removes it later.
    blobs.remove(name)


def test_a_full_disk_lets_a_copy_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = BucketBlobs(tmp_path / "blobs", Bucket(MemoryStore()))
    name = kept(blobs, b"x")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(RecordsUnavailable, match="disk"):
        blobs.fetch(name, tmp_path)


def test_blobs_of_the_folder_are_read_after_a_bucket_came(tmp_path: Path) -> None:
    name = kept(Blobs(tmp_path / "blobs"), b"before")
    blobs = BucketBlobs(tmp_path / "blobs", Bucket(MemoryStore()))
    assert blobs.exists(name)
    with blobs.open(name) as file:
        assert file.read() == b"before"
    assert blobs.fetch(name, tmp_path).read_bytes() == b"before"
    with later(GRACE_SECONDS + 5):
        assert blobs.sweep([name]) == 0
    blobs.remove(name)
    assert not blobs.exists(name)


def test_memory_of_an_upload_is_flat(tmp_path: Path) -> None:
    """An upload of 40 parts keeps those in memory that are on their way."""
    store = LocalStore(tmp_path / "bucket", mkdir=True)
    blobs, block = BucketBlobs(tmp_path / "blobs", Bucket(store)), b"x" * (1 << 20)
    kept(blobs, block * 32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    upload = blobs.new()
    for _ in range(40 * PART >> 20):
        upload.write(block)
    upload.keep()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown << 10 < 10 * PART
