"""`soapstone mapping …`: objects of another system and their counterparts here."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated

import typer

from soapstone.accounts.account import Account
from soapstone.commands.common import on_account, stop
from soapstone.commands.output import Json, console, print_rows
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Objects of the membership system Personify and their counterparts here.")


@on_account(app)
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


@on_account(app, "list")
def list_(product: Product, owner: Account, as_json: Json = False) -> None:
    """List the mappings."""
    print_rows(
        product.mappings.find(owner.id),
        as_json,
        "mappings:MappingOut.of",
        ("Mapping", "There", "Identifier", "Here", "Number", "Name"),
        attrgetter("id", "object_type", "identifier", "own_type", "own_id", "own_name"),
    )


@on_account(app)
def delete(product: Product, owner: Account, mapping: int) -> None:
    """Delete a mapping."""
    if not product.mappings.delete(owner.id, mapping):
        stop(f"There is no mapping {mapping}.")
    console.print(f"Mapping {mapping} was deleted.")
