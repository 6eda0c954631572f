"""`soapstone occasion …`: events and their sign-ups."""

from __future__ import annotations

from typing import Annotated

import typer

from soapstone.accounts.account import Account
from soapstone.commands.common import ChosenNumber, on_account, stop
from soapstone.commands.output import Json, console, print_rows
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Events and their sign-ups.")


@on_account(app)
def add(product: Product, owner: Account, name: str, number: ChosenNumber = None) -> None:
    """Create an occasion, open for sign-ups."""
    made = product.event_sign_ups.add(owner.id, name, number=number)
    console.print(f"Occasion {made.id} ({made.name}) was created.")


@on_account(app, "list")
def list_(product: Product, owner: Account, as_json: Json = False) -> None:
    """List the occasions."""
    print_rows(
        product.event_sign_ups.all(owner.id),
        as_json,
        "event_sign_ups:OccasionOut.of",
        ("Occasion", "Name", "Open"),
        lambda each: (each.id, each.name, "yes" if each.open else "no"),
    )


@on_account(app)
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


@on_account(app)
def people(product: Product, owner: Account, occasion: int, as_json: Json = False) -> None:
    """List the sign-ups of an occasion."""
    found = product.event_sign_ups.get(owner.id, occasion) or stop(f"There is no occasion {occasion}.")
    names = ("id", "email", "first_name", "last_name", "reference")
    print_rows(
        product.event_sign_ups.signed_up(found),
        as_json,
        "event_sign_ups:SignUpOut.of",
        ("Number", "E-mail", "First name", "Last name", "Reference", "Live"),
        lambda each: (*(getattr(each, name) for name in names), "yes" if each.live else "no"),
    )
