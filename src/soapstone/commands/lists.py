"""`soapstone list …`: lists and their saved messages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from soapstone.commands.common import AccountName, Data, DatabaseUrl, account_of, console, opened, settings_of, stop
from soapstone.lists.addresses import is_address
from soapstone.sending.mailbox import is_mailbox
from soapstone.sending.message import Draft, InvalidMessage

app = typer.Typer(no_args_is_help=True, help="Lists of contacts.")


@app.command()
def create(
    name: str,
    from_name: Annotated[str, typer.Option(help="Default sender's name.")] = "",
    from_address: Annotated[str, typer.Option(help="Default sender's address.")] = "",
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Create a list."""
    if from_address and not is_mailbox(from_address):
        stop(f"{from_address} is not an e-mail address.")
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        made = product.lists.create(owner.id, name, settings={"from_name": from_name, "from_address": from_address})
        console.print(f"List {made.id} ({made.name}) is there.")


@app.command("list")
def list_(account: AccountName = None, data: Data = None, database: DatabaseUrl = None) -> None:
    """List the lists of an account."""
    table = Table("List", "Name", "Members", "Subscribed")
    with opened(settings_of(data, database)) as product:
        for each in product.lists.all(account_of(product, account).id):
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
    if not is_address(address):
        stop(f"{address} is not an e-mail address.")
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        if list_id and product.lists.get(owner.id, list_id) is None:
            stop(f"There is no list {list_id} in account {owner.name}.")
        kind = "banned" if ban else "suppressed"
        product.suppressions.add(owner.id, address, kind=kind, list_id=list_id)
        console.print(f"{address} is {kind}.")


@app.command("message")
def message(
    list_id: Annotated[int, typer.Option("--list", help="The list that the message is for.")],
    subject: Annotated[str, typer.Option(help="Subject; may hold merge fields.")],
    html: Annotated[Path | None, typer.Option(help="File with the HTML body.")] = None,
    text: Annotated[Path | None, typer.Option(help="File with the plain text body.")] = None,
    account: AccountName = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Save a message for a list and tell its number."""
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        found = product.lists.get(owner.id, list_id)
        if found is None:
            stop(f"There is no list {list_id} in account {owner.name}.")
        try:
            draft = Draft(
                subject=subject,
                html=html.read_text(encoding="utf-8") if html else "",
                plain=text.read_text(encoding="utf-8") if text else "",
            )
            saved = product.messages.save(owner.id, found.id, draft)
        except OSError as trouble:
            stop(f"Cannot read {trouble.filename}: {trouble.strerror}.")
        except InvalidMessage as trouble:
            stop(str(trouble))
        console.print(f"Message {saved.id} is saved.")
