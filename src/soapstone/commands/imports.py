"""`soapstone import`: a file of contacts into a list."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from soapstone.accounts.account import Account
from soapstone.commands import html_table
from soapstone.commands.column_questions import ask
from soapstone.commands.common import list_of, on_account, stop
from soapstone.commands.inline_worker import work_off
from soapstone.commands.output import console
from soapstone.errors import InvalidError
from soapstone.imports import excel_xml
from soapstone.imports.columns import Headings, Plan, shortened
from soapstone.imports.file_kinds import beginning_of, kind
from soapstone.imports.opt_outs import Reader, is_opt_out
from soapstone.imports.spec import (
    MOST_SKIPPED,
    Action,
    ImportSpec,
    Known,
    OptOut,
    check_form,
    opt_outs_alone,
    opt_outs_of,
)
from soapstone.imports.spreadsheet import as_csv, is_spreadsheet
from soapstone.product import Product
from soapstone.store.blobs import Upload

app = typer.Typer()

BLOCK = 1 << 20
# What other files have in place of a comma → how the option says it.
_DELIMITERS = {"\t": r"\t", ";": ";", "|": "|"}


@on_account(app, "import")
def import_(
    product: Product,
    owner: Account,
    file: Annotated[
        Path,
        typer.Argument(
            help="A delimited text file, also packed as gzip or zip, a spreadsheet (.xlsx, .xls, .ods), or an HTML "
            "table.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    list_id: Annotated[int | None, typer.Option("--list", help="The list that the contacts join.")] = None,
    no_list: Annotated[bool, typer.Option("--no-list", help="Store the contacts without a list.")] = False,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help="COLUMN=FIELD, columns from 1; by default the header names fields."),
    ] = None,
    header: Annotated[bool, typer.Option(help="Whether the first line is a header.")] = True,
    delimiter: Annotated[
        str, typer.Option(help=r"Field delimiter; \t for a tab. By default detected: comma, semicolon, tab or bar.")
    ] = "",
    qualifier: Annotated[str, typer.Option(help="Quote around a field; empty for none.")] = '"',
    skip: Annotated[int, typer.Option(min=0, max=MOST_SKIPPED, help="Lines above the header, such as a title.")] = 0,
    encoding: Annotated[
        str, typer.Option(help="Such as utf-8, utf-16, windows-1252, mac-roman, cp850, shift_jis; auto detects it.")
    ] = "auto",
    sheet: Annotated[str, typer.Option(help="The sheet of a spreadsheet; the first by default.")] = "",
    on_existing: Annotated[
        Known | None,
        typer.Option(
            help="Known contacts: overwrite takes all values of the file (the default), update those that are not "
            "blank, append fills empty fields, keep changes nothing."
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave known contacts unchanged: --on-existing keep.")] = False,
    members_only: Annotated[bool, typer.Option("--members-only", help="Change members only; add none.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Members not in the file leave the list.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Unsubscribe the file's contacts from the list.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="With --remove: empty their profile attributes too.")] = False,
    opt_outs: Annotated[
        Literal["respect", "ignore"],
        typer.Option(
            "--opt-outs",
            help="Opt-out columns: respect imports their contacts as unsubscribed, ignore skips the columns.",
        ),
    ] = "respect",
    make_attributes: Annotated[
        bool, typer.Option("--make-attributes", help="Create profile attributes for unused columns.")
    ] = False,
    split_names: Annotated[
        bool, typer.Option("--split-names", help="Fill first and last name from a column of whole names.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop and store nothing if a column is unused.")] = False,
    roles: Annotated[bool, typer.Option("--roles", help="Accept role addresses, such as info@.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, check and count; store nothing.")] = False,
) -> None:
    """Import a file of contacts into a list and watch it; exit code 1 unless it completes."""
    if no_list == (list_id is not None):
        stop("Say which list with --list, or --no-list.")
    if keep and on_existing not in (None, "keep"):
        stop(f"--keep and --on-existing {on_existing} exclude each other.")
    if make_attributes and (no_list or remove):
        stop("--make-attributes needs a list and excludes --remove.")
    action = _action(members_only=members_only, remove=remove, clear=clear)
    given = _Form(delimiter.replace(r"\t", "\t"), qualifier, "" if encoding == "auto" else encoding, skip)
    found = None if list_id is None else list_of(product, owner, list_id)
    upload = product.blobs.new()
    names: list[str] = []
    try:
        form = _copy(file, sheet, given, upload)
        layout = product.imports.layout(upload, **asdict(form), header=header)
        form = _Form(layout.delimiter, form.qualifier, form.encoding, layout.skip)
        if header:
            names = product.imports.header_names(upload, **asdict(form))
        respected = opt_outs == "respect" and not remove
        told = _opt_outs(names, columns or []) if respected else ()
        headings = Headings(
            None if list_id is None else product.profiles.attributes(list_id),
            may_make=not remove,
            splits_names=split_names,
        )
        if columns:
            named = _mapped(columns)
            ignored = {index for index, name in named.items() if is_opt_out(name)}
            plan = headings.named(named, ignored, make_attributes=make_attributes)
        else:
            ignored = opt_outs_alone(told, make_attributes=make_attributes)
            plan = headings.read(dict(enumerate(names)), owner.identifier, ignored)
            if make_attributes:
                plan = plan.making(plan.unused)
            elif plan.unused and not strict and _asks():
                plan = ask(headings, plan)
        if strict and plan.unused:
            stop(f"Not used: {_names(plan.unused.values())}. Nothing was stored.")
        _tell(plan, dry_run=dry_run)
        spec = ImportSpec(
            columns=plan.columns,
            unused=plan.told,
            header=header,
            **asdict(form),
            action=action,
            known="keep" if keep else on_existing or "overwrite",
            blocked="keep",
            identified_by="account",
            replace=replace,
            dry_run=dry_run,
            # Existing members may be changed and removed.
            reject_roles=action == "add" and not roles,
            source="File",
            repair=True,
            opt_outs=told,
        )
        job = product.imports.submit(
            account=owner,
            login=None,
            contact_list=found,
            upload=upload,
            spec=spec,
            label=file.name,
            new_attributes=plan.new,
        )
    except InvalidError as trouble:
        stop(f"{trouble}{_hint(names)}")
    finally:
        upload.discard()
    if work_off(product, job).state != "completed":
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Form:
    """The text's format, as in ImportSpec; an empty delimiter is detected."""

    delimiter: str
    qualifier: str
    encoding: str
    skip: int


def _action(*, members_only: bool, remove: bool, clear: bool) -> Action:
    if clear and not remove:
        stop("--clear needs --remove.")
    if remove and members_only:
        stop("--remove and --members-only exclude each other.")
    if remove:
        return "remove_with_profile" if clear else "remove"
    return "update" if members_only else "add"


def _copy(file: Path, sheet: str, form: _Form, upload: Upload) -> _Form:
    """Write the file's text to the upload; return its format there.

    A workbook or an HTML table becomes CSV. Raises InvalidError for one that cannot be read, for `sheet` without a
    workbook, and for an unknown encoding.
    """
    is_workbook, what = is_spreadsheet(file), kind(beginning_of(file))
    if sheet and not is_workbook and what != "excel_xml":
        raise InvalidError(f"--sheet is for spreadsheets; {file.name} is not one.")
    check_form(form.delimiter or ",", form.qualifier, form.encoding, form.skip)
    if is_workbook:
        pieces = as_csv(file, sheet)
    elif what == "excel_xml":
        pieces = excel_xml.as_csv(file, sheet)
    elif what == "html":
        pieces = html_table.as_csv(file, form.encoding)
    else:
        with file.open("rb") as source:
            while block := source.read(BLOCK):
                upload.write(block)
        upload.close()
        return form
    for piece in pieces:
        upload.write(piece)
    upload.close()
    return _Form(",", '"', "utf-8", form.skip)


def _hint(names: list[str]) -> str:
    """Return a hint about the delimiter for a file with one column."""
    if len(names) != 1:
        return ""
    found = next((option for mark, option in _DELIMITERS.items() if mark in names[0]), None)
    return f" The header is one column: perhaps it needs --delimiter '{found}'." if found else ""


def _opt_outs(names: list[str], maps: list[str]) -> tuple[OptOut, ...]:
    """Describe the opt-out columns, found by heading or --map."""
    headings = dict(enumerate(names))
    for given in maps:
        position, _, name = given.partition("=")
        if position.isdigit() and is_opt_out(name):
            headings[int(position) - 1] = name
    found = opt_outs_of(headings)
    doubtful = [column.heading for column in found if Reader(column.heading).doubtful]
    if sure := [column.heading for column in found if column.heading not in doubtful]:
        console.print(f"Opt-out columns: {', '.join(sure)}.")
    if doubtful:
        console.print(f"Opt-out columns if their values say so: {', '.join(doubtful)}.")
    return found


def _mapped(maps: list[str]) -> dict[int, str]:
    """Return the names that the --map options give to columns, from 0."""
    named: dict[int, str] = {}
    for given in maps:
        position, equals, name = given.partition("=")
        if not equals or not name.strip() or not (position.isascii() and position.isdecimal()) or int(position) < 1:
            stop(f"--map is COLUMN=FIELD with columns counted from 1, not {given}.")
        index = int(position) - 1
        if index in named:
            stop(f"--map names column {position} twice.")
        named[index] = name
    return named


def _asks() -> bool:
    """Return whether the command can ask at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _tell(plan: Plan, *, dry_run: bool) -> None:
    """Say which columns are not used, and which attributes are made."""
    if plan.doubled:
        console.print(f"Used as contact fields, not as attributes of the same name: {_names(plan.doubled)}.")
    if plan.new:
        console.print(f"{'Would make' if dry_run else 'Makes'} attributes: {_names(plan.new.values())}.")
    if plan.unused:
        console.print(f"Not used: {_names(plan.unused.values())} (no such field or attribute).")


def _names(headings: Iterable[str]) -> str:
    return ", ".join(shortened(headings))
