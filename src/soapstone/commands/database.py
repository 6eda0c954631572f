"""`soapstone db …`: the database's schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from soapstone.commands.common import Data, DatabaseUrl, console, settings_of, stop
from soapstone.lists.doubles import Doubles
from soapstone.store import schema
from soapstone.store.database import Database

app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@contextmanager
def _opened(data: Path | None, url: str | None) -> Iterator[Database]:
    settings = settings_of(data, url)
    # Addresses and mails lie in it: nobody else of this machine shall read them.
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        opened = Database(settings.database)
    except ValueError as trouble:
        stop(str(trouble))
    try:
        yield opened
    except schema.SchemaMismatch as trouble:
        stop(f"{trouble}.")
    finally:
        opened.close()


@app.command()
def upgrade(data: Data = None, database: DatabaseUrl = None) -> None:
    """Bring the schema to this version, after a backup."""
    with _opened(data, database) as opened:
        schema.upgrade(opened)
        console.print(f"The schema is {schema.version(opened)}.")


@app.command()
def check(data: Data = None, database: DatabaseUrl = None) -> None:
    """Tell whether this version knows the schema, and how many contacts share a mailbox with an older one."""
    with _opened(data, database) as opened:
        schema.check(opened)
        console.print(f"The schema is {schema.version(opened)}, as this version needs it.")
        for account, count in Doubles(opened).counts().items():
            console.print(
                f"Doubles in account {account}: {count}, contacts whose mailbox an older contact has. "
                f'Merge them: soapstone account merge-doubles --account "{account}"',
                soft_wrap=True,
                markup=False,
            )


@app.command()
def backup(
    target: Annotated[Path | None, typer.Argument(help="Where to; beside the database by default.")] = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Copy a SQLite database as it stands."""
    with _opened(data, database) as opened:
        if target is not None and target.exists():
            stop(f"{target} exists already.")
        made = schema.backup(opened, target)
        if made is None:
            stop("PostgreSQL has its own tools for this: pg_dump.")
        console.print(f"Copied to {made}.")
