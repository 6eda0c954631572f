"""`soapstone token …`: tokens for the REST API."""

from __future__ import annotations

import typer
from rich.table import Table

from soapstone.accounts.account import Account, Login
from soapstone.commands.common import on_account, stop
from soapstone.commands.json_output import Json, print_all
from soapstone.commands.terminal import console
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Tokens for the REST API.")


@app.command()
@on_account
def create(product: Product, owner: Account, login: str, name: str) -> None:
    """Create a token for a login and print it; it is shown only once."""
    _, secret = product.tokens.add(owner, _login(product, owner, login), name)
    console.print(secret, soft_wrap=True, highlight=False)


@app.command("list")
@on_account
def list_(product: Product, owner: Account, login: str, as_json: Json = False) -> None:
    """List the tokens of a login."""
    table = Table("Token", "Name", "Made", "Last used")
    found = product.tokens.all(_login(product, owner, login).id)
    if as_json:
        from soapstone.api.account import TokenOut

        print_all(found, TokenOut.of)
        return
    for each in found:
        used = f"{each.last_used_at:%Y-%m-%d %H:%M}" if each.last_used_at else "never"
        table.add_row(str(each.id), each.name, f"{each.created_at:%Y-%m-%d}", used)
    console.print(table)


@app.command()
@on_account
def revoke(product: Product, owner: Account, login: str, token: int) -> None:
    """Revoke a token."""
    if not product.tokens.revoke(_login(product, owner, login).id, token):
        stop(f"Login {login} has no token {token}.")
    console.print(f"Token {token} was revoked.")


def _login(product: Product, owner: Account, name: str) -> Login:
    known = {login.name.casefold(): login for login, _ in product.accounts.logins(owner)}
    return known.get(name.casefold()) or stop(f"There is no login {name} in account {owner.name}.")
