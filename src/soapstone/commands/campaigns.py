"""`soapstone campaign …`: campaigns of lists."""

from __future__ import annotations

import typer

from soapstone.accounts.account import Account
from soapstone.commands.common import ChosenNumber, ListId, list_of, on_account, stop
from soapstone.commands.output import Json, console, print_rows
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Campaigns of lists.")


@on_account(app)
def add(product: Product, owner: Account, name: str, list_id: ListId, number: ChosenNumber = None) -> None:
    """Create a campaign of a list."""
    made = product.campaigns.add(owner.id, list_of(product, owner, list_id).id, name, number=number)
    console.print(f"Campaign {made.id} ({made.name}) was created.")


@on_account(app, "list")
def list_(product: Product, owner: Account, list_id: ListId, as_json: Json = False) -> None:
    """List the campaigns of a list."""
    found = product.campaigns.all(list_of(product, owner, list_id).id)
    columns = ("Campaign", "Name", "Messages")
    print_rows(found, as_json, "campaigns:CampaignOut.of", columns, lambda each: (each.id, each.name, each.messages))


@on_account(app)
def rename(product: Product, owner: Account, campaign: int, name: str) -> None:
    """Rename a campaign."""
    if not product.campaigns.rename(owner.id, campaign, name):
        stop(f"There is no campaign {campaign} in account {owner.name}.")
    console.print(f"Campaign {campaign} is now {name.strip()}.")


@on_account(app)
def delete(product: Product, owner: Account, campaign: int) -> None:
    """Delete a campaign; its messages are kept."""
    if not product.campaigns.delete(owner.id, campaign):
        stop(f"There is no campaign {campaign} in account {owner.name}.")
    console.print(f"Campaign {campaign} was deleted.")
