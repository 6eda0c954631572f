"""`soapstone review …`: review groups of lists."""

from __future__ import annotations

import typer

from soapstone.accounts.account import Account
from soapstone.address_repair import repaired
from soapstone.commands.common import ListId, address_of, list_of, on_account, stop
from soapstone.commands.output import Json, console, print_all
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Review groups of lists.")


@on_account(app)
def add(product: Product, owner: Account, address: str, list_id: ListId) -> None:
    """Put an address into a review group."""
    address = address_of(address)
    product.review_groups.add(owner.id, list_of(product, owner, list_id).id, address)
    console.print(f"{address} reviews list {list_id}.")


@on_account(app, "list")
def list_(product: Product, owner: Account, list_id: ListId, as_json: Json = False) -> None:
    """List the addresses of a review group."""
    found = product.review_groups.all(list_of(product, owner, list_id).id)
    if as_json:
        print_all(found, str)
        return
    for address in found:
        console.print(address)


@on_account(app)
def remove(product: Product, owner: Account, address: str, list_id: ListId) -> None:
    """Take an address out of a review group."""
    address = repaired(address)
    if not product.review_groups.remove(list_of(product, owner, list_id).id, address):
        stop(f"{address} does not review list {list_id}.")
    console.print(f"{address} no longer reviews list {list_id}.")
