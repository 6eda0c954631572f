"""`soapstone category …`: categories of lists, and with --messages those of messages."""

from __future__ import annotations

from typing import Annotated

import typer

from soapstone.accounts.account import Account
from soapstone.commands.common import ChosenNumber, ListId, on_account, stop
from soapstone.commands.output import Json, console, print_rows
from soapstone.lists.categories import Categories
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Categories of lists and of messages.")

OfMessages = Annotated[bool, typer.Option("--messages", help="Use categories of messages, not lists.")]


@on_account(app)
def add(product: Product, owner: Account, name: str, messages: OfMessages = False, number: ChosenNumber = None) -> None:
    """Create a category."""
    made = _categories(product, messages).add(owner.id, name, number=number)
    console.print(f"Category {made.id} ({made.name}) was created.")


@on_account(app, "list")
def list_(product: Product, owner: Account, messages: OfMessages = False, as_json: Json = False) -> None:
    """List the categories."""
    print_rows(
        _categories(product, messages).all(owner.id),
        as_json,
        "categories:CategoryOut.of",
        ("Category", "Name", "In use"),
        lambda each: (each.id, each.name, "yes" if each.active else "no"),
    )


@on_account(app)
def put(
    product: Product,
    owner: Account,
    list_id: ListId,
    category: Annotated[int, typer.Argument(help="The category; 0 for none.")],
) -> None:
    """Put a list into a category."""
    if category and product.list_categories.get(owner.id, category) is None:
        stop(f"There is no category {category} of lists in account {owner.name}.")
    if product.lists.change(owner.id, list_id, category_id=category or None) is None:
        stop(f"There is no list {list_id} in account {owner.name}.")
    console.print(f"List {list_id} is in {f'category {category}' if category else 'no category'}.")


@on_account(app)
def use(
    product: Product,
    owner: Account,
    category: int,
    active: Annotated[bool, typer.Option("--active/--inactive", help="Whether it is active.")] = True,
) -> None:
    """Activate or deactivate a list category."""
    if not product.list_categories.change(owner.id, category, active=active):
        stop(f"There is no category {category} of lists in account {owner.name}.")
    console.print(f"Category {category} is {'in use' if active else 'out of use'}.")


@on_account(app)
def delete(product: Product, owner: Account, category: int, messages: OfMessages = False) -> None:
    """Delete a category; its lists or messages are kept."""
    if not _categories(product, messages).delete(owner.id, category):
        stop(f"There is no category {category} in account {owner.name}.")
    console.print(f"Category {category} was deleted.")


def _categories(product: Product, messages: bool) -> Categories:
    return product.message_categories if messages else product.list_categories
