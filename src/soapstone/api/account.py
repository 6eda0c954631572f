"""The account of the caller, and the tokens of the login."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel

from soapstone.accounts.account import Account
from soapstone.accounts.tokens import Token
from soapstone.api.authentication import Calling
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import Body, Cursor, Limit, Name, Number, Page, Shown, paged

router = APIRouter(tags=["account"])


class AccountHead(BaseModel):
    """An account."""

    id: int
    name: str
    parent: str | None
    identifier: str
    time_zone: str
    unsubscribe_type: str
    tracking: str
    field_labels: dict[str, str]

    @classmethod
    def of(cls, account: Account) -> AccountHead:
        """Return the account as it is shown."""
        same = {name: getattr(account, name) for name in AccountHead.model_fields if name != "parent"}
        return AccountHead(**same, parent=account.parent_name)


class AccountOut(AccountHead):
    """An account and the calling login."""

    login: str
    all_lists: bool
    may_see_analytics: bool
    may_use_console: bool
    may_choose_numbers: bool


class TokenIn(Body):
    """A new token: what it is for."""

    name: Name


class TokenOut(Shown):
    """A token without its secret."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


class NewToken(TokenOut):
    """A token with its secret, which is shown only once."""

    token: str


@router.get("/account")
def get_account(caller: Calling) -> AccountOut:
    """Return the account of the caller."""
    return AccountOut(
        **AccountHead.of(caller.account).model_dump(),
        login=caller.login.name,
        all_lists=caller.login.all_lists,
        may_see_analytics=caller.login.may_see_analytics,
        may_use_console=caller.login.may_use_console,
        may_choose_numbers=caller.login.may_choose_numbers,
    )


@router.get("/tokens")
def list_tokens(caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[TokenOut]:
    """List the tokens of the login by number."""
    return paged(cursor, limit, caller.product.tokens.all(caller.login.id), TokenOut.of)


@router.post("/tokens", status_code=201, response_model=NewToken)
def create_token(given: TokenIn, caller: Calling, once: Making) -> Response:
    """Create a token for the login. Repeating a key is refused: the secret is shown only once."""

    def make() -> tuple[Token, str]:
        return caller.product.tokens.add(caller.account, caller.login, given.name, by=caller.login.actor)

    return once(
        given,
        make,
        lambda made: NewToken(**TokenOut.of(made[0]).model_dump(), token=made[1]),
        told_once=lambda made: f"Token {made[0].id} was created by this request. Its secret is shown only once.",
    )


@router.delete("/tokens/{token_id}", status_code=204)
def delete_token(token_id: Number, caller: Calling) -> None:
    """Revoke a token of the login."""
    if not caller.product.tokens.revoke(caller.login.id, token_id, by=caller.login.actor):
        raise not_found("token")
