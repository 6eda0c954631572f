"""Shared by all commands: open the records, find an account, end with one line."""

from __future__ import annotations

import glob
import inspect
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, NoReturn

import typer

from soapstone.accounts.account import Account
from soapstone.address_repair import repaired
from soapstone.addresses import is_address
from soapstone.commands.restore import prepare
from soapstone.contacts.fields import field_column
from soapstone.errors import SoapstoneError
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.sending.messages.unsubscribe_link import NoUnsubscribeLinkError
from soapstone.settings import Settings, read_settings
from soapstone.store import private, schema
from soapstone.store.database import Database
from soapstone.store.high_water_mark import HighWaterMark
from soapstone.store.numbers import LARGEST_CHOSEN
from soapstone.store.transient_errors import RecordsDamaged, RecordsUnavailable, driver_words, translated

# Control characters, which begin a terminal's escape sequences, and lone surrogates.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """Return the text with a replacement character for each control character but tab and line feed."""
    return _CONTROLS.sub("\ufffd", text)


Data = Annotated[Path | None, typer.Option("--data", help="The server's data folder.")]
DatabaseUrl = Annotated[str | None, typer.Option("--database", help="Database URL; a SQLite file by default.")]
BlobUrl = Annotated[
    str | None, typer.Option("--blobs", help="Bucket for files, s3://bucket/prefix; the data folder by default.")
]
AccountName = Annotated[str | None, typer.Option("--account", help="The account; optional if there is only one.")]

_Command = Callable[..., None]
_OnRecords = Callable[Concatenate[Product, ...], None]
_OnAccount = Callable[Concatenate[Product, Account, ...], None]

# The largest number that REST takes, too. Drivers refuse more than 64 bits, SQLite's by an OverflowError.
_LARGEST = (1 << 53) - 1

NAME_FOLDER = "Name another folder with --data or SOAPSTONE_DATA_DIR."


ListId = Annotated[int, typer.Option("--list", help="The list.")]
ChosenNumber = Annotated[
    int | None,
    typer.Option(
        "--number", min=1, max=LARGEST_CHOSEN, help="Fixed number, for old programs; by default the next one."
    ),
]


def on_records(app: typer.Typer, name: str | None = None) -> Callable[[_OnRecords], _Command]:
    """Make a function a command of `app` on open records. It takes the product first.

    Adds the options that name the records.
    """

    def command(function: _OnRecords) -> _Command:
        @wraps(function)
        def run(*given: Any, data: Path | None, database: str | None, **named: Any) -> None:
            _check_numbers(named.values())
            with opened(settings_of(data, database)) as product:
                function(product, *given, **named)

        return app.command(name)(_with_options(run, function, taken=1, data=Data, database=DatabaseUrl))

    return command


def on_account(app: typer.Typer, name: str | None = None) -> Callable[[_OnAccount], _Command]:
    """Make a function a command of `app` on an account. It takes product and account first.

    Adds the options that name records and account.
    """

    def command(function: _OnAccount) -> _Command:
        @wraps(function)
        def run(*given: Any, account: str | None, data: Path | None, database: str | None, **named: Any) -> None:
            _check_numbers(named.values())
            with opened(settings_of(data, database)) as product:
                function(product, account_of(product, account), *given, **named)

        options = {"account": AccountName, "data": Data, "database": DatabaseUrl}
        return app.command(name)(_with_options(run, function, taken=2, **options))

    return command


def _check_numbers(values: Iterable[object]) -> None:
    """End the command if a number, or one of several, is beyond what both databases take."""
    for value in values:
        for number in value if isinstance(value, list) else (value,):
            if isinstance(number, int) and abs(number) > _LARGEST:
                stop(f"The number {number} is too large.")


def _with_options(run: _Command, command: _Command, *, taken: int, **options: Any) -> _Command:
    """Give `run` the signature of `command` without the arguments that are taken, and with further options."""
    signature = inspect.signature(command, eval_str=True)
    kept = list(signature.parameters.values())[taken:]
    added = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
        for name, annotation in options.items()
    ]
    # Typer reads both.
    run.__signature__ = signature.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in (*kept, *added)}
    return run


def address_of(text: str) -> str:
    """Return the given address, repaired if that is unambiguous. End the command if it is not an address."""
    address = repaired(text)
    if not is_address(address):
        stop(f"{text} is not an e-mail address.")
    return address


def stop(sentence: str) -> NoReturn:
    """End with one line on standard error and exit code 1."""
    typer.echo(printable(sentence), err=True)
    raise typer.Exit(1)


def sentence_of(error: SoapstoneError) -> str:
    """Return what a command says of an error."""
    if not isinstance(error, NoUnsubscribeLinkError):
        return str(error)
    if error.url_missing:
        remedy = "Set it, for this command as for the server"
    else:
        remedy = (
            "Put {{ Unsubscribe_Link }} into the message, or let the list add the link (soapstone list edit "
            f"{error.list_id} --removal-link)"
        )
    return f"{error} {remedy}, or send without a link: --no-unsubscribe."


def settings_of(data: Path | None = None, database: str | None = None, **others: Any) -> Settings:
    """Return the settings, flags before environment variables before defaults. Each invalid one ends with a line."""
    given = {"data_dir": data, "database_url": database, **others}
    return read_settings(**{name: value for name, value in given.items() if value is not None})


@contextmanager
def opened(
    settings: Settings, *, upgrade: bool = False, waits: bool = False, keeps_mark: bool = True
) -> Iterator[Product]:
    """Yield the product on the settings' records. An old schema is changed only with `upgrade`.

    `waits` is as for Database. Records are opened to serve with `upgrade` or `waits`: then new ones are set up where
    there are none, and a database that takes no changes ends the command. Without `keeps_mark` another process keeps
    the high-water mark.
    """
    serves = upgrade or waits
    with database_of(settings, waits=waits, makes=serves) as database:
        if not settings.data_dir.is_dir():
            # Files of jobs would lie where no worker looks for them.
            stop(f"There is no folder {settings.data_dir.absolute()}. {NAME_FOLDER}")
        mark = HighWaterMark.of(database, settings.data_dir)
        prepare(database, mark, upgrade=upgrade)
        if serves:
            database.check_writable()
        with mark.kept(database) if keeps_mark else nullcontext():
            with translated(OSError):
                product = Product.open(settings, database)
            yield product


@contextmanager
def database_of(settings: Settings, *, waits: bool = False, makes: bool = False) -> Iterator[Database]:
    """Yield the settings' database, as it stands. The data folder is private to this user.

    Creates folder and records only with `makes`. Unusable records end the command with one line.
    """
    try:
        if makes:
            with translated(OSError):
                private.make_folder(settings.data_dir)
        database = Database(settings.database, waits=waits)
    except RecordsUnavailable as trouble:
        _cannot_use(str(settings.data_dir), trouble)
    except OSError as trouble:
        stop(folder_fault(settings.data_dir) or f"Cannot use {settings.data_dir}: {trouble.strerror}. {NAME_FOLDER}")
    try:
        if not makes:
            check_there(settings, database)
        # Earlier versions left the modes to the umask.
        path = database.path.resolve() if database.path else None
        beside = path.parent.glob(f"{glob.escape(path.name)}*") if path else ()
        with translated(OSError):
            private.shut(
                [settings.worker_lock, *beside], [settings.blobs, settings.mail, settings.drafts, settings.spool]
            )
        yield database
    except (RecordsUnavailable, RecordsDamaged) as trouble:
        _cannot_use(str(database.path or settings.safe_database_url), trouble)
    finally:
        database.close()


def check_there(settings: Settings, database: Database) -> None:
    """End the command if no records exist. Create nothing, not even SQLite's file by opening it."""
    path = database.path
    make = "To create them: soapstone db upgrade, or start the server."
    if path is None:
        if schema.version(database) is None:
            stop(
                f"There are no records in {settings.safe_database_url}. Name the server's database with --database or "
                f"SOAPSTONE_DATABASE_URL. {make}"
            )
        return
    try:
        path.stat()
        missing = schema.version(database) is None
    except FileNotFoundError:
        missing = True
    except OSError as trouble:
        stop(folder_fault(settings.data_dir) or f"Cannot use {path}: {trouble.strerror}.")
    if missing:
        stop(f"There are no records at {path.absolute()}. {NAME_FOLDER} {make}")


def folder_fault(folder: Path) -> str | None:
    """Say in a sentence why the data folder cannot be used; None when it can, or can be made."""
    reason = None
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            reason = "it is no folder"
        elif not os.access(folder, os.W_OK | os.X_OK):
            reason = "it cannot be written to"
    except FileNotFoundError:
        above = next(parent for parent in folder.absolute().parents if parent.is_dir())
        if not os.access(above, os.W_OK | os.X_OK):
            reason = f"it cannot be made, because {above} cannot be written to"
    except OSError as trouble:
        reason = trouble.strerror
    return f"Cannot use {folder}: {reason}. {NAME_FOLDER}" if reason else None


def _cannot_use(what: str, trouble: Exception) -> NoReturn:
    stop(f"Cannot use {what}. {trouble} ({driver_words(trouble)})")


def write_bytes(pieces: Iterable[bytes]) -> None:
    """Write to standard output; end without an error when its reader has closed it."""
    output = typer.get_binary_stream("stdout")
    try:
        for piece in pieces:
            output.write(piece)
            output.flush()
    except BrokenPipeError:
        # Discard what Python still buffers for the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def text_of(file: str) -> str:
    """Return a text file in UTF-8, or standard input for `-`, without a byte order mark."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as trouble:
        stop(f"Cannot read {file}: {trouble.strerror}.")
    except UnicodeDecodeError:
        stop(f"Cannot read {file}: it is not text in UTF-8.")


def field_values(given: Iterable[str], what: str) -> dict[str, str]:
    """Return what is given as FIELD=VALUE, by the column of the contact's field. `what` is the word for the value."""
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        column = field_column(name)
        if not equals or column is None:
            stop(f"{text} is not FIELD={what} with a field of contacts.")
        values[column] = value
    return values


def write_file(path: Path, content: bytes) -> None:
    """Write a new file that only this user can read. End the command if that fails."""
    try:
        with private.create(path) as file:
            file.write(content)
    except OSError as trouble:
        stop(f"Cannot write {path}: {trouble.strerror}.")


def account_of(product: Product, name: str | None) -> Account:
    """Return the account of that name, or the only one."""
    if name is not None:
        return product.accounts.named(name) or stop(f"There is no account {name}.")
    accounts = product.accounts.all()
    if len(accounts) == 1:
        return accounts[0]
    if not accounts:
        stop("No account exists yet. Create one: soapstone account create NAME --login LOGIN")
    stop(f"Say which account with --account: {', '.join(account.name for account in accounts)}")


def list_of(product: Product, owner: Account, list_id: int) -> ContactList:
    """Return the account's list of that number."""
    return product.lists.get(owner.id, list_id) or stop(f"There is no list {list_id} in account {owner.name}.")
