"""`soapstone mapping …`: objects of another system and their counterparts here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from soapstone.accounts.account import Account
from soapstone.commands.common import on_account, stop
from soapstone.commands.json_output import Json, print_all
from soapstone.commands.terminal import console
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Objects of the membership system Personify and their counterparts here.")


@app.command()
@on_account
def add(
    product: Product,
    owner: Account,
    object_type: Annotated[str, typer.Argument(help="Kind of the object in Personify.")],
    identifier: Annotated[str, typer.Argument(help="Its name in Personify.")],
    own_id: Annotated[int, typer.Argument(help="Number of the object here.")],
    own_type: Annotated[str, typer.Option(help="Kind of the object here.")] = "Group",
    own_name: Annotated[str, typer.Option(help="Its name here.")] = "",
) -> None:
    """Create a mapping."""
    made = product.mappings.add(
        owner.id, object_type=object_type, identifier=identifier, own_type=own_type, own_id=own_id, own_name=own_name
    )
    console.print(f"Mapping {made.id} was created.")


@app.command("list")
@on_account
def list_(product: Product, owner: Account, as_json: Json = False) -> None:
    """List the mappings."""
    table = Table("Mapping", "There", "Identifier", "Here", "Number", "Name")
    found = product.mappings.find(owner.id)
    if as_json:
        from soapstone.api.mappings import MappingOut

        print_all(found, MappingOut.of)
        return
    for each in found:
        table.add_row(str(each.id), each.object_type, each.identifier, each.own_type, str(each.own_id), each.own_name)
    console.print(table)


@app.command()
@on_account
def delete(product: Product, owner: Account, mapping: int) -> None:
    """Delete a mapping."""
    if not product.mappings.delete(owner.id, mapping):
        stop(f"There is no mapping {mapping}.")
    console.print(f"Mapping {mapping} was deleted.")
