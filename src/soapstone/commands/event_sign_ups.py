"""`soapstone occasion …`: events and their sign-ups."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from soapstone.accounts.account import Account
from soapstone.commands.common import ChosenNumber, on_account, stop
from soapstone.commands.json_output import Json, print_all
from soapstone.commands.terminal import console
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Events and their sign-ups.")


@app.command()
@on_account
def add(product: Product, owner: Account, name: str, number: ChosenNumber = None) -> None:
    """Create an occasion, open for sign-ups."""
    made = product.event_sign_ups.add(owner.id, name, number=number)
    console.print(f"Occasion {made.id} ({made.name}) was created.")


@app.command("list")
@on_account
def list_(product: Product, owner: Account, as_json: Json = False) -> None:
    """List the occasions."""
    table = Table("Occasion", "Name", "Open")
    found = product.event_sign_ups.all(owner.id)
    if as_json:
        from soapstone.api.event_sign_ups import OccasionOut

        print_all(found, OccasionOut.of)
        return
    for each in found:
        table.add_row(str(each.id), each.name, "yes" if each.open else "no")
    console.print(table)


@app.command()
@on_account
def close(
    product: Product,
    owner: Account,
    occasion: int,
    reopen: Annotated[bool, typer.Option("--open", help="Reopen the sign-ups.")] = False,
) -> None:
    """Close the sign-ups of an occasion."""
    if not product.event_sign_ups.open(owner.id, occasion, reopen):
        stop(f"There is no occasion {occasion}.")
    console.print(f"Occasion {occasion} is {'open' if reopen else 'closed'}.")


@app.command()
@on_account
def people(product: Product, owner: Account, occasion: int, as_json: Json = False) -> None:
    """List the sign-ups of an occasion."""
    table = Table("Number", "E-mail", "First name", "Last name", "Reference", "Live")
    found = product.event_sign_ups.get(owner.id, occasion)
    if found is None:
        stop(f"There is no occasion {occasion}.")
    signed_up = product.event_sign_ups.signed_up(found)
    if as_json:
        from soapstone.api.event_sign_ups import SignUpOut

        print_all(signed_up, SignUpOut.of)
        return
    for each in signed_up:
        names = (each.email, each.first_name, each.last_name, each.reference)
        table.add_row(str(each.id), *names, "yes" if each.live else "no")
    console.print(table)
