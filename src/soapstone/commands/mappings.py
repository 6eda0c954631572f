"""`soapstone mapping …`: objects of another system and their counterparts here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from soapstone.commands.common import AccountName, Data, DatabaseUrl, account_of, console, opened, settings_of, stop
from soapstone.commands.json_output import Json, own, print_all

app = typer.Typer(no_args_is_help=True, help="Objects of the membership system Personify and their counterparts here.")


@app.command()
def add(
    object_type: Annotated[str, typer.Argument(help="Kind of the object in Personify.")],
    identifier: Annotated[str, typer.Argument(help="Its name in Personify.")],
    own_id: Annotated[int, typer.Argument(help="Number of the object here.")],
    own_type: Annotated[str, typer.Option(help="Kind of the object here.")] = "Group",
    own_name: Annotated[str, typer.Option(help="Its name here.")] = "",
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Create a mapping."""
    with opened(settings_of(data, database)) as product:
        made = product.mappings.add(
            account_of(product, account).id,
            object_type=object_type,
            identifier=identifier,
            own_type=own_type,
            own_id=own_id,
            own_name=own_name,
        )
        console.print(f"Mapping {made.id} was created.")


@app.command("list")
def list_(account: AccountName = None, as_json: Json = False, data: Data = None, database: DatabaseUrl = None) -> None:
    """List the mappings."""
    table = Table("Mapping", "There", "Identifier", "Here", "Number", "Name")
    with opened(settings_of(data, database)) as product:
        found = product.mappings.find(account_of(product, account).id)
        if as_json:
            from soapstone.api.mappings import MappingOut

            print_all(found, own(MappingOut))
            return
        for each in found:
            table.add_row(
                str(each.id), each.object_type, each.identifier, each.own_type, str(each.own_id), each.own_name
            )
    console.print(table)


@app.command()
def delete(mapping: int, account: AccountName = None, data: Data = None, database: DatabaseUrl = None) -> None:
    """Delete a mapping."""
    with opened(settings_of(data, database)) as product:
        if not product.mappings.delete(account_of(product, account).id, mapping):
            stop(f"There is no mapping {mapping}.")
        console.print(f"Mapping {mapping} was deleted.")
