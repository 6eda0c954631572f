"""`soapstone attribute …`: profile attributes of lists."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from soapstone.accounts.account import Account
from soapstone.commands.common import ChosenNumber, ListId, list_of, on_account, stop
from soapstone.commands.output import Json, console, print_all
from soapstone.lists.profiles import AttributeDraft
from soapstone.product import Product
from soapstone.store.numbers import LARGEST_CHOSEN
from soapstone.vocabulary.attributes import AttributeKind

app = typer.Typer(no_args_is_help=True, help="Profile attributes of lists.")


@on_account(app)
def add(
    product: Product,
    owner: Account,
    name: str,
    list_id: ListId,
    kind: Annotated[AttributeKind, typer.Option(help="Kind of its values.")] = AttributeKind.TEXT,
    max_length: Annotated[int, typer.Option(min=0, help="Longest text in characters; 0 for no limit.")] = 0,
    header: Annotated[str, typer.Option(help="Name of its header, created if missing.")] = "Profile",
    number: ChosenNumber = None,
    header_number: Annotated[
        int | None, typer.Option(min=1, max=LARGEST_CHOSEN, help="Number of the header, if created.")
    ] = None,
) -> None:
    """Create a profile attribute of a list."""
    draft = AttributeDraft(name=name, kind=kind, max_length=max_length, number=number)
    here, profiles = list_of(product, owner, list_id), product.profiles
    known = next((each for each in profiles.headers(here.id) if each.name.casefold() == header.casefold()), None)
    if known is None:
        profiles.add_header(owner.id, here.id, header, attributes=[draft], number=header_number)
    elif header_number is not None and header_number != known.id:
        stop(f"The list already has header {known.id} ({known.name}).")
    else:
        profiles.add_attribute(owner.id, here.id, known.id, name, kind=kind, max_length=max_length, number=number)
    made = next(each for each in profiles.attributes(here.id) if each.name == name.strip())
    console.print(f"Attribute {made.id} ({made.name}) was created.")


@on_account(app, "list")
def list_(product: Product, owner: Account, list_id: ListId, as_json: Json = False) -> None:
    """List the profile attributes of a list."""
    table = Table("Attribute", "Name", "Kind", "Longest", "Header", "Name of the header")
    found = product.profiles.headers(list_of(product, owner, list_id).id)
    if as_json:
        from soapstone.api.profile import HeaderOut

        print_all(found, HeaderOut.of)
        return
    for header in found:
        for each in header.attributes:
            longest = str(each.max_length or "")
            table.add_row(str(each.id), each.name, each.kind, longest, str(header.id), header.name)
    console.print(table)
