"""`soapstone search …`: contact searches, also saved ones."""

from __future__ import annotations

from typing import Annotated

import typer

from soapstone.accounts.account import Account
from soapstone.commands.common import ChosenNumber, field_values, on_account, stop
from soapstone.commands.output import Json, console, print_rows
from soapstone.contacts.search import Example
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Searches for contacts.")

Criteria = Annotated[list[str], typer.Argument(help="FIELD=VALUE, such as Last_Name=Mil*; * matches any text.")]


@on_account(app)
def find(
    product: Product,
    owner: Account,
    criteria: Criteria,
    limit: Annotated[int, typer.Option(min=1, max=2000, help="Maximum number of contacts.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the contacts that match all conditions."""
    names = ("email", "custom_id", "first_name", "last_name")
    print_rows(
        product.search.page(owner, Example(values=field_values(criteria, "VALUE")), limit=limit),
        as_json,
        "contacts:ContactOut.of",
        ("Contact", "E-mail", "Custom id", "First name", "Last name"),
        lambda person: (person.id, *(person.fields[name] for name in names)),
    )


@on_account(app)
def save(product: Product, owner: Account, name: str, criteria: Criteria, number: ChosenNumber = None) -> None:
    """Save a search."""
    saved = product.saved_searches.add(owner.id, name, field_values(criteria, "VALUE"), number=number)
    console.print(f"Search {saved.id} ({saved.name}) is saved.")


@on_account(app, "list")
def list_(product: Product, owner: Account, as_json: Json = False) -> None:
    """List the saved searches."""
    print_rows(
        product.saved_searches.all(owner.id),
        as_json,
        "saved_searches:SearchOut.of",
        ("Search", "Name", "Looks for"),
        lambda each: (each.id, each.name, ", ".join(f"{name}={value}" for name, value in each.criteria.items())),
    )


@on_account(app)
def delete(product: Product, owner: Account, name: str) -> None:
    """Delete a saved search."""
    if not product.saved_searches.delete(owner.id, name):
        stop(f"There is no search {name}.")
    console.print(f"Search {name} was deleted.")
