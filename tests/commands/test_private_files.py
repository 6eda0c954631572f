"""What the server keeps is for its user alone, whatever the umask and the folder."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import Served
from typer.testing import CliRunner

from soapstone.cli import app
from soapstone.store import private
from soapstone.store.database import Database


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """This process and those that it starts make files with this mask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> dict[str, str]:
    """Files and folders in a folder that others may use, with their modes."""
    return {
        str(path.relative_to(folder)): oct(mode)
        for path in folder.rglob("*")
        if (mode := stat.S_IMODE(path.lstat().st_mode)) & 0o077
    }


def command(*arguments: str) -> None:
    """Run a command in this process, whose mask counts for it."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("mask", [0o000, 0o022])
@pytest.mark.parametrize("there", [True, False])
def test_a_server_keeps_all_files_to_its_user(tmp_path: Path, mask: int, there: bool) -> None:
    """An import with a rejected row, a send, backups: records, input files, mails, lock and mark."""
    data = tmp_path / "data"
    with umask(mask):
        if there:
            data.mkdir()
            data.chmod(0o777)
        served = Served(data)
        try:
            while_running = open_to_others(data)
            where = ("--data", str(data))
            (data.parent / "people.csv").write_text("Email\nsomebody@example.com\nno address\n")
            command("import", str(data.parent / "people.csv"), "--list", "1", *where)
            served.settle()
            command("db", "backup", *where)
            command("db", "backup", str(data / "named.backup"), *where)
            while_running |= open_to_others(data)
        finally:
            served.stop()
        found = {path.relative_to(data).parts[0] for path in data.rglob("*")}
        assert found >= {"soapstone.sqlite", "blobs", "mail", "drafts", "worker.lock", "soapstone.sqlite.mark"}
        assert any((data / "mail").iterdir())
        assert any((data / "blobs").iterdir())
        assert len(list(data.glob("*.backup"))) == 2
        command("db", "restore", str(data / "named.backup"), *where)
    assert while_running == {}
    assert open_to_others(data) == {}
    assert oct(stat.S_IMODE(data.stat().st_mode)) == (oct(0o777) if there else oct(0o700))


def test_files_of_an_earlier_version_are_put_right_at_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    Served(data).stop()
    shutil.copy(data / "soapstone.sqlite", data / "soapstone.sqlite.20240101T000000.backup")
    for path in [data, *data.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    others = data / "notes.txt"
    others.write_text("The operator's own.")
    others.chmod(0o644)
    Served(data, demo=False).stop()
    assert open_to_others(data) == {"notes.txt": "0o644"}


def test_the_files_beside_a_database_have_its_mode(tmp_path: Path) -> None:
    with umask(0):
        database = Database(f"sqlite:///{tmp_path}/records.sqlite")
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE one (n INTEGER)")
        assert {path.name for path in tmp_path.iterdir()} == {
            "records.sqlite",
            "records.sqlite-wal",
            "records.sqlite-shm",
        }
        assert open_to_others(tmp_path) == {}
        database.close()


def test_links_to_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """In a folder that others may write to, a link could name any file of the server's user."""
    target, folder = tmp_path / "target", tmp_path / "folder"
    target.write_text("")
    target.chmod(0o644)
    folder.mkdir(mode=0o755)
    (folder / "link").symlink_to(target)
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "way").symlink_to(folder)
    private.shut([tmp_path / "link", tmp_path / "nothing"], [tmp_path / "way"])
    assert oct(folder.stat().st_mode) == oct(0o40755)
    private.shut([], [folder, tmp_path / "nowhere"])
    assert oct(folder.stat().st_mode) == oct(0o40700)
    assert oct(target.stat().st_mode) == oct(0o100644)


def test_a_folder_that_was_put_right_is_not_read_again(tmp_path: Path) -> None:
    """A mail folder may hold millions of files: its own mode says that it was done."""
    folder = tmp_path / "mail"
    folder.mkdir(mode=0o755)
    (folder / "inner").mkdir(mode=0o755)
    (folder / "inner" / "one.eml").touch(0o644)
    private.shut([], [folder])
    assert open_to_others(tmp_path) == {}
    (folder / "inner" / "one.eml").chmod(0o644)
    private.shut([], [folder])
    assert open_to_others(tmp_path) == {"mail/inner/one.eml": "0o644"}
