"""Only what serves and `db upgrade` make records: any other command at a wrong place says so, and leaves nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import typer.main
from sqlalchemy import make_url
from typer.testing import CliRunner

from soapstone.cli import app
from soapstone.store.database import Database

# They open no records, or make them.
OTHERS = {"serve", "web", "worker", "settings", "dkim", "version", "db upgrade", "db restore"}


def every(command: Any, words: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(" ".join(words), command)]
    return [found for name, each in inner.items() for found in every(each, (*words, name))]


COMMANDS = [(name, each) for name, each in every(typer.main.get_command(app)) if name not in OTHERS]


def filled(command: Any, file: Path) -> list[str]:
    """Values for what the command demands: numbers, and a file that is there."""
    words: list[str] = []
    for each in command.params:
        if each.required or each.name == "password_file":
            is_path = "Path" in str(each.type_descriptor.annotation)
            words += [] if each.param_type_name == "argument" else [each.opts[0]]
            words.append(str(file) if is_path else "1")
    return words


def call(*words: str) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1, (words, result.output)
    assert result.output.count("\n") == 1, (words, result.output)
    return result.output


def test_commands_at_a_wrong_place_make_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for variable in ("SOAPSTONE_DATA_DIR", "SOAPSTONE_DATABASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    file = tmp_path / "file.csv"
    file.write_text("Email,First_Name\nann@example.com,Ann\n")
    told = []
    for name, command in COMMANDS:
        result = CliRunner().invoke(app, [*name.split(), *filled(command, file)])
        assert result.exit_code in (1, 2), (name, result.output)
        assert list(work.iterdir()) == [], name
        if result.exit_code == 1 and "There are no records" in result.output:
            assert str(work / "data" / "soapstone.sqlite") in result.output, name
            assert "--data or SOAPSTONE_DATA_DIR" in result.output, name
            assert "soapstone db upgrade" in result.output, name
            assert result.output.count("\n") == 1, name
            told.append(name)
    # The others lack something that is looked at first.
    assert {"account create", "list create", "jobs list", "db check", "db backup", "db restored"} <= {*told}
    assert len(told) > len(COMMANDS) * 2 / 3, sorted({name for name, _ in COMMANDS} - {*told})


def test_a_file_without_records_has_none(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "soapstone.sqlite").touch()
    assert "There are no records at" in call("account", "list", "--data", str(data))
    assert "There are no records at" in call(
        "import", str(data / "soapstone.sqlite"), "--list", "1", "--data", str(data)
    )


def test_an_empty_database_stays_empty(tmp_path: Path, database_url: str) -> None:
    data = tmp_path / "data"
    if database_url.startswith("sqlite"):
        Path(str(make_url(database_url).database)).unlink()
    else:
        database = Database(database_url)
        with database.write() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        database.close()
    given = ["--data", str(data), "--database", database_url]
    for words in (("account", "list"), ("jobs", "list"), ("db", "check"), ("db", "backup"), ("db", "restored")):
        output = call(*words, *given)
        assert "There are no records" in output
        assert "soapstone db upgrade" in output
        assert not data.exists()
    made = CliRunner().invoke(app, ["db", "upgrade", *given])
    assert made.exit_code == 0, made.output
    found = CliRunner().invoke(app, ["account", "list", *given])
    assert found.exit_code == 0, found.output


def test_files_of_jobs_go_into_the_folder_of_the_server(tmp_path: Path, database_url: str) -> None:
    """A database that is found by its URL does not say where the server's folder is."""
    output = call("account", "list", "--data", str(tmp_path / "elsewhere"), "--database", database_url)
    assert output.startswith(f"There is no folder {tmp_path / 'elsewhere'}.")
    assert not (tmp_path / "elsewhere").exists()


def test_what_others_may_not_see_is_not_called_missing(tmp_path: Path, sqlite_template: Path) -> None:
    """A command of another user than the server's."""
    from tests.test_start import run, told

    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(sqlite_template, data / "soapstone.sqlite")
    data.chmod(0)
    try:
        line = told(run(data, "account", "list"))
    finally:
        data.chmod(0o700)
    assert line.startswith("Cannot use ")
