"""`soapstone db check --references` names rows that should not be there."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from typer.testing import CliRunner

from soapstone.accounts.account import Accounts
from soapstone.cli import app
from soapstone.lists.lists import Lists
from soapstone.store.database import Database


def test_orphans_are_named(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    account = Accounts(database).create("ACME", time_zone="America/New_York")
    found = Lists(database).create(account.id, "News")
    database.close()
    command = ["db", "check", "--references", "--data", str(tmp_path)]
    sound = CliRunner().invoke(app, command)
    assert (sound.exit_code, "all keys are unique" in sound.output) == (0, True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO membership (list_id, contact_id, account_id, number, state, added_at)"
            " VALUES (?, 5, ?, 1, 'subscribed', 0)",
            (found.id, account.id),
        )
        connection.commit()
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 1
    assert "Table membership: rows whose contact_id names no row of contact: 1, such as 5." in told.output
    listed = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["references"]
    assert listed == [
        {
            "kind": "orphan",
            "table": "membership",
            "columns": ["contact_id"],
            "parent": "contact",
            "count": 1,
            "examples": [[5]],
        }
    ]
    # Without the flag nothing is read of them.
    assert CliRunner().invoke(app, ["db", "check", "--data", str(tmp_path)]).exit_code == 0
