"""`soapstone list …`: lists."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from soapstone.commands.common import (
    AccountName,
    ChosenNumber,
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
from soapstone.sending.mail.mailbox import is_mailbox

app = typer.Typer(no_args_is_help=True, help="Lists of contacts.")

_REMOVAL_LINK = typer.Option("--removal-link/--no-removal-link", help="Add a link to unsubscribe to mails without one.")


@app.command()
def create(
    name: str,
    from_name: Annotated[str, typer.Option(help="Default sender's name.")] = "",
    from_address: Annotated[str, typer.Option(help="Default sender's address.")] = "",
    removal_link: Annotated[bool, _REMOVAL_LINK] = True,
    number: ChosenNumber = None,
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Create a list."""
    _check_sender(from_address)
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        settings = {"from_name": from_name, "from_address": from_address, "removal_link": removal_link}
        made = product.lists.create(owner.id, name, settings=settings, number=number)
        console.print(f"List {made.id} ({made.name}) was created.")


@app.command()
def edit(
    list_id: Annotated[int, typer.Argument(metavar="LIST", help="Number of the list.")],
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    from_name: Annotated[str | None, typer.Option(help="Default sender's name; empty for none.")] = None,
    from_address: Annotated[str | None, typer.Option(help="Default sender's address; empty for none.")] = None,
    removal_link: Annotated[bool | None, _REMOVAL_LINK] = None,
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Change the given settings of a list."""
    _check_sender(from_address or "")
    if name is not None and not name.strip():
        stop("The list needs a name.")
    given: dict[str, Any] = {"from_name": from_name, "from_address": from_address, "removal_link": removal_link}
    settings = {key: value for key, value in given.items() if value is not None}
    if name is None and not settings:
        stop("Nothing to change: give an option.")
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        found = list_of(product, owner, list_id)
        product.lists.change(owner.id, found.id, name=name.strip() if name is not None else None, settings=settings)
        console.print(f"List {found.id} is changed.")


@app.command("list")
def list_(account: AccountName = None, as_json: Json = False, data: Data = None, database: DatabaseUrl = None) -> None:
    """List the lists of an account."""
    table = Table("List", "Name", "Members", "Subscribed")
    with opened(settings_of(data, database)) as product:
        found = product.lists.all(account_of(product, account).id)
        if as_json:
            from soapstone.api.lists import ListOut

            print_all(found, ListOut.of)
            return
        for each in found:
            table.add_row(str(each.id), each.name, str(each.members), str(each.subscribed))
    console.print(table)


@app.command("suppress")
def suppress(
    address: str,
    list_id: Annotated[int, typer.Option("--list", help="Only on this list; the whole account by default.")] = 0,
    ban: Annotated[bool, typer.Option(help="Ban the address instead.")] = False,
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Suppress or ban an address: nothing is sent to it."""
    address = address_of(address)
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        if list_id and product.lists.get(owner.id, list_id) is None:
            stop(f"There is no list {list_id} in account {owner.name}.")
        kind = "banned" if ban else "suppressed"
        product.suppressions.add(owner.id, address, kind=kind, list_id=list_id)
        console.print(f"{address} is {kind}.")


def _check_sender(address: str) -> None:
    if address and not is_mailbox(address):
        stop(f"{address} is not an e-mail address.")
