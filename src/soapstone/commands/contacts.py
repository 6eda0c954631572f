"""`soapstone contact …`: export and delete a person's data, and open channels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from soapstone.accounts.account import Account
from soapstone.accounts.audit import COMMAND_LINE, AuditAction
from soapstone.commands.common import on_account, stop, write_file
from soapstone.commands.output import console
from soapstone.errors import ConflictError, NotFoundError
from soapstone.product import Product
from soapstone.vocabulary.contacts import Channel

app = typer.Typer(no_args_is_help=True, help="Export and delete a person's data, and open channels.")

Person = Annotated[str, typer.Argument(help="The number of the contact, or an e-mail address.")]


@on_account(app)
def export(
    product: Product,
    owner: Account,
    person: Person,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; by default standard output.")
    ] = None,
) -> None:
    """Write all data about a person from the records and the mail folder as JSON."""
    try:
        found = product.dossiers.of(owner, _who(person))
    except NotFoundError:
        stop(f"Account {owner.name} has no data about {person}.")
    told = f"contact {', '.join(str(each['id']) for each in found['contacts'])} with all that is known of it"
    product.audit.add(owner.id, COMMAND_LINE, AuditAction.EXPORT, told)
    text = json.dumps(found, ensure_ascii=False, indent=2) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    write_file(output, text.encode("utf-8", "replace"))


@on_account(app)
def open_channel(
    product: Product,
    owner: Account,
    person: Person,
    channel: Annotated[Channel, typer.Argument(help="The channel to open.")],
) -> None:
    """Open a channel that a suppression list has shut for a person. A ban and unsubscribes stay."""
    if not product.channels.open(owner, _who(person), channel):
        stop(f"No {channel} channel of {person} is shut in account {owner.name}.")
    console.print(f"The {channel} channel of {person} is open.")


@on_account(app)
def delete(
    product: Product,
    owner: Account,
    person: Person,
    yes: Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")] = False,
) -> None:
    """Delete a person and all data about it. Imports do not bring the address back."""
    if not yes and not typer.confirm(f"Delete {person} in account {owner.name} for good?"):
        stop("Nothing was deleted.")
    try:
        gone = product.erasure.delete(owner, _who(person), COMMAND_LINE)
    except NotFoundError:
        stop(f"Account {owner.name} has no data about {person}.")
    except ConflictError as send:
        stop(f"Send {send} has a mail for this person. Wait until it ends, or cancel it.")
    console.print(
        f"Deleted: {len(gone.contact_ids)} contacts. Emptied: {gone.deliveries} rows of ledgers, "
        f"{gone.rejects} rejected rows. Removed: {gone.mails} mails, {gone.files} uploaded files.",
        soft_wrap=True,
    )


def _who(person: str) -> int | str:
    return int(person) if person.isascii() and person.isdecimal() and len(person) < 19 else person
