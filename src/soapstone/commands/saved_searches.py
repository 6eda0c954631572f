"""`soapstone search …`: contact searches, also saved ones."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from soapstone.accounts.account import Account
from soapstone.commands.common import ChosenNumber, field_values, on_account, stop
from soapstone.commands.json_output import Json, print_all
from soapstone.commands.terminal import console
from soapstone.contacts.search import Example
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Searches for contacts.")

Criteria = Annotated[list[str], typer.Argument(help="FIELD=VALUE, such as Last_Name=Mil*; * matches any text.")]


@app.command()
@on_account
def find(
    product: Product,
    owner: Account,
    criteria: Criteria,
    limit: Annotated[int, typer.Option(min=1, max=2000, help="Maximum number of contacts.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the contacts that match all conditions."""
    table = Table("Contact", "E-mail", "Custom id", "First name", "Last name")
    found = product.search.page(owner, Example(values=field_values(criteria, "VALUE")), limit=limit)
    if as_json:
        from soapstone.api.contacts import ContactOut

        print_all(found, ContactOut.of)
        return
    for person in found:
        names = ("email", "custom_id", "first_name", "last_name")
        table.add_row(str(person.id), *(person.fields[name] for name in names))
    console.print(table)


@app.command()
@on_account
def save(product: Product, owner: Account, name: str, criteria: Criteria, number: ChosenNumber = None) -> None:
    """Save a search."""
    saved = product.saved_searches.add(owner.id, name, field_values(criteria, "VALUE"), number=number)
    console.print(f"Search {saved.id} ({saved.name}) is saved.")


@app.command("list")
@on_account
def list_(product: Product, owner: Account, as_json: Json = False) -> None:
    """List the saved searches."""
    table = Table("Search", "Name", "Looks for")
    found = product.saved_searches.all(owner.id)
    if as_json:
        from soapstone.api.saved_searches import SearchOut

        print_all(found, SearchOut.of)
        return
    for each in found:
        table.add_row(str(each.id), each.name, ", ".join(f"{name}={value}" for name, value in each.criteria.items()))
    console.print(table)


@app.command()
@on_account
def delete(product: Product, owner: Account, name: str) -> None:
    """Delete a saved search."""
    if not product.saved_searches.delete(owner.id, name):
        stop(f"There is no search {name}.")
    console.print(f"Search {name} was deleted.")
