"""Packed files are unpacked; those that cannot be end with a sentence."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from soapstone.imports import archives
from soapstone.imports.archives import beginning, unpacked
from soapstone.imports.records import UnreadableError

Pack = Callable[[bytes], bytes]

shared_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

LIMIT = 1 << 20


def gzipped(content: bytes) -> bytes:
    # Without the time of day, so that two runs test the same.
    return gzip.compress(content, mtime=0)


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def of_unknown_size(content: bytes) -> bytes:
    """An archive as a stream writes it: sizes and checksum stand behind the content."""

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise io.UnsupportedOperation

    file = Stream()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("people.csv"), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


PACKS: list[Pack] = [
    gzipped,
    lambda content: gzipped(content[:10]) + gzipped(content[10:]) + bytes(100),
    of_unknown_size,
    *(lambda content, method=method: zipped({"people.csv": content}, method) for method in archives.METHODS),
]


def opened(tmp_path: Path, data: bytes, limit: int = LIMIT) -> bytes:
    """What a file unpacks to, and so does its beginning."""
    path = tmp_path / "file"
    path.write_bytes(data)
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    found = unpacked(path, folder, limit=limit)
    assert found == path or found.parent == folder
    content = found.read_bytes()
    for size in (0, 1, 5, len(content), len(content) + 5):
        assert beginning(path, size) == content[:size]
    return content


@shared_folder
@given(st.binary() | st.sampled_from([b"a,b\r\n" * 200_000, random.Random(1).randbytes(600_000)]))
@pytest.mark.parametrize("pack", PACKS)
def test_what_was_packed_comes_out(tmp_path: Path, pack: Pack, content: bytes) -> None:
    assert opened(tmp_path, pack(content)) == content


@shared_folder
@given(st.binary())
@example(b"")
@example(b"\x1f\x8b,x\n")
@example(b"PK,x\n")
def test_other_files_stay_as_they_are(tmp_path: Path, content: bytes) -> None:
    if not content.startswith((archives.GZIP, *archives.ZIP)):
        assert opened(tmp_path, content) == content
        assert not list((tmp_path / "folder").iterdir())


def test_folders_and_what_finder_adds_do_not_count(tmp_path: Path) -> None:
    entries = {"lists/": b"", "lists/people.csv": b"a,b\n", "__MACOSX/lists/._people.csv": b"\0\5\x16\7"}
    assert opened(tmp_path, zipped(entries)) == b"a,b\n"


@pytest.mark.parametrize(
    "name", [".DS_Store", "lists/.DS_Store", "lists\\Thumbs.db", "lists/thumbs.db", "desktop.ini", "lists/._people.csv"]
)
def test_what_file_managers_keep_in_folders_does_not_count(tmp_path: Path, name: str) -> None:
    assert opened(tmp_path, zipped({name: b"\0\0\0\1Bud1", "lists/people.csv": b"a,b\n"})) == b"a,b\n"
    with pytest.raises(UnreadableError, match="holds 0"):
        opened(tmp_path, zipped({name: b"a,b\n"}))


def test_one_layer_is_taken_off(tmp_path: Path) -> None:
    inner = gzipped(b"a,b\n")
    assert opened(tmp_path, zipped({"people.csv.gz": inner})) == inner


def encrypted(content: bytes) -> bytes:
    data = bytearray(zipped({"people.csv": content}))
    data[6] |= archives.ENCRYPTED
    data[data.index(b"PK\1\2") + 8] |= archives.ENCRYPTED
    return bytes(data)


def of_method(method: int) -> bytes:
    data = bytearray(zipped({"people.csv": b"a,b\n"}))
    data[8] = data[data.index(b"PK\1\2") + 10] = method
    return bytes(data)


def with_wrong_checksum() -> bytes:
    data = bytearray(zipped({"people.csv": b"a,b\n"}, zipfile.ZIP_STORED))
    data[data.index(b"a,b\n")] = ord("x")
    return bytes(data)


REFUSED = {
    "gzip without its end": (gzipped(b"a,b\n" * 1000)[:-9], "damaged or incomplete"),
    "gzip without its last byte": (gzipped(b"a,b\n" * 1000)[:-1], "damaged or incomplete"),
    "gzip without content": (gzipped(b"a,b\n")[:5], "damaged or incomplete"),
    "gzip and more": (gzipped(b"a,b\n") + b"more", "damaged or incomplete"),
    "gzip with wrong checksum": (
        gzipped(b"a,b\n")[:-8] + zlib.crc32(b"").to_bytes(4, "little") * 2,
        "damaged or incomplete",
    ),
    "zip without its end": (zipped({"people.csv": b"a,b\n"})[:-5], "damaged or incomplete"),
    "zip with wrong checksum": (with_wrong_checksum(), "damaged or incomplete"),
    "only the mark of zip": (b"PK\3\4,x\n", "damaged or incomplete"),
    "password": (encrypted(b"a,b\n"), "password"),
    "unknown method": (of_method(zipfile.ZIP_BZIP2), "another way than deflate"),
    "nothing": (zipped({}), "holds 0"),
    "only a folder": (zipped({"lists/": b""}), "holds 0"),
    "two files": (zipped({"a.csv": b"a", "b.csv": b"b"}), "holds 2"),
    "many files": (zipped({f"{n}.csv": b"" for n in range(1200)}), "holds 1,200"),
    "XLSX": (zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "office document"),
    "ODS": (zipped({"mimetype": b"", "content.xml": b""}), "office document"),
}


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_archives(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        opened(tmp_path, data)


def test_a_huge_directory_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="far more"):
        opened(tmp_path, zipped({"x" * 60_000 + str(n): b"" for n in range(20)}, zipfile.ZIP_STORED))


@pytest.mark.parametrize("pack", PACKS)
def test_the_limit_is_of_what_comes_out(tmp_path: Path, pack: Pack) -> None:
    """A bomb is given up at the limit."""
    assert len(opened(tmp_path, pack(bytes(LIMIT)))) == LIMIT
    with pytest.raises(UnreadableError, match="more than 1,048,576 bytes"):
        opened(tmp_path, pack(bytes(LIMIT + 1)))
    assert (tmp_path / "folder" / "unpacked").stat().st_size <= LIMIT


@settings(shared_folder, max_examples=300)
@given(st.sampled_from(PACKS), st.randoms(use_true_random=False))
def test_damage_ends_with_a_sentence(tmp_path: Path, pack: Pack, dice: random.Random) -> None:
    """Whatever was changed in an archive: it is refused, or what comes out is its content (or it is none any more)."""
    content = b"Email,Name\nann@example.org,Ann\n" * 5
    data = bytearray(pack(content))
    for _ in range(dice.randint(1, 3)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    if dice.random() < 0.3:
        del data[dice.randrange(len(data)) :]
    with suppress(UnreadableError):
        found = opened(tmp_path, bytes(data))
        assert found in (content, b"", content[:10], bytes(data))


def test_troubles_of_the_machine_are_not_the_file_s(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unpacked(tmp_path / "nowhere", tmp_path, limit=LIMIT)
    path = tmp_path / "file"
    path.write_bytes(gzipped(b"a"))
    with pytest.raises(FileNotFoundError):
        unpacked(path, tmp_path / "nowhere", limit=LIMIT)
