"""`soapstone list …`: lists."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from soapstone.accounts.account import Account
from soapstone.commands.common import ChosenNumber, address_of, list_of, on_account, stop
from soapstone.commands.output import Json, console, print_rows
from soapstone.product import Product
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.vocabulary.tracking import TrackingMode

app = typer.Typer(no_args_is_help=True, help="Lists of contacts.")

_REMOVAL_LINK = typer.Option("--removal-link/--no-removal-link", help="Add a link to unsubscribe to mails without one.")

_TRACKING = typer.Option(help="How much is recorded of its mails' recipients.")


class ListTracking(StrEnum):
    """One of TrackingMode, or that of the account."""

    ACCOUNT = "account"
    FULL = TrackingMode.FULL.value
    FIGURES = TrackingMode.FIGURES.value
    OFF = TrackingMode.OFF.value

    @property
    def column(self) -> str:
        """The value as it is stored."""
        return "" if self is ListTracking.ACCOUNT else self.value


@on_account(app)
def create(
    product: Product,
    owner: Account,
    name: str,
    from_name: Annotated[str, typer.Option(help="Default sender's name.")] = "",
    from_address: Annotated[str, typer.Option(help="Default sender's address.")] = "",
    removal_link: Annotated[bool, _REMOVAL_LINK] = True,
    tracking: Annotated[ListTracking, _TRACKING] = ListTracking.ACCOUNT,
    number: ChosenNumber = None,
) -> None:
    """Create a list."""
    _check_sender(from_address)
    settings = {"from_name": from_name, "from_address": from_address, "removal_link": removal_link}
    made = product.lists.create(owner.id, name, settings=settings, tracking=tracking.column, number=number)
    console.print(f"List {made.id} ({made.name}) was created.")


@on_account(app)
def edit(
    product: Product,
    owner: Account,
    list_id: Annotated[int, typer.Argument(metavar="LIST", help="Number of the list.")],
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    from_name: Annotated[str | None, typer.Option(help="Default sender's name; empty for none.")] = None,
    from_address: Annotated[str | None, typer.Option(help="Default sender's address; empty for none.")] = None,
    removal_link: Annotated[bool | None, _REMOVAL_LINK] = None,
    tracking: Annotated[ListTracking | None, _TRACKING] = None,
) -> None:
    """Change the given settings of a list."""
    _check_sender(from_address or "")
    given: dict[str, Any] = {"from_name": from_name, "from_address": from_address, "removal_link": removal_link}
    settings = {key: value for key, value in given.items() if value is not None}
    columns: dict[str, Any] = {}
    if tracking is not None:
        columns["tracking"] = tracking.column
    if name is None and not settings and not columns:
        stop("Nothing to change: give an option.")
    found = list_of(product, owner, list_id)
    product.lists.change(owner.id, found.id, name=name, settings=settings, **columns)
    console.print(f"List {found.id} is changed.")


@on_account(app, "list")
def list_(product: Product, owner: Account, as_json: Json = False) -> None:
    """List the lists of an account."""
    print_rows(
        product.lists.all(owner.id),
        as_json,
        "lists:ListOut.of",
        ("List", "Name", "Members", "Subscribed"),
        lambda each: (each.id, each.name, each.members, each.subscribed),
    )


@on_account(app, "suppress")
def suppress(
    product: Product,
    owner: Account,
    address: str,
    list_id: Annotated[int, typer.Option("--list", help="Only on this list; the whole account by default.")] = 0,
    ban: Annotated[bool, typer.Option(help="Ban the address instead.")] = False,
) -> None:
    """Suppress or ban an address: nothing is sent to it."""
    address = address_of(address)
    if list_id:
        list_of(product, owner, list_id)
    kind = "banned" if ban else "suppressed"
    product.suppressions.add(owner.id, address, kind=kind, list_id=list_id)
    console.print(f"{address} is {kind}.")


def _check_sender(address: str) -> None:
    if address and not is_mailbox(address):
        stop(f"{address} is not an e-mail address.")
