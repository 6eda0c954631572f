"""`soapstone event …`: external events that calls and imports can raise for members of a list."""

from __future__ import annotations

from typing import Annotated

import typer

from soapstone.accounts.account import Account
from soapstone.commands.common import ChosenNumber, ListId, list_of, on_account, stop
from soapstone.commands.output import Json, console, print_rows
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="External events of lists.")


@on_account(app)
def add(product: Product, owner: Account, name: str, list_id: ListId, number: ChosenNumber = None) -> None:
    """Create an event of a list."""
    made = product.external_events.add(owner.id, list_of(product, owner, list_id).id, name, number=number)
    console.print(f"Event {made.id} ({made.name}) was created.")


@on_account(app, "list")
def list_(product: Product, owner: Account, list_id: ListId, as_json: Json = False) -> None:
    """List the events of a list."""
    print_rows(
        product.external_events.all(list_of(product, owner, list_id).id),
        as_json,
        "external_events:EventOut.of",
        ("Event", "Name", "State"),
        lambda each: (each.id, each.name, "active" if each.active else "blocked"),
    )


@on_account(app)
def block(
    product: Product,
    owner: Account,
    event: int,
    active: Annotated[bool, typer.Option("--active", help="Make it active again.")] = False,
) -> None:
    """Block an event from being raised."""
    if product.external_events.change(owner.id, event, active=active) is None:
        stop(f"There is no event {event} in account {owner.name}.")
    console.print(f"Event {event} is {'active' if active else 'blocked'}.")
