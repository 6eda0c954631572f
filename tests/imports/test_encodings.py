"""The encoding of a file is told from its bytes."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from soapstone.errors import InvalidError
from soapstone.imports import encodings
from soapstone.imports.charsets import CHARSETS, charset, codec_of
from soapstone.imports.encodings import WIDE, Plain, plain, readable
from soapstone.imports.records import Dialect, Place, Records

shared_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def found(tmp_path: Path, data: bytes, asked: str = "") -> tuple[str, bytes]:
    """Codec and text of a file, which both ways of reading must agree on."""
    path = tmp_path / "file"
    path.write_bytes(data)
    with readable(path, asked) as (file, codec, offset):
        file.seek(offset)
        text = file.read()
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    told = plain(path, asked, folder)
    assert told.codec == codec
    assert told.path.read_bytes()[told.skip :] == text
    return codec, text


GOOD, BAD = "é\n".encode(), b"\xe9\n"


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (b"", "utf-8"),
        (b"ascii\n", "utf-8"),
        (GOOD, "utf-8"),
        (BAD, "cp1252"),
        (GOOD * 99 + BAD, "utf-8"),
        (BAD + GOOD * 99, "utf-8"),
        (GOOD * 50 + BAD, "utf-8"),
        (GOOD + BAD, "cp1252"),
        (GOOD + BAD * 2, "cp1252"),
        (GOOD * 2 + BAD, "utf-8"),
        (BAD * 2 + GOOD * 2, "utf-8"),
        (BAD * 3 + GOOD * 2, "cp1252"),
        (BAD * 500 + b"ascii\n" * 500 + GOOD * 500, "utf-8"),
        (BAD * 501 + b"ascii\n" * 500 + GOOD * 500, "cp1252"),
        ((GOOD * 99 + BAD + b"ascii\n" * 500) * 20, "utf-8"),
        ((GOOD * 50 + BAD * 51 + b"ascii\n" * 500) * 20, "cp1252"),
        (GOOD[:-1], "utf-8"),
        (BAD[:-1], "cp1252"),
        ("é\r".encode() * 5, "utf-8"),
        ("é".encode() * 5000, "utf-8"),
    ],
)
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_valid_lines_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, codec: str, block: int
) -> None:
    """lk-68: UTF-8, else Windows-1252; lines of ASCII say nothing."""
    if block == 1 and len(data) > 5000:
        data = data[-5000:]
    monkeypatch.setattr(encodings, "BLOCK", block)
    expected = codec if block != 1 or len(data) < 5000 else found(tmp_path, data)[0]
    assert found(tmp_path, data)[0] == expected


@shared_folder
@given(
    st.lists(st.tuples(st.sampled_from([GOOD, BAD, b"a\n", b"\xc3\r\n", b"\xf0\x9f\x98\x80x\r"]), st.integers(1, 150))),
    st.sampled_from([3, 64, 1 << 18]),
)
@example([(BAD, 1), (GOOD, 99)], 3)
@example([(BAD, 2), (GOOD, 1), (b"a\n", 9)], 3)
@example([(BAD, 2), (GOOD, 2)], 3)
@example([(BAD, 3), (GOOD, 2)], 3)
def test_the_rule_in_one_sentence(tmp_path: Path, parts: list[tuple[bytes, int]], block: int) -> None:
    """lk-68: the answer given early is the one of all lines together."""
    lines = [line for line, times in parts for _ in range(times) if not line.isascii()]
    invalid = sum("�" in line.decode("utf-8", "replace") for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "BLOCK", block)
        codec, _ = found(tmp_path, b"".join(line * times for line, times in parts))
    valid = len(lines) - invalid
    utf_8 = (valid >= 2 and valid >= invalid) or invalid * 100 <= len(lines)
    assert codec == ("utf-8" if utf_8 else "cp1252")


def test_what_is_asked_for_is_not_doubted(tmp_path: Path) -> None:
    assert found(tmp_path, BAD, "utf-8") == ("utf-8", BAD)
    assert found(tmp_path, GOOD, "windows-1252") == ("cp1252", GOOD)
    assert found(tmp_path, "āđ".encode("utf-16-le"), "utf-16") == ("utf-8", "āđ".encode())
    for mark in WIDE:
        assert found(tmp_path, mark + b"a", "utf-8") == ("utf-8", mark + b"a")


def test_byte_order_marks(tmp_path: Path) -> None:
    assert found(tmp_path, codecs.BOM_UTF8 + BAD) == ("utf-8", BAD)
    assert found(tmp_path, codecs.BOM_UTF8 + GOOD, "utf-8") == ("utf-8", GOOD)
    text = "é€😀\r\n" * 1000
    for mark, codec in WIDE.items():
        for asked in ("", "utf-16"):
            assert found(tmp_path, mark + text.encode(codec), asked) == ("utf-8", text.encode())
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


@pytest.mark.parametrize("codec", WIDE.values())
def test_utf_16_without_a_mark(tmp_path: Path, codec: str) -> None:
    for text in ("Email,Name\r\n", "a", "e-mail;имя\nann@example.org;Анна\n", "a@example.org,一\n" * 100):
        assert found(tmp_path, text.encode(codec)) == ("utf-8", text.encode())


@pytest.mark.parametrize("data", [b"ann@example.org,\0\n", b"\0" * 1000, b"a\0\0b" * 100, "ā,ē\n".encode()])
def test_other_files_are_not_utf_16(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, data) == ("utf-8", data)


@shared_folder
@given(st.text(), st.sampled_from(list(WIDE.items())), st.sampled_from([1, 2, 3, 1 << 18]))
def test_a_copy_holds_the_same_text(tmp_path: Path, text: str, form: tuple[bytes, str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "BLOCK", block)
        assert found(tmp_path, form[0] + text.encode(form[1])) == ("utf-8", text.encode())


@shared_folder
@given(st.binary(), st.sampled_from(list(WIDE.items())))
@example(b"\n\0a", (codecs.BOM_UTF16_LE, "utf-16-le"))
@example(b"\x00\xd8", (codecs.BOM_UTF16_LE, "utf-16-le"))
@example(b"\xd8\x00\xd8", (codecs.BOM_UTF16_BE, "utf-16-be"))
@example(b"\xff\xfea\0", (codecs.BOM_UTF16_LE, "utf-16-le"))
def test_what_is_no_text_is_none_in_the_copy(tmp_path: Path, data: bytes, form: tuple[bytes, str]) -> None:
    """A row with half a character is told, like a row in any other encoding."""
    _, copy = found(tmp_path, form[0] + data)
    try:
        text = data.decode(form[1])
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            copy.decode()
    else:
        # Programs that join files leave several marks at the beginning.
        assert copy.decode() == text.lstrip("\ufeff")


def test_only_utf_16_is_copied(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data, told in (
        (codecs.BOM_UTF8 + GOOD, Plain(path, "utf-8", 3)),
        (GOOD, Plain(path, "utf-8", 0)),
        (BAD, Plain(path, "cp1252", 0)),
    ):
        path.write_bytes(data)
        assert plain(path, "", tmp_path) == told
    path.write_bytes("é".encode("utf-16"))
    assert plain(path, "", tmp_path).path.parent == tmp_path
    assert plain(path, "", tmp_path).path != path


MARK = codecs.BOM_UTF8


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (MARK + MARK + b"Email\n" + BAD, b"Email\n" + BAD),
        (MARK * 500 + b"Email\n", b"Email\n"),
        (b'"' + MARK + b'Email"\n' + BAD * 9, b'"' + MARK + b'Email"\n' + BAD * 9),
        ("\ufeff\ufeff\ufeffEmail\n".encode("utf-16-le"), b"Email\n"),
    ],
    ids=range(4),
)
def test_a_byte_order_mark_too_many_is_one(tmp_path: Path, data: bytes, text: bytes) -> None:
    """lk-68: a mark says UTF-8 wherever programs have moved it; one in quotes is taken off the first value."""
    assert found(tmp_path, data)[0] == "utf-8"
    assert found(tmp_path, data)[1].endswith(text)


LETTERS = {
    "windows-1250": "Łódź",
    "windows-1251": "Анна",
    "Windows-1253": "Άννα",
    "cp1254": "Şule",
    "iso-8859-2": "Łódź",
    "ISO_8859-15": "Zoë €",
    "latin1": "Zoë",
    "mac-roman": "Zoë",
    "macintosh": "Zoë",
    "x-mac-cyrillic": "Анна",
    "cp850": "Zoë",
    "ibm437": "Zoë",
    "koi8-r": "Анна",
    "shift_jis": "表示 ソー｜①",
    "Shift-JIS": "ポチ",
    "x-sjis": "ポ",
    "gb18030": "王\U00020000 啊",
    "GB2312": "王",
    "big5": "功許",
    "euc-kr": "한국",
    "euc-jp": "山田",
    "iso-2022-jp": "山田",
    "utf-16-be": "山田",
}


@pytest.mark.parametrize(("name", "text"), LETTERS.items())
def test_charsets_by_name(tmp_path: Path, name: str, text: str) -> None:
    codec = codec_of(name)
    data = f"Email;{text}\n".encode(codec)
    codec, read = found(tmp_path, data, name)
    assert read.decode(codec) == f"Email;{text}\n"


@pytest.mark.parametrize("name", ["klingon", "", "utf-7", "punycode", "idna", "base64", "cp037", "x" * 100, "\0", "ü"])
def test_an_unknown_charset(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidError, match="There is no encoding"):
        charset(name)


def test_every_charset_is_known_by_its_own_names() -> None:
    for name, codec in CHARSETS.items():
        assert charset(name) == charset(name.upper().replace("-", "_")) == name
        assert codec_of(codec) == codec


@shared_folder
@given(st.binary(), st.sampled_from(["shift_jis", "gb18030", "big5", "euc-jp", "euc-kr", "iso-2022-jp"]))
@example(b"\x81\n\x81\x5c,\xff", "shift_jis")
def test_bytes_that_are_no_text_of_a_charset(tmp_path: Path, data: bytes, name: str) -> None:
    """No line break, delimiter or quote is made of half a character, and what is no text is none in the copy."""
    codec, copy = found(tmp_path, data, name)
    assert codec == "utf-8"
    if data.startswith(MARK) or data[1:].startswith(MARK):
        return
    try:
        text = data.decode(codec_of(name))
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            copy.decode()
    else:
        assert copy.decode() == text.lstrip("\ufeff")


@pytest.mark.parametrize("name", ["shift_jis", "gb18030", "big5"])
def test_second_bytes_that_are_delimiters(tmp_path: Path, name: str) -> None:
    """Every letter of the charset is one value, whatever its second byte: `|` and `\\` are among them."""
    codec = codec_of(name)
    letters = {bytes([first, second]) for first in range(0x81, 0xFF) for second in b"|\\@[]^_`{}~09"}
    values = [text for each in letters if len(text := each.decode(codec, "ignore")) == 1 and text not in "|\\@[]^_`{}~"]
    assert len(values) > 500
    path = tmp_path / "file"
    path.write_bytes("".join(f"{value}|x\n" for value in values).encode(codec))
    told = plain(path, name, tmp_path)
    with told.path.open("rb") as file:
        records = list(Records(file, Dialect("|", '"', told.codec), Place(told.skip, 1)))
    assert [record.fields for record in records] == [[value, "x"] for value in values]
