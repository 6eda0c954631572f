"""`soapstone occasion …`: events and their sign-ups."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from soapstone.commands.common import (
    AccountName,
    ChosenNumber,
    Data,
    DatabaseUrl,
    account_of,
    console,
    opened,
    settings_of,
    stop,
)
from soapstone.commands.json_output import Json, own, print_all

app = typer.Typer(no_args_is_help=True, help="Events and their sign-ups.")


@app.command()
def add(
    name: str,
    number: ChosenNumber = None,
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Create an occasion, open for sign-ups."""
    with opened(settings_of(data, database)) as product:
        made = product.event_sign_ups.add(account_of(product, account).id, name, number=number)
        console.print(f"Occasion {made.id} ({made.name}) was created.")


@app.command("list")
def list_(account: AccountName = None, as_json: Json = False, data: Data = None, database: DatabaseUrl = None) -> None:
    """List the occasions."""
    table = Table("Occasion", "Name", "Open")
    with opened(settings_of(data, database)) as product:
        found = product.event_sign_ups.all(account_of(product, account).id)
        if as_json:
            from soapstone.api.event_sign_ups import OccasionOut

            print_all(found, own(OccasionOut))
            return
        for each in found:
            table.add_row(str(each.id), each.name, "yes" if each.open else "no")
    console.print(table)


@app.command()
def close(
    occasion: int,
    reopen: Annotated[bool, typer.Option("--open", help="Reopen the sign-ups.")] = False,
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Close the sign-ups of an occasion."""
    with opened(settings_of(data, database)) as product:
        if not product.event_sign_ups.open(account_of(product, account).id, occasion, reopen):
            stop(f"There is no occasion {occasion}.")
        console.print(f"Occasion {occasion} is {'open' if reopen else 'closed'}.")


@app.command()
def people(
    occasion: int, account: AccountName = None, as_json: Json = False, data: Data = None, database: DatabaseUrl = None
) -> None:
    """List the sign-ups of an occasion."""
    table = Table("Number", "E-mail", "First name", "Last name", "Reference", "Live")
    with opened(settings_of(data, database)) as product:
        found = product.event_sign_ups.get(account_of(product, account).id, occasion)
        if found is None:
            stop(f"There is no occasion {occasion}.")
        signed_up = product.event_sign_ups.signed_up(found)
        if as_json:
            from soapstone.api.event_sign_ups import SignUpOut

            print_all(signed_up, own(SignUpOut))
            return
        for each in signed_up:
            names = (each.email, each.first_name, each.last_name, each.reference)
            table.add_row(str(each.id), *names, "yes" if each.live else "no")
    console.print(table)
