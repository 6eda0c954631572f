"""`soapstone review …`: review groups of lists."""

from __future__ import annotations

from typing import Annotated

import typer

from soapstone.address_repair import repaired
from soapstone.commands.common import (
    AccountName,
    Data,
    DatabaseUrl,
    account_of,
    address_of,
    console,
    list_of,
    opened,
    settings_of,
    stop,
)
from soapstone.commands.json_output import Json, print_all

app = typer.Typer(no_args_is_help=True, help="Review groups of lists.")

ListId = Annotated[int, typer.Option("--list", help="The list.")]


@app.command()
def add(
    address: str, list_id: ListId, account: AccountName = None, data: Data = None, database: DatabaseUrl = None
) -> None:
    """Put an address into a review group."""
    address = address_of(address)
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        product.review_groups.add(owner.id, list_of(product, owner, list_id).id, address)
        console.print(f"{address} reviews list {list_id}.")


@app.command("list")
def list_(
    list_id: ListId, account: AccountName = None, as_json: Json = False, data: Data = None, database: DatabaseUrl = None
) -> None:
    """List the addresses of a review group."""
    with opened(settings_of(data, database)) as product:
        found = product.review_groups.all(list_of(product, account_of(product, account), list_id).id)
        if as_json:
            print_all(found, str)
            return
        for address in found:
            console.print(address)


@app.command()
def remove(
    address: str, list_id: ListId, account: AccountName = None, data: Data = None, database: DatabaseUrl = None
) -> None:
    """Take an address out of a review group."""
    address = repaired(address)
    with opened(settings_of(data, database)) as product:
        if not product.review_groups.remove(list_of(product, account_of(product, account), list_id).id, address):
            stop(f"{address} does not review list {list_id}.")
        console.print(f"{address} no longer reviews list {list_id}.")
