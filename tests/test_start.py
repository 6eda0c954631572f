"""Records that cannot be used end every command with one line that says why."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMANDS = [["web", "--port", "0"], ["worker"], ["db", "check"]]
DROP_BOUNDING, OVERRIDE = 24, 1


def obey_permissions() -> None:
    """Without this capability the permissions of files hold for root as well; others never had it."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(DROP_BOUNDING, OVERRIDE, 0, 0, 0)


def run(data: Path, *arguments: str, database_url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SOAPSTONE_DATABASE_URL": database_url, "SOAPSTONE_PUBLIC_URL": "https://x.example"}
    return subprocess.run(
        [sys.executable, "-m", "soapstone", *arguments, "--data", str(data)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=obey_permissions,
    )


def told(result: subprocess.CompletedProcess[str]) -> str:
    """The only line of a command that failed."""
    assert result.returncode == 1, result
    (line,) = result.stderr.strip().splitlines()
    return line


def no_database(file: Path) -> None:
    file.write_bytes(b"This is a text and no database. " * 300)


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2 // 4096 * 4096])


def read_only(file: Path) -> None:
    file.chmod(0o444)


def read_only_folder(file: Path) -> None:
    file.parent.chmod(0o555)


DAMAGED = "is damaged, or is no SQLite database"


@pytest.mark.parametrize(
    ("spoil", "words", "reads"),
    [
        (no_database, DAMAGED, False),
        (half, DAMAGED, False),
        (read_only, "cannot be written to", True),
        (read_only_folder, "cannot be", False),
    ],
)
def test_a_database_file_that_cannot_be_used(
    tmp_path: Path, sqlite_template: Path, spoil: Callable[[Path], None], words: str, reads: bool
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "blobs").mkdir()
    file = data / "soapstone.sqlite"
    shutil.copy(sqlite_template, file)
    spoil(file)
    try:
        for command in COMMANDS:
            # Commands that only read do so while they can.
            if reads and command[0] not in ("web", "worker"):
                assert run(data, *command).returncode == 0
                continue
            line = told(run(data, *command))
            assert line.startswith("Cannot use ")
            assert words in line
    finally:
        data.chmod(0o755)


def test_a_command_that_changes_a_read_only_file(tmp_path: Path, sqlite_template: Path) -> None:
    data, password = tmp_path / "data", tmp_path / "password"
    data.mkdir()
    password.write_text("secret\n")
    shutil.copy(sqlite_template, data / "soapstone.sqlite")
    (data / "soapstone.sqlite").chmod(0o444)
    create = ["account", "create", "ACME", "--login", "ann", "--password-file", str(password)]
    assert "cannot be written to" in told(run(data, *create))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        line = told(run(tmp_path / "data", "worker"))
    finally:
        tmp_path.chmod(0o755)
    assert line.startswith(f"Cannot use {tmp_path / 'data'}: it cannot be made")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command))
def test_a_server_of_the_database_that_is_not_there(tmp_path: Path, command: list[str]) -> None:
    url = "postgresql://soapstone:long-secret@127.0.0.1:1/soapstone"
    line = told(run(tmp_path, *command, database_url=url))
    assert "The database does not answer." in line
    assert "127.0.0.1" in line
    assert "long-secret" not in line
