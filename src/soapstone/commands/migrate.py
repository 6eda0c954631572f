"""`soapstone migrate …`: move an account here from a live service, through its own operations."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
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
from soapstone.commands.json_output import Json, print_json
from soapstone.commands.step_display import step_display
from soapstone.errors import InvalidError
from soapstone.migration.journal import FOLDER, Journal
from soapstone.migration.move import Move
from soapstone.migration.source import Pace, Source
from soapstone.product import Product
from soapstone.store import private
from soapstone.store.move import Display

app = typer.Typer(no_args_is_help=True, help="Move an account here from a live service.")

Url = Annotated[str, typer.Argument(help="The address of the service's .asmx page.")]
Login = Annotated[str, typer.Option("--login", help="The login at the service.")]
Rate = Annotated[float, typer.Option(min=0, help="Calls a second at most; 0 for no limit.")]
Hours = Annotated[str, typer.Option(help="Call only at these hours of this machine, such as 22-6.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what there is to move; store nothing.")]
Again = Annotated[bool, typer.Option("--again", help="Begin anew instead of going on with an interrupted run.")]
NumberMap = Annotated[
    Path | None, typer.Option("--map", help="Write which number became which to this file, as CSV: kind, theirs, ours.")
]
Zone = Annotated[str | None, typer.Option(help="Time zone of the service's dates; by default that of the account.")]

INTERRUPTED = 130
HOURS = frozenset({str(hour) for hour in range(25)} | {f"{hour:02}" for hour in range(10)})


@app.command()
def listrak(
    url: Url,
    login: Login,
    password_file: PasswordFile = None,
    account: AccountName = None,
    profiles: Annotated[
        Literal["all", "new", "none"],
        typer.Option(help="Whose profiles to read, at one call for each contact: all, only new contacts', or none."),
    ] = "all",
    rate: Rate = 5.0,
    hours: Hours = "",
    time_zone: Zone = None,
    dry_run: DryRun = False,
    again: Again = False,
    number_map: NumberMap = None,
    as_json: Json = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Move lists, attributes, contacts, opt-outs and history from a service with the Listrak contract."""
    from soapstone.listrak.operations import CONTRACT
    from soapstone.listrak.types import WSUser
    from soapstone.migration.listrak import ListrakMove

    secret = password_of(password_file, new=False)
    pace = _pace(rate, hours)
    source = Source(url, CONTRACT, lambda: WSUser(UserName=login, Password=secret), pace)

    def move(product: Product, owner: Account, journal: Journal, display: Display, zone: ZoneInfo) -> Move:
        made = ListrakMove(product, owner, source, journal, display, zone)
        made.profiles_of = profiles
        return made

    what = f"listrak {url} {login}"
    _migrate(move, source, what, account, time_zone, dry_run, again, number_map, as_json, data, database)


@app.command()
def magnetmail(
    url: Url,
    login: Login,
    password_file: PasswordFile = None,
    account: AccountName = None,
    rate: Rate = 5.0,
    hours: Hours = "",
    time_zone: Zone = None,
    dry_run: DryRun = False,
    again: Again = False,
    number_map: NumberMap = None,
    as_json: Json = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Move groups, recipients, opt-outs and messages from a service with the MagnetMail contract."""
    from soapstone.magnetmail.operations import CONTRACT
    from soapstone.migration.magnetmail import MagnetMailMove
    from soapstone.migration.magnetmail_account import Session

    session = Session(login, password_of(password_file, new=False))
    source = Source(url, CONTRACT, session.header, _pace(rate, hours))

    def move(product: Product, owner: Account, journal: Journal, display: Display, zone: ZoneInfo) -> Move:
        made = MagnetMailMove(product, owner, source, journal, display, zone)
        made.session = session
        return made

    what = f"magnetmail {url} {login}"
    _migrate(move, source, what, account, time_zone, dry_run, again, number_map, as_json, data, database)


def _pace(rate: float, hours: str) -> Pace:
    ends = [int(each) % 24 for each in hours.split("-") if each in HOURS]
    if hours and (len(ends) != 2 or hours.count("-") != 1 or ends[0] == ends[1]):
        stop(f"{hours} are no hours such as 22-6.")
    return Pace(rate=rate, hours=(ends[0], ends[1]) if hours else None)


def _migrate(
    move: Callable[[Product, Account, Journal, Display, ZoneInfo], Move],
    source: Source,
    what: str,
    account: str | None,
    time_zone: str | None,
    dry_run: bool,
    again: bool,
    number_map: Path | None,
    as_json: bool,
    data: Path | None,
    database: str | None,
) -> None:
    """Run a migration and print its report."""
    settings = settings_of(data, database)
    with opened(settings) as product:
        owner = account_of(product, account)
        name = hashlib.sha256(what.encode()).hexdigest()[:12]
        path = settings.data_dir / FOLDER / f"{owner.id}-{name}.sqlite"
        with Journal(path) as journal, step_display(quiet=as_json) as display:
            its = move(product, owner, journal, display, _zone(time_zone or owner.time_zone))
            try:
                if dry_run:
                    its.prepare()
                    counts = its.count()
                    if as_json:
                        print_json({"counts": counts, "calls": source.calls})
                    else:
                        _tell_counts(counts, source)
                    return
                if journal.begin(what.partition(" ")[0], again=again):
                    typer.echo("An interrupted run goes on.", err=as_json)
                its.run()
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
