"""`soapstone campaign …`: campaigns of lists."""

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

app = typer.Typer(no_args_is_help=True, help="Campaigns of lists.")

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
    """Create a campaign of a list."""
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        made = product.campaigns.add(owner.id, list_of(product, owner, list_id).id, name, number=number)
        console.print(f"Campaign {made.id} ({made.name}) was created.")


@app.command("list")
def list_(
    list_id: ListId, account: AccountName = None, as_json: Json = False, data: Data = None, database: DatabaseUrl = None
) -> None:
    """List the campaigns of a list."""
    table = Table("Campaign", "Name", "Messages")
    with opened(settings_of(data, database)) as product:
        found = product.campaigns.all(list_of(product, account_of(product, account), list_id).id)
        if as_json:
            from soapstone.api.campaigns import CampaignOut

            print_all(found, own(CampaignOut))
            return
        for each in found:
            table.add_row(str(each.id), each.name, str(each.messages))
    console.print(table)


@app.command()
def rename(
    campaign: int, name: str, account: AccountName = None, data: Data = None, database: DatabaseUrl = None
) -> None:
    """Rename a campaign."""
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        if not product.campaigns.rename(owner.id, campaign, name):
            stop(f"There is no campaign {campaign} in account {owner.name}.")
        console.print(f"Campaign {campaign} is now {name.strip()}.")


@app.command()
def delete(campaign: int, account: AccountName = None, data: Data = None, database: DatabaseUrl = None) -> None:
    """Delete a campaign; its messages are kept."""
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        if not product.campaigns.delete(owner.id, campaign):
            stop(f"There is no campaign {campaign} in account {owner.name}.")
        console.print(f"Campaign {campaign} was deleted.")
