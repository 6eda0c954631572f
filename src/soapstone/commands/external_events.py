"""`soapstone event …`: external events that calls and imports can raise for members of a list."""

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
    list_of,
    opened,
    settings_of,
    stop,
)
from soapstone.commands.json_output import Json, own, print_all

app = typer.Typer(no_args_is_help=True, help="External events of lists.")

ListId = Annotated[int, typer.Option("--list", help="The list.")]


@app.command()
def add(
    name: str,
    list_id: ListId,
    number: ChosenNumber = None,
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Create an event of a list."""
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        made = product.external_events.add(owner.id, list_of(product, owner, list_id).id, name, number=number)
        console.print(f"Event {made.id} ({made.name}) was created.")


@app.command("list")
def list_(
    list_id: ListId, account: AccountName = None, as_json: Json = False, data: Data = None, database: DatabaseUrl = None
) -> None:
    """List the events of a list."""
    table = Table("Event", "Name", "State")
    with opened(settings_of(data, database)) as product:
        found = product.external_events.all(list_of(product, account_of(product, account), list_id).id)
        if as_json:
            from soapstone.api.external_events import EventOut

            print_all(found, own(EventOut))
            return
        for each in found:
            table.add_row(str(each.id), each.name, "active" if each.active else "blocked")
    console.print(table)


@app.command()
def block(
    event: int,
    active: Annotated[bool, typer.Option("--active", help="Make it active again.")] = False,
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Block an event from being raised."""
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        if product.external_events.change(owner.id, event, active=active) is None:
            stop(f"There is no event {event} in account {owner.name}.")
        console.print(f"Event {event} is {'active' if active else 'blocked'}.")
