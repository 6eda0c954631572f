"""`soapstone import`: a file of contacts into a list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from soapstone.commands.common import AccountName, Data, DatabaseUrl, account_of, console, opened, settings_of, stop
from soapstone.commands.working import work_off
from soapstone.imports.spec import Column, ImportSpec, InvalidImport
from soapstone.lists.fields import field_column
from soapstone.product import Product
from soapstone.store.blobs import Upload

# Other headings under which files carry the address.
ADDRESS_HEADINGS = frozenset({"emailaddress", "email address", "e-mail", "e-mail address", "mail"})
BLOCK = 1 << 20


def import_(
    file: Annotated[Path, typer.Argument(help="A delimited text file.", exists=True, dir_okay=False, readable=True)],
    list_id: Annotated[int, typer.Option("--list", help="The list that the contacts join.")],
    account: AccountName = None,
    columns: Annotated[
        list[str] | None, typer.Option("--map", help="COLUMN=FIELD, columns from 1; else the header line names fields.")
    ] = None,
    header: Annotated[bool, typer.Option(help="Whether the first line is a header.")] = True,
    delimiter: Annotated[str, typer.Option(help=r"Between two fields; \t for a tab.")] = ",",
    qualifier: Annotated[str, typer.Option(help="Around a field; empty for none.")] = '"',
    keep: Annotated[bool, typer.Option("--keep", help="Leave contacts that are known as they are.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Members that are not in the file leave the list.")
    ] = False,
    roles: Annotated[bool, typer.Option("--roles", help="Take addresses such as info@ too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, check and count; store nothing.")] = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Import a file of contacts into a list and watch it; exit code 1 unless it was completed."""
    separator = "\t" if delimiter == r"\t" else delimiter
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        found = product.lists.get(owner.id, list_id)
        if found is None:
            stop(f"There is no list {list_id} in account {owner.name}.")
        upload = _copied(product, file)
        try:
            names = product.imports.header_names(upload, delimiter=separator, qualifier=qualifier) if header else []
            spec = ImportSpec(
                columns=_columns(product, list_id, names, columns or []),
                header=header,
                delimiter=separator,
                qualifier=qualifier,
                action="add",
                known="keep" if keep else "overwrite",
                blocked="keep",
                identified_by="account",
                replace=replace,
                dry_run=dry_run,
                reject_roles=not roles,
                source="File",
            )
            job = product.imports.submit(
                account=owner, login=None, contact_list=found, upload=upload, spec=spec, label=file.name
            )
        except InvalidImport as trouble:
            stop(str(trouble))
        finally:
            upload.discard()
        if work_off(product, job).state != "completed":
            raise typer.Exit(1)


def _copied(product: Product, file: Path) -> Upload:
    upload = product.blobs.new()
    with file.open("rb") as source:
        while block := source.read(BLOCK):
            upload.write(block)
    upload.close()
    return upload


def _columns(product: Product, list_id: int, names: list[str], maps: list[str]) -> tuple[Column, ...]:
    """The used columns: those of the --map options, else those whose heading names a field or an attribute."""
    attributes = {attribute.name.lower(): attribute.id for attribute in product.profiles.attributes(list_id)}

    def target(name: str) -> str | None:
        lower = name.strip().lower()
        if lower in ADDRESS_HEADINGS:
            return "email"
        return f"attribute:{attributes[lower]}" if lower in attributes else field_column(name)

    found: list[Column] = []
    for given in maps:
        position, equals, name = given.partition("=")
        aim = target(name)
        if not equals or not position.isdigit() or int(position) < 1:
            stop(f"--map is COLUMN=FIELD with columns counted from 1, not {given}.")
        if aim is None:
            stop(f"There is no field or attribute {name}.")
        found.append(Column(index=int(position) - 1, target=aim))
    if maps:
        return tuple(found)
    unused = []
    for index, name in enumerate(names):
        aim = target(name)
        if aim is None:
            unused.append(name)
        else:
            found.append(Column(index=index, target=aim))
    if unused:
        console.print(f"Not used: {', '.join(unused)} (no such field or attribute).")
    return tuple(found)
