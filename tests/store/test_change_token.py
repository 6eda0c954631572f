"""The watch notices every commit of anybody else."""

from __future__ import annotations

import subprocess
import sys

from soapstone.accounts.account import Accounts
from soapstone.store.change_token import ChangeToken
from soapstone.store.database import Database


def test_the_token_changes_with_every_commit(database: Database) -> None:
    watch = ChangeToken(database.path)
    if database.kind == "postgresql":
        assert watch.token() is None
        watch.close()
        return
    first = watch.token()
    assert first is not None
    assert watch.token() == first
    Accounts(database).all()
    assert watch.token() == first
    Accounts(database).create("ONE", time_zone="UTC")
    second = watch.token()
    assert second != first
    script = (
        f"import sqlite3; c = sqlite3.connect({str(database.path)!r}); c.execute('DELETE FROM account'); c.commit()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert watch.token() not in (first, second)
    database.checkpoint()
    assert watch.token() is not None
    watch.close()
