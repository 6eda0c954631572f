"""`soapstone db …`: the database's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from soapstone.commands.common import Data, DatabaseUrl, console, settings_of, stop
from soapstone.store import schema
from soapstone.store.database import Database

app = typer.Typer(no_args_is_help=True, help="The database's schema.")


def _open(data: Path | None, url: str | None) -> Database:
    settings = settings_of(data, url)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        return Database(settings.database)
    except ValueError as trouble:
        stop(str(trouble))


@app.command()
def upgrade(data: Data = None, database: DatabaseUrl = None) -> None:
    """Bring the schema to this version, after a backup."""
    opened = _open(data, database)
    try:
        schema.upgrade(opened)
    except schema.SchemaMismatch as trouble:
        stop(f"{trouble}.")
    console.print(f"The schema is {schema.version(opened)}.")


@app.command()
def check(data: Data = None, database: DatabaseUrl = None) -> None:
    """Tell whether this version knows the schema."""
    opened = _open(data, database)
    try:
        schema.check(opened)
    except schema.SchemaMismatch as trouble:
        stop(f"{trouble}.")
    console.print(f"The schema is {schema.version(opened)}, as this version needs it.")


@app.command()
def backup(
    target: Annotated[Path | None, typer.Argument(help="Where to; beside the database by default.")] = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Copy a SQLite database as it stands."""
    opened = _open(data, database)
    if target is not None and target.exists():
        stop(f"{target} exists already.")
    made = schema.backup(opened, target)
    if made is None:
        stop("PostgreSQL has its own tools for this: pg_dump.")
    console.print(f"Copied to {made}.")
