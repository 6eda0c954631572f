"""`soapstone token …`: tokens for the REST API."""

from __future__ import annotations

import typer

from soapstone.accounts.account import Account, Login
from soapstone.accounts.tokens import Token
from soapstone.commands.common import on_account, stop
from soapstone.commands.output import Json, console, print_rows
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Tokens for the REST API.")


@on_account(app)
def create(product: Product, owner: Account, login: str, name: str) -> None:
    """Create a token for a login and print it; it is shown only once."""
    _, secret = product.tokens.add(owner, _login(product, owner, login), name)
    console.print(secret, soft_wrap=True, highlight=False)


@on_account(app, "list")
def list_(product: Product, owner: Account, login: str, as_json: Json = False) -> None:
    """List the tokens of a login."""

    def cells(each: Token) -> tuple[object, ...]:
        used = f"{each.last_used_at:%Y-%m-%d %H:%M}" if each.last_used_at else "never"
        return each.id, each.name, f"{each.created_at:%Y-%m-%d}", used

    found = product.tokens.all(_login(product, owner, login).id)
    print_rows(found, as_json, "account:TokenOut.of", ("Token", "Name", "Made", "Last used"), cells)


@on_account(app)
def revoke(product: Product, owner: Account, login: str, token: int) -> None:
    """Revoke a token."""
    if not product.tokens.revoke(_login(product, owner, login).id, token):
        stop(f"Login {login} has no token {token}.")
    console.print(f"Token {token} was revoked.")


def _login(product: Product, owner: Account, name: str) -> Login:
    known = {login.name.casefold(): login for login, _ in product.accounts.logins(owner)}
    return known.get(name.casefold()) or stop(f"There is no login {name} in account {owner.name}.")
