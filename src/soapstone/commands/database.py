"""`soapstone db …`: the database's schema, backups, restores and moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from soapstone.commands.common import Data, DatabaseUrl, database_of, folder_fault, settings_of, stop
from soapstone.commands.output import Json, console, print_json
from soapstone.commands.progress import INTERRUPTED
from soapstone.commands.restore import TakenUp, check_alone, take_up
from soapstone.commands.restore import restore as restore_file
from soapstone.contacts.duplicates import Duplicates
from soapstone.jobs.lock import WorkerLock
from soapstone.settings import Settings
from soapstone.store import private, schema
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.high_water_mark import HighWaterMark
from soapstone.store.references import Fault, faults

app = typer.Typer(no_args_is_help=True, help="The database's schema and backups.")


@contextmanager
def _opened(data: Path | None, url: str | None, *, makes: bool = False) -> Iterator[Database]:
    with database_of(settings_of(data, url), makes=makes) as opened:
        yield opened


@app.command()
def upgrade(data: Data = None, database: DatabaseUrl = None) -> None:
    """Upgrade the schema after a backup; create records if none exist."""
    with _opened(data, database, makes=True) as opened:
        schema.upgrade(opened)
        console.print(f"The schema is {schema.version(opened)}.")


@app.command()
def check(
    references: Annotated[
        bool,
        typer.Option("--references", help="Look for missing rows that others name, and for keys that are not unique."),
    ] = False,
    as_json: Json = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Check that this version knows the schema, and count contacts that share an older one's mailbox."""
    with _opened(data, database) as opened:
        schema.check(opened)
        doubles = Duplicates(opened).counts()
        found = _faults(opened) if references else None
        if as_json:
            listed = {} if found is None else {"references": [asdict(each) for each in found]}
            print_json({"schema": schema.version(opened), "doubles": doubles, **listed})
        else:
            console.print(f"The schema is {schema.version(opened)}, as this version needs it.")
            for account, count in doubles.items():
                console.print(
                    f"Duplicates in account {account}: {count} contacts share an older one's mailbox. "
                    f'Merge them: soapstone account merge-doubles --account "{account}"',
                    soft_wrap=True,
                )
            for fault in found or ():
                console.print(_sentence(fault), soft_wrap=True)
            if found == []:
                console.print("All rows that others name are there, and all keys are unique.")
    if found:
        raise typer.Exit(1)


def _faults(database: Database) -> list[Fault]:
    with database.read() as connection:
        return list(faults(connection))


def _sentence(fault: Fault) -> str:
    columns = ", ".join(fault.columns)
    examples = "; ".join(", ".join(map(str, values)) for values in fault.examples)
    wrong = f"rows whose {columns} names no row of {fault.parent}" if fault.parent else f"repeated keys of {columns}"
    return f"Table {fault.table}: {wrong}: {fault.count}, such as {examples}."


@app.command()
def backup(
    target: Annotated[Path | None, typer.Argument(help="File to write; beside the database by default.")] = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Copy a SQLite database as it stands."""
    with _opened(data, database) as opened:
        if target is not None and target.exists():
            stop(f"{target} exists already.")
        try:
            made = schema.backup(opened, target)
        except OSError as trouble:
            stop(f"Cannot write {trouble.filename or target}: {trouble.strerror}.")
        if made is None:
            stop("PostgreSQL has its own tools for this: pg_dump.")
        console.print(f"Copied to {made}.")


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="The backup, as `db backup` made it.")],
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Replace a SQLite database with a backup; the old one is kept. Stop the server first."""
    settings = settings_of(data, database)
    with _alone(settings, makes=True) as opened:
        mark = HighWaterMark.of(opened, settings.data_dir)
        if opened.path is None:
            stop("PostgreSQL has its own tools for this: pg_restore. Run after it: soapstone db restored")
        path = opened.path.resolve()
        if not backup.is_file():
            stop(f"There is no file {backup}.")
        if path.exists() and backup.samefile(path):
            stop(f"{backup} is the database itself. If you copied a backup there, run: soapstone db restored")
        opened.close()
        taken_up, kept = restore_file(path, backup, mark, settings)
        console.print(f"Restored {path} from {backup}.", soft_wrap=True)
        if kept is not None:
            console.print(f"The old records are kept in {kept}.", soft_wrap=True)
        _tell(taken_up)


@app.command()
def restored(data: Data = None, database: DatabaseUrl = None) -> None:
    """Prepare records restored by other means, such as pg_restore. Stop the server first."""
    settings = settings_of(data, database)
    with _alone(settings) as opened:
        mark = HighWaterMark.of(opened, settings.data_dir)
        schema.check_unfinished(opened)
        schema.upgrade(opened)
        taken_up = take_up(opened, mark.numbers)
        mark.replace(opened)
        console.print("The records are ready to serve.")
        _tell(taken_up)


@app.command()
def move(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The empty PostgreSQL database, postgresql://…")],
    as_json: Json = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Move all records from SQLite to PostgreSQL. Stop the server first; files stay in the data folder."""
    from soapstone.commands.step_display import step_display
    from soapstone.runners import retries_of
    from soapstone.sending.smtp.delivery_log import adopt_all
    from soapstone.store.move import Move

    settings = settings_of(data, database)
    target_settings = settings_of(data, to)
    where = target_settings.safe_database_url
    with _alone(settings) as source:
        if source.path is None:
            stop("Only records in SQLite can be moved. PostgreSQL has its own tools: pg_dump and pg_restore.")
        target = Database(target_settings.database, waits=True)
        if target.path is not None:
            stop("The target must be a PostgreSQL database: --to postgresql://…")
        schema.check(source)
        HighWaterMark.of(source, settings.data_dir).check(source)
        # Journals stay behind, and without them all mails that sends had in hand would be uncertain.
        adopt_all(source, Blobs(settings.blobs), retries_of(settings))
        path = source.path.resolve()
        # A file that no process has open holds all records: it has no write-ahead log.
        source.engine.dispose()
        check_alone(path)
        mark = HighWaterMark.of(target, settings.data_dir)
        try:
            with step_display(quiet=as_json) as display:
                rows = Move(path, target, display).run(where, lambda: mark.replace(target))
        except KeyboardInterrupt:
            typer.echo("Stopped. The same command goes on with it.", err=True)
            raise typer.Exit(INTERRUPTED) from None
        finally:
            target.close()
    if as_json:
        print_json({"database": where, "files": str(settings.data_dir), "rows": rows})
        return
    console.print(
        f"Moved {sum(rows.values()):,} rows of {len(rows)} tables to {where}; counts and "
        f"checksums are equal. Files stay in {settings.data_dir}: start servers with this folder and --database.",
        soft_wrap=True,
    )


@contextmanager
def _alone(settings: Settings, *, makes: bool = False) -> Iterator[Database]:
    """Yield the database, used by no worker and, with SQLite, by no other process."""
    with database_of(settings, makes=makes) as opened:
        # The records may have come to a new machine by other means.
        if sentence := folder_fault(settings.data_dir):
            stop(sentence)
        private.make_folder(settings.data_dir)
        lock = WorkerLock(settings.worker_lock)
        if opened.path is not None and not lock.acquire():
            stop("A worker serves this database: stop the server first.")
        try:
            if opened.path is not None:
                # Connections of this process count as well.
                opened.engine.dispose()
                check_alone(opened.path)
            yield opened
        finally:
            lock.release()


def _tell(taken_up: TakenUp) -> None:
    console.print(f"Numbers continue far above the backup's. New links use key {taken_up.key}.")
    if taken_up.paused:
        numbers = ", ".join(map(str, taken_up.paused))
        console.print(f"Unfinished sends of the backup are paused: {numbers}.", soft_wrap=True)
        console.print("Their mails may have been sent since. To go on: soapstone send resume NUMBER")
