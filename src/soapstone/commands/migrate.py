"""`soapstone migrate …`: move an account here from a live service, through its own operations."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from soapstone.accounts.account import Account
from soapstone.commands.accounts import PasswordFile, password_of
from soapstone.commands.common import (
    AccountName,
    Data,
    DatabaseUrl,
    account_of,
    opened,
    printable,
    settings_of,
    stop,
)
from soapstone.commands.output import Json, print_json
from soapstone.commands.progress import INTERRUPTED
from soapstone.commands.step_display import step_display
from soapstone.errors import InvalidError
from soapstone.migration.journal import FOLDER, Journal
from soapstone.migration.move import Move
from soapstone.migration.source import Pace, Source
from soapstone.product import Product
from soapstone.store import private
from soapstone.store.move import Display

app = typer.Typer()

# Makes a migration of product, account, source, journal, display and time zone.
Start = Callable[[Product, Account, Source, Journal, Display, ZoneInfo], Move]
HOURS = frozenset({str(hour) for hour in range(25)} | {f"{hour:02}" for hour in range(10)})


@app.command()
def migrate(
    contract: Annotated[
        Literal["listrak", "magnetmail"], typer.Argument(help="The contract of the service: listrak or magnetmail.")
    ],
    url: Annotated[str, typer.Argument(help="The address of the service's .asmx page.")],
    login: Annotated[str, typer.Option("--login", help="The login at the service.")],
    password_file: PasswordFile = None,
    account: AccountName = None,
    profiles: Annotated[
        Literal["all", "new", "none"],
        typer.Option(
            help="With listrak: whose profiles to read, at one call for each contact: all, only new contacts', or none."
        ),
    ] = "all",
    rate: Annotated[float, typer.Option(min=0, help="Calls a second at most; 0 for no limit.")] = 5.0,
    hours: Annotated[str, typer.Option(help="Call only at these hours of this machine, such as 22-6.")] = "",
    time_zone: Annotated[
        str | None, typer.Option(help="Time zone of the service's dates; by default that of the account.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what there is to move; store nothing.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew instead of going on with an interrupted run.")
    ] = False,
    number_map: Annotated[
        Path | None,
        typer.Option("--map", help="Write which number became which to this file, as CSV: kind, theirs, ours."),
    ] = None,
    as_json: Json = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Move an account here from a live service.

    Lists, people, opt-outs, messages and history come along.
    """
    secret = password_of(password_file, new=False)
    start, source = CONTRACTS[contract](url, login, secret, _pace(rate, hours), profiles)
    settings = settings_of(data, database)
    with opened(settings) as product:
        owner = account_of(product, account)
        name = hashlib.sha256(f"{contract} {url} {login}".encode()).hexdigest()[:12]
        path = settings.data_dir / FOLDER / f"{owner.id}-{name}.sqlite"
        with Journal(path) as journal, step_display(quiet=as_json) as display:
            move = start(product, owner, source, journal, display, _zone(time_zone or owner.time_zone))
            try:
                if dry_run:
                    move.prepare()
                    counts = move.count()
                    if as_json:
                        print_json({"counts": counts, "calls": source.calls})
                    else:
                        _tell_counts(counts, source)
                    return
                if journal.begin(contract, again=again):
                    typer.echo("An interrupted run goes on.", err=as_json)
                move.run()
            except KeyboardInterrupt:
                typer.echo("Stopped. The same command goes on with it.", err=True)
                raise typer.Exit(INTERRUPTED) from None
            finally:
                source.stop()
                if number_map is not None:
                    _write_map(journal, number_map)
        if as_json:
            counts = dict(sorted(journal.counts.items()))
            calls = {"calls": source.calls, "repeated": source.repeated}
            print_json({"counts": counts, **calls, "remarks": journal.remarks})
        else:
            _report(journal, source)


def _listrak(url: str, login: str, password: str, pace: Pace, profiles: str) -> tuple[Start, Source]:
    from soapstone.listrak.operations import CONTRACT
    from soapstone.listrak.types import WSUser
    from soapstone.migration.listrak import ListrakMove

    header = WSUser(UserName=login, Password=password)
    return partial(ListrakMove, profiles_of=profiles), Source(url, CONTRACT, lambda: header, pace)


def _magnetmail(url: str, login: str, password: str, pace: Pace, _: str) -> tuple[Start, Source]:
    from soapstone.magnetmail.operations import CONTRACT
    from soapstone.migration.magnetmail import MagnetMailMove
    from soapstone.migration.magnetmail_account import Session

    session = Session(login, password)
    return partial(MagnetMailMove, session=session), Source(url, CONTRACT, session.header, pace)


CONTRACTS = {"listrak": _listrak, "magnetmail": _magnetmail}


def _pace(rate: float, hours: str) -> Pace:
    ends = [int(each) % 24 for each in hours.split("-") if each in HOURS]
    if hours and (len(ends) != 2 or hours.count("-") != 1 or ends[0] == ends[1]):
        stop(f"{hours} are no hours such as 22-6.")
    return Pace(rate=rate, hours=(ends[0], ends[1]) if hours else None)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidError(f"There is no time zone {name}.") from None


def _tell_counts(counts: dict[str, int], source: Source) -> None:
    for what, number in counts.items():
        typer.echo(f"{what}: {number:,}")
    typer.echo(f"Counted by {source.calls:,} calls. Nothing was stored.")


def _report(journal: Journal, source: Source) -> None:
    """Print what was brought, and what is to be known about it."""
    for what, number in sorted(journal.counts.items()):
        if number:
            typer.echo(printable(f"{what}: {number:,}"))
    typer.echo(f"{source.calls:,} calls, {source.repeated:,} of them repeated.")
    for sentence in journal.remarks:
        typer.echo(printable(sentence))
    typer.echo("What no operation tells: the page of the manual on what a migration brings (docs/migration.md).")


def _write_map(journal: Journal, path: Path) -> None:
    try:
        private.create(path).close()
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("kind", "theirs", "ours"))
            writer.writerows(journal.export())
    except OSError as trouble:
        stop(f"Cannot write {path}: {trouble.strerror}.")
