"""`soapstone account …`: accounts and logins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from soapstone.accounts.account import RIGHTS, Account
from soapstone.accounts.audit import AuditEntry
from soapstone.commands.common import field_values, list_of, on_account, on_records, printable, stop, text_of
from soapstone.commands.output import Json, console, print_all, print_rows
from soapstone.lists.names import checked_name
from soapstone.product import Product
from soapstone.vocabulary.contacts import Identifier, UnsubscribeType
from soapstone.vocabulary.tracking import TrackingMode

app = typer.Typer(no_args_is_help=True, help="Accounts and logins.")

PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="File with the password on its first line; - for standard input.")
]


@on_records(app)
def create(
    product: Product,
    name: str,
    login: Annotated[str, typer.Option("--login", help="Name of the account's first login.")],
    password_file: PasswordFile = None,
    time_zone: Annotated[str | None, typer.Option(help="The account's time zone.")] = None,
    identifier: Annotated[Identifier, typer.Option(help="What identifies a contact.")] = Identifier.EMAIL,
    parent: Annotated[str | None, typer.Option(help="The parent account.")] = None,
) -> None:
    """Create an account with its first login."""
    name, login = checked_name(name, "account"), checked_name(login, "login")
    secret = password_of(password_file)
    if product.accounts.has_login(login):
        stop(f"Login {login} exists already.")
    zone = time_zone or product.settings.time_zone
    account = product.accounts.create(name, time_zone=zone, identifier=identifier, parent=parent)
    product.accounts.add_login(account, login, secret)
    console.print(f"Account {account.name} with login {login} was created.")


@on_records(app, "list")
def list_(product: Product, as_json: Json = False) -> None:
    """List the accounts."""
    print_rows(
        product.accounts.all(),
        as_json,
        "account:AccountHead.of",
        ("Account", "Parent", "Identifier", "Time zone"),
        lambda account: (account.name, account.parent_name or "", account.identifier, account.time_zone),
    )


@on_account(app)
def login(
    product: Product,
    owner: Account,
    name: str,
    password_file: PasswordFile = None,
    lists: Annotated[list[int] | None, typer.Option("--list", help="Only this list; repeatable.")] = None,
    api: Annotated[bool, typer.Option(help="May call the APIs.")] = True,
    analytics: Annotated[bool, typer.Option(help="May see reports.")] = True,
    to_console: Annotated[bool, typer.Option("--console/--no-console", help="May use the console.")] = True,
    choose_numbers: Annotated[
        bool, typer.Option("--choose-numbers/--no-choose-numbers", help="May choose numbers by REST.")
    ] = False,
) -> None:
    """Add a login to an account."""
    name = checked_name(name, "login")
    for list_id in lists or ():
        list_of(product, owner, list_id)
    product.accounts.add_login(
        owner,
        name,
        password_of(password_file),
        may_call_api=api,
        may_see_analytics=analytics,
        may_use_console=to_console,
        may_choose_numbers=choose_numbers,
        lists=lists or None,
    )
    console.print(f"Login {name} was added to account {owner.name}.")


@on_account(app)
def change(
    product: Product,
    owner: Account,
    unsubscribe_type: Annotated[UnsubscribeType | None, typer.Option(help="What an unsubscribe applies to.")] = None,
    identifier: Annotated[
        Identifier | None, typer.Option(help="What identifies a contact; only before the first one.")
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="The account's time zone.")] = None,
    tracking: Annotated[
        TrackingMode | None, typer.Option(help="How much is recorded of its mails' recipients.")
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="FIELD=LABEL, such as custom1=Size; repeatable.")
    ] = None,
) -> None:
    """Change settings of an account."""
    values: dict[str, Any] = {"unsubscribe_type": unsubscribe_type, "identifier": identifier, "time_zone": time_zone}
    values["tracking"] = tracking
    if labels:
        new = {name: label.strip() for name, label in field_values(labels, "LABEL").items()}
        values["field_labels"] = {**owner.field_labels, **new}
    given = {name: value for name, value in values.items() if value is not None}
    changed = product.accounts.change(owner, **given)
    console.print(
        f"Account {changed.name}: unsubscribes apply to {changed.unsubscribe_type}, contacts are identified by "
        f"{changed.identifier}, the time zone is {changed.time_zone}, tracking is {changed.tracking}."
    )


@on_account(app)
def merge_doubles(
    product: Product, owner: Account, yes: Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")] = False
) -> None:
    """Merge contacts that share a mailbox into the oldest one, and delete the others.

    On each list unsubscribed overrides waiting, which overrides subscribed. The oldest contact's values stay; the
    others fill gaps. Opt-outs, shut channels, events and ledgers are kept.
    """
    count = product.duplicates.counts().get(owner.name, 0)
    if not count:
        console.print(f"Account {owner.name} has no duplicates.")
        return
    if not yes:
        typer.confirm(f"Merge the {count} duplicates of account {owner.name}? This cannot be undone.", abort=True)
    for mailbox in product.duplicates.merge(owner):
        others = ", ".join(f"{number} {email}" for number, email in mailbox.others.items())
        typer.echo(printable(f"Merged into contact {mailbox.contact_id} {mailbox.email}: {others}."))


@on_account(app)
def logins(product: Product, owner: Account, as_json: Json = False) -> None:
    """List an account's logins with their permissions."""
    table = Table("Login", "Name", "APIs", "Reports", "Console", "Numbers", "Disabled", "Lists")
    found = product.accounts.logins(owner)
    if as_json:
        from soapstone.api.logins import LoginOut

        print_all(found, lambda each: LoginOut.of(*each))
        return
    for each, lists in found:
        seen = "all" if each.all_lists else ", ".join(map(str, lists)) or "none"
        flags = (*(getattr(each, right) for right in RIGHTS), each.disabled)
        table.add_row(str(each.id), each.name, *("yes" if flag else "no" for flag in flags), seen)
    console.print(table)


@on_account(app)
def permit(
    product: Product,
    owner: Account,
    login: str,
    api: Annotated[bool | None, typer.Option("--api/--no-api", help="May call the APIs.")] = None,
    analytics: Annotated[bool | None, typer.Option("--analytics/--no-analytics", help="May see reports.")] = None,
    to_console: Annotated[bool | None, typer.Option("--console/--no-console", help="May use the console.")] = None,
    choose_numbers: Annotated[
        bool | None, typer.Option("--choose-numbers/--no-choose-numbers", help="May choose numbers by REST.")
    ] = None,
    lists: Annotated[list[int] | None, typer.Option("--list", help="Only this list; repeatable.")] = None,
    all_lists: Annotated[bool, typer.Option("--all-lists", help="All lists of the account.")] = False,
) -> None:
    """Change a login's permissions. Revocations take effect at once."""
    for list_id in lists or ():
        list_of(product, owner, list_id)
    if not product.accounts.permit(
        owner,
        login,
        may_call_api=api,
        may_see_analytics=analytics,
        may_use_console=to_console,
        may_choose_numbers=choose_numbers,
        lists=lists,
        all_lists=all_lists,
    ):
        stop(f"There is no login {login} in account {owner.name}.")
    console.print(f"Login {login} is changed.")


@on_account(app)
def disable_login(product: Product, owner: Account, login: str) -> None:
    """Disable a login and end its sessions. Its tokens work again when it is enabled."""
    _change(product, owner, login, disabled=True)
    console.print(f"Login {login} is disabled.")


@on_account(app)
def enable_login(product: Product, owner: Account, login: str) -> None:
    """Enable a disabled login."""
    _change(product, owner, login, disabled=False)
    console.print(f"Login {login} is enabled.")


@on_account(app)
def delete_login(
    product: Product,
    owner: Account,
    login: str,
    yes: Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")] = False,
) -> None:
    """Delete a login, with its sessions and tokens. Its jobs go on; what it created stays."""
    if not yes:
        typer.confirm(f"Delete login {login} of account {owner.name}? This cannot be undone.", abort=True)
    if not product.accounts.delete_login(owner, login):
        stop(f"There is no login {login} in account {owner.name}.")
    console.print(f"Login {login} is deleted.")
    if not product.accounts.logins(owner):
        console.print(f"Account {owner.name} has no login left. Add one: soapstone account login NAME")


@on_account(app)
def audit(
    product: Product,
    owner: Account,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Show at most this many of the newest entries.")] = 100,
    as_json: Json = False,
) -> None:
    """List logons, locks, changed rights, exports and sends of an account, oldest first."""

    def cells(each: AuditEntry) -> tuple[object, ...]:
        who = each.login_name if each.login_id is not None else "(command line)"
        return f"{each.at:%Y-%m-%d %H:%M:%S}", who, each.address, each.action, each.detail

    columns = ("When (UTC)", "Login", "From", "Action", "What")
    print_rows(product.audit.last(owner.id, limit), as_json, "logins:AuditEntryOut.of", columns, cells)


@on_records(app)
def password(product: Product, login: str, password_file: PasswordFile = None) -> None:
    """Change a login's password. Its sessions end, and its tokens are revoked."""
    found = product.accounts.set_password(login, password_of(password_file))
    if not found:
        stop(f"There is no login {login}.")
    console.print(f"Login {login} has a new password.")


@on_account(app)
def addresses(
    product: Product,
    owner: Account,
    networks: Annotated[
        list[str] | None, typer.Argument(help="Networks, such as 192.0.2.0/24; none allows all.")
    ] = None,
) -> None:
    """Restrict the networks that may call an account."""
    try:
        product.accounts.allow_addresses(owner, networks or [])
    except ValueError as trouble:
        stop(f"{trouble}.")
    console.print(f"Account {owner.name} may be called from {', '.join(networks or ['anywhere'])}.")


def _change(product: Product, owner: Account, login: str, *, disabled: bool) -> None:
    if not product.accounts.permit(owner, login, disabled=disabled):
        stop(f"There is no login {login} in account {owner.name}.")


def password_of(file: Path | None, *, new: bool = True) -> str:
    """Return the password in a file, or ask for it, twice for a new one."""
    if file is None:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=new))
    text = sys.stdin.readline() if str(file) == "-" else text_of(str(file))
    secret = text.splitlines()[0] if text.strip() else ""
    return secret or stop("The password is empty.")
